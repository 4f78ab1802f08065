package fleet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

const (
	benchChild     = "PACE_FLEET_BENCH_CHILD" // "add URL" or "lease URL"
	benchProcesses = 4
	benchTime      = 3 * time.Second
)

var benchPayload = []byte(strings.Repeat("x", 60))

// BenchmarkProcesses lets four processes at once do to one server what workers do: it tells what one server can take.
func BenchmarkProcesses(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		s := redistest.Start(b)
		join(b, s.URL, Options{Job: "bench", Expect: 4_000_000})
		processes(b, "add "+s.URL, "adds/s")
	})
	b.Run("lease", func(b *testing.B) {
		s := redistest.Start(b)
		j := join(b, s.URL, Options{Job: "bench"})
		for i := range 2000 {
			entries := make([]Entry, 500)
			for k := range entries {
				entries[k] = Entry{Key: "host" + strconv.Itoa((i*500+k)%2000), Payload: benchPayload}
			}
			add(b, j, entries...)
		}
		processes(b, "lease "+s.URL, "items/s")
	})
}

// processes starts the processes, lets them begin together, and adds up what they say that they did.
func processes(b *testing.B, task, unit string) {
	b.Helper()
	done := 0.0
	for b.Loop() {
		var ins []io.WriteCloser
		var outs []*bufio.Scanner
		for range benchProcesses {
			cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestBenchChild$")
			cmd.Env = append(os.Environ(), benchChild+"="+task)
			in, errIn := cmd.StdinPipe()
			out, errOut := cmd.StdoutPipe()
			if errIn != nil || errOut != nil || cmd.Start() != nil {
				b.Fatal("a process cannot be started")
			}
			b.Cleanup(func() { _ = cmd.Wait() }) // what it says counts
			ins, outs = append(ins, in), append(outs, bufio.NewScanner(out))
		}
		for _, out := range outs {
			out.Scan()
		}
		for _, in := range ins {
			_ = in.Close()
		}
		for _, out := range outs {
			out.Scan()
			n, err := strconv.Atoi(out.Text())
			if err != nil {
				b.Fatalf("a process says %q", out.Text())
			}
			done += float64(n)
		}
	}
	b.ReportMetric(done/float64(b.N)/benchTime.Seconds(), unit)
	b.ReportMetric(0, "ns/op")
}

// TestBenchChild is no test but one of the processes of a benchmark.
func TestBenchChild(t *testing.T) {
	task, url, ok := strings.Cut(os.Getenv(benchChild), " ")
	if !ok {
		t.Skip("only as a child of a benchmark")
	}
	j, err := Open(t.Context(), Options{URL: url, Job: "bench"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close(context.WithoutCancel(t.Context())) }()
	fmt.Println("ready")
	_, _ = io.ReadAll(os.Stdin) // until all are
	n := 0
	for end := time.Now().Add(benchTime); time.Now().Before(end); {
		if task == "add" {
			n += addHundred(t, j, n)
		} else {
			n += leaseEighty(t, j)
		}
	}
	fmt.Println(n)
}

func addHundred(t *testing.T, j *Job, n int) int {
	entries := make([]Entry, 100)
	for i := range entries {
		url := fmt.Sprintf("http://host%d.test/page/%d/%d", (n+i)%1000, os.Getpid(), n+i)
		entries[i] = Entry{Key: url[7:strings.Index(url, "/page")], Member: j.MemberOf([]byte(url)), Payload: benchPayload}
	}
	add(t, j, entries...)
	return len(entries)
}

// leaseEighty leases 8 keys with 10 items each, acks them and gives them back.
func leaseEighty(t testing.TB, j *Job) (n int) {
	var acks []*Acked
	var released []Released
	for _, l := range lease(t, j, 8, 10) {
		a := &Acked{Lease: l.Lease}
		for _, item := range l.Items {
			a.IDs = append(a.IDs, item.ID)
		}
		n += len(l.Items)
		acks, released = append(acks, a), append(released, Released{Lease: l.Lease})
	}
	if err := j.Ack(t.Context(), acks...); err != nil {
		t.Fatal(err)
	}
	release(t, j, released...)
	return n
}
