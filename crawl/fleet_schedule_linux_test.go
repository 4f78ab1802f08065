package crawl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pace/limiter/fleet"
)

// fleetSchedule upsets a crawl again and again, as its seed has it.
type fleetSchedule struct {
	*fleetRun
	rnd    *rand.Rand
	alive  []*crawlChild // those that nobody has ended
	killed []*crawlChild
	events int
	asleep sync.WaitGroup
	done   []string
}

// TestFleetUnderRandomSchedules kills, stops, pauses, sends away and adds workers, and does the like to Redis. A machine
// that is busy makes servers see what no worker did, so that what they say is asked again; what workers noted is not.
func TestFleetUnderRandomSchedules(t *testing.T) {
	seeds := uint64(20)
	size := fleetSize{hosts: 20, pages: 40, gap: 120 * time.Millisecond}
	if os.Getenv(fullSize) == "" {
		seeds, size.hosts, size.pages = 1, 8, 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			var complaints []string
			for range 3 {
				stalls := countStalls(t)
				s := &fleetSchedule{fleetRun: newFleetRun(t, size), rnd: rand.New(rand.NewPCG(seed, 7))}
				s.run()
				s.check(s.events + stalls())
				s.checkJob()
				complaints = s.complaints()
				if t.Failed() {
					t.Fatalf("seed %d: %s; servers say %q", seed, strings.Join(s.done, ", "), complaints)
				}
				if len(complaints) == 0 || os.Getenv(fullSize) == "" {
					return
				}
			}
			t.Errorf("seed %d: %q", seed, complaints)
		})
	}
}

func (s *fleetSchedule) run() {
	for range 2 + s.rnd.IntN(3) {
		s.alive = append(s.alive, s.join())
	}
	s.until(1) // there is a job
	for range 4 + s.rnd.IntN(8) {
		<-time.After(s.upTo(400 * time.Millisecond))
		s.events++
		s.do(s.rnd.IntN(10))
	}
	s.asleep.Wait()
	s.join()
	s.wait(s.killed...)
}

func (s *fleetSchedule) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rnd.Int64N(int64(most)))
}

// end takes a worker out of those that are alive.
func (s *fleetSchedule) end() *crawlChild {
	i := s.rnd.IntN(len(s.alive))
	c := s.alive[i]
	s.alive = slices.Delete(s.alive, i, i+1)
	return c
}

// do upsets the crawl in one of ten ways, some of which are the same.
func (s *fleetSchedule) do(way int) {
	note := func(format string, args ...any) { s.done = append(s.done, fmt.Sprintf(format, args...)) }
	switch {
	case way < 2 && len(s.alive) > 0:
		c := s.end()
		s.killed = append(s.killed, c)
		c.kill()
		note("kill")
	case way < 3 && len(s.alive) > 0:
		c := s.end()
		s.killed = append(s.killed, c) // it may be so young that it dies of it
		c.signal(syscall.SIGINT)
		note("interrupt")
	case way < 6 && len(s.alive) > 0:
		c, pause := s.alive[s.rnd.IntN(len(s.alive))], s.upTo(5*fleetLease/2)
		c.signal(syscall.SIGSTOP)
		s.asleep.Go(func() { // others are upset meanwhile
			<-time.After(pause)
			c.signal(syscall.SIGCONT)
		})
		note("stop for %v", pause)
	case way < 7:
		pause := s.upTo(fleetLease)
		s.setState(fleet.Paused)
		<-time.After(pause)
		s.setState("")
		note("pause for %v", pause)
	case way < 8:
		s.redis.Kill(s.t)
		s.redis.Restart(s.t)
		note("restart redis")
	case way < 9:
		pause := s.upTo(3 * fleetLease / 2)
		s.redis.Stop(s.t)
		<-time.After(pause)
		s.redis.Continue(s.t)
		note("stop redis for %v", pause)
	case len(s.alive) < 6:
		s.alive = append(s.alive, s.join())
		note("join")
	}
}

// look opens the job to look at it.
func (s *fleetSchedule) look(use func(*fleet.Job) error) {
	s.t.Helper()
	job, err := fleet.Look(s.t.Context(), fleet.Options{URL: s.redis.URL, Job: "job"})
	if err == nil {
		err = use(job)
		_ = job.Leave()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *fleetSchedule) setState(state string) {
	s.t.Helper()
	s.look(func(j *fleet.Job) error { return j.SetState(s.t.Context(), state) })
}

// checkJob wants that the job is finished, and that nothing of it is left but what is kept to be looked at.
func (s *fleetSchedule) checkJob() {
	s.t.Helper()
	s.look(func(j *fleet.Job) error {
		c, err := j.Counts(s.t.Context())
		if all := int64(s.hosts * s.pages); j.Record().Finished.IsZero() || c.Added != all || c.Done != all || c.Dead != 0 || c.Sources != 0 {
			s.t.Errorf("finished at %v with %+v", j.Record().Finished, c)
		}
		return err
	})
	for _, kind := range []string{"q", "h"} {
		if keys, err := s.redis.Do("KEYS", "*:"+kind+":*"); err != nil || keys != "" {
			s.t.Errorf("left: %q, %v", keys, err)
		}
	}
}
