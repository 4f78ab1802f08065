package copy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// Files of one folder are one job, and so are the chunks of one file, until a worker has nothing to do: here each read
// waits for as many others as there are workers.
func TestWorkIsSharedOut(t *testing.T) {
	const workers = 4
	for name, fill := range map[string]func(t *testing.T, dir string){
		"a folder": func(t *testing.T, dir string) {
			for i := range 40 {
				write(t, filepath.Join(dir, fmt.Sprint(i)), random(100+i))
			}
		},
		"folders": func(t *testing.T, dir string) {
			for i := range 12 {
				sub := filepath.Join(dir, fmt.Sprint(i))
				if err := os.Mkdir(sub, 0o755); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(sub, "f"), random(100+i))
			}
		},
		"a file": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "f"), random(40*64*kib)) },
	} {
		t.Run(name, func(t *testing.T) {
			// On a busy machine one worker may have taken most before the others are there.
			for try := 1; ; try++ {
				from, to := dirs(t)
				fill(t, from)
				met := &meeting{missing: workers, all: make(chan struct{})}
				r := newRun(Options{Sources: []string{from}, Dest: filepath.Join(to, "d"), Recursive: true,
					Mode: limiter.Threads, Workers: workers, ChunkSize: 64 * kib})
				r.wrap = func(d driver) driver {
					return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
						met.come()
						return d.pread(ctx, f, p, off)
					}}
				}
				if _, err := r.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !met.late.Load() && met.missing == 0 {
					return
				}
				if try == 8 {
					t.Fatalf("not all %d workers had something to read, in %d runs", workers, try)
				}
			}
		})
	}
}

// meeting is where those who come wait until all are there, or the first has waited for too long.
type meeting struct {
	mu      sync.Mutex
	missing int
	late    atomic.Bool // not all came while the first waited
	over    sync.Once
	all     chan struct{}
}

func (m *meeting) come() {
	m.mu.Lock()
	m.missing = max(m.missing-1, 0)
	complete := m.missing == 0
	m.mu.Unlock()
	if !complete {
		select {
		case <-m.all:
			return
		case <-time.After(5 * time.Second):
			m.late.Store(true)
		}
	}
	m.over.Do(func() { close(m.all) })
}
