package fleet

import (
	"errors"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// Workers that end because their job is deleted are often started again at once. To delete a large job takes seconds, and
// who joins meanwhile would have a job of which nothing is left, and leave what no later job of the name could use.
func TestNobodyJoinsWhatIsBeingDeleted(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Job: "old"})
	add(t, j, entry(j, "a", "1"))
	if _, err := j.once(t.Context(), doomScript, 0, j.record.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do("UNLINK", j.key(0, "part")); err != nil {
		t.Fatal(err)
	}
	if late, err := Open(t.Context(), Options{URL: s.URL, Job: "old"}); err == nil {
		t.Error("a worker joined what is half deleted")
		late.die()
	}
	// One that had read the record just before.
	if reply, err := j.once(t.Context(), beginScript, 0, j.record.ID, 0); !errors.Is(err, ErrGone) {
		t.Errorf("a partition begins: %v, %v", reply, err)
	}
	boss, err := Look(t.Context(), Options{URL: s.URL, Job: "old"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = boss.Leave() }()
	if err := boss.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Do("KEYS", "*"); err != nil || keys != "" {
		t.Errorf("left: %q, %v", keys, err)
	}
	if reply, err := j.once(t.Context(), beginScript, 0, j.record.ID, 0); !errors.Is(err, ErrGone) {
		t.Errorf("a partition begins after the end: %v, %v", reply, err)
	}
	again := join(t, s.URL, Options{Job: "old"})
	add(t, again, entry(again, "a", "1"))
	// One that deletes the old job late, or once more, does not delete the new one with it.
	if _, err := j.once(t.Context(), doomScript, 0, j.record.ID); err != nil {
		t.Fatal(err)
	}
	_ = join(t, s.URL, Options{Job: "old"})
}

// An operator whose Redis is full must be able to stop what fills it.
func TestStateOfAFullServer(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Patience: 100 * time.Millisecond})
	add(t, j, entry(j, "a", "1"))
	if _, err := s.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	if err := j.SetState(t.Context(), Draining); err != nil {
		t.Errorf("drain: %v", err)
	}
	if c := counts(t, j); c.State != Draining {
		t.Errorf("the state is %q", c.State)
	}
	if err := j.Delete(t.Context()); err != nil {
		t.Errorf("delete: %v", err)
	}
}

// A job that is over, or gone, has no state: nothing of it would ever go away, and the next job of its name would have it.
func TestStateOfAJobThatIsOver(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Job: "end"})
	add(t, j, entry(j, "a", "1"))
	l := lease(t, j, 1, 1)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	if !done(t, j) {
		t.Fatal("not done")
	}
	if err := j.SetState(t.Context(), Draining); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, j); a.State != "" {
		t.Errorf("a finished job is %s", a.State)
	}
	boss, err := Look(t.Context(), Options{URL: s.URL, Job: "end"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = boss.Leave() }()
	j.die()
	if err := boss.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := boss.SetState(t.Context(), Paused); !errors.Is(err, ErrGone) {
		t.Errorf("a job that is gone: %v", err)
	}
	if keys, err := s.Do("KEYS", "*"); err != nil || keys != "" {
		t.Errorf("left: %q, %v", keys, err)
	}
}
