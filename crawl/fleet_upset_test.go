package crawl

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// upsetFleet crawls with some workers, does something while a page is being written, and returns all that was written and
// the workers' errors.
func upsetFleet(ctx context.Context, t *testing.T, url string, workers int, upset func(fleet.Options)) (string, []error) {
	t.Helper()
	resolve, seeds := fleetSite(t, http.NotFound, "a.test", "b.test", "c.test", "d.test")
	o := Options{
		Workers: 2, Seeds: seeds, Depth: 2, Resolve: resolve, Rate: 20, PerHost: 1, Timeout: time.Minute,
		Fleet: &fleet.Options{URL: url, Job: "job", Lease: 3 * time.Second},
	}
	var mu sync.Mutex
	var all bytes.Buffer
	reached, done := make(chan struct{}), make(chan struct{})
	o.Output = writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if before := strings.Count(all.String(), "\n"); before < 6 && before+bytes.Count(p, []byte("\n")) >= 6 {
			close(reached)
			<-done
		}
		return all.Write(p)
	})
	errs := make([]error, workers)
	var running sync.WaitGroup
	for i := range errs {
		running.Go(func() { _, errs[i] = Run(ctx, o) })
	}
	<-reached
	upset(*o.Fleet)
	close(done)
	running.Wait()
	return all.String(), errs
}

var urlField = regexp.MustCompile(`"url":"[^"]+"`)

// distinct returns how many pages there are among records.
func distinct(records string) int {
	pages := map[string]bool{}
	for _, url := range urlField.FindAllString(records, -1) {
		pages[url] = true
	}
	return len(pages)
}

// A server that is full for a moment holds the crawl up and loses nothing.
func TestFleetOnAFullServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	setMemory := func(limit string) {
		if reply, err := s.Do("CONFIG", "SET", "maxmemory", limit); err != nil || reply != "OK" {
			t.Errorf("%q, %v", reply, err)
		}
	}
	raised := make(chan struct{})
	text, errs := upsetFleet(t.Context(), t, s.URL, 2, func(fleet.Options) {
		setMemory("1")
		time.AfterFunc(500*time.Millisecond, func() {
			setMemory("0")
			close(raised)
		})
	})
	<-raised
	if err := errors.Join(errs...); err != nil || distinct(text) != 40 {
		t.Errorf("%d pages of 40, %v", distinct(text), err)
	}
}

// A Cluster that loses a master, and has it back with what it had saved, holds the crawl up and loses nothing.
func TestFleetOnACluster(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t, "--appendonly", "yes", "--appendfsync", "always")
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	text, errs := upsetFleet(t.Context(), t, "redis://"+strings.Join(addrs, ","), 2, func(fleet.Options) {
		servers[1].Kill(t)
		servers[1].Restart(t)
	})
	if err := errors.Join(errs...); err != nil || distinct(text) != 40 {
		t.Errorf("%d pages of 40, %v", distinct(text), err)
	}
	resolve, seeds := fleetSite(t, http.NotFound, "a.test", "b.test", "c.test", "d.test")
	texts := runFleet(t, 3, Options{
		Workers: 4, Seeds: seeds, Depth: 2, Resolve: resolve, Timeout: time.Minute, MaxPages: 13,
		Fleet: &fleet.Options{URL: "redis://" + strings.Join(addrs, ","), Job: "bounded"},
	})
	if n := distinct(strings.Join(texts, "")); n != 13 {
		t.Errorf("%d pages, and 13 are to be had", n)
	}
}

// A server that is put back to before its job had any URLs gets them again from those who brought them.
func TestFleetThatForgetsItsSeeds(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	job, err := fleet.Open(t.Context(), fleet.Options{URL: s.URL, Job: "job"})
	if err == nil {
		err = job.Close(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	kept := s.Keep(t)
	text, errs := upsetFleet(t.Context(), t, s.URL, 2, func(fleet.Options) {
		s.Kill(t)
		s.PutBack(t, kept)
		s.Restart(t)
	})
	if err := errors.Join(errs...); err != nil || distinct(text) != 40 {
		t.Errorf("%d pages of 40, %v", distinct(text), err)
	}
}

// An interrupt is heeded also when Redis does not answer.
func TestFleetInterruptedWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, errs := upsetFleet(ctx, t, s.URL, 1, func(fleet.Options) {
		s.Kill(t)
		cancel()
	})
	if !errors.Is(errs[0], context.Canceled) {
		t.Errorf("got %v", errs[0])
	}
}

// Whoever takes the job away, its worker says so and ends.
func TestFleetThatLosesItsJob(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *redistest.Server, fleet.Options) error{
		"flushed": func(_ *testing.T, s *redistest.Server, _ fleet.Options) error {
			_, err := s.Do("FLUSHALL")
			return err
		},
		"deleted": func(t *testing.T, _ *redistest.Server, o fleet.Options) error {
			job, err := fleet.Look(t.Context(), o)
			if err == nil {
				err = job.Delete(t.Context())
				_ = job.Leave()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			_, errs := upsetFleet(t.Context(), t, s.URL, 1, func(o fleet.Options) {
				if err := lose(t, s, o); err != nil {
					t.Error(err)
				}
			})
			if !errors.Is(errs[0], fleet.ErrGone) {
				t.Errorf("the worker says %v", errs[0])
			}
			if keys, err := s.Do("KEYS", "*"); err != nil || keys != "" {
				t.Errorf("left: %q, %v", keys, err)
			}
		})
	}
}

// A job that cannot come to its end any more is no reason to wait for ever.
func TestFleetThatCannotEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		upset      func(*testing.T, *redistest.Server, *fleet.Job) error
	}{
		{"items lost", "redis has lost 1 of the job's pages", func(_ *testing.T, s *redistest.Server, j *fleet.Job) error {
			if _, err := j.Add(t.Context(), fleet.Entry{Key: "a.test", Payload: []byte("x")}); err != nil {
				return err
			}
			_, err := s.Do("DEL", "{pace:job:0}:due")
			return err
		}},
		{"counts lost", fleet.ErrTorn.Error(), func(_ *testing.T, s *redistest.Server, _ *fleet.Job) error {
			_, err := s.Do("HINCRBY", "{pace:job:0}:part", "done", "5")
			return err
		}},
		{"source lost", "ended before all of its URLs were queued", func(t *testing.T, _ *redistest.Server, j *fleet.Job) error {
			return j.OpenSource(t.Context(), "a list")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			o := fleet.Options{URL: s.URL, Job: "job", Lease: time.Second}
			job, err := fleet.Open(t.Context(), o)
			if err == nil {
				err = c.upset(t, s, job)
			}
			if err == nil {
				err = job.Close(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if _, err = Run(ctx, Options{Fleet: &o, Output: &bytes.Buffer{}}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
