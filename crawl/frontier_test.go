package crawl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter/exchange"
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

func TestFrontierKeepsGapsAndOrder(t *testing.T) {
	inEachFrontier(t, 2, 2, 0, nil, func(t *testing.T, f *rig) {
		for i := range 4 {
			for _, host := range []string{"a", "b"} {
				f.add(pageItem(t, fmt.Sprintf("http://%s/%d", host, i)))
			}
		}
		urls, at := drain(t, f, 8, 10*time.Millisecond)
		// Which of two hosts of one time is first depends on whose worker was: only a host's own pages have an order.
		for _, host := range []string{"a", "b"} {
			own := slices.DeleteFunc(slices.Clone(urls), func(u string) bool { return mustURL(t, u).Host() != host })
			want := fmt.Sprintf("http://%[1]s/0 http://%[1]s/1 http://%[1]s/2 http://%[1]s/3", host)
			if got := strings.Join(own, " "); got != want {
				t.Errorf("order %s of %s", own, strings.Join(urls, " "))
			}
		}
		for i, d := range at {
			if want := time.Duration(i/2) * 500 * time.Millisecond; d != want {
				t.Errorf("item %d started at %v, want %v", i, d, want)
			}
		}
		if len(f.plan.queues) != 0 {
			t.Errorf("%d queues are left", len(f.plan.queues))
		}
	})
}

func TestFrontierSlowHostHoldsUpNoOther(t *testing.T) {
	inEachFrontier(t, 0, 1, 0, nil, func(t *testing.T, f *rig) {
		f.hosts.SetDelay("slow", time.Minute)
		for i := range 3 {
			f.add(pageItem(t, fmt.Sprintf("http://slow/%d", i)))
		}
		for i := range 100 {
			f.add(pageItem(t, fmt.Sprintf("http://h%d/", i)))
		}
		urls, at := drain(t, f, 2, time.Second)
		var slow []time.Duration
		for i, u := range urls {
			if strings.Contains(u, "slow") {
				slow = append(slow, at[i])
			} else if at[i] > 52*time.Second {
				t.Errorf("%s started at %v", u, at[i])
			}
		}
		if slow[1]-slow[0] != time.Minute || slow[2]-slow[1] != time.Minute {
			t.Errorf("the slow host's pages started at %v", slow)
		}
	})
}

func TestFrontierLimitsWhatIsInFlight(t *testing.T) {
	inEachFrontier(t, 0, 3, 0, nil, func(t *testing.T, f *rig) {
		for i := range 9 {
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)))
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
	inEachFrontier(t, 1, 0, 0, nil, func(t *testing.T, f *rig) {
		for i := range 5 {
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)))
		}
		drain(t, f, 1, 100*time.Millisecond)
		if w := f.counter.Totals().LimiterWait; w != 4*900*time.Millisecond {
			t.Errorf("waited %v for a limit, want 3.6s", w)
		}
	})
}

func TestFrontierSeenAndMaxPages(t *testing.T) {
	inEachFrontier(t, 0, 0, 2, nil, func(t *testing.T, f *rig) {
		for _, c := range []struct {
			url string
			n   int
		}{{"http://a/", 1}, {"http://a/", 0}, {"http://a/b", 1}, {"http://a/c", 0}} {
			if n := f.add(pageItem(t, c.url)); n != c.n {
				t.Errorf("%s: %d added", c.url, n)
			}
		}
		f.must(&change{found: []foundPage{
			{item: pageItem(t, "http://a/"), forbidden: true}, {item: pageItem(t, "http://a/d"), forbidden: true},
		}})
		if n := f.counter.Snapshot().ItemsSkipped; n != 1 {
			t.Errorf("%d skipped, want the one that is new", n)
		}
		for url, want := range map[string]bool{"http://a/b": false, "http://a/d": false, "http://a/e": true} {
			if isNew, err := f.reserve(url); err != nil || isNew != want {
				t.Errorf("reserve %s: %v, %v", url, isNew, err)
			}
		}
		if urls, _ := drain(t, f, 1, 0); len(urls) != 2 {
			t.Errorf("handed out %v", urls)
		}
	})
}

// Pages that are found in one commit and again in it are one.
func TestFrontierSeesWithinACommit(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		f.must(
			&change{found: []foundPage{{item: pageItem(t, "http://a/1")}, {item: pageItem(t, "http://a/1")}}},
			&change{found: []foundPage{{item: pageItem(t, "http://a/1")}, {item: pageItem(t, "http://b/1")}}},
		)
		urls, _ := drain(t, f, 1, 0)
		if got := strings.Join(urls, " "); got != "http://a/1 http://b/1" {
			t.Errorf("handed out %s", got)
		}
	})
}

// gates is what crawler.gate does, for some origins.
func gates(t testing.TB, origins ...string) func(*item) *item {
	asked := map[string]bool{}
	return func(it *item) *item {
		origin := it.url.Origin()
		if asked[origin] || !slices.Contains(origins, origin) {
			return nil
		}
		asked[origin] = true
		return &item{url: mustURL(t, origin+"/robots.txt"), robots: &robotsFile{origin: origin, host: it.url.Host()}}
	}
}

