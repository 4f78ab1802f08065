package uring

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// within fails the test if f takes long, which only a lost wake-up or completion can explain.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		panic(what + " does not end") // goroutines of the ring would outlive a Fatal
	}
}

// Reads that last, reads and writes that don't, cancellations and a close, all at any moment.
func TestHostileStorm(t *testing.T) {
	needRing(t)
	data := random(64 * 4096)
	for round := range uint64(30) {
		r, err := open(Config{Buffers: 8, BufferSize: 4096}, kernel)
		if err != nil {
			t.Fatal(err)
		}
		src, dst := tempFile(t, data), tempFile(t, nil)
		rfd, _ := pipe(t)
		var wg sync.WaitGroup
		for g := range uint64(8) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(round, g))
				b := r.Buffer()
				for range 40 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(300))*time.Microsecond)
					off := int64(rnd.IntN(64)) * 4096
					var n int
					var err error
					if rnd.IntN(3) == 0 {
						_, err = r.ReadAt(ctx, rfd, b, -1)
					} else if n, err = r.ReadAt(ctx, int(src.Fd()), b, off); err == nil {
						// Nobody may look at a buffer of a ring that may be closed.
						if round%2 == 1 && !bytes.Equal(b[:n], data[off:][:n]) {
							t.Error("read other bytes")
						}
						_, err = r.WriteAt(ctx, int(dst.Fd()), b[:n], off)
					}
					cancel()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrClosed) &&
						!errors.Is(err, unix.ECANCELED) && !errors.Is(err, unix.EINTR) {
						t.Error(err)
					}
				}
			})
		}
		if round%2 == 0 {
			time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
			within(t, "Close", func() { _ = r.Close() })
		}
		within(t, "an operation", wg.Wait)
		within(t, "Close", func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An owner that sleeps is woken each time, however the push and the sleep meet.
func TestHostileWakeUps(t *testing.T) {
	r := newRing(t, Config{Buffers: 2, BufferSize: 4096}, kernel)
	f := tempFile(t, random(4096))
	within(t, "an operation", func() {
		var wg sync.WaitGroup
		for g := range uint64(2) {
			wg.Go(func() {
				rnd, b := rand.New(rand.NewPCG(g, 0)), r.Buffer()
				for range 1500 {
					if n, err := r.ReadAt(t.Context(), int(f.Fd()), b, 0); n != 4096 || err != nil {
						t.Errorf("got %d, %v", n, err)
					}
					// The owner needs a few microseconds to fall asleep.
					for start, d := time.Now(), time.Duration(rnd.IntN(40))*time.Microsecond; time.Since(start) < d; {
					}
				}
			})
		}
		wg.Wait()
	})
}

// Whichever call of io_uring_enter is the one that breaks the ring, everyone gets an answer and a later run is refused.
func TestHostileBreaks(t *testing.T) {
	needRing(t)
	fds := entries(t, "fd")
	for breaks := range int64(40) {
		k := kernel
		var calls atomic.Int64
		k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
			if calls.Add(1) > breaks {
				return 0, unix.EIO
			}
			return enter(fd, submit, wait, flags)
		}
		within(t, "a broken ring", func() {
			r, err := open(Config{Buffers: 4, BufferSize: 4096}, k)
			if err != nil {
				if !errors.Is(err, unix.EIO) {
					t.Errorf("open: %v", err)
				}
				return
			}
			src := tempFile(t, random(4096))
			defer func() { _ = src.Close() }()
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					b := r.Buffer()
					for {
						if n, err := r.ReadAt(t.Context(), int(src.Fd()), b, 0); err != nil {
							if !errors.Is(err, unix.EIO) {
								t.Errorf("read %d, %v", n, err)
							}
							break
						} else if n != 4096 {
							t.Errorf("read %d", n)
						}
					}
					r.Release(b)
					if b = r.Buffer(); b == nil {
						t.Error("no buffer is left for who has not heard of it yet")
					}
					if _, err := r.WriteAt(t.Context(), int(src.Fd()), b, 0); !errors.Is(err, unix.EIO) {
						t.Errorf("afterwards: %v", err)
					}
				})
			}
			wg.Wait()
			if err := r.Close(); !errors.Is(err, unix.EIO) {
				t.Errorf("close: %v", err)
			}
		})
	}
	if n := entries(t, "fd"); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

// A request longer than the kernel moves at once, or than its 32 bits can say, is cut and not wrapped around.
func TestHostileLongRequest(t *testing.T) {
	needRing(t)
	const size = 4<<30 + 100
	r, err := New(Config{Buffers: 1, BufferSize: size})
	if err != nil {
		t.Skip("no address space for it:", err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	data := random(10_000)
	f := tempFile(t, data)
	b := r.Buffer()
	if n, err := r.ReadAt(t.Context(), int(f.Fd()), b, 0); n != len(data) || err != nil || !bytes.Equal(b[:n], data) {
		t.Errorf("read %d, %v", n, err)
	}
}

// The kernel has no memory or no descriptors for a ring, at each system call that asks for some.
func TestHostileNoDescriptors(t *testing.T) {
	needRing(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	// Whatever is open is above the limit, up to the free ones below.
	first, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	lowest := uint64(first.Fd())
	_ = first.Close()
	for free := range uint64(3) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: lowest + free, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		r, err := New(Config{Buffers: 4, BufferSize: 4096})
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		switch {
		case free < 2 && !errors.Is(err, unix.EMFILE):
			t.Errorf("with %d descriptors: %v", free, err)
		case free == 2 && err != nil:
			t.Errorf("with 2 descriptors: %v", err)
		}
		if err == nil {
			_ = r.Close()
		}
	}
	if n := mappings(t); n != 0 {
		t.Errorf("%d mappings of rings are left", n)
	}
}
