package fleet

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// A worker that is late finds its fence shut before it asks anybody, and its ack refused if it asks all the same.
func testLateWorker(t *testing.T, url string) {
	a, b := join(t, url, Options{Lease: 200 * time.Millisecond}), join(t, url, Options{})
	var told atomic.Int32
	a.OnLost(func(*Lease) { told.Add(1) })
	a.die()
	add(t, a, entry(a, "key", "1"), entry(a, "key", "2"), entry(a, "key", "3"))
	late := lease(t, a, 1, 2)[0]
	ctx, cancel := late.Bind(t.Context())
	defer cancel()
	l := lease(t, b, 1, 5)[0]
	if got := shown(l.Items); got != "1/1 2/1 3" {
		t.Errorf("leased again: %s", got)
	}
	if err := late.Check(); err != ErrLost {
		t.Errorf("the fence says %v", err)
	}
	<-ctx.Done()
	if context.Cause(ctx) != ErrLost {
		t.Errorf("cause %v", context.Cause(ctx))
	}
	if got := ack(t, a, late.Lease, 5, late.Items...); !got.Lost || got.More != nil {
		t.Errorf("a late ack: %+v", got)
	}
	release(t, a, Released{Lease: late.Lease, After: time.Hour})
	if c := counts(t, b); c.Done != 0 || c.Leased != 1 || told.Load() != 1 {
		t.Errorf("%+v, told %d times", c, told.Load())
	}
	if got := ack(t, b, l.Lease, 0, l.Items...); got.Lost || !done(t, b) {
		t.Errorf("lost is %v", got.Lost)
	}
}

// A key waits its gap after a lease that ran out, for its holder may have started something in the last moment.
func TestGapAfterALeaseThatRanOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		noted time.Duration
		least time.Duration
	}{
		{"of the job", 0, time.Hour},
		{"of the key", 2 * time.Hour, 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := redistest.Start(t).URL
			a, b := join(t, url, Options{Lease: leastLease}), join(t, url, Options{Gap: time.Hour})
			add(t, a, entry(a, "key", "1"))
			l := lease(t, a, 1, 1)[0]
			if c.noted > 0 {
				release(t, a, Released{Lease: l.Lease, Gap: c.noted, Keep: true})
			}
			a.die()
			var answer Answer
			for answer.Wait <= 0 {
				var err error
				if answer, err = b.Lease(t.Context(), 1, 1); err != nil || len(answer.Leases) > 0 {
					t.Fatalf("%+v, %v", answer, err)
				}
				<-time.After(time.Millisecond)
			}
			if answer.Wait > c.least || answer.Wait < c.least-5*time.Minute {
				t.Errorf("waits %v", answer.Wait)
			}
		})
	}
}

func TestDeadLetters(t *testing.T) {
	url := redistest.Start(t).URL
	j := join(t, url, Options{Lease: leastLease, MaxAttempts: 3})
	add(t, j, entry(j, "key", "poison"), entry(j, "key", "good"))
	for attempt := range 3 {
		l := lease(t, j, 1, 1)[0]
		if got := l.Items[0]; string(got.Payload) != "poison" || got.Attempts != attempt {
			t.Errorf("attempt %d: %s", attempt, shown(l.Items))
		}
		l.lose() // the server sees it run out
	}
	l := lease(t, j, 1, 5)[0]
	if got := shown(l.Items); got != "good" {
		t.Errorf("after three attempts: %s", got)
	}
	ack(t, j, l.Lease, 0, l.Items...)
	if c := counts(t, j); c.Dead != 1 || c.Done != 2 {
		t.Errorf("%+v", c)
	}
	letters, err := j.Dead(t.Context(), 10)
	if err != nil || len(letters) != 1 || letters[0].Key != "key" || letters[0].Attempts != 3 || string(letters[0].Payload) != "poison" {
		t.Errorf("%+v, %v", letters, err)
	}
	if !done(t, j) {
		t.Error("not done")
	}
}

