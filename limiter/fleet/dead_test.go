package fleet

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"pace/limiter/redistest"
)

// killed is what kill -9 does to a worker: it says nothing more, and the system ends its lock.
func (j *Job) killed(t *testing.T) {
	t.Helper()
	j.die()
	if err := j.alive.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// names returns the workers that the job knows.
func names(t *testing.T, j *Job) (all []string) {
	t.Helper()
	workers, err := j.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workers {
		all = append(all, w.Worker)
	}
	return all
}

// The leases last an hour: only a worker that sees that the other is dead has its items before.
func testDeadWorkerOfThisMachine(t *testing.T, url string) {
	o := Options{Lease: time.Hour, Partitions: 3}
	a, b := join(t, url, o), join(t, url, o)
	add(t, a, entry(a, "key", "1"), entry(a, "key", "2"), entry(a, "other", "3"), entry(a, "last", "4"))
	var held []Leased
	for range 3 {
		held = append(held, lease(t, a, 1, 1)...)
	}
	a.killed(t)
	var got []string
	for len(got) < 4 {
		for _, l := range lease(t, b, 10, 10) {
			for _, item := range l.Items {
				got = append(got, shown([]Item{item}))
			}
		}
	}
	slices.Sort(got)
	if want := []string{"1/1", "2", "3/1", "4/1"}; !slices.Equal(got, want) {
		t.Errorf("leased %v, want %v", got, want)
	}
	if late := ack(t, a, held[0].Lease, 0, held[0].Items...); !late.Lost {
		t.Error("an acknowledgement of the dead one is taken")
	}
	if all := names(t, b); !slices.Equal(all, []string{b.worker}) {
		t.Errorf("the workers are %v", all)
	}
	if _, err := os.Lstat(signOf(a.worker)); !os.IsNotExist(err) {
		t.Errorf("its file: %v", err)
	}
}

// One that is stopped still relies on its leases.
func testStoppedWorkerIsNotDead(t *testing.T, url string) {
	a, b := join(t, url, Options{Lease: time.Hour}), join(t, url, Options{Lease: time.Hour})
	add(t, a, entry(a, "key", "1"))
	l := lease(t, a, 1, 1)[0]
	a.die()
	b.bury(t.Context(), a.worker)
	if got := ack(t, a, l.Lease, 0, l.Items...); got.Lost || len(names(t, b)) != 2 {
		t.Errorf("lost is %v", got.Lost)
	}
}

func TestDeadWorkerHasStartedSomethingJustNow(t *testing.T) {
	url := redistest.Start(t).URL
	o := Options{Lease: time.Minute, Gap: time.Hour}
	a, b := join(t, url, o), join(t, url, o)
	add(t, a, entry(a, "key", "1"))
	lease(t, a, 1, 1)
	a.killed(t)
	b.bury(t.Context(), a.worker)
	answer, err := b.Lease(t.Context(), 1, 1)
	if err != nil || len(answer.Leases) > 0 || answer.Wait < 59*time.Minute || answer.Wait > time.Hour {
		t.Errorf("%+v, %v", answer, err)
	}
}

// A server that was restarted may have forgotten leases: nothing is handed out until all are over, and the dead wait too.
func TestDeadWorkerInQuietTime(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	o := Options{Lease: time.Hour}
	a, b := join(t, s.URL, o), join(t, s.URL, o)
	add(t, a, entry(a, "key", "1"))
	lease(t, a, 1, 1)
	a.killed(t)
	s.Kill(t)
	s.Restart(t)
	b.bury(t.Context(), a.worker)
	if c := counts(t, b); c.Leased != 1 {
		t.Errorf("%+v", c)
	}
	if answer, err := b.Lease(t.Context(), 1, 1); err != nil || answer.State != Quiet {
		t.Errorf("%+v, %v", answer, err)
	}
	if _, err := os.Lstat(signOf(a.worker)); err != nil || len(names(t, b)) != 2 {
		t.Errorf("it is forgotten: %v", err)
	}
}

// A worker that could not give its leases back leaves them to those who see that it is gone.
func TestWorkerThatLeavesWithoutItsServer(t *testing.T) {
	s := redistest.Start(t)
	a := join(t, s.URL, Options{Lease: time.Hour, Patience: time.Second})
	add(t, a, entry(a, "key", "1"))
	l := lease(t, a, 1, 1)[0]
	s.Kill(t)
	if err := a.Close(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if l.Check() == nil {
		t.Error("its lease is still held")
	}
	sign := flock.New(signOf(a.worker), flock.SetFlag(os.O_RDWR))
	if locked, err := sign.TryLock(); err != nil || !locked {
		t.Errorf("it looks alive: %v", err)
	}
	_ = sign.Unlock()
	_ = os.Remove(sign.Path())
}
