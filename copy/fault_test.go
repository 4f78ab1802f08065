package copy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter"
)

// Every operation is short or fails in a way that is to be tried again; the copy does not show it.
func TestInterrupted(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		data := random(500_000)
		src := write(t, filepath.Join(from, "f"), data)
		r := newRun(Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever})
		var calls atomic.Int64
		r.wrap = func(d driver) driver {
			type call = func(context.Context, *os.File, []byte, int64) (int, error)
			fault := func(op call) call {
				return func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
					switch calls.Add(1) % 5 {
					case 0:
						return 0, syscall.EINTR
					case 1:
						return 0, syscall.EAGAIN
					case 2:
						return 0, syscall.ECANCELED
					case 3: // some of it moves, and then it is interrupted
						n, err := op(ctx, f, p[:(len(p)+2)/3], off)
						return n, errors.Join(err, syscall.EINTR)
					}
					return op(ctx, f, p[:(len(p)+1)/2], off)
				}
			}
			return faulty{d, fault(d.pread), fault(d.pwrite)}
		}
		report, err := r.run(t.Context())
		if err != nil || report.ItemsFailed != 0 || report.Bytes != int64(len(data)) {
			t.Fatalf("got %+v, %v", report, err)
		}
		same(t, filepath.Join(to, "f"), data)
	})
}

// onRead returns a run whose driver calls f once, before the second chunk is read.
func onRead(o Options, f func()) *run {
	r := newRun(o)
	r.wrap = func(d driver) driver {
		var reads atomic.Int64
		return faulty{driver: d, read: func(ctx context.Context, file *os.File, p []byte, off int64) (int, error) {
			if reads.Add(1) == 2 {
				f()
			}
			return d.pread(ctx, file, p, off)
		}}
	}
	return r
}

func TestSourceChanges(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"grows":   func(path string) error { return os.Truncate(path, 600_000) },
		"shrinks": func(path string) error { return os.Truncate(path, 1000) },
		"is written": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte("new"), 0)
				err = errors.Join(err, f.Close(), os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				src := write(t, filepath.Join(from, "f"), random(500_000))
				r := onRead(Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever},
					func() {
						if err := change(src); err != nil {
							t.Error(err)
						}
					})
				report, err := r.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				// It had begun: an item that failed, not a run that could not go on.
				if report.ItemsFailed != 1 || !strings.Contains(report.Errors[0].Error, "changed while it was copied") {
					t.Errorf("report %+v", report)
				}
				holds(t, to)
			})
		})
	}
}

func TestCancel(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "f"), random(4*mib))
		ctx, cancel := context.WithCancel(t.Context())
		data := random(4 * mib)
		r := onRead(Options{
			Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever,
		}, cancel)
		report, err := r.run(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if report.Bytes >= 4*mib || report.ItemsFailed != 0 || report.Items != 0 {
			t.Errorf("report %+v", report)
		}
		if _, err := os.Lstat(filepath.Join(to, "f")); err == nil {
			t.Error("the file has its name")
		}
		// Another mode, chunk size and number of workers go on where it stopped.
		next := mustRun(t, Options{
			Sources: []string{src}, Dest: to, Mode: (m + 1) % 3, ChunkSize: 48 * kib, Workers: 3, Reflink: ReflinkNever,
		})
		if next.Bytes+report.Bytes != 4*mib {
			t.Errorf("%d bytes, then %d, of %d", report.Bytes, next.Bytes, 4*mib)
		}
		same(t, filepath.Join(to, "f"), data)
		holds(t, to, "f")
	})
}

func TestCancelWithCause(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "f"), random(1000))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupt")
	cancel(why)
	_, err := Run(ctx, Options{Sources: []string{src}, Dest: to})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	holds(t, to)
}

