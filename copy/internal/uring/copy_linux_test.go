package uring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// oneAtATime is a kernel that takes one request a call, and so tears each read from its write.
func oneAtATime() calls {
	k := kernel
	k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
		return enter(fd, min(submit, 1), min(wait, 1-min(submit, 1)), flags)
	}
	return k
}

func copyKernels() map[string]calls {
	return map[string]calls{"linked": kernel, "torn": oneAtATime()}
}

// copyOps does ops, which need not come whole in one call, until all is copied.
func copyOps(t *testing.T, r *Ring, ops []Op) {
	t.Helper()
	r.Do(t.Context(), ops)
	for _, op := range ops {
		if op.Err != nil || op.Read != len(op.P) {
			t.Errorf("read %d of %d at %d: %v", op.Read, len(op.P), op.Off, op.Err)
			return
		}
		if op.Written == len(op.P) {
			continue
		}
		if n, err := r.WriteAt(t.Context(), op.To, op.P[op.Written:], op.Off+int64(op.Written)); err != nil ||
			n != len(op.P)-op.Written {
			t.Errorf("writing the rest: %d, %v", n, err)
		}
	}
}

func TestCopy(t *testing.T) {
	for name, k := range copyKernels() {
		t.Run(name, func(t *testing.T) {
			const piece, pieces, at = 1000, 300, 6
			data := random(piece * pieces)
			src, dst := tempFile(t, data), tempFile(t, nil)
			r := newRing(t, Config{Buffers: 3, Depth: 5, BufferSize: piece * at}, k)
			var wg sync.WaitGroup
			for g := range 3 {
				wg.Go(func() {
					b := r.Buffer()
					defer r.Release(b)
					for i := g * at; i < pieces; i += 3 * at {
						var ops []Op
						for j := i; j < min(i+at, pieces); j++ {
							ops = append(ops, Op{Kind: Copy, From: int(src.Fd()), To: int(dst.Fd()),
								P: b[(j-i)*piece:][:piece], Off: int64(j * piece)})
						}
						copyOps(t, r, ops)
					}
				})
			}
			wg.Wait()
			if got, err := os.ReadFile(dst.Name()); err != nil || !bytes.Equal(got, data) {
				t.Errorf("the copy differs, %v", err)
			}
		})
	}
}

// Nothing is written where the read is short or fails, and a write that fails says so.
func TestCopyShortAndFailed(t *testing.T) {
	for name, k := range copyKernels() {
		t.Run(name, func(t *testing.T) {
			src, dst := tempFile(t, random(100)), tempFile(t, nil)
			readOnly, err := os.Open(dst.Name())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = readOnly.Close() }()
			r := newRing(t, Config{Buffers: 1, Depth: 4, BufferSize: 1000}, k)
			for range 20 { // slots are used again
				b := r.Buffer()
				ops := []Op{
					{Kind: Copy, From: int(src.Fd()), To: int(dst.Fd()), P: b[:200]},
					{Kind: Copy, From: int(src.Fd()), To: int(dst.Fd()), P: b[200:300], Off: 500},
					{Kind: Copy, From: -1, To: int(dst.Fd()), P: b[300:400]},
					{Kind: Read, From: int(src.Fd()), P: b[500:600]},
				}
				r.Do(t.Context(), ops)
				for i, want := range []int{100, 0, 0, 100} {
					if ops[i].Read != want || ops[i].Written != 0 || i != 2 && ops[i].Err != nil {
						t.Errorf("%d: read %d, written %d, %v", i, ops[i].Read, ops[i].Written, ops[i].Err)
					}
				}
				if !errors.Is(ops[2].Err, unix.EBADF) {
					t.Errorf("no source: %v", ops[2].Err)
				}
				if info, err := dst.Stat(); err != nil || info.Size() != 0 {
					t.Errorf("%d bytes were written", info.Size())
				}
				failing := []Op{{Kind: Copy, From: int(src.Fd()), To: int(readOnly.Fd()), P: b[:100]}}
				r.Do(t.Context(), failing)
				if name != "torn" && !errors.Is(failing[0].Err, unix.EBADF) || failing[0].Read != 100 || failing[0].Written != 0 {
					t.Errorf("no destination: %+v", failing[0])
				}
				r.Release(b)
			}
		})
	}
}

// A copy that is cancelled while it waits for its source lets go of its buffer, and one behind it goes on.
func TestCopyCancelled(t *testing.T) {
	for name, k := range copyKernels() {
		t.Run(name, func(t *testing.T) {
			r := newRing(t, Config{Buffers: 3, BufferSize: 4096}, k)
			rfd, _ := pipe(t)
			dst := tempFile(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			b := r.Buffer()
			ops := []Op{{Kind: Copy, From: rfd, To: int(dst.Fd()), P: b, Off: -1}}
			go cancel()
			r.Do(ctx, ops)
			if !errors.Is(ops[0].Err, ctx.Err()) || ops[0].Written != 0 {
				t.Errorf("read %d, written %d, %v", ops[0].Read, ops[0].Written, ops[0].Err)
			}
			r.Release(b)
			copyThrough(t, r, 3)
		})
	}
}
