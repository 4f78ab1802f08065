package fleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pace/limiter/redistest"
)

// strangeKeys are what a job must not mind.
var strangeKeys = []string{
	"a", "", "a b", "{x}", "}{", "*", "a*", "[ab]", "k\n1 2 x", "nul\x00", "\xff\xfe", ":part", "q:a", strings.Repeat("k", 2048),
}

const modelAttempts = 3

// model is what a job should be, whatever its workers do.
type model struct {
	t       *rapid.T
	s       *redistest.Server
	name    string
	names   []string // of its keys
	workers []*Job
	leases  []*modelLease // all that there ever were
	keys    map[string]*modelKey
	seen    map[string]bool
	seq     int
	added   int
	done    int
	dead    int
	paused  bool
	source  bool
}

type modelKey struct {
	waiting []*modelItem
	handed  map[string]*modelItem
	holder  *modelLease // as the server has it
	expired bool        // the holder's time is over, and nobody has noticed
	rests   bool
	wished  bool
}

type modelItem struct {
	seq, attempts int
	payload       string
}

type modelLease struct {
	l *Lease
	w *Job
}

func (m *model) key(name string) *modelKey {
	if m.keys[name] == nil {
		m.keys[name] = &modelKey{handed: map[string]*modelItem{}}
	}
	return m.keys[name]
}

func (m *model) redis(args ...string) string {
	reply, err := m.s.Do(args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return reply
}

func (m *model) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) worker() *Job { return rapid.SampledFrom(m.workers).Draw(m.t, "worker") }

func (m *model) add(*rapid.T) {
	w := m.worker()
	var entries []Entry
	var want []Outcome
	for i := range rapid.IntRange(1, 4).Draw(m.t, "entries") {
		name := rapid.SampledFrom(m.names).Draw(m.t, "key")
		what := strconv.Itoa(rapid.IntRange(0, 30).Draw(m.t, "what"))
		kind := rapid.SampledFrom([]Kind{IfNew, Always, Note, Ask, Counted}).Draw(m.t, "kind")
		e := Entry{Kind: kind, Key: name, Member: w.MemberOf([]byte(what))}
		e.Payload = []byte(fmt.Sprint(m.seq, " ", i, "\n\x00", strings.Repeat("p", rapid.SampledFrom([]int{0, 1, 5000}).Draw(m.t, "size"))))
		outcome := Seen
		if !m.seen[what] || kind == Always {
			outcome = Added
		}
		if outcome == Added && kind != Note && kind != Ask {
			m.seq, m.added = m.seq+1, m.added+1
			k := m.key(name)
			k.waiting = append(k.waiting, &modelItem{seq: m.seq, payload: string(e.Payload)})
		}
		m.seen[what] = m.seen[what] || kind != Ask
		entries, want = append(entries, e), append(want, outcome)
	}
	got, err := w.Add(m.t.Context(), entries...)
	m.must(err)
	if !slices.Equal(got, want) {
		m.t.Fatalf("added %v, want %v", got, want)
	}
}

// take is what the server hands out of a key.
func (k *modelKey) take(n int) (items []*modelItem) {
	n = min(n, len(k.waiting))
	items, k.waiting = k.waiting[:n:n], k.waiting[n:]
	for _, it := range items {
		k.handed[strconv.Itoa(it.seq)] = it
	}
	return items
}

// free ends the lease of a key; with tried set because its time was over, and with dies set what was tried too often is dead.
func (m *model) free(k *modelKey, tried, dies bool) {
	back := slices.SortedFunc(maps.Values(k.handed), func(a, b *modelItem) int { return cmp.Compare(a.seq, b.seq) })
	if tried {
		back = slices.DeleteFunc(back, func(it *modelItem) bool {
			it.attempts++
			dead := dies && it.attempts >= modelAttempts
			if dead {
				m.dead, m.done = m.dead+1, m.done+1
			}
			return dead
		})
	}
	k.waiting, k.handed, k.holder, k.expired = append(back, k.waiting...), map[string]*modelItem{}, nil, false
}

func (m *model) same(items []Item, want []*modelItem) {
	ok := len(items) == len(want)
	for i := 0; ok && i < len(items); i++ {
		ok = items[i].ID == strconv.Itoa(want[i].seq) && items[i].Attempts == want[i].attempts && string(items[i].Payload) == want[i].payload
	}
	if !ok {
		m.t.Fatalf("handed out %+v, want %d items", items, len(want))
	}
}

