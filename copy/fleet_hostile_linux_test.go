package copy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// A Redis that comes back as it was a while ago, with items that are done by now, and without what they have added since,
// loses nothing and leaves nothing half: all of that is done again, as far as it has to be.
func TestFleetWithARedisThatForgets(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	src := filepath.Join(t.TempDir(), "src")
	cargo(t, src)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 9))
			_, to := dirs(t)
			c := fleetChild{
				Redis: redis.URL, Job: fmt.Sprint("forgets", seed), Source: src, Dest: filepath.Join(to, "dst"), Lease: time.Second,
			}
			var crew []*fleetWorker
			for _, m := range limiter.Modes {
				c.Mode = m
				crew = append(crew, c.start(t))
			}
			for deadline := time.Now().Add(time.Minute); ; {
				if n, err := redis.Do("SCARD", fmt.Sprintf("{pace:%s:0}:groups", c.Job)); err != nil || n != "0" {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("nothing was begun")
				}
				<-time.After(time.Millisecond)
			}
			for range 3 {
				<-time.After(time.Duration(rnd.IntN(100)) * time.Millisecond)
				kept := redis.Keep(t)
				<-time.After(time.Duration(20+rnd.IntN(300)) * time.Millisecond)
				redis.Kill(t)
				redis.PutBack(t, kept)
				redis.Restart(t)
				<-time.After(c.Lease) // before that, nobody begins anything
			}
			for _, w := range crew {
				w.mustEnd(t)
			}
			arrived(t, c.Dest, src)
		})
	}
}

// A job whose items the server has lost is no reason to wait for ever.
func TestFleetWithLostItems(t *testing.T) {
	redis := redistest.Start(t)
	from, to := dirs(t)
	write(t, filepath.Join(from, "a"), random(10))
	o := inFleet(t, redis.URL, Options{Sources: []string{from}, Dest: to, Recursive: true})
	job, err := fleet.Open(t.Context(), *o.Fleet)
	must(t, err)
	_, err = job.Add(t.Context(), fleet.Entry{Key: "lost", Payload: []byte("x")})
	must(t, err)
	must(t, job.Close(t.Context()))
	if reply, err := redis.Do("DEL", fmt.Sprintf("{pace:%s:0}:due", o.Fleet.Job)); err != nil || reply != "1" {
		t.Fatal(reply, err)
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, fleet.ErrTorn) {
		t.Errorf("got %v", err)
	}
}

// What a job has left that was deleted before its end goes with the one of its name that comes after it.
func TestFleetFollowsADeletedJob(t *testing.T) {
	redis := redistest.Start(t)
	from, to := dirs(t)
	write(t, filepath.Join(from, "large"), random(3*mib))
	o := inFleet(t, redis.URL, Options{Sources: []string{from}, Dest: to, Recursive: true, Rate: limiter.NewRate(mib)})
	part := func() bool {
		parts, _ := filepath.Glob(filepath.Join(to, "from", ".large.*"+partSuffix))
		return len(parts) > 0
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := Run(ctx, o)
		ended <- err
	}()
	for deadline := time.Now().Add(time.Minute); !part(); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was begun")
		}
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || !part() {
		t.Fatalf("got %v, part %v", err, part())
	}
	job, err := fleet.Look(t.Context(), *o.Fleet)
	must(t, err)
	must(t, job.Delete(t.Context()))
	must(t, job.Leave())
	o.Rate = nil
	together(t, 2, o)
	holds(t, to, "from")
	holds(t, filepath.Join(to, "from"), "large")
}

// A folder whose files may be listed and not looked at keeps none of them to itself: each is to fail under its name.
func TestFleetListsWhatItCannotLookAt(t *testing.T) {
	from, _ := dirs(t)
	sub := filepath.Join(from, "sub")
	must(t, os.Mkdir(sub, 0o755))
	write(t, filepath.Join(sub, "a"), random(10))
	must(t, os.Chmod(sub, 0o444))
	t.Cleanup(func() { _ = os.Chmod(sub, 0o755) })
	shelf, err := newLocalShelf(&run{}, from, false)
	if err != nil {
		t.Fatal(err)
	}
	defer shelf.close()
	names := make(chan []string)
	go func() { // its thread goes with it
		runtime.LockOSThread()
		defer close(names)
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		var found []string
		if err := shelf.list(t.Context(), "sub", func(s shelved) error { found = append(found, s.name); return nil }); err != nil {
			t.Error(err)
		}
		names <- found
	}()
	if got := <-names; len(got) != 1 || got[0] != "a" {
		t.Errorf("got %q", got)
	}
}