func TestRenewalMovesTheDeadline(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Lease: 10 * time.Minute})
	j.die() // renewals are ours
	add(t, j, entry(j, "key", "1"))
	l := lease(t, j, 1, 1)[0]
	deadline := func() time.Duration {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.deadline
	}
	before := deadline()
	scoreBefore, _ := s.Do("ZSCORE", j.key(0, "held"), "key")
	<-time.After(20 * time.Millisecond)
	asked := sinceBoot()
	if err := j.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	// From before the server was asked, so that it is never later than the server's.
	if after := deadline(); after < asked+j.o.Lease || after > sinceBoot()+j.o.Lease || after <= before {
		t.Errorf("moved from %v to %v at %v", before, after, asked)
	}
	if score, err := s.Do("ZSCORE", j.key(0, "held"), "key"); err != nil || score <= scoreBefore {
		t.Errorf("the server has %s after %s, %v", score, scoreBefore, err)
	}
	l.lose()
	if err := j.renew(t.Context()); err != nil || l.Check() == nil {
		t.Errorf("a lease that is over is renewed: %v", err)
	}
}

// The keeper holds a lease for many times its length.
func TestKeeperRenews(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Lease: 5 * time.Second})
	add(t, j, entry(j, "key", "1"))
	l := lease(t, j, 1, 1)[0]
	first, _ := s.Do("ZSCORE", j.key(0, "held"), "key")
	for {
		score, err := s.Do("ZSCORE", j.key(0, "held"), "key")
		if err != nil {
			t.Fatal(err)
		}
		if l.Check() != nil {
			t.Skip("this machine stood still for five seconds")
		}
		if score > first {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A server that was restarted may have forgotten leases: for the time of one nothing is leased, and those that it knows
// go on.
func TestQuietAfterARestart(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	a, b := join(t, s.URL, Options{Lease: time.Hour}), join(t, s.URL, Options{Lease: time.Hour})
	for i := range 4 {
		add(t, a, entry(a, fmt.Sprint(i), "1"))
	}
	held := lease(t, a, 1, 1)[0]
	s.Kill(t)
	s.Restart(t)
	answer, err := b.Lease(t.Context(), 10, 1)
	if err != nil || len(answer.Leases) > 0 || answer.State != Quiet || answer.Wait < 50*time.Minute {
		t.Fatalf("%+v, %v", answer, err)
	}
	if err := a.renew(t.Context()); err != nil || held.Check() != nil {
		t.Errorf("renewal: %v, %v", err, held.Check())
	}
	if got := ack(t, a, held.Lease, 0, held.Items...); got.Lost {
		t.Error("the ack of a lease that is known is refused")
	}
}

func TestQuietEnds(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{Lease: 300 * time.Millisecond})
	add(t, j, entry(j, "key", "1"), entry(j, "key", "2"))
	first := lease(t, j, 1, 1)[0]
	j.die()
	s.Kill(t)
	s.Restart(t)
	l := lease(t, j, 1, 2)[0]
	if got := shown(l.Items); got != "1/1 2" {
		t.Errorf("leased again: %s", got)
	}
	if l.token <= first.token {
		t.Errorf("token %s after %s", l.token, first.token)
	}
}

// What a server forgot, its tokens included, makes no late ack count.
func TestForgottenTokens(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Lease: leastLease})
	add(t, j, entry(j, "key", "1"))
	j.die()
	old := lease(t, j, 1, 1)[0]
	if _, err := s.Do("HDEL", j.key(0, "part"), "tok"); err != nil {
		t.Fatal(err)
	}
	l := lease(t, j, 1, 1)[0] // when the first is over
	if got := ack(t, j, old.Lease, 0, old.Items...); !got.Lost {
		t.Error("the ack counts")
	}
	if got := ack(t, j, l.Lease, 0, l.Items...); got.Lost {
		t.Error("the ack of the holder is refused")
	}
}
