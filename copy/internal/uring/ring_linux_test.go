package uring

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needRing skips the test where there is no io_uring.
func needRing(t testing.TB) {
	t.Helper()
	r, err := New(Config{Buffers: 1, BufferSize: 1})
	if err != nil {
		t.Skip("no io_uring here:", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// newRing returns a ring that is closed with the test.
func newRing(t testing.TB, c Config, k calls) *Ring {
	t.Helper()
	needRing(t)
	r, err := open(c, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func tempFile(t testing.TB, data []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func TestReadWrite(t *testing.T) {
	r := newRing(t, Config{Buffers: 2, BufferSize: 10_000}, kernel)
	f := tempFile(t, random(25_000))
	b := r.Buffer()
	if len(b) != 10_000 {
		t.Fatalf("a buffer of %d bytes", len(b))
	}
	for _, tt := range []struct {
		off int64
		n   int
	}{{0, 10_000}, {10_000, 10_000}, {20_000, 5000}, {25_000, 0}, {99_999, 0}} {
		n, err := r.ReadAt(t.Context(), int(f.Fd()), b, tt.off)
		if err != nil || n != tt.n {
			t.Fatalf("read at %d: %d, %v; want %d", tt.off, n, err, tt.n)
		}
		if n > 0 && !bytes.Equal(b[:n], random(25_000)[tt.off:][:n]) {
			t.Fatalf("read at %d: wrong bytes", tt.off)
		}
	}
	n, err := r.WriteAt(t.Context(), int(f.Fd()), b[100:200], 7)
	if err != nil || n != 100 {
		t.Fatalf("write: %d, %v", n, err)
	}
	got := make([]byte, 100)
	if _, err := f.ReadAt(got, 7); err != nil || !bytes.Equal(got, b[100:200]) {
		t.Fatalf("written wrong bytes, %v", err)
	}
	if n, err := r.ReadAt(t.Context(), int(f.Fd()), b[:0], 0); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
	if _, err := r.ReadAt(t.Context(), -1, b, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("no file: %v", err)
	}
	if _, err := r.ReadAt(t.Context(), int(f.Fd()), make([]byte, 10), 0); !errors.Is(err, errForeign) {
		t.Errorf("foreign memory: %v", err)
	}
}

func TestBuffers(t *testing.T) {
	r := newRing(t, Config{Buffers: 2, BufferSize: 100}, kernel)
	a, b := r.Buffer(), r.Buffer()
	if &a[0] == &b[0] || r.Buffer() != nil {
		t.Error("a buffer was lent twice")
	}
	r.Release(a)
	if c := r.Buffer(); &c[0] != &a[0] {
		t.Error("the buffer that came back is not lent again")
	}
}

// copyThrough copies src by many goroutines, more than the ring can have in flight, and looks at the copy.
func copyThrough(t *testing.T, r *Ring, goroutines int) {
	t.Helper()
	const chunk = 4096
	data := random(200*chunk + 11)
	src, dst := tempFile(t, data), tempFile(t, nil)
	var next atomic.Int64
	var mu sync.Mutex // for the buffers, of which there may be fewer
	lent := sync.NewCond(&mu)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for {
				off := next.Add(chunk) - chunk
				if off >= int64(len(data)) {
					return
				}
				mu.Lock()
				b := r.Buffer()
				for ; b == nil; b = r.Buffer() {
					lent.Wait()
				}
				mu.Unlock()
				n := all(t, b, func(p []byte, at int) (int, error) {
					return r.ReadAt(t.Context(), int(src.Fd()), p, off+int64(at))
				})
				all(t, b[:n], func(p []byte, at int) (int, error) {
					return r.WriteAt(t.Context(), int(dst.Fd()), p, off+int64(at))
				})
				mu.Lock()
				r.Release(b)
				mu.Unlock()
				lent.Signal()
			}
		})
	}
	wg.Wait()
	if got, err := os.ReadFile(dst.Name()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the copy of %d bytes is wrong, %v", len(got), err)
	}
}

// all repeats an operation until it has moved p or reached the end, as callers of pread(2) do.
func all(t *testing.T, p []byte, op func([]byte, int) (int, error)) int {
	for at := 0; at < len(p); {
		n, err := op(p[at:], at)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ECANCELED):
			continue
		case err != nil:
			t.Error(err)
			return at
		case n == 0:
			return at
		}
		at += n
	}
	return len(p)
}

func TestManyGoroutines(t *testing.T) {
	for _, buffers := range []int{1, 3, 16, 2 * maxInFlight} {
		copyThrough(t, newRing(t, Config{Buffers: buffers, BufferSize: 4096}, kernel), 50)
	}
}

// Buffers that the kernel has not registered are lent only when the others are, and move bytes as well.
func TestSpareBuffers(t *testing.T) {
	for _, c := range []Config{{Buffers: 2, Spare: 5, BufferSize: 4096}, {Spare: 3, BufferSize: 4096}} {
		r := newRing(t, c, kernel)
		var lent [][]byte
		for b := r.Buffer(); b != nil; b = r.Buffer() {
			lent = append(lent, b)
		}
		if len(lent) != c.Buffers+c.Spare {
			t.Fatalf("%d buffers, want %d", len(lent), c.Buffers+c.Spare)
		}
		for i, b := range lent {
			registered := uintptr(unsafe.Pointer(&b[0]))-uintptr(unsafe.Pointer(&r.mem[0])) < uintptr(r.fixed)
			if want := r.Fixed() && i < c.Buffers; registered != want {
				t.Errorf("buffer %d of %+v is registered: %v", i, c, registered)
			}
		}
		for _, b := range lent {
			r.Release(b)
		}
		copyThrough(t, r, 20)
	}
}

// pipe returns a pipe that nobody writes to: a read from it lasts until it is cancelled.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestCancel(t *testing.T) {
	r := newRing(t, Config{Buffers: 3, BufferSize: 4096}, kernel)
	rfd, wfd := pipe(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			b := r.Buffer()
			defer r.Release(b)
			if _, err := r.ReadAt(ctx, rfd, b, -1); !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
		})
	}
	time.Sleep(10 * time.Millisecond) // most are in flight then; the outcome is the same if not
	cancel(why)
	wg.Wait()
	b := r.Buffer()
	defer r.Release(b)
	if _, err := r.ReadAt(ctx, rfd, b, -1); !errors.Is(err, why) {
		t.Errorf("after cancelling: %v", err)
	}
	// The ring goes on, and none of the cancelled reads takes what comes later.
	if _, err := unix.Write(wfd, []byte("late")); err != nil {
		t.Fatal(err)
	}
	if n, err := r.ReadAt(t.Context(), rfd, b, -1); err != nil || string(b[:n]) != "late" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

