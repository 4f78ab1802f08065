package fleet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"pace/limiter/redistest"
)

// BenchmarkAdd adds URLs, 100 at a time, as a page with its links does.
func BenchmarkAdd(b *testing.B) {
	j := join(b, redistest.Start(b).URL, Options{Job: "add", Expect: 1_000_000})
	payload := []byte(strings.Repeat("x", 60))
	n := 0
	for b.Loop() {
		entries := make([]Entry, 100)
		for i := range entries {
			url := fmt.Sprintf("http://host%d.test/page/%d", n%1000, n)
			entries[i] = Entry{Key: url[7:strings.LastIndex(url, "/page")], Member: j.MemberOf([]byte(url)), Payload: payload}
			n++
		}
		add(b, j, entries...)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "adds/s")
}

// BenchmarkLeaseAck leases 8 keys with 10 items each, and acks and releases them.
func BenchmarkLeaseAck(b *testing.B) {
	j := join(b, redistest.Start(b).URL, Options{Job: "lease"})
	payload := []byte(strings.Repeat("x", 60))
	n, at := 0, 0
	fill := func() {
		for range 100 {
			entries := make([]Entry, 400)
			for i := range entries {
				entries[i] = Entry{Key: "host" + strconv.Itoa(at%500), Payload: payload}
				at++
			}
			add(b, j, entries...)
		}
	}
	for b.Loop() {
		if at-n < 1000 {
			b.StopTimer()
			fill()
			b.StartTimer()
		}
		n += leaseEighty(b, j)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkSeenBytes notes members, as many as the job expects, and reports what each takes of the server's memory.
func BenchmarkSeenBytes(b *testing.B) {
	s := redistest.Start(b)
	members := 1_000_000
	if os.Getenv("PACE_TEST_FULL") != "" {
		members = 10_000_000
	}
	used := func() int {
		info, err := s.Do("INFO", "memory")
		if err != nil {
			b.Fatal(err)
		}
		n, err := strconv.Atoi(infoFields(info)["used_memory"])
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	for b.Loop() {
		j := join(b, s.URL, Options{Job: "seen" + strconv.Itoa(b.N), Expect: int64(members)})
		before := used()
		for first := 0; first < members; first += 500 {
			entries := make([]Entry, 500)
			for i := range entries {
				entries[i] = Entry{Kind: Note, Member: j.MemberOf([]byte(strconv.Itoa(first + i)))}
			}
			add(b, j, entries...)
		}
		b.ReportMetric(float64(used()-before)/float64(members), "B/member")
		if err := j.Delete(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
