package limiter

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock returns the time that is d after an arbitrary start.
func clock(d time.Duration) time.Time { return time.Unix(1e9, 0).Add(d) }

func TestHostsSays(t *testing.T) {
	const s = time.Second
	type step struct {
		at   time.Duration
		do   string        // claim, start, drop (released before it started), end, delay, pause
		arg  time.Duration // of delay and pause
		ok   bool
		when time.Duration // a refused claim may be asked again then; -1: after the next change
	}
	for _, c := range []struct {
		name  string
		rate  float64
		limit int
		steps []step
	}{
		{"the gap counts from the start, not from the claim", 2, 0, []step{
			{at: 0, do: "claim", ok: true},
			{at: 3 * s, do: "start"},
			{at: 3 * s, do: "claim", when: 3*s + s/2},
			{at: 3*s + s/2, do: "claim", ok: true},
		}},
		{"a claim that has not started blocks its key", 2, 5, []step{
			{at: 0, do: "claim", ok: true},
			{at: 9 * s, do: "claim", when: -1},
		}},
		{"a claim given back leaves the pace as it was", 2, 1, []step{
			{at: 0, do: "claim", ok: true},
			{at: 1 * s, do: "drop"},
			{at: 1 * s, do: "claim", ok: true},
		}},
		{"what is in flight is limited", 0, 2, []step{
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"},
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"},
			{at: 0, do: "claim", when: -1},
			{at: 0, do: "end"},
			{at: 0, do: "claim", ok: true},
		}},
		{"a longer delay of its own holds, from the start before it", 2, 8, []step{
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"}, {at: 0, do: "delay", arg: 10 * s}, {at: 1 * s, do: "end"},
			{at: 1 * s, do: "claim", when: 10 * s},
		}},
		{"a delay means one in flight", 0, 8, []step{
			{at: 0, do: "delay", arg: s},
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"},
			{at: 5 * s, do: "claim", when: -1},
			{at: 5 * s, do: "end"},
			{at: 5 * s, do: "claim", ok: true},
		}},
		{"a shorter delay than the gap changes nothing", 0.5, 8, []step{
			{at: 0, do: "delay", arg: s / 10},
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"}, {at: 0, do: "end"},
			{at: 0, do: "claim", when: 2 * s},
		}},
		{"a pause holds, then the former rate returns", 1, 0, []step{
			{at: 0, do: "claim", ok: true}, {at: 0, do: "start"}, {at: 0, do: "end"},
			{at: 0, do: "pause", arg: 30 * s}, {at: 0, do: "pause", arg: 20 * s},
			{at: 5 * s, do: "claim", when: 30 * s},
			{at: 30 * s, do: "claim", ok: true}, {at: 30 * s, do: "start"}, {at: 30 * s, do: "end"},
			{at: 30 * s, do: "claim", when: 31 * s},
		}},
		{"without a gap, claims do not wait for starts", 0, 3, []step{
			{at: 0, do: "claim", ok: true}, {at: 0, do: "claim", ok: true}, {at: 0, do: "start"},
			{at: 0, do: "drop"},
			{at: 0, do: "claim", ok: true}, {at: 0, do: "claim", ok: true},
			{at: 0, do: "claim", when: -1},
		}},
		{"a delay that comes late waits for the claims before it", 0, 3, []step{
			{at: 0, do: "claim", ok: true}, {at: 0, do: "claim", ok: true}, {at: 0, do: "delay", arg: s},
			{at: 0, do: "start"}, {at: 0, do: "end"},
			{at: 0, do: "claim", when: -1},
			{at: 2 * s, do: "start"}, {at: 2 * s, do: "end"},
			{at: 2 * s, do: "claim", when: 3 * s},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := NewHosts(c.rate, c.limit)
			for i, st := range c.steps {
				now := clock(st.at)
				switch st.do {
				case "claim":
					when, ok := h.Claim("a", now)
					want := clock(st.when)
					if st.when < 0 {
						want = time.Time{}
					}
					if ok != st.ok || !ok && !when.Equal(want) {
						t.Fatalf("step %d: claim is %v, %v; want %v, %v", i, when, ok, want, st.ok)
					}
				case "start":
					h.Started("a", now)
				case "end":
					h.Release("a", true)
				case "drop":
					h.Release("a", false)
				case "delay":
					h.SetDelay("a", st.arg)
				case "pause":
					h.Pause("a", clock(st.arg))
				}
				if _, ok := h.Claim("another", now); !ok {
					t.Fatalf("step %d: another key is held up", i)
				}
				h.Release("another", false)
			}
		})
	}
}

// TestHostsInvariant lets random callers loose and checks what a server would see.
func TestHostsInvariant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := time.Duration(rapid.IntRange(0, 50).Draw(t, "gap")) * time.Millisecond
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		rate := 0.0
		if gap > 0 {
			rate = float64(time.Second) / float64(gap)
		}
		h := NewHosts(rate, limit)
		var now, last time.Duration
		started, claimed, first := 0, 0, true
		for range 200 {
			now += time.Duration(rapid.IntRange(0, 30).Draw(t, "pass")) * time.Millisecond
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				if _, ok := h.Claim("a", clock(now)); ok {
					if gap > 0 && claimed > 0 || started+claimed >= limit || !first && now-last < gap-time.Microsecond {
						t.Fatalf("claim at %v: claimed %v, %d started, last start %v", now, claimed, started, last)
					}
					claimed++
				}
			case 1:
				if claimed > 0 {
					h.Started("a", clock(now))
					first, last = false, now
					claimed--
					started++
				}
			case 2:
				if started > 0 {
					h.Release("a", true)
					started--
				}
			}
		}
	})
}

func TestHostsForgetsKeysAtRest(t *testing.T) {
	h := NewHosts(10, 2)
	h.SetDelay("slow", time.Minute)
	h.Pause("pausing", clock(time.Hour*1000))
	_, _ = h.Claim("busy", clock(0))
	h.Started("busy", clock(0))
	for i := range 1_000_000 {
		now := clock(time.Duration(i) * time.Millisecond)
		key := fmt.Sprint(i)
		if _, ok := h.Claim(key, now); !ok {
			t.Fatal("a new key is held up")
		}
		h.Started(key, now)
		h.Release(key, true)
		if h.Len() > 2*minSweep {
			t.Fatalf("%d keys are remembered after %d", h.Len(), i)
		}
	}
	now := clock(2000 * time.Second)
	if at, ok := h.Claim("pausing", now); ok || !at.Equal(clock(time.Hour*1000)) {
		t.Error("a pausing key was forgotten")
	}
	_, _ = h.Claim("slow", now)
	h.Started("slow", now)
	h.Release("slow", true)
	if at, ok := h.Claim("slow", now); ok || !at.Equal(now.Add(time.Minute)) {
		t.Error("a key's own delay was forgotten")
	}
	_, _ = h.Claim("busy", now)
	h.Started("busy", now)
	if _, ok := h.Claim("busy", now.Add(time.Minute)); ok {
		t.Error("a busy key was forgotten")
	}
}

func BenchmarkHostsClaim(b *testing.B) {
	h := NewHosts(0, 2)
	now := clock(0)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h.Claim("host.example", now)
		h.Started("host.example", now)
		h.Release("host.example", true)
	}
}