// A request that waits behind others for its place is cancelled as well.
func TestCancelQueued(t *testing.T) {
	r := newRing(t, Config{Buffers: 1, BufferSize: 4096}, kernel)
	rfd, wfd := pipe(t)
	b := r.Buffer()
	first := make(chan error)
	go func() {
		_, err := r.ReadAt(context.Background(), rfd, b[:1], -1)
		first <- err
	}()
	time.Sleep(10 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.ReadAt(ctx, rfd, b[1:], -1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := unix.Write(wfd, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil || b[0] != 'x' {
		t.Errorf("the one in front: %q, %v", b[0], err)
	}
}

func TestCloseWhileBusy(t *testing.T) {
	r := newRing(t, Config{Buffers: 2, BufferSize: 4096}, kernel)
	rfd, _ := pipe(t)
	got := make(chan error)
	for range 5 { // three of them wait for a place
		go func() {
			_, err := r.ReadAt(context.Background(), rfd, r.mem[:10], -1)
			got <- err
		}()
	}
	time.Sleep(10 * time.Millisecond)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := <-got; !errors.Is(err, ErrClosed) && !errors.Is(err, unix.ECANCELED) {
			t.Errorf("got %v", err)
		}
	}
}

func TestClosed(t *testing.T) {
	r := newRing(t, Config{Buffers: 1, BufferSize: 4096}, kernel)
	b := r.Buffer()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.push(&request{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	_ = b
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join("/proc/self", dir))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// mappings counts the mappings that are a ring's or as large as the buffers of a test.
func mappings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "io_uring")
}

// Many rings, one after another, leave no descriptor, mapping, goroutine or thread.
func TestNothingLeaks(t *testing.T) {
	round := func() {
		r, err := New(Config{Buffers: 8, BufferSize: 1 << 20})
		if err != nil {
			t.Skip("no io_uring here:", err)
		}
		f := tempFile(t, nil)
		defer func() { _ = f.Close() }()
		b := r.Buffer()
		if _, err := r.WriteAt(t.Context(), int(f.Fd()), b, 0); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	round()
	fds, maps, threads, rss := entries(t, "fd"), mappings(t), entries(t, "task"), resident(t)
	for range 30 {
		round()
	}
	if n := entries(t, "fd"); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	if n := mappings(t); n != maps {
		t.Errorf("%d ring mappings, %d before", n, maps)
	}
	if n := resident(t); n > rss+32<<20 {
		t.Errorf("%d bytes resident, %d before", n, rss)
	}
	// An owner's thread and the kernel's worker for it end a moment after Close.
	for deadline := time.Now().Add(5 * time.Second); entries(t, "task") > threads+2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads, %d before", entries(t, "task"), threads)
		}
	}
}

func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, c := range bytes.Fields(b)[1] {
		pages = pages*10 + int(c-'0')
	}
	return pages * os.Getpagesize()
}