func TestWriteFails(t *testing.T) {
	for _, tt := range []struct {
		fault error
		stops bool
		says  string
	}{
		{syscall.EIO, false, "cannot write"},
		{syscall.ENOSPC, true, "no space for"},
	} {
		t.Run(tt.fault.Error(), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				a := write(t, filepath.Join(from, "a"), random(400_000))
				b := write(t, filepath.Join(from, "b"), random(1000))
				r := newRun(Options{Sources: []string{a, b}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever})
				r.wrap = func(d driver) driver {
					return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
						if off > 200_000 {
							return 0, tt.fault
						}
						return d.pwrite(ctx, f, p, off)
					}}
				}
				report, err := r.run(t.Context())
				if (err != nil) != tt.stops || report.ItemsFailed != 1 || !strings.Contains(report.Errors[0].Error, tt.says) {
					t.Fatalf("got %+v, %v", report, err)
				}
				if _, err := os.Lstat(filepath.Join(to, "a")); err == nil {
					t.Error("the file has its name")
				}
				if !tt.stops {
					holds(t, to, "b")
					return
				}
				// With room again, it goes on where it stopped.
				next := mustRun(t, Options{Sources: []string{a, b}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever})
				if next.Bytes > 250_000 {
					t.Errorf("%d bytes were copied again", next.Bytes)
				}
				same(t, filepath.Join(to, "a"), random(400_000))
				holds(t, to, "a", "b")
			})
		})
	}
}

func TestNoRing(t *testing.T) {
	from, to := dirs(t)
	data := random(300_000)
	src := write(t, filepath.Join(from, "f"), data)
	var log logs
	r := newRun(Options{Sources: []string{src, src + "x"}, Dest: to, ChunkSize: 64 * kib, Log: log.logger()})
	r.openRing = func(int, int, int64) (driver, error) { return nil, os.NewSyscallError("io_uring_setup", syscall.EPERM) }
	report, err := r.run(t.Context())
	if err != nil || report.Backend != "pread-pool" || report.CPUs != report.Workers {
		t.Fatalf("got %+v, %v", report, err)
	}
	same(t, filepath.Join(to, "f"), data)
	if lines := log.lines(4); len(lines) != 1 || !strings.Contains(lines[0], "io_uring_setup: operation not permitted") {
		t.Errorf("warnings: %q", lines)
	}
}

// A rate is held over the whole copy, and lowers the chunk so that it moves four times a second. The ring's owner waits
// in a system call, which no bubble can see through.
func TestRate(t *testing.T) {
	for _, m := range []limiter.Mode{limiter.Sequential, limiter.Threads} {
		t.Run(m.String(), func(t *testing.T) {
			from, to := dirs(t)
			data := random(4 * mib)
			src := write(t, filepath.Join(from, "f"), data)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := newRun(Options{
					Sources: []string{src}, Dest: to, Mode: m, Rate: limiter.NewRate(mib), Reflink: ReflinkNever,
				})
				var longest atomic.Int64
				r.wrap = func(d driver) driver {
					return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
						longest.Store(max(longest.Load(), int64(len(p))))
						return d.pread(ctx, f, p, off)
					}}
				}
				report, err := r.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < 3900*time.Millisecond || took > 4100*time.Millisecond {
					t.Errorf("4 MiB at 1 MiB/s took %v", took)
				}
				if report.LimiterWait < 3900*time.Millisecond {
					t.Errorf("limiter wait %v", report.LimiterWait)
				}
				if longest.Load() != mib/4 {
					t.Errorf("longest chunk %d bytes", longest.Load())
				}
			})
			same(t, filepath.Join(to, "f"), data)
		})
	}
}

func TestChunkSize(t *testing.T) {
	for _, tt := range []struct {
		asked int64
		rate  float64
		want  int64
	}{
		{0, 0, DefaultChunkSize(limiter.Async)},
		{12345, 0, 12345},
		{mib, 1 * mib, mib / 4},
		{mib, 100, 64 * kib},   // never below 64 KiB for the rate's sake
		{1000, 100, 1000},      // but a smaller one that was asked for stays
		{mib, 1024 * mib, mib}, // a fast rate does not raise it
		{0, 1e18, DefaultChunkSize(limiter.Async)},
	} {
		o := Options{ChunkSize: tt.asked, Rate: limiter.NewRate(tt.rate)}
		if got := o.chunkSize(); got != tt.want {
			t.Errorf("chunk size %d with rate %v is %d, want %d", tt.asked, tt.rate, got, tt.want)
		}
	}
}
