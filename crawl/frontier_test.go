package crawl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

func mustURL(t testing.TB, s string) URL {
	t.Helper()
	u, err := ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func pageItem(t testing.TB, s string) *item { return &item{url: mustURL(t, s), first: s} }

func testFrontier(rate float64, perHost, maxPages int) *frontier {
	return newFrontier(limiter.NewHosts(rate, perHost), maxPages, progress.New())
}

// drain fetches all there is, each item taking d, with n workers, and returns the order in which they started.
func drain(t *testing.T, f *frontier, n int, d time.Duration) (urls []string, at []time.Duration) {
	start := time.Now()
	var mu sync.Mutex
	err := limiter.Each(t.Context(), limiter.Async, n, f.next, func(_ context.Context, it *item) error {
		mu.Lock()
		urls, at = append(urls, it.url.String()), append(at, time.Since(start))
		mu.Unlock()
		f.started(it)
		time.Sleep(d)
		f.done(it)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return urls, at
}

func TestFrontierKeepsGapsAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(2, 2, 0)
		for i := range 4 {
			for _, host := range []string{"a", "b"} {
				f.add(pageItem(t, fmt.Sprintf("http://%s/%d", host, i)), nil)
			}
		}
		urls, at := drain(t, f, 8, 10*time.Millisecond)
		want := "http://a/0 http://b/0 http://a/1 http://b/1 http://a/2 http://b/2 http://a/3 http://b/3"
		if got := strings.Join(urls, " "); got != want {
			t.Errorf("order %s", got)
		}
		for i, d := range at {
			if want := time.Duration(i/2) * 500 * time.Millisecond; d != want {
				t.Errorf("item %d started at %v, want %v", i, d, want)
			}
		}
		if len(f.queues) != 0 {
			t.Errorf("%d queues are left", len(f.queues))
		}
	})
}

func TestFrontierSlowHostHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0, 1, 0)
		f.hosts.SetDelay("slow", time.Minute)
		for i := range 3 {
			f.add(pageItem(t, fmt.Sprintf("http://slow/%d", i)), nil)
		}
		for i := range 100 {
			f.add(pageItem(t, fmt.Sprintf("http://h%d/", i)), nil)
		}
		urls, at := drain(t, f, 2, time.Second)
		for i, u := range urls {
			if !strings.Contains(u, "slow") && at[i] > 51*time.Second {
				t.Errorf("%s started at %v", u, at[i])
			}
		}
		if last := at[len(at)-1]; last != 2*time.Minute {
			t.Errorf("the slow host's third page started at %v, want 2m", last)
		}
	})
}

func TestFrontierLimitsWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0, 3, 0)
		for i := range 9 {
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)), nil)
		}
		_, at := drain(t, f, 50, time.Second)
		for i, d := range at {
			if want := time.Duration(i/3) * time.Second; d != want {
				t.Errorf("item %d started at %v, want %v", i, d, want)
			}
		}
		// All of that was waiting for answers, none for a rate.
		if w := f.counter.Totals().LimiterWait; w != 0 {
			t.Errorf("waited %v for a limit", w)
		}
	})
}

func TestFrontierCountsWaitsForARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(1, 0, 0)
		for i := range 5 {
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)), nil)
		}
		drain(t, f, 1, 100*time.Millisecond)
		if w := f.counter.Totals().LimiterWait; w != 4*900*time.Millisecond {
			t.Errorf("waited %v for a limit, want 3.6s", w)
		}
	})
}

func TestFrontierSeenAndMaxPages(t *testing.T) {
	f := testFrontier(0, 0, 2)
	for _, c := range []struct {
		url string
		ok  bool
	}{{"http://a/", true}, {"http://a/", false}, {"http://a/b", true}, {"http://a/c", false}} {
		if ok := f.add(pageItem(t, c.url), nil); ok != c.ok {
			t.Errorf("%s: %v", c.url, ok)
		}
	}
	if f.skip(mustURL(t, "http://a/")) || !f.skip(mustURL(t, "http://a/d")) {
		t.Error("skip says the wrong thing of what is new")
	}
}

func TestFrontierGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0, 0, 0)
		file := &robotsFile{origin: "http://a", host: "a"}
		robots := &item{url: mustURL(t, "http://a/robots.txt"), robots: file}
		f.add(pageItem(t, "http://a/1"), robots)
		f.add(pageItem(t, "http://a/2"), nil)
		var urls []string
		for range 2 {
			it, err := f.next(t.Context())
			if err != nil || it.robots == nil {
				t.Fatalf("got %v, %v; want the robots.txt", it, err)
			}
			f.started(it)
			if len(urls) == 0 { // the first try fails
				urls = append(urls, "failed")
				f.retry(it, time.Now().Add(time.Minute))
				continue
			}
			if d := f.counter.Totals().LimiterWait; d != time.Minute {
				t.Errorf("waited %v", d)
			}
			// It is moved to another host, whose pages it does not wait for.
			f.add(pageItem(t, "http://b/9"), &item{url: mustURL(t, "http://b/robots.txt"),
				robots: &robotsFile{origin: "http://b", host: "b"}})
			f.move(it, mustURL(t, "http://b/r"), nil)
		}
		for range 2 {
			it, err := f.next(t.Context())
			if err != nil || it.robots == nil {
				t.Fatalf("got %v, %v; want a robots.txt", it, err)
			}
			f.started(it)
			f.openGate(it.robots.host)
			f.done(it)
		}
		got, _ := drain(t, f, 1, 0)
		slices.Sort(got)
		if want := []string{"http://a/1", "http://a/2", "http://b/9"}; !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestFrontierBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0, 0, 0)
		f.add(pageItem(t, "http://a/"), nil)
		start := time.Now()
		pause := time.Duration(0)
		for i := range 8 {
			it, err := f.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d != pause {
				t.Errorf("try %d after %v, want %v", i, d, pause)
			}
			f.started(it)
			asked := time.Duration(0)
			if i == 5 {
				asked = time.Hour
			}
			now := f.backOff(it, asked)
			if most := min(firstBackoff<<i, maxBackoff); i == 5 && now != asked || i != 5 && (now < most/2 || now > most) {
				t.Errorf("pause %d is %v", i, now)
			}
			pause += now
			f.retry(it, time.Now().Add(now))
		}
	})
}

func TestFrontierNewPageWakesAHostThatWaitsForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0, 0, 0)
		f.add(pageItem(t, "http://a/1"), nil)
		it, _ := f.next(t.Context())
		f.started(it)
		f.retry(it, time.Now().Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			f.add(pageItem(t, "http://a/2"), nil)
		}()
		start := time.Now()
		it, err := f.next(t.Context())
		if err != nil || it.url.String() != "http://a/2" || time.Since(start) != time.Second {
			t.Errorf("got %v, %v after %v", it, err, time.Since(start))
		}
	})
}

func TestFrontierCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testFrontier(0.001, 0, 0)
		f.add(pageItem(t, "http://a/1"), nil)
		f.add(pageItem(t, "http://a/2"), nil)
		it, _ := f.next(t.Context())
		f.started(it)
		f.done(it)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.next(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}

func TestFrontierEnds(t *testing.T) {
	f := testFrontier(0, 0, 0)
	if _, err := f.next(t.Context()); err != io.EOF {
		t.Errorf("an empty frontier: %v", err)
	}
}

func BenchmarkFrontier(b *testing.B) {
	f := testFrontier(0, 2, 0)
	urls := make([]URL, b.N)
	for i := range urls {
		urls[i] = mustURL(b, fmt.Sprintf("http://h%d.example/p/%d", i%1000, i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, u := range urls {
		f.add(&item{url: u}, nil)
	}
	for range urls {
		it, err := f.next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		f.started(it)
		f.done(it)
	}
}
