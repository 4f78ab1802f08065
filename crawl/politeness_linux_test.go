package crawl

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"pace/limiter"
)

const politeGap = 100 * time.Millisecond

// TestPolitenessOnManyHosts crawls eight hosts with many more workers than they may have, through retries, redirects to
// other hosts, a Crawl-delay and a host that pushes back; and again with kill -9 and resumes in between. What the frontier
// promises holds for each start, whatever else runs. What a server sees, and how much of its allowance a host gets, the
// machine has a say in too: that is asked at full size only, which runs when the other tests are over, and of several runs
// one must be good.
func TestPolitenessOnManyHosts(t *testing.T) {
	full := os.Getenv(fullSize) != ""
	for _, m := range []limiter.Mode{limiter.Threads, limiter.Async} {
		for _, c := range []politeCase{
			{latency: 30 * time.Millisecond, perHost: 2},
			{latency: 250 * time.Millisecond, perHost: 3},
			{latency: 30 * time.Millisecond, perHost: 2, kills: 4},
		} {
			c.mode = m
			t.Run(fmt.Sprint(m, " ", c.latency, " ", c.kills, " kills"), func(t *testing.T) {
				t.Parallel()
				var complaints []string
				for range 5 {
					p := crawlPolitely(t, c)
					p.check(t)
					if !full || t.Failed() {
						return
					}
					if complaints = append(p.seenByServers(), p.allowance()...); len(complaints) == 0 {
						return
					}
					t.Log(complaints)
				}
				t.Error(complaints)
			})
		}
	}
}

type politeCase struct {
	mode    limiter.Mode
	latency time.Duration
	perHost int
	kills   int
}

// politeRun is what one crawl of a politeSite came to.
type politeRun struct {
	politeCase
	site   *politeSite
	dir    string
	starts map[string][]time.Time // by host: when each request was written
	pushed []time.Time            // when the crawl had taken notice of each 503
}

// crawlPolitely crawls in a child, so that nothing but the network is between the crawl and the servers.
func crawlPolitely(t *testing.T, c politeCase) *politeRun {
	s := newPoliteSite(t, c.latency, time.Second)
	defer s.close()
	k := killedCrawl{
		Dir: t.TempDir(), Mode: c.mode, Workers: 64, Seeds: s.seeds, Resolve: s.resolve,
		Rate: float64(time.Second / politeGap), PerHost: c.perHost, Stamps: true, Memory: c.kills == 0,
	}
	for n := range c.kills {
		child := startChild(t, k)
		s.waitFor(t, 40*(n+1))
		child.kill()
		if child.wait(t) {
			t.Fatal("the crawl ended before it could be killed")
		}
	}
	if !startChild(t, k).wait(t) {
		t.Fatal("the last run did not end")
	}
	p := &politeRun{politeCase: c, site: s, dir: k.Dir}
	p.starts, p.pushed = readStamps(t, k.stamps(), "start"), readStamps(t, k.stamps(), "pushed")[busyHost]
	checkRecords(t, k.options().OutputFile, 7*(politePages+1)+slowPages+1)
	return p
}

// check wants what must hold for every single start.
func (p *politeRun) check(t *testing.T) {
	t.Helper()
	s := p.site
	s.mu.Lock()
	defer s.mu.Unlock()
	for host, starts := range p.starts {
		p.checkGaps(t, host)
		if s.peak[host] > p.perHost {
			t.Errorf("%s had %d requests at once", host, s.peak[host])
		}
		if n := len(s.arrivals[host]); n < len(starts) || n > len(starts)+p.kills {
			t.Errorf("%s: %d requests were written, %d seen", host, len(starts), n)
		}
	}
	if p.kills == 0 && len(p.pushed) != 2 || len(s.refused) != 2 {
		t.Fatalf("the busy host said %d times 503, and %d times that was heeded", len(s.refused), len(p.pushed))
	}
	for i, at := range p.pushed {
		asked := s.refused[0]
		if i > 0 || at.After(s.refused[1]) {
			asked = s.refused[1]
		}
		during := 0
		for _, start := range p.starts[busyHost] {
			if start.After(at) && start.Before(asked.Add(s.retryAfter)) {
				during++
			}
		}
		if during > 1 { // one may have been on its way to the host already
			t.Errorf("the busy host had %d requests in the pause that it had asked for", during)
		}
	}
}

// checkGaps wants that no start of a host comes sooner after another than it may.
func (p *politeRun) checkGaps(t *testing.T, host string) {
	t.Helper()
	short := 0
	for i, at := range p.starts[host] {
		if i == 0 {
			continue
		}
		gap := at.Sub(p.starts[host][i-1])
		if gap < politeGap {
			t.Errorf("%s: starts %d and %d are %v apart", host, i-1, i, gap)
		}
		if host == delayHost && gap < askDelay {
			short++
		}
	}
	if short > 1 { // from robots.txt, which is the first to say so, to a page
		t.Errorf("%s: %d starts are closer than its Crawl-delay", host, short)
	}
}

// seenByServers says what servers could complain of.
func (p *politeRun) seenByServers() (complaints []string) {
	near, gaps := 0, 0
	for host, arrivals := range p.site.arrivals {
		slices.SortFunc(arrivals, time.Time.Compare) // those of two connections may be noted the other way round
		for i := 1; i < len(arrivals); i++ {
			gap := arrivals[i].Sub(arrivals[i-1])
			gaps++
			if gap < politeGap-time.Millisecond {
				near++
			}
			if gap < politeGap*9/10 {
				complaints = append(complaints, fmt.Sprintf("%s saw requests %v apart", host, gap))
			}
		}
	}
	if near*20 > gaps {
		complaints = append(complaints, fmt.Sprintf("%d of %d gaps are too short", near, gaps))
	}
	return complaints
}

// allowance says which hosts got less than 95 % of the starts that they may have had while their pages waited.
func (p *politeRun) allowance() (complaints []string) {
	if p.kills > 0 {
		return nil // nobody asks while nobody crawls
	}
	for _, host := range slices.Sorted(maps.Keys(p.starts)) {
		if host == busyHost || host == delayHost {
			continue
		}
		// The first two are robots.txt and the page with the links, which wait for each other.
		starts, n := p.starts[host][2:], politePages-1
		if used := float64(time.Duration(n)*politeGap) / float64(starts[n].Sub(starts[0])); used < 0.95 {
			var gaps []time.Duration
			for i := range n {
				gaps = append(gaps, starts[i+1].Sub(starts[i]).Round(time.Millisecond))
			}
			complaints = append(complaints, fmt.Sprintf("%s got %.3f of its allowance: %v", host, used, gaps))
		}
	}
	return complaints
}
