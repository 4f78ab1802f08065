//go:build unix

package exchange_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
	"pace/limiter/exchange"
)

// BenchmarkExchange fetches a page of 16 KiB over a warm connection. With nginx the server's CPU time is another
// process's, and ns/op is mostly ours.
func BenchmarkExchange(b *testing.B) {
	page := make([]byte, 16<<10)
	for _, mode := range limiter.Modes {
		b.Run(mode.String(), func(b *testing.B) {
			var url string
			if root := nginx(b, map[string][]byte{"page": page}); root != "" {
				url = root + "/page"
			} else {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write(page)
				}))
				defer server.Close()
				url = server.URL
			}
			if mode != limiter.Async { // as limiter.Each has it
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			c := exchange.New(exchange.Options{Mode: mode, Timeout: 30 * time.Second})
			defer c.Close()
			buf := make([]byte, 32<<10)
			b.ReportAllocs()
			start := cpuTime(b)
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := c.Do(req, nil)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = resp.Body.Read(buf)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
			b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
