package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// world is what a job came to under workers that do everything wrong.
type world struct {
	t    *testing.T
	url  string
	name string

	mu    sync.Mutex
	rnd   *rand.Rand
	left  int // items that may still be added
	next  int
	acked map[string]int
	late  map[string]bool // items that a finished job did not take, or that a reply got lost of
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rnd.IntN(n)
}

// children returns up to n new entries.
func (w *world) children(j *Job, n int) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []Entry
	for range min(n, w.left) {
		w.left--
		w.next++
		entries = append(entries, entry(j, fmt.Sprint("key", w.rnd.IntN(6)), fmt.Sprint(w.next)))
	}
	return entries
}

// worker lives until the job is done: each life ends when it dies without a word, sleeps past its leases, or leaves.
func (w *world) worker(ctx context.Context) error {
	for {
		j, err := Open(ctx, Options{URL: w.url, Job: w.name, Lease: 150 * time.Millisecond, MaxAttempts: 1 << 20})
		if err != nil {
			return err
		}
		over, err := w.live(ctx, j)
		if closeErr := j.rdb.Close(); err == nil {
			err = closeErr
		}
		if over || err != nil {
			return err
		}
	}
}

// live is one life. It says whether the job is done.
func (w *world) live(ctx context.Context, j *Job) (over bool, err error) {
	defer j.die()
	for {
		a, err := j.Lease(ctx, 1+w.roll(3), 1+w.roll(4))
		if err != nil {
			return false, err
		}
		if len(a.Leases) == 0 {
			if over, err := j.Done(ctx); over || err != nil {
				return over, err
			}
			<-time.After(10 * time.Millisecond)
		}
		for _, l := range a.Leases {
			switch w.roll(25) {
			case 0:
				return false, nil // dead, with its leases
			case 1:
				j.die()
				<-time.After(time.Duration(100+w.roll(200)) * time.Millisecond)
				return false, w.finish(ctx, j, l) // late, or just in time
			case 2:
				if err := j.Release(ctx, Released{Lease: l.Lease, After: time.Duration(w.roll(50)) * time.Millisecond}); err != nil {
					return false, err
				}
				continue
			}
			if err := w.finish(ctx, j, l); err != nil {
				return false, err
			}
		}
	}
}

// finish does the items of a lease, and then more of them or not.
func (w *world) finish(ctx context.Context, j *Job, l Leased) error {
	items := l.Items
	for len(items) > 0 {
		a := &Acked{Lease: l.Lease, Want: w.roll(3), Era: j.Era()}
		children := w.children(j, w.roll(3))
		outcomes, err := j.Add(ctx, children...)
		if err != nil {
			return err
		}
		w.mu.Lock()
		for i, outcome := range outcomes {
			if outcome != Added {
				w.late[string(children[i].Payload)] = true
			}
		}
		w.mu.Unlock()
		for _, item := range items {
			a.IDs = append(a.IDs, item.ID)
		}
		if err := j.Ack(ctx, a); err != nil {
			return err
		}
		if a.Lost {
			return nil
		}
		w.mu.Lock()
		for _, item := range items[a.Void:] { // all or none
			w.acked[string(item.Payload)]++
		}
		w.mu.Unlock()
		items = a.More
	}
	return j.Release(ctx, Released{Lease: l.Lease})
}

// Whatever becomes of workers, and of a server that keeps its word, each item is done, and counts once.
func TestNothingIsLostNorDoneTwice(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			w := &world{
				t: t, url: s.URL, name: "job", rnd: rand.New(rand.NewPCG(seed, 1)), left: 300, acked: map[string]int{}, late: map[string]bool{},
			}
			first := join(t, s.URL, Options{Job: "job", Lease: 150 * time.Millisecond, MaxAttempts: 1 << 20})
			add(t, first, w.children(first, 20)...)
			var workers sync.WaitGroup
			for range 2 + w.roll(4) {
				workers.Go(func() {
					if err := w.worker(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			if seed%3 == 0 {
				<-time.After(time.Duration(50+w.roll(300)) * time.Millisecond)
				s.Kill(t)
				s.Restart(t)
			}
			workers.Wait()
			c := counts(t, first)
			if n := int(c.Added); n < w.next-len(w.late) || n > w.next || c.Done != c.Added || c.Dead != 0 || c.Keys != c.Leased {
				t.Errorf("%d items, of which %d came late, and %+v", w.next, len(w.late), c)
			}
			for i := range w.next {
				// A server that is killed may have done what it gave no answer to: the worker then sees a lease that is over.
				what := fmt.Sprint(i + 1)
				if n := w.acked[what]; n > 1 || n == 0 && seed%3 != 0 && !w.late[what] {
					t.Errorf("item %d was done %d times", i+1, n)
				}
			}
		})
	}
}

// Of many workers that ask at once, each item goes to one.
func TestRaceForLeases(t *testing.T) {
	url := redistest.Start(t).URL
	boss := join(t, url, Options{Job: "race"})
	const keys, each, workers = 50, 20, 8
	for key := range keys {
		var entries []Entry
		for i := range each {
			entries = append(entries, entry(boss, fmt.Sprint("key", key), fmt.Sprint(key, "/", i)))
		}
		add(t, boss, entries...)
	}
	var mu sync.Mutex
	holding, acked := map[string]bool{}, map[string]int{}
	var all sync.WaitGroup
	for range workers {
		j := join(t, url, Options{Job: "race", Lease: time.Hour})
		all.Go(func() {
			for {
				a, err := j.Lease(t.Context(), 3, 4)
				if err != nil {
					t.Error(err)
					return
				}
				if a.Added == a.Done {
					return
				}
				for _, l := range a.Leases {
					mu.Lock()
					if holding[l.Key] {
						t.Errorf("%s is held twice", l.Key)
					}
					holding[l.Key] = true
					for _, item := range l.Items {
						acked[string(item.Payload)]++
					}
					mu.Unlock()
					ack(t, j, l.Lease, 0, l.Items...)
					mu.Lock()
					holding[l.Key] = false
					mu.Unlock()
					release(t, j, Released{Lease: l.Lease})
				}
			}
		})
	}
	all.Wait()
	if len(acked) != keys*each || !done(t, boss) {
		t.Errorf("%d items of %d", len(acked), keys*each)
	}
	for what, n := range acked {
		if n != 1 {
			t.Errorf("%s was handed out %d times", what, n)
		}
	}
}
