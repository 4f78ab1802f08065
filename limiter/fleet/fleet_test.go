package fleet

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter/redistest"
)

func testItemsOfAKeyGoInOrder(t *testing.T, url string) {
	j := join(t, url, Options{})
	for i := range 7 {
		add(t, j, entry(j, "a", fmt.Sprint(i)))
	}
	l := lease(t, j, 8, 3)[0]
	if got := shown(l.Items); l.Key != "a" || got != "0 1 2" {
		t.Errorf("leased %s of %s", got, l.Key)
	}
	a := ack(t, j, l.Lease, 2, l.Items[1], l.Items[0])
	if got := shown(a.More); got != "3 4" {
		t.Errorf("more: %s", got)
	}
	if done(t, j) {
		t.Error("done with five items left")
	}
	// What was not acked goes back to the head, in its old order, and was not tried.
	release(t, j, Released{Lease: l.Lease})
	l = lease(t, j, 8, 10)[0]
	if got := shown(l.Items); got != "2 3 4 5 6" {
		t.Errorf("leased again: %s", got)
	}
	ack(t, j, l.Lease, 0, l.Items...)
	if c := counts(t, j); c.Added != 7 || c.Done != 7 || c.Leased != 1 {
		t.Errorf("counts: %+v", c)
	}
	for range 2 {
		if !done(t, j) {
			t.Error("not done")
		}
	}
}

func testLeaseHandsOutEachKeyOnce(t *testing.T, url string) {
	a, b := join(t, url, Options{}), join(t, url, Options{})
	var keys []string
	for i := range 40 {
		key := fmt.Sprintf("key%02d", i)
		keys = append(keys, key)
		add(t, a, entry(a, key, "1"), entry(a, key, "2"))
	}
	first := lease(t, a, 25, 1)
	second := lease(t, b, 100, 1)
	if len(first) != 25 || len(second) != 15 {
		t.Errorf("%d and %d leases", len(first), len(second))
	}
	if got := keysOf(append(first, second...)); !slices.Equal(got, keys) {
		t.Errorf("leased %v", got)
	}
	answer, err := b.Lease(t.Context(), 1, 1)
	if err != nil || len(answer.Leases) > 0 || answer.Keys != 40 || answer.Wait >= 0 {
		t.Errorf("more: %+v, %v", answer, err)
	}
	if c := counts(t, a); c.Leased != 40 || c.Keys != 40 {
		t.Errorf("%+v", c)
	}
}

func testAddOutcomes(t *testing.T, url string) {
	j := join(t, url, Options{MaxPendingPerKey: 4})
	member := func(s string) Member { return j.MemberOf([]byte(s)) }
	for _, c := range []struct {
		why  string
		e    Entry
		want Outcome
	}{
		{"asked before it is there", Entry{Kind: Ask, Key: "a", Member: member("1")}, Added},
		{"new", Entry{Key: "a", Member: member("1")}, Added},
		{"asked", Entry{Kind: Ask, Key: "a", Member: member("1")}, Seen},
		{"seen", Entry{Key: "a", Member: member("1")}, Seen},
		{"in any case", Entry{Kind: Always, Key: "a", Member: member("1")}, Added},
		{"noted", Entry{Kind: Note, Key: "a", Member: member("2")}, Added},
		{"noted again", Entry{Kind: Note, Key: "a", Member: member("2")}, Seen},
		{"noted, so seen", Entry{Key: "a", Member: member("2")}, Seen},
		{"without a member", Entry{Key: "a"}, Added},
		{"unless one that was seen", Entry{Key: "a", Member: member("3"), Unless: member("1")}, Seen},
		{"unless one that was not", Entry{Key: "a", Member: member("3"), Unless: member("4")}, Added},
		{"one too many waits", Entry{Key: "a", Member: member("5")}, Full},
		{"seen, and too many wait", Entry{Key: "a", Member: member("1")}, Seen},
		{"what was too much is not noted", Entry{Kind: Ask, Key: "a", Member: member("5")}, Added},
		{"of another key", Entry{Key: "b", Member: member("6"), Limit: 1}, Added},
		{"more than its key may be given", Entry{Key: "b", Member: member("7"), Limit: 1}, Spent},
		{"and not noted", Entry{Kind: Ask, Key: "b", Member: member("7"), Limit: 1}, Added},
	} {
		if got := add(t, j, c.e)[0]; got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
	if c := counts(t, j); c.Added != 5 {
		t.Errorf("%d added", c.Added)
	}
}

func TestMaxPendingOfAll(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{MaxPending: 3})
	var entries []Entry
	for i := range 5 {
		entries = append(entries, entry(j, fmt.Sprint(i), ""))
	}
	if got := add(t, j, entries...); !slices.Equal(got, []Outcome{Added, Added, Added, Full, Full}) {
		t.Errorf("%v", got)
	}
	l := lease(t, j, 1, 1)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	if got := add(t, j, entries...); !slices.Equal(got, []Outcome{Seen, Seen, Seen, Added, Full}) {
		t.Errorf("after one was done: %v", got)
	}
	entries[4].Kind = Wanted
	if got := add(t, j, entries[4], entries[4]); !slices.Equal(got, []Outcome{Added, Seen}) {
		t.Errorf("what is wanted anyway: %v", got)
	}
}