func (m *model) lease(*rapid.T) {
	w, most, each := m.worker(), rapid.IntRange(0, 4).Draw(m.t, "keys"), rapid.IntRange(0, 3).Draw(m.t, "items")
	a, err := w.Lease(m.t.Context(), most, each)
	m.must(err)
	due := 0
	for _, k := range m.keys {
		if k.expired {
			m.free(k, true, true)
		}
		if k.holder == nil && !k.rests && !k.wished && len(k.waiting) > 0 {
			due++
		}
	}
	if m.paused {
		due = 0
	}
	// A key that is wished for is passed by once, and then out of the way.
	if n := len(a.Leases); n > min(due, most) || n < min(due, most) && !slices.ContainsFunc(slices.Collect(maps.Values(m.keys)), func(k *modelKey) bool { return k.wished }) {
		m.t.Fatalf("%d leases of %d keys that are due, with %d asked for", n, due, most)
	}
	for _, l := range a.Leases {
		k := m.keys[l.Key]
		if k == nil || k.holder != nil || k.rests || k.wished || len(k.waiting) == 0 {
			m.t.Fatalf("%q is leased", l.Key)
		}
		m.same(l.Items, k.take(each))
		m.hold(w, l.Lease)
	}
}

func (m *model) hold(w *Job, l *Lease) {
	held := &modelLease{l: l, w: w}
	m.leases = append(m.leases, held)
	k := m.key(l.Key)
	k.holder, k.rests = held, false
}

// some returns a lease, which may be over for long.
func (m *model) some() (*modelLease, *modelKey, bool) {
	if len(m.leases) == 0 {
		m.t.Skip("no lease")
	}
	held := rapid.SampledFrom(m.leases).Draw(m.t, "lease")
	k := m.keys[held.l.Key]
	return held, k, k.holder == held
}

func (m *model) ack(*rapid.T) {
	held, k, mine := m.some()
	a := &Acked{Lease: held.l, Want: rapid.IntRange(0, 3).Draw(m.t, "want"), IDs: []string{"999999"}} // that one nobody has
	var done []string
	for _, id := range slices.Sorted(maps.Keys(k.handed)) {
		if rapid.Bool().Draw(m.t, "done") {
			done = append(done, id)
		}
	}
	a.IDs = append(a.IDs, done...)
	m.must(held.w.Ack(m.t.Context(), a))
	if a.Lost == mine {
		m.t.Fatalf("an ack is refused: %v, and the lease holds: %v", a.Lost, mine)
	}
	if !mine {
		return
	}
	for _, id := range done {
		delete(k.handed, id)
		m.done++
	}
	if m.paused {
		a.Want = 0
	}
	m.same(a.More, k.take(a.Want))
}

func (m *model) release(*rapid.T) {
	held, k, mine := m.some()
	r := Released{Lease: held.l, Keep: rapid.IntRange(0, 3).Draw(m.t, "keep") == 0, Note: "x\n y"}
	if rapid.IntRange(0, 3).Draw(m.t, "rest") == 0 {
		r.After = time.Hour
	}
	m.must(held.w.Release(m.t.Context(), r))
	if !mine {
		return
	}
	k.rests = r.After > 0
	if !r.Keep {
		m.free(k, false, false)
	}
}

// expire lets the time of a lease be over, as the server sees it.
func (m *model) expire(*rapid.T) {
	held, k, mine := m.some()
	if mine {
		m.redis("ZADD", held.w.key(0, "held"), "1", held.l.Key)
		k.expired = true
	}
}

func (m *model) renew(*rapid.T) {
	w := m.worker()
	m.must(w.renew(m.t.Context()))
	for _, k := range m.keys {
		if k.holder != nil && k.holder.w == w && k.holder.l.Check() == nil {
			k.expired = false
		}
	}
	for _, held := range m.leases {
		if held.w == w && m.keys[held.l.Key].holder != held && held.l.Check() == nil {
			m.t.Fatal("a renewal finds a lease that is another's")
		}
	}
}

