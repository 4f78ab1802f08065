package fleet

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// forget lets a server go back to what it had kept.
func forget(t *testing.T, s *redistest.Server, old fs.FS) {
	t.Helper()
	s.Kill(t)
	s.PutBack(t, old)
	s.Restart(t)
}

// What was added for an item, and what the server has forgotten of that, are added again: the item does not count. Nor is
// it handed out before all is over that others have begun under leases that the server has forgotten too.
func TestAnItemOfBeforeARestartDoesNotCount(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{Lease: time.Second})
	add(t, j, entry(j, "key", "1"), entry(j, "key", "2"), entry(j, "key", "3"))
	l := lease(t, j, 1, 2)[0]
	old, era := s.Keep(t), j.Era()
	add(t, j, entry(j, "key", "child of 1"))
	forget(t, s, old)
	got := ackOf(t, j, era, l.Lease, l.Items)
	if got.Lost || got.Void != 2 || len(got.More) > 0 {
		t.Fatalf("void %d, lost %v, more %s", got.Void, got.Lost, shown(got.More))
	}
	release(t, j, Released{Lease: l.Lease})
	if outcomes := add(t, j, entry(j, "key", "child of 1")); outcomes[0] != Added {
		t.Errorf("its child: %v", outcomes)
	}
	l = lease(t, j, 1, 9)[0]
	if shown(l.Items) != "1 2 3 child of 1" {
		t.Errorf("items %s", shown(l.Items))
	}
	if got := ackOf(t, j, j.Era(), l.Lease, l.Items); got.Void != 0 || len(got.More) > 0 {
		t.Errorf("void %d, more %s", got.Void, shown(got.More))
	}
	if c := counts(t, j); c.Added != 4 || c.Done != 4 {
		t.Errorf("%+v", c)
	}
}

// What a worker tells of something that the server has forgotten is refused, also when it does not know of that yet, and
// when it was told before and the reply got lost.
func TestWhatIsOfAnEraThatIsOverIsRefused(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{})
	open(t, j, "parent", 1)
	if err := j.Expect(t.Context(), "parent", "child"); err != nil {
		t.Fatal(err)
	}
	ctx := j.WithinEra(t.Context())
	forget(t, s, s.Keep(t))
	told := map[string]error{
		"ended":  j.Ended(ctx, "parent", "child"),
		"expect": j.Expect(ctx, "parent", "another"),
		"fail":   j.Fail(ctx, "child", errors.New("it is broken")),
	}
	_, told["group"] = j.OpenGroup(ctx, Group{Name: "child", End: Entry{Key: "9/child/end"}, Keys: "0/child/", Items: 1})
	_, told["add"] = j.Add(ctx, entry(j, "0/parent/", "late"))
	_, told["share"] = j.Share(ctx, map[string]string{"name": "value"})
	for what, err := range told {
		if !errors.Is(err, ErrRestarted) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := j.Ended(j.WithinEra(t.Context()), "parent", "child"); err != nil {
		t.Error(err)
	}
}

// A worker that comes to close a finished job, and finds one that is not, because its server was put back meanwhile, lets it
// go on: to a closed one nobody can add.
func TestAJobThatGoesBackGoesOn(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{Lease: 300 * time.Millisecond})
	add(t, j, entry(j, "key", "1"))
	old := s.Keep(t)
	drain(t, j, "")
	if reply, err := j.eval(t.Context(), finishScript, 0); number(reply) != 1 || err != nil {
		t.Fatalf("finished: %v, %v", reply, err)
	}
	forget(t, s, old)
	if closed, err := j.expire(t.Context()); closed || err != nil {
		t.Errorf("closed %v, %v", closed, err)
	}
	if outcomes := add(t, j, entry(j, "key", "2")); outcomes[0] != Added {
		t.Errorf("outcomes %v", outcomes)
	}
	l := lease(t, j, 1, 9)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	if shown(l.Items) != "1 2" || !done(t, j) {
		t.Errorf("it is not done: items %s", shown(l.Items))
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