// Payloads and keys are bytes: nothing in them means anything to the scripts.
func TestAnyBytes(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{Lease: leastLease, MaxAttempts: 2})
	payload := ""
	for i := range 256 {
		payload += string([]byte{byte(i)})
	}
	const key = "a b\x00:{x}\n%d"
	add(t, j, Entry{Key: key, Payload: []byte("1 2 3\n" + payload)})
	l := lease(t, j, 1, 1)[0]
	l.lose()
	l = lease(t, j, 1, 1)[0] // it has been through the script that gives back
	defer func() {
		l.lose()
		for c := counts(t, j); c.Dead == 0; c = counts(t, j) {
			ask(t, j)
		}
		letters, err := j.Dead(t.Context(), 5)
		if err != nil || len(letters) != 1 || letters[0].Key != key || string(letters[0].Payload) != "1 2 3\n"+payload {
			t.Errorf("dead: %+v, %v", letters, err)
		}
	}()
	if l.Key != key || string(l.Items[0].Payload) != "1 2 3\n"+payload || l.Items[0].Attempts != 1 {
		t.Errorf("key %q: %+v", l.Key, l.Items)
	}
}

func testReleaseTellsTheNextHolder(t *testing.T, url string) {
	a, b := join(t, url, Options{}), join(t, url, Options{})
	add(t, a, entry(a, "key", "1"), entry(a, "key", "2"))
	l := lease(t, a, 1, 1)[0]
	if l.Gap != 0 || l.Note != "" {
		t.Errorf("new: %v, %q", l.Gap, l.Note)
	}
	release(t, a, Released{Lease: l.Lease, After: time.Hour, Gap: 1500 * time.Millisecond, Note: "robots"})
	if l.Check() != ErrLost {
		t.Error("a released lease is held")
	}
	answer, err := b.Lease(t.Context(), 1, 1)
	if err != nil || len(answer.Leases) > 0 || answer.Wait <= 50*time.Minute || answer.Wait > time.Hour {
		t.Errorf("%+v, %v", answer, err)
	}
	add(t, b, entry(b, "key", "3")) // it wakes nobody before the time
	if answer, err = b.Lease(t.Context(), 1, 1); err != nil || len(answer.Leases) > 0 {
		t.Errorf("after another item: %+v, %v", answer, err)
	}
}

func TestReleaseAndNote(t *testing.T) {
	url := redistest.Start(t).URL
	a, b := join(t, url, Options{}), join(t, url, Options{})
	add(t, a, entry(a, "key", "1"))
	l := lease(t, a, 1, 1)[0]
	release(t, a, Released{Lease: l.Lease, Gap: 1500 * time.Microsecond, Note: "x", Keep: true})
	if l.Check() != nil {
		t.Error("a lease that is kept is over")
	}
	release(t, a, Released{Lease: l.Lease, Gap: 1500 * time.Microsecond, Note: "y"})
	l = lease(t, b, 1, 1)[0]
	if l.Gap != 2*time.Millisecond || l.Note != "y" {
		t.Errorf("%v, %q", l.Gap, l.Note)
	}
	release(t, b, Released{Lease: l.Lease})
	if l = lease(t, a, 1, 1)[0]; l.Gap != 0 || l.Note != "" {
		t.Errorf("taken away: %v, %q", l.Gap, l.Note)
	}
}

// A key whose items came back with its lease waits for its pace even when its next item comes later.
func TestNextAllowedOutlivesTheQueue(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{})
	add(t, j, entry(j, "key", "1"))
	l := lease(t, j, 1, 1)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	release(t, j, Released{Lease: l.Lease, After: time.Hour})
	add(t, j, entry(j, "key", "2"))
	if a, err := j.Lease(t.Context(), 1, 1); err != nil || len(a.Leases) > 0 || a.Wait < 50*time.Minute {
		t.Errorf("%+v, %v", a, err)
	}
}

