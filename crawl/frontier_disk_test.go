package crawl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// TestFrontierReopened interrupts random crawls at random times and goes on with them: every page ends once, in one of
// the runs.
func TestFrontierReopened(t *testing.T) {
	seeds := uint64(20)
	if raceDetector {
		seeds = 8
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			files := vfs.NewMem()
			v := &visitor{t: t, rnd: rnd, asked: time.Minute, ended: map[string]int{}}
			for runs := 0; ; runs++ {
				v.f, v.files, v.busy = newRig(t, 20, 2), map[string]bool{}, map[string]int{}
				old := v.f.open(t, files, 50*time.Millisecond, 0, v.gate)
				if want := v.added - len(v.ended); old.pages != want {
					t.Errorf("run %d begins with %d pages, want %d", runs, old.pages, want)
				}
				if runs == 0 {
					v.add(6)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(60_000))*time.Millisecond)
				err := limiter.Each(ctx, limiter.Async, 1+rnd.IntN(12), v.next, v.visit)
				cancel()
				v.f.end()
				if err == nil {
					break
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
			}
			if len(v.ended) != v.added {
				t.Errorf("%d pages of %d have ended", len(v.ended), v.added)
			}
			for first, n := range v.ended {
				if n != 1 {
					t.Errorf("%s has ended %d times", first, n)
				}
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// What a frontier was told comes back as it was: what was handed out is queued in its old place.
func TestFrontierRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfs.NewMem()
		f := newRig(t, 1, 0)
		f.open(t, files, time.Second, 4, nil)
		page := pageItem(t, "http://a/1")
		page.referrer, page.depth = "http://b/", 3
		seed := pageItem(t, "http://a/2?x")
		seed.seed, seed.fallback = true, true
		f.add(page, seed, pageItem(t, "http://c/"))
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		first, err := f.next(t.Context())
		must(err)
		f.started(first)
		must(f.commit([]*change{{hosts: []knownHost{{"a", true, false}, {"b", true, true}, {"z", false, false}}}}, []byte("marks")))
		third, err := f.next(t.Context())
		must(err)
		f.started(third)
		f.backOff(third, time.Hour)
		third.attempts = 2
		f.retry(third, time.Now().Add(time.Hour))
		f.setDelay("a", 10*time.Second)
		f.end()

		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		f = newRig(t, 1, 0)
		old := f.open(t, files, time.Second, 4, nil)
		want := recovery{hosts: []knownHost{{"a", true, false}, {"b", true, true}, {"z", false, false}}, marks: []byte("marks"), pages: 3, found: true}
		if d := cmp.Diff(want, *old, cmp.AllowUnexported(recovery{}, knownHost{})); d != "" {
			t.Error(d)
		}
		if n := f.add(pageItem(t, "http://a/1"), pageItem(t, "http://d/1"), pageItem(t, "http://d/2")); n != 1 {
			t.Errorf("%d pages added, want one: the first was seen and the last is the fifth", n)
		}
		var got []string
		for range 4 {
			it, err := f.next(t.Context())
			must(err)
			f.started(it)
			got = append(got, fmt.Sprintf("%v %s first %s from %q depth %d seed %v %v tries %d", time.Since(start).Round(time.Second),
				it.url, it.first, it.referrer, it.depth, it.seed, it.fallback, it.attempts))
			f.done(it)
		}
		wantItems := []string{
			`1s http://d/1 first http://d/1 from "" depth 0 seed false false tries 0`, // its host was never asked, as far as is known
			`10s http://a/1 first http://a/1 from "http://b/" depth 3 seed false false tries 0`,
			`11s http://a/2?x first http://a/2?x from "" depth 0 seed true true tries 0`,
			`1h0m0s http://c/ first http://c/ from "" depth 0 seed false false tries 2`,
		}
		if !slices.Equal(got, wantItems) {
			t.Error(cmp.Diff(wantItems, got))
		}
		f.end()
	})
}

// The pages of a host count over all runs, also where the host was idle in between.
func TestFrontierBudgetOverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfs.NewMem()
		var spent []string
		run := func(do func(f *rig)) {
			f := newRig(t, 0, 0)
			f.open(t, files, 0, 0, nil)
			f.setHostBudget(3, func(host string) { spent = append(spent, host) })
			do(f)
			f.end()
		}
		page := func(host string, n int) *item { return pageItem(t, fmt.Sprintf("http://%s/%d", host, n)) }
		run(func(f *rig) {
			if n := f.add(page("a", 1), page("a", 2), page("b", 1)); n != 3 {
				t.Errorf("the first run adds %d", n)
			}
			drain(t, f, 1, 0)
			f.add(page("b", 2))
		})
		for i := range 2 {
			run(func(f *rig) {
				if n := f.add(page("a", 3), page("a", 4), page("b", 3), page("b", 4), page("c", 1)); n != 3-3*i {
					t.Errorf("a later run adds %d", n)
				}
			})
		}
		if want := []string{"a", "b", "a", "b"}; !slices.Equal(spent, want) {
			t.Errorf("it was told of %q, want %q", spent, want)
		}
	})
}

// Places are given once: what is known of a page that is done is not overwritten by that of a later one.
func TestFrontierPlacesAfterRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfs.NewMem()
		const pages = 5
		for i := range pages { // in each run the host comes to rest
			f := newRig(t, 0, 0)
			f.open(t, files, 0, 0, nil)
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)))
			drain(t, f, 1, 0)
			f.end()
		}
		f := newRig(t, 0, 0)
		f.open(t, files, 0, 0, nil)
		disk := f.frontier.(*diskFrontier)
		if err := disk.again([]byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
		if err := disk.requeue(t.Context()); err != nil {
			t.Fatal(err)
		}
		urls, _ := drain(t, f, 1, 0)
		if want := []string{"http://a/0", "http://a/1", "http://a/2", "http://a/3", "http://a/4"}; !slices.Equal(urls, want) {
			t.Errorf("a recrawl has %q", urls)
		}
		f.end()
	})
}

// Pauses that are over leave the memory and the disk.
func TestFrontierForgetsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfs.NewMem()
		f := newRig(t, 0, 0)
		f.open(t, files, 0, 0, nil)
		disk := f.frontier.(*diskFrontier)
		stored := func() (n int) {
			err := disk.store.scan([]byte{keyPace}, []byte{keyPace + 1}, func(_, _ []byte) (bool, error) {
				n++
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i := range 10 * minPaces {
			f.backOff(pageItem(t, fmt.Sprintf("http://h%d/", i)), time.Second)
			time.Sleep(100 * time.Millisecond)
		}
		if n := stored(); n > 2*minPaces || n != len(disk.paces) {
			t.Errorf("%d are on disk, %d in memory", n, len(disk.paces))
		}
		f.backOff(pageItem(t, "http://long/"), time.Hour)
		f.end()
		time.Sleep(time.Minute)
		f = newRig(t, 0, 0)
		f.open(t, files, 0, 0, nil)
		disk = f.frontier.(*diskFrontier)
		if n := stored(); n != 1 {
			t.Errorf("%d are on disk after a minute, want the one that is not over", n)
		}
		f.end()
	})
}
