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

	"pace/limiter"
)

// always lets the kernel copy ranges, by way of call, wherever that may be asked for.
func always(call func(in, out *os.File, off int64, n int) (int, error)) rangeCopier {
	return rangeCopier{suits: func(_, _ *os.File, _ error) bool { return true }, copy: call}
}

// Whatever becomes of copy_file_range, the copy is right, and what has turned out not to work is not tried again.
func TestCopyRangeFaults(t *testing.T) {
	const size, chunk = 1_000_000, 64 * kib
	chunks := int64((size-1)/chunk + 1)
	in := copyRange
	for _, tt := range []struct {
		name string
		call func(n int64, in, out *os.File, off int64, length int) (int, error)
		most int64 // calls for the first file, and for the second
		next int64
	}{
		{"whole", func(_ int64, a, b *os.File, off int64, n int) (int, error) { return in(a, b, off, n) }, chunks, chunks},
		{"short", func(_ int64, a, b *os.File, off int64, n int) (int, error) { return in(a, b, off, (n+1)/2) }, 20 * chunks, 20 * chunks},
		{"zero", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, nil }, chunks, chunks},
		{"some, then zero", func(n int64, a, b *os.File, off int64, length int) (int, error) {
			if off%chunk != 0 {
				return 0, nil
			}
			return in(a, b, off, length/3)
		}, 2 * chunks, 2 * chunks},
		{"interrupted", func(n int64, a, b *os.File, off int64, length int) (int, error) {
			switch n % 3 {
			case 0:
				return 0, syscall.EINTR
			case 1:
				return 0, syscall.EAGAIN
			}
			return in(a, b, off, length)
		}, 4 * chunks, 4 * chunks},
		{"bad sector", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, syscall.EIO }, chunks, chunks},
		// A worker that is on its way may still ask.
		{"EINVAL", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, syscall.EINVAL }, 4, 4},
		{"EXDEV", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, syscall.EXDEV }, 4, 0},
		{"EOPNOTSUPP", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, syscall.EOPNOTSUPP }, 4, 0},
		{"ENOSYS", func(int64, *os.File, *os.File, int64, int) (int, error) { return 0, syscall.ENOSYS }, 4, 0},
		{"late ENOSYS", func(n int64, a, b *os.File, off int64, length int) (int, error) {
			if n > 3 {
				return length / 2, syscall.ENOSYS
			}
			return in(a, b, off, length)
		}, 3 + 4, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				first := write(t, filepath.Join(from, "1"), random(size))
				second := write(t, filepath.Join(from, "2"), random(size+1))
				r := newRun(Options{
					Sources: []string{first, second}, Dest: to, Mode: m, Workers: 4, ChunkSize: chunk, Verify: true, Archive: true,
				})
				var calls, of2 atomic.Int64
				r.ranges = always(func(a, b *os.File, off int64, n int) (int, error) {
					if a.Name() == second {
						of2.Add(1)
					}
					k := calls.Add(1)
					if got, err := tt.call(k, a, b, off, n); err == nil || got == 0 {
						return got, err
					}
					// It reports that it has copied some, and fails.
					got, err := in(a, b, off, n/2)
					return got, errors.Join(err, syscall.ENOSYS)
				})
				report, err := r.run(t.Context())
				if err != nil || report.ItemsFailed > 0 || report.Bytes != 2*size+1 {
					t.Fatalf("got %+v, %v", report, err)
				}
				same(t, filepath.Join(to, "1"), random(size))
				same(t, filepath.Join(to, "2"), random(size+1))
				holds(t, to, "1", "2")
				if most := tt.most + tt.next + 1; calls.Load() == 0 || calls.Load() > most || of2.Load() > max(tt.next+1, 4) {
					t.Errorf("%d calls, of them %d for the second file; want at most %d", calls.Load(), of2.Load(), most)
				}
			})
		})
	}
}

// A disk that is full ends the run, and Verify finds what was copied wrongly by someone else.
func TestCopyRangeFails(t *testing.T) {
	for name, tt := range map[string]struct {
		call func(in, out *os.File, off int64, n int) (int, error)
		says string
		stop bool
	}{
		"full": {func(_, _ *os.File, _ int64, _ int) (int, error) { return 0, syscall.ENOSPC }, "no space for", true},
		"wrong": {func(in, out *os.File, off int64, n int) (int, error) {
			p := make([]byte, n)
			return out.WriteAt(p, off)
		}, "verification failed", false},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				src := write(t, filepath.Join(from, "f"), random(500_000))
				r := newRun(Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Verify: true})
				r.ranges = always(tt.call)
				report, err := r.run(t.Context())
				if (err != nil) != tt.stop || report.ItemsFailed != 1 || !strings.Contains(report.Errors[0].Error, tt.says) {
					t.Fatalf("got %+v, %v", report, err)
				}
				holds(t, to)
			})
		})
	}
}

// What may not be shared, must be looked at, or is to go past the page cache does not go inside the kernel.
func TestCopyRangeNotAsked(t *testing.T) {
	for name, o := range map[string]Options{
		"reflink never": {Reflink: ReflinkNever}, "sparse always": {Sparse: SparseAlways}, "sparse never": {Sparse: SparseNever},
		"direct": {Direct: true},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := dirs(t)
			o.Sources, o.Dest, o.ChunkSize = []string{write(t, filepath.Join(from, "f"), random(500_000))}, to, 64*kib
			r := newRun(o)
			r.ranges = always(func(_, _ *os.File, _ int64, _ int) (int, error) {
				t.Error("asked")
				return 0, syscall.EIO
			})
			if report, err := r.run(t.Context()); err != nil || report.ItemsFailed > 0 {
				t.Fatalf("got %+v, %v", report, err)
			}
			same(t, filepath.Join(to, "f"), random(500_000))
		})
	}
}

// What was copied without being seen is trusted in the same boot, in any mode, and copied again after another one: there
// is no hash to check it by.
func TestCopyRangeResume(t *testing.T) {
	real := readBootID
	defer func() { readBootID = real }()
	const size, chunk = 2_000_000, 64 * kib
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, reboot := range []bool{false, true} {
			readBootID = func() string { return "first" }
			from, to := dirs(t)
			src := write(t, filepath.Join(from, "f"), random(size))
			ctx, cancel := context.WithCancel(t.Context())
			r := newRun(Options{Sources: []string{src}, Dest: to, Mode: m, Workers: 2, ChunkSize: chunk})
			var calls atomic.Int64
			r.ranges = always(func(a, b *os.File, off int64, n int) (int, error) {
				if calls.Add(1) == 10 {
					cancel()
				}
				return copyRange(a, b, off, n)
			})
			first, err := r.run(ctx)
			if !errors.Is(err, context.Canceled) || first.Bytes < 9*chunk {
				t.Fatalf("got %+v, %v", first, err)
			}
			if reboot {
				readBootID = func() string { return "second" }
			}
			var log logs
			next := mustRun(t, Options{
				Sources: []string{src}, Dest: to, Mode: (m + 1) % 3, ChunkSize: chunk / 2, Reflink: ReflinkNever, Log: log.logger(),
			})
			want := size - first.Bytes
			if reboot {
				want = size
			}
			if next.Bytes != want {
				t.Errorf("reboot %v: %d bytes, then %d of %d", reboot, first.Bytes, next.Bytes, size)
			}
			if told := strings.Join(log.lines(4), ""); reboot != strings.Contains(told, "starting over") {
				t.Errorf("reboot %v: told %q", reboot, told)
			}
			same(t, filepath.Join(to, "f"), random(size))
			holds(t, to, "f")
		}
	})
}