func testSourceHoldsTheJobOpen(t *testing.T, url string) {
	a, b := join(t, url, Options{}), join(t, url, Options{})
	for _, j := range []*Job{a, b} {
		if err := j.OpenSource(t.Context(), "list"); err != nil {
			t.Fatal(err)
		}
	}
	if c := counts(t, a); c.Added != 0 || c.Done != 0 || c.Sources != 1 || c.Pending() != 0 || done(t, a) {
		t.Errorf("%+v", c)
	}
	if o, err := a.Orphans(t.Context()); err != nil || len(o) != 0 {
		t.Errorf("orphans %v, %v", o, err)
	}
	for _, j := range []*Job{a, b} {
		if err := j.CloseSource(t.Context(), "list"); err != nil {
			t.Fatal(err)
		}
	}
	if !done(t, a) {
		t.Errorf("not done: %+v", counts(t, a))
	}
	for name, want := range map[string]error{"list": ErrFinished, "other": ErrUnread} {
		if err := b.OpenSource(t.Context(), name); err != want {
			t.Errorf("%s of a finished job: %v", name, err)
		}
	}
}

// What many workers add at the same moment, and what they add again, is exactly what the job may have.
func TestMaxCounted(t *testing.T) {
	url := redistest.Start(t).URL
	const most = 500
	var added atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		j := join(t, url, Options{MaxCounted: most})
		all.Go(func() {
			for i := 0; i < 1200; i += 7 {
				var entries []Entry
				for n := i; n < i+7; n++ {
					e := entry(j, fmt.Sprint(n%10), fmt.Sprint(n))
					e.Kind = []Kind{Counted, Wanted}[n%2]
					entries = append(entries, e, Entry{Key: "other", Payload: []byte("x")})
				}
				outcomes, err := j.Add(t.Context(), entries...)
				if err != nil {
					t.Error(err)
					return
				}
				for n, outcome := range outcomes {
					if n%2 == 0 && outcome == Added {
						added.Add(1)
					} else if n%2 == 1 && outcome != Added {
						t.Errorf("one that is not counted: %v", outcome)
					}
				}
			}
		})
	}
	all.Wait()
	j := join(t, url, Options{MaxCounted: most})
	e := entry(j, "new", "x")
	e.Kind = Counted
	if got := add(t, j, e)[0]; got != Over || added.Load() != most {
		t.Errorf("%d were added, and then one more is %v", added.Load(), got)
	}
	e.Kind = Ask
	if got := add(t, j, e)[0]; got != Added {
		t.Error("what was too much is noted")
	}
}

func TestShared(t *testing.T) {
	url := redistest.Start(t).URL
	a, b := join(t, url, Options{}), join(t, url, Options{})
	first, err := a.Share(t.Context(), map[string]string{"x": "1", "y": "2"})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := b.Share(t.Context(), map[string]string{"x": "1"}); err != nil || same != first {
		t.Errorf("nothing new, and version %d after %d, %v", same, first, err)
	}
	if next, err := b.Share(t.Context(), map[string]string{"x": "3"}); err != nil || next <= first {
		t.Errorf("version %d after %d, %v", next, first, err)
	}
	values, version, err := a.Shared(t.Context())
	if err != nil || version <= first || values["x"] != "3" || values["y"] != "2" {
		t.Errorf("%v, %d, %v", values, version, err)
	}
}

func TestClaim(t *testing.T) {
	url := redistest.Start(t).URL
	a, b := join(t, url, Options{}), join(t, url, Options{})
	add(t, a, entry(a, "key", "1"))
	claim := func(j *Job) *Lease {
		l, err := j.Claim(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := claim(a)
	if l == nil || claim(b) != nil {
		t.Fatal("not claimed, or twice")
	}
	if got := ack(t, a, l, 5); shown(got.More) != "1" {
		t.Errorf("more: %s", shown(got.More))
	}
	if l.Wished() {
		t.Error("wished for before a renewal")
	}
	if err := a.renew(t.Context()); err != nil || !l.Wished() {
		t.Errorf("the holder is not told that another waits: %v", err)
	}
	release(t, a, Released{Lease: l})
	if answer := ask(t, a); len(answer.Leases) > 0 || answer.Wait <= 0 {
		t.Errorf("what another waits for is leased: %+v", answer)
	}
	if l = claim(b); l == nil {
		t.Fatal("not claimed by who waited")
	}
	if got := ack(t, b, l, 5); shown(got.More) != "1" {
		t.Errorf("more: %s", shown(got.More))
	}
	release(t, b, Released{Lease: l})
	if answer := ask(t, a); len(answer.Leases) != 1 {
		t.Errorf("not leased after that: %+v", answer)
	}
}
