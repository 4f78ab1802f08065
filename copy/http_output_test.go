package copy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// slowOutput takes its time for each piece.
type slowOutput struct {
	bytes.Buffer
	pause time.Duration
}

func (w *slowOutput) Write(p []byte) (int, error) {
	time.Sleep(w.pause)
	return w.Buffer.Write(p)
}

// A reader that is slow makes no server slow: nobody is asked twice because of it.
func TestHTTPSlowOutput(t *testing.T) {
	data := random(400_000)
	for name, ranges := range map[string]bool{"ranges": true, "one stream": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				var bodies atomic.Int64
				o.behave(func(_ http.ResponseWriter, r *http.Request) bool {
					if r.Method == http.MethodGet {
						bodies.Add(1)
					}
					if !ranges {
						r.Header.Del("Range")
					}
					return false
				})
				out := slowOutput{pause: 300 * time.Millisecond}
				opts := fetch("", o.URL+"/f", m)
				opts.Output, opts.ChunkSize, opts.Network.MinSpeed = &out, 100_000, 1000
				r := quickly(opts)
				r.speedWindow = 200 * time.Millisecond
				if report, err := r.run(t.Context()); err != nil || report.ItemsFailed > 0 {
					t.Fatalf("%v, %+v", err, report)
				}
				if !bytes.Equal(out.Bytes(), data) {
					t.Errorf("%d other bytes have come out", out.Len())
				}
				// Without ranges, the first two are how that was found out.
				if want := map[bool]int64{true: 4, false: 3}[ranges]; bodies.Load() > want {
					t.Errorf("%d requests, want %d", bodies.Load(), want)
				}
			})
		})
	}
}

// brokenOutput fails after so many bytes.
type brokenOutput struct {
	left int
	err  error
}

func (w *brokenOutput) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// An output that fails ends the run, with its reason, however many chunks wait for their turn.
func TestHTTPBrokenOutput(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, left := range []int{0, 100_000, 900_000} {
			o := newOrigin(t, random(1_000_000))
			opts := fetch("", o.URL+"/f", m)
			opts.Output = &brokenOutput{left, io.ErrClosedPipe}
			report, err := quickly(opts).run(t.Context())
			if !errors.Is(err, io.ErrClosedPipe) || report.ItemsFailed != 1 {
				t.Errorf("after %d bytes: %v, %+v", left, err, report)
			}
		}
	})
}