func (m *model) claim(*rapid.T) {
	w, name := m.worker(), rapid.SampledFrom(m.names).Draw(m.t, "key")
	l, err := w.Claim(m.t.Context(), name)
	m.must(err)
	k := m.key(name)
	if k.expired && !m.paused {
		m.free(k, true, false)
	}
	free := k.holder == nil && !k.rests && !m.paused
	if (l != nil) != free {
		m.t.Fatalf("claimed: %v, free: %v", l != nil, free)
	}
	if free {
		m.hold(w, l)
	}
	k.wished = !free && (!m.paused || k.wished)
}

func (m *model) pause(*rapid.T) {
	m.paused = !m.paused
	m.must(m.worker().SetState(m.t.Context(), map[bool]string{true: Paused, false: ""}[m.paused]))
}

func (m *model) openSource(*rapid.T) {
	m.must(m.worker().OpenSource(m.t.Context(), "list"))
	m.source = true
}

func (m *model) check(*rapid.T) {
	c, err := m.workers[0].Counts(m.t.Context())
	m.must(err)
	want := Counts{Added: int64(m.added), Done: int64(m.done), Dead: int64(m.dead), State: c.State}
	for _, k := range m.keys {
		if k.holder != nil {
			want.Leased++
		}
		if k.holder != nil || len(k.waiting) > 0 {
			want.Keys++
		}
	}
	if m.source {
		want.Sources = 1
	}
	if c != want {
		m.t.Fatalf("counts %+v, want %+v", c, want)
	}
}

// finish does all that is left, which must end.
func (m *model) finish() {
	w := m.workers[0]
	ctx := m.t.Context()
	m.must(w.SetState(ctx, ""))
	m.must(w.CloseSource(ctx, "list"))
	for _, held := range m.leases {
		m.must(held.w.Release(ctx, Released{Lease: held.l}))
	}
	m.redis("DEL", w.key(0, "wish"))
	for name := range m.keys {
		m.redis("ZADD", w.key(0, "due"), "XX", "1", name)
	}
	for range 1000 {
		a, err := w.Lease(ctx, 3, 2)
		m.must(err)
		if a.Added == a.Done {
			break
		}
		for _, l := range a.Leases {
			for items := l.Items; len(items) > 0; {
				ack := &Acked{Lease: l.Lease, Want: 2}
				for _, it := range items {
					ack.IDs = append(ack.IDs, it.ID)
				}
				m.must(w.Ack(ctx, ack))
				items = ack.More
			}
			m.must(w.Release(ctx, Released{Lease: l.Lease}))
		}
	}
	c, err := w.Counts(ctx)
	m.must(err)
	if c.Added != int64(m.added) || c.Done != c.Added || c.Keys != 0 {
		m.t.Fatalf("at the end: %+v of %d", c, m.added)
	}
	if is, err := w.Done(ctx); err != nil || is != (m.seq > 0 || m.source) {
		m.t.Fatalf("done: %v, %v", is, err)
	}
	m.must(w.Delete(ctx))
	if left := m.redis("KEYS", "*"+m.name+"*"); left != "" {
		m.t.Fatalf("left: %q", left)
	}
}

// Whatever workers do and in whatever order, also when they are late, a job hands out each item to one of them, in its
// order, counts it once, comes to its end, and leaves nothing.
func TestAnyOrderOfCalls(t *testing.T) {
	s := redistest.Start(t)
	var jobs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: rt, s: s, name: fmt.Sprint("job", jobs.Add(1), "."), keys: map[string]*modelKey{}, seen: map[string]bool{}}
		m.names = rapid.SliceOfNDistinct(rapid.SampledFrom(strangeKeys), 1, 3, rapid.ID).Draw(rt, "keys")
		for range rapid.IntRange(1, 3).Draw(rt, "workers") {
			j, err := Open(rt.Context(), Options{URL: s.URL, Job: m.name, Lease: time.Hour, MaxAttempts: modelAttempts, Expect: 1000})
			m.must(err)
			j.die() // nothing happens by itself
			rt.Cleanup(func() { _ = j.Close(context.WithoutCancel(rt.Context())) })
			m.workers = append(m.workers, j)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": m.add, "lease": m.lease, "ack": m.ack, "release": m.release, "expire": m.expire, "renew": m.renew,
			"claim": m.claim, "pause": m.pause, "source": m.openSource, "": m.check,
		})
		m.finish()
	})
}
