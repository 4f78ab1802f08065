package main

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

func TestSummary(t *testing.T) {
	copied := report{
		Tool: "copy", Mode: limiter.Async, Backend: "io_uring", Workers: 4, WallSeconds: 0.064, Items: 1, Bytes: 256 << 20,
		BytesPerSecond: 4e9, Bound: boundCPU, WaitShare: 0.12,
	}
	crawled := report{
		Tool: "crawl", Mode: limiter.Threads, Backend: "blocking", Workers: 64, WallSeconds: 100.4, Items: 1234, ItemsFailed: 3,
		ItemsSkipped: 10, Bytes: 5 << 20, ItemsPerSecond: 12.34, Bound: boundLimiter, WaitShare: 0.97,
	}
	verified := copied
	verified.Tool = "verify"
	stopped := copied
	stopped.Items = 0
	cut := stopped
	cut.toOutput = true
	for _, test := range []struct {
		name string
		r    report
		u    unit
		err  error
		want string
	}{
		{"copy", copied, inBytes, nil, `copied 1 file, 256 MiB in 0.064 s: 3.7 GiB/s
async (io_uring), 4 workers; CPU-bound, 12 % waiting
`},
		{"verify", verified, inBytes, nil, `verified 1 file, 256 MiB in 0.064 s: 3.7 GiB/s
async (io_uring), 4 workers; CPU-bound, 12 % waiting
`},
		{"crawl with failures", crawled, inPages, nil, `fetched 1,231 pages, 5.0 MiB in 1m40s: 12.3 pages/s
threads (blocking), 64 workers; held back by its rate limit, 97 % waiting
3 failed, 10 skipped
`},
		{"interrupted", stopped, inBytes, context.Canceled, `copied 0 files, 256 MiB in 0.064 s: 3.7 GiB/s
async (io_uring), 4 workers; CPU-bound, 12 % waiting
interrupted: nothing unfinished has its final name; run the same command again to go on
`},
		{"interrupted on its way to stdout", cut, inBytes, context.Canceled, `copied 0 files, 256 MiB in 0.064 s: 3.7 GiB/s
async (io_uring), 4 workers; CPU-bound, 12 % waiting
interrupted: the output is not whole
`},
		{"nothing could start", report{Items: 1, ItemsFailed: 1}, inBytes, errors.New("no such file"), ""},
		{"all were there", report{Tool: "copy", ItemsSkipped: 2, WallSeconds: 0.001}, inBytes, nil, "copied 0 files, 0 B in 0.001 s: 0 B/s\n2 skipped\n"},
	} {
		if diff := cmp.Diff(test.want, summary(test.r, test.u, test.err, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
