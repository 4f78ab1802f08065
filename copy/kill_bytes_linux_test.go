package copy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// written counts the bytes of all writes that a child has begun. What a ring writes is not in /proc/PID/io; this is in
// memory that a file shares, and so counts up to the moment of a kill.
type written struct {
	mu  sync.Mutex
	mem []byte
}

func mapWritten(t *testing.T, path string) *written {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Truncate(8)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	mem, err := unix.Mmap(int(f.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	return &written{mem: mem}
}

func (w *written) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	binary.NativeEndian.PutUint64(w.mem, binary.NativeEndian.Uint64(w.mem)+uint64(n))
}

func (w *written) total() int64 { return int64(binary.NativeEndian.Uint64(w.mem)) }

// counting counts what a driver is asked to write, also where several writes are asked for at once.
type counting struct {
	driver
	*written
}

func (d counting) pwrite(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	d.add(len(p))
	return d.driver.pwrite(ctx, f, p, off)
}

func (d counting) moves(ctx context.Context, all []transfer) {
	for _, t := range all {
		if t.out != nil {
			d.add(len(t.p))
		}
	}
	d.driver.moves(ctx, all)
}

// prepare puts into r what a child is watched by.
func (c child) prepare(t *testing.T, r *run) {
	if c.Counter != "" {
		w := mapWritten(t, c.Counter)
		r.wrap = func(d driver) driver { return counting{d, w} }
	}
}

// Over all runs, a copy that is killed again and again writes no more than its size and, for each kill, one chunk of each
// worker: what is finished is never copied again.
func TestBytesOverKills(t *testing.T) {
	const size, chunk, workers, wanted = 48 * mib, 256 * kib, 4, 8
	src := filepath.Join(t.TempDir(), "src")
	for name, tt := range map[string]struct{ there, tree bool }{
		"file": {}, "tree": {tree: true}, "tree that is there": {there: true, tree: true},
	} {
		t.Run(name, func(t *testing.T) {
			src := src + name
			if tt.tree {
				for i := range size / mib {
					plant(t, src, fmt.Sprintf("%d/", i%3))
					write(t, filepath.Join(src, fmt.Sprintf("%d/%d", i%3, i)), random(mib))
				}
			} else {
				write(t, src, random(size))
			}
			inModes(t, func(t *testing.T, m limiter.Mode) {
				to := t.TempDir()
				c := child{
					Source: src, Dest: filepath.Join(to, "dst"), Mode: m, ChunkSize: chunk, Workers: workers,
					Counter: filepath.Join(t.TempDir(), "counter"),
				}
				if tt.there {
					plant(t, to, "dst/0/")
				}
				count := mapWritten(t, c.Counter)
				rnd := rand.New(rand.NewPCG(uint64(m), 3))
				kills, ended := 0, false
				for !ended {
					// Each run is killed when it has written some more, wherever it is then.
					at := count.total() + rnd.Int64N(size/wanted)
					if kills == wanted {
						at = 1 << 62
					}
					if killedAt(t, c, count, at) {
						kills++
					}
					// A copy that is done shows: by its name, or by its mark that is gone. To begin it once more is another job.
					if tt.there {
						marks, _ := filepath.Glob(filepath.Join(c.Dest, "*"+jobSuffix))
						ended = len(marks) == 0
					} else {
						_, err := os.Lstat(c.Dest)
						ended = err == nil
					}
				}
				if kills == 0 {
					t.Fatal("it was never killed")
				}
				t.Logf("%d bytes in %d runs that were killed and one that was not", count.total(), kills)
				inFlight := int64(workers)
				if m == limiter.Sequential {
					inFlight = 1
				}
				if most := size + int64(kills)*inFlight*chunk; count.total() > most || count.total() < size {
					t.Errorf("%d bytes were written in %d runs, want at most %d", count.total(), kills+1, most)
				}
				alike(t, lookAt(t, c.Dest, true), lookAt(t, src, true))
				holds(t, to, "dst")
			})
		})
	}
}

// killedAt runs a child and kills it when as much has been written, and returns whether it came to that.
func killedAt(t *testing.T, c child, count *written, at int64) bool {
	t.Helper()
	cmd := c.start(t)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() >= 0 {
				t.Fatalf("the child failed: %v", err)
			}
			return err != nil
		case <-time.After(200 * time.Microsecond):
			if count.total() > at {
				_ = cmd.Process.Kill()
				return <-ended != nil
			}
		}
	}
}
