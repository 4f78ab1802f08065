package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// join opens a job, and leaves it when the test ends.
func join(t testing.TB, url string, o Options) *Job {
	t.Helper()
	o.URL = url
	if o.Job == "" {
		o.Job = strings.ReplaceAll(t.Name(), "/", ".")
	}
	j, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = j.Close(ctx) // a test may have killed the server
	})
	return j
}

func entry(j *Job, key, what string) Entry {
	return Entry{Key: key, Member: j.MemberOf([]byte(key + " " + what)), Payload: []byte(what)}
}

func add(t testing.TB, j *Job, entries ...Entry) []Outcome {
	t.Helper()
	outcomes, err := j.Add(t.Context(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// lease asks until there is one lease at least.
func lease(t testing.TB, j *Job, keys, items int) []Leased {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		a, err := j.Lease(t.Context(), keys, items)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Leases) > 0 {
			return a.Leases
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatal("no lease")
	return nil
}

func ack(t testing.TB, j *Job, l *Lease, want int, items ...Item) *Acked {
	t.Helper()
	a := &Acked{Lease: l, Want: want}
	for _, item := range items {
		a.IDs = append(a.IDs, item.ID)
	}
	if err := j.Ack(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func release(t testing.TB, j *Job, released ...Released) {
	t.Helper()
	if err := j.Release(t.Context(), released...); err != nil {
		t.Fatal(err)
	}
}

func done(t testing.TB, j *Job) bool {
	t.Helper()
	is, err := j.Done(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func counts(t testing.TB, j *Job) Counts {
	t.Helper()
	c, err := j.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shown returns items as "payload" or, when they were tried, "payload/attempts".
func shown(items []Item) string {
	var words []string
	for _, item := range items {
		word := string(item.Payload)
		if item.Attempts > 0 {
			word += fmt.Sprint("/", item.Attempts)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// die is the end of a worker that tells nobody: its keeper stops, and its leases run out.
func (j *Job) die() {
	j.stop()
	j.wg.Wait()
}

// contract is what holds on one server and on a Cluster.
var contract = []struct {
	name string
	test func(t *testing.T, url string)
}{
	{"ItemsOfAKeyGoInOrder", testItemsOfAKeyGoInOrder},
	{"LeaseHandsOutEachKeyOnce", testLeaseHandsOutEachKeyOnce},
	{"AddOutcomes", testAddOutcomes},
	{"ReleaseTellsTheNextHolder", testReleaseTellsTheNextHolder},
	{"SourceHoldsTheJobOpen", testSourceHoldsTheJobOpen},
	{"LateWorker", testLateWorker},
	{"GroupEndsWhenAllIsDone", testGroupEndsWhenAllIsDone},
	{"GroupWithoutItemsEndsAtOnce", testGroupWithoutItemsEndsAtOnce},
	{"GroupFails", testGroupFails},
	{"LateAcksCountOnce", testLateAcksCountOnce},
	{"GroupsWaitForTheirChildren", testGroupsWaitForTheirChildren},
	{"HigherRanksComeFirst", testHigherRanksComeFirst},
	{"ItemsAreAddedToAGroup", testItemsAreAddedToAGroup},
	{"SharedRate", testSharedRate},
	{"DeadWorkerOfThisMachine", testDeadWorkerOfThisMachine},
	{"StoppedWorkerIsNotDead", testStoppedWorkerIsNotDead},
}

func TestOneServer(t *testing.T) {
	url := redistest.Start(t).URL
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, url) })
	}
}

func TestCluster(t *testing.T) {
	url := clusterURL(redistest.StartCluster(t))
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, url) })
	}
}

func clusterURL(servers []*redistest.Server) string {
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	return "redis://" + strings.Join(addrs, ",")
}

func wantError[E error](t testing.TB, err error) (e E) {
	t.Helper()
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a %T", err, e)
	}
	return e
}

func keysOf(leases []Leased) []string {
	var keys []string
	for _, l := range leases {
		keys = append(keys, l.Key)
	}
	slices.Sort(keys)
	return keys
}