func TestFrontierGate(t *testing.T) {
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			redis := redisFor(t, name)
			synctest.Test(t, func(t *testing.T) {
				f := newRig(t, 0, 0)
				f.redis = redis
				makers[name](t, f, 0, gates(t, "http://a", "http://b"))
				defer f.end()
				f.add(pageItem(t, "http://a/1"), pageItem(t, "http://a/2"))
				robots := f.robotsFirst(t)
				f.retry(robots, time.Now().Add(time.Minute)) // the first try fails
				robots = f.robotsFirst(t)
				if d := f.counter.Totals().LimiterWait; d != time.Minute {
					t.Errorf("waited %v", d)
				}
				// It is moved to another host, whose pages it does not wait for.
				f.add(pageItem(t, "http://b/9"))
				f.move(robots, mustURL(t, "http://b/r"))
				synctest.Wait() // a frontier may still be asking for the page
				for range 2 {
					it := f.robotsFirst(t)
					f.openGate(it.robots.host)
					f.done(it)
				}
				got, _ := drain(t, f, 1, 0)
				slices.Sort(got)
				if want := []string{"http://a/1", "http://a/2", "http://b/9"}; !slices.Equal(got, want) {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

// robotsFirst takes the next item, which must be a robots.txt.
func (r *rig) robotsFirst(t *testing.T) *item {
	t.Helper()
	it, err := r.next(t.Context())
	if err != nil || it.robots == nil {
		t.Fatalf("got %v, %v; want a robots.txt", it, err)
	}
	r.started(it)
	return it
}

func TestFrontierMoves(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		f.add(pageItem(t, "http://a/1"), pageItem(t, "http://b/1"))
		it, err := f.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.started(it)
		if f.move(it, mustURL(t, "http://b/1")) {
			t.Error("moved to a page that was seen")
		}
		it.attempts, it.notBefore = 2, time.Now()
		if !f.move(it, mustURL(t, "http://b/2")) {
			t.Error("not moved to a new page")
		}
		var got []string
		for range 2 {
			it, err := f.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.started(it)
			got = append(got, fmt.Sprintf("%s from %s, %d redirects, %d tries", it.url, it.first, it.redirects, it.attempts))
			f.done(it)
		}
		want := []string{"http://b/1 from http://b/1, 0 redirects, 0 tries", "http://b/2 from http://a/1, 1 redirects, 0 tries"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestFrontierRefused(t *testing.T) {
	inEachFrontier(t, 0.001, 1, 0, nil, func(t *testing.T, f *rig) {
		f.add(pageItem(t, "http://a/1"), pageItem(t, "http://a/2"), pageItem(t, "http://a/3"))
		f.refuse("http://a")
		start := time.Now()
		if urls, _ := drain(t, f, 1, 0); len(urls) != 3 || time.Since(start) != 0 {
			t.Errorf("%v after %v", urls, time.Since(start))
		}
	})
}

// A host's pages are in order however many there are: most of them are not in the window.
func TestFrontierOrderOfMany(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		const n = 10 * windowPages
		for i := range n {
			f.add(pageItem(t, fmt.Sprintf("http://a/%d", i)))
		}
		urls, _ := drain(t, f, 1, 0)
		for i, u := range urls {
			if u != fmt.Sprintf("http://a/%d", i) {
				t.Fatalf("page %d is %s", i, u)
			}
		}
		if len(urls) != n {
			t.Errorf("%d pages of %d", len(urls), n)
		}
	})
}

func TestFrontierBackOff(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		f.add(pageItem(t, "http://a/"))
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
			if most := min(exchange.FirstBackoff<<i, exchange.MaxBackoff); i == 5 && now != asked || i != 5 && (now < most/2 || now > most) {
				t.Errorf("pause %d is %v", i, now)
			}
			pause += now
			f.retry(it, time.Now().Add(now))
		}
	})
}

func TestFrontierNewPageWakesAHostThatWaitsForARetry(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		f.add(pageItem(t, "http://a/1"))
		it, _ := f.next(t.Context())
		f.started(it)
		f.retry(it, time.Now().Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			f.add(pageItem(t, "http://a/2"))
		}()
		start := time.Now()
		it, err := f.next(t.Context())
		if err != nil || it.url.String() != "http://a/2" || time.Since(start) != time.Second {
			t.Errorf("got %v, %v after %v", it, err, time.Since(start))
		}
	})
}

func TestFrontierCancelled(t *testing.T) {
	inEachFrontier(t, 0.001, 0, 0, nil, func(t *testing.T, f *rig) {
		f.add(pageItem(t, "http://a/1"))
		f.add(pageItem(t, "http://a/2"))
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
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		if _, err := f.next(t.Context()); err != io.EOF {
			t.Errorf("an empty frontier: %v", err)
		}
	})
}

// A link is left out only if it is surely noted as a page: not for a sitemap or a check of the same URL.
func TestFrontierNoted(t *testing.T) {
	inEachFrontier(t, 0, 0, 0, nil, func(t *testing.T, f *rig) {
		check, sitemap := pageItem(t, "http://a/check"), pageItem(t, "http://a/sitemap")
		check.check, sitemap.sitemap = true, 1
		f.must(&change{found: []foundPage{
			{item: pageItem(t, "http://a/page")}, {item: pageItem(t, "http://a/forbidden"), forbidden: true}, {item: check}, {item: sitemap},
		}})
		var set linkSet
		set.reset(8)
		want := []string{"page", "forbidden"}
		var links []pageLink
		names := []string{"page", "forbidden", "check", "sitemap", "new", "page"}
		for _, name := range names {
			var l pageLink
			l.slot, l.isNew = set.at(f.fingerprint([]byte("http://a/" + name)))
			links = append(links, l)
		}
		f.noted(links)
		for i, l := range links {
			// Of two links to one page the first speaks for both.
			if known := slices.Contains(want, names[i]) && l.isNew; l.noted != known {
				t.Errorf("%s: noted is %v", names[i], l.noted)
			}
		}
		drain(t, f, 1, 0)
	})
}
