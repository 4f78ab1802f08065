package crawl

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"pace/limiter"
	"pace/limiter/progress"
)

// benchFrontier returns a frontier on a disk that is one.
func benchFrontier(b testing.TB, kind, dir string) (frontier, *schedule) {
	r := newRig(b, 0, 0)
	if kind == "memory" {
		makers[kind](b, r, 0, nil)
		return r.frontier, r.plan
	}
	s, err := openStore(dir, nil, unsynced{vfs.Default})
	if err != nil {
		b.Fatal(err)
	}
	f, _, err := newDiskFrontier(s, limiter.NewHosts(0, 0), 0, 0, progress.New(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return f, &f.schedule
}

// benchPages returns what a page's links lead to: new pages, most of its own host.
func benchPages(b testing.TB, i, links, hosts int) *change {
	c := &change{}
	referrer := fmt.Sprintf("http://www.host%d.example/articles/2026/page-%d.html", i%hosts, i)
	for k := range links {
		host := i % hosts
		if k%10 == 0 {
			host = (i + k*7919) % hosts
		}
		u := mustURL(b, fmt.Sprintf("http://www.host%d.example/articles/2026/page-%d-%d.html", host, i, k))
		c.found = append(c.found, foundPage{item: &item{url: u, first: u.String(), referrer: referrer, depth: 3}})
	}
	return c
}

// BenchmarkFrontierAdd adds the 40 links of a page at a time, all of them new, over 1,000 hosts. A URL is one operation.
func BenchmarkFrontierAdd(b *testing.B) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			const links, hosts = 40, 1000
			f, _ := benchFrontier(b, kind, b.TempDir())
			before := heapInUse()
			var spent time.Duration
			n := 0
			for b.Loop() {
				if n%links == 0 {
					b.StopTimer()
					c := benchPages(b, n/links, links, hosts)
					b.StartTimer()
					start := time.Now()
					if err := f.commit([]*change{c}, nil); err != nil {
						b.Fatal(err)
					}
					spent += time.Since(start)
				}
				n++
			}
			b.StopTimer()
			b.ReportMetric(float64(n)/spent.Seconds(), "adds/s")
			if kind == "memory" {
				b.ReportMetric(float64(heapInUse()-before)/float64(n), "bytes/queued")
			}
			if err := f.close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// heapInUse returns the bytes that are in use.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkFrontierSeen tells what a URL costs that is seen and done.
func BenchmarkFrontierSeen(b *testing.B) {
	f, _ := benchFrontier(b, "memory", "")
	before := heapInUse()
	n := 0
	for b.Loop() {
		if _, err := f.reserve(strconv.Itoa(n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(heapInUse()-before)/float64(n), "bytes/seen")
	runtime.KeepAlive(f)
}

// BenchmarkFrontierPop hands out pages with 100,000 hosts in the heap, each of which has five. An operation is a page
// that is handed out and done, ns/pop is the first half of it.
func BenchmarkFrontierPop(b *testing.B) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			const hosts = 100_000
			f, plan := benchFrontier(b, kind, b.TempDir())
			n, spent := 0, time.Duration(0)
			fill := func() {
				for i := range hosts / 10 {
					if err := f.commit([]*change{benchHosts(b, i, n)}, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			fill()
			for b.Loop() {
				if plan.queued == 0 {
					fill()
				}
				start := time.Now()
				it, err := f.next(b.Context())
				spent += time.Since(start)
				if err != nil {
					b.Fatal(err)
				}
				if err := f.commit([]*change{{item: it}}, nil); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/pop")
			if err := f.close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchHosts returns five pages on each of ten hosts.
func benchHosts(b *testing.B, i, round int) *change {
	c := &change{}
	for k := range 50 {
		u := mustURL(b, fmt.Sprintf("http://www.host%d.example/page-%d-%d", 10*i+k/5, round, k))
		c.found = append(c.found, foundPage{item: &item{url: u, first: u.String(), referrer: "http://www.example/"}})
	}
	return c
}
