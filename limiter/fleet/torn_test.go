package fleet

import (
	"errors"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// What was added for an item, and what the server has forgotten of that, are added again: the item does not count.
func TestAnItemOfBeforeARestartDoesNotCount(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{Lease: time.Hour})
	add(t, j, entry(j, "key", "1"), entry(j, "key", "2"))
	l := lease(t, j, 1, 1)[0]
	old, era := s.Keep(t), j.Era()
	add(t, j, entry(j, "key", "child of 1"))
	s.Kill(t)
	s.PutBack(t, old)
	s.Restart(t)
	got := ackOf(t, j, era, l.Lease, l.Items)
	if got.Lost || got.Void != 1 || shown(got.More) != "1 2" {
		t.Fatalf("void %d, lost %v, more %s", got.Void, got.Lost, shown(got.More))
	}
	if outcomes := add(t, j, entry(j, "key", "child of 1")); outcomes[0] != Added {
		t.Errorf("its child: %v", outcomes)
	}
	if got := ackOf(t, j, j.Era(), l.Lease, got.More); got.Void != 0 || shown(got.More) != "child of 1" {
		t.Errorf("void %d, more %s", got.Void, shown(got.More))
	}
	if c := counts(t, j); c.Added != 3 || c.Done != 2 {
		t.Errorf("%+v", c)
	}
}

// A worker that dies with a key that all others wait to claim does not hold them up for ever.
func TestClaimAfterADeath(t *testing.T) {
	url := redistest.Start(t).URL
	a, b := join(t, url, Options{Lease: leastLease}), join(t, url, Options{Lease: time.Hour})
	add(t, a, entry(a, "key", "1"))
	l := lease(t, a, 1, 1)[0]
	a.die()
	deadline := time.After(time.Minute)
	for l := (*Lease)(nil); l == nil; {
		var err error
		if l, err = b.Claim(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatal("the key is not to be had")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if got := ack(t, a, l.Lease, 0, l.Items...); !got.Lost {
		t.Error("the ack of the dead counts")
	}
}

// What a dead worker began at the last moment of its lease is as far from the next start as the job's gap.
func TestClaimKeepsTheGap(t *testing.T) {
	url := redistest.Start(t).URL
	a, b := join(t, url, Options{Lease: leastLease}), join(t, url, Options{Lease: time.Hour, Gap: time.Hour})
	add(t, a, entry(a, "key", "1"))
	lease(t, a, 1, 1)
	a.die()
	for counts(t, b).Leased > 0 {
		if l, err := b.Claim(t.Context(), "key"); l != nil || err != nil {
			t.Fatalf("claimed: %v, %v", l != nil, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if l, err := b.Claim(t.Context(), "key"); l != nil || err != nil {
		t.Errorf("claimed while the key rests: %v, %v", l != nil, err)
	}
}

func ackOf(t *testing.T, j *Job, era int64, l *Lease, items []Item) *Acked {
	t.Helper()
	a := &Acked{Lease: l, Era: era, Want: 9}
	for _, item := range items {
		a.IDs = append(a.IDs, item.ID)
	}
	if err := j.Ack(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// A job of which the server has lost what a group waits for does not look finished.
func TestATornJobIsNotFinished(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{Partitions: 4})
	open(t, j, "parent", 1)
	if err := j.Expect(t.Context(), "parent", "child"); err != nil {
		t.Fatal(err)
	}
	drain(t, j, "")
	if done, err := j.Done(t.Context()); done || !errors.Is(err, ErrTorn) {
		t.Errorf("done %v, %v", done, err)
	}
	if err := j.Ended(t.Context(), "parent", "child"); err != nil {
		t.Fatal(err)
	}
	drain(t, j, "")
	if done, err := j.Done(t.Context()); !done || err != nil {
		t.Errorf("done %v, %v", done, err)
	}
}
