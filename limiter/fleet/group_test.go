package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// open makes a group of n items, two of each key.
func open(t testing.TB, j *Job, name string, n int) bool {
	t.Helper()
	made, err := j.OpenGroup(t.Context(), Group{
		Name: name, End: Entry{Key: "3/" + name + "/end", Payload: []byte("end of " + name)},
		Keys: "3/" + name + "/", Items: n, PerKey: 2, Payload: name + " ",
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// drain does all that can be leased, and returns the payloads in the order in which they came.
func drain(t testing.TB, j *Job, failure string) []string {
	t.Helper()
	var all []string
	for {
		a, err := j.Lease(t.Context(), 10, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Leases) == 0 {
			return all
		}
		for _, l := range a.Leases {
			acked := &Acked{Lease: l.Lease, Failure: failure}
			for _, item := range l.Items {
				all, acked.IDs = append(all, string(item.Payload)), append(acked.IDs, item.ID)
			}
			if err := j.Ack(t.Context(), acked); err != nil {
				t.Fatal(err)
			}
			release(t, j, Released{Lease: l.Lease})
		}
	}
}

func testGroupEndsWhenAllIsDone(t *testing.T, url string) {
	j := join(t, url, Options{Partitions: 4})
	if !open(t, j, "a", 3) || open(t, j, "a", 3) {
		t.Error("a group is not opened once")
	}
	got := drain(t, j, "")
	if last := len(got) - 1; last != 3 || got[last] != "\nend of a" {
		t.Errorf("got %q, want the end last", got)
	}
	slices.Sort(got)
	if want := []string{"\nend of a", "a 0", "a 1", "a 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !done(t, j) {
		t.Error("the job is not finished")
	}
	if open(t, j, "a", 3) {
		t.Error("a group that was through is opened again")
	}
}

func testGroupWithoutItemsEndsAtOnce(t *testing.T, url string) {
	j := join(t, url, Options{})
	open(t, j, "a", 0)
	if got := drain(t, j, ""); !slices.Equal(got, []string{"\nend of a"}) {
		t.Errorf("got %q", got)
	}
}

func testGroupFails(t *testing.T, url string) {
	j := join(t, url, Options{})
	open(t, j, "a", 3)
	got := drain(t, j, "no\nluck")
	given, failure := SplitEnd([]byte(got[3]))
	if string(given) != "end of a" || failure != "no luck" {
		t.Errorf("got %q and %q", given, failure)
	}
}

func testLateAcksCountOnce(t *testing.T, url string) {
	j := join(t, url, Options{})
	open(t, j, "a", 2)
	l := lease(t, j, 1, 2)[0]
	ack(t, j, l.Lease, 0, l.Items[0])
	ack(t, j, l.Lease, 0, l.Items[0])
	ack(t, j, l.Lease, 0, l.Items[0])
	if a, err := j.Lease(t.Context(), 10, 10); err != nil || len(a.Leases) > 0 {
		t.Fatalf("got %v, %v: the group has ended by one item that was acked three times", keysOf(a.Leases), err)
	}
	release(t, j, Released{Lease: l.Lease})
	again := lease(t, j, 1, 2)[0]
	if late := ack(t, j, l.Lease, 0, l.Items[1]); !late.Lost {
		t.Error("the ack of a lease that is over counts")
	}
	ack(t, j, again.Lease, 0, again.Items...)
	if got := drain(t, j, ""); !slices.Equal(got, []string{"\nend of a"}) {
		t.Errorf("got %q", got)
	}
}

func testGroupsWaitForTheirChildren(t *testing.T, url string) {
	for _, order := range []string{"expect ended", "ended expect", "expect expect ended ended", "ended ended expect expect"} {
		t.Run(order, func(t *testing.T) {
			j := join(t, url, Options{Partitions: 8, Job: strings.ReplaceAll(t.Name(), "/", ".")})
			open(t, j, "parent", 1)
			held := lease(t, j, 1, 1)[0]
			for what := range strings.SplitSeq(order, " ") {
				say := map[string]func() error{
					"expect": func() error { return j.Expect(t.Context(), "parent", "child") },
					"ended":  func() error { return j.Ended(t.Context(), "parent", "child") },
				}[what]
				if err := say(); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Expect(t.Context(), "parent", "second"); err != nil {
				t.Fatal(err)
			}
			ack(t, j, held.Lease, 0, held.Items...)
			if got := drain(t, j, ""); len(got) > 0 {
				t.Fatalf("got %q before the second child has ended", got)
			}
			if err := j.Ended(t.Context(), "parent", "second"); err != nil {
				t.Fatal(err)
			}
			if got := drain(t, j, ""); !slices.Equal(got, []string{"\nend of parent"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func testHigherRanksComeFirst(t *testing.T, url string) {
	j := join(t, url, Options{Partitions: 1})
	open(t, j, "low", 1)
	for _, key := range []string{"0/low/1", "1/low/1", "host", "2/low/1"} {
		add(t, j, entry(j, key, "item"))
	}
	var got []string
	for range 4 {
		got = append(got, lease(t, j, 1, 1)[0].Key)
	}
	if want := []string{"3/low/0", "2/low/1", "1/low/1"}; !slices.Equal(got[:3], want) {
		t.Errorf("got %q, want %q first", got, want)
	}
}

func testItemsAreAddedToAGroup(t *testing.T, url string) {
	j := join(t, url, Options{})
	open(t, j, "a", 1)
	add(t, j, entry(j, "1/a/b", "more"))
	add(t, j, entry(j, "1/a/b", "more")) // it was seen
	if got := drain(t, j, ""); len(got) != 3 || got[2] != "\nend of a" {
		t.Errorf("got %q", got)
	}
	add(t, j, entry(j, "1/a/c", "late"))
	if got := drain(t, j, ""); len(got) > 0 {
		t.Errorf("got %q of a group that is through", got)
	}
}

func TestDeadItemsFailTheirGroup(t *testing.T) {
	url := redistest.Start(t).URL
	j := join(t, url, Options{Lease: leastLease, MaxAttempts: 2})
	open(t, j, "a", 1)
	var end string
	for deadline := time.Now().Add(time.Minute); end == "" && time.Now().Before(deadline); {
		l := lease(t, j, 1, 1)[0]
		if strings.HasSuffix(l.Key, "/end") {
			end = string(l.Items[0].Payload)
		}
		l.end() // and nobody gives it back
	}
	if given, failure := SplitEnd([]byte(end)); string(given) != "end of a" || !strings.Contains(failure, "2 times") {
		t.Fatalf("got %q", end)
	}
	for range 3 { // the end is never dead
		l := lease(t, j, 1, 1)[0]
		if l.Key != "3/a/end" {
			t.Fatalf("got %s", l.Key)
		}
		l.end()
	}
}

func TestFailuresAreCountedOnce(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{})
	for i := range 3 {
		for range 2 {
			if err := j.Fail(t.Context(), fmt.Sprint("file ", i), fmt.Errorf("broken %d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	n, why, err := j.Failed(t.Context())
	if err != nil || n != 3 || why["file 1"] != "broken 1" {
		t.Errorf("got %d, %q, %v", n, why, err)
	}
}

func TestDeleteRemovesGroups(t *testing.T) {
	server := redistest.Start(t)
	j := join(t, server.URL, Options{})
	open(t, j, "a", 3)
	open(t, j, "b", 0)
	if err := j.Fail(t.Context(), "x", ErrGone); err != nil {
		t.Fatal(err)
	}
	if err := j.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := server.Do("KEYS", "*"); err != nil || left != "" {
		t.Errorf("left: %q, %v", left, err)
	}
}
