package copy

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A copy to or from a store that is killed again and again moves little twice, and leaves nothing but its result.
func TestObjectKilled(t *testing.T) {
	// A store takes parts whole: a kill costs what was sent of some, so that many kills need a large file.
	size, kills, workers := 320*mib, 5, 4
	if os.Getenv("PACE_TEST_FULL") != "" {
		size, kills, workers = 768*mib, 20, NetworkWorkers
	}
	const most = 1.15
	data := random(size)
	g := newGateway(t)
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "src"), data)
	for _, dst := range []string{"s3://bucket/killed", filepath.Join(to, "dst")} {
		up := IsS3(dst)
		source := src
		name := "up"
		if !up {
			source, name = "s3://bucket/killed", "down"
		}
		t.Run(name, func(t *testing.T) {
			m := newMeter(t, g.URL, 100*time.Microsecond)
			moved := &m.down
			if up {
				moved = &m.up
			}
			rnd := rand.New(rand.NewPCG(1, 2))
			c := child{Source: source, Dest: dst, Store: m.url}
			done := func() bool { return !up && exists(dst) }
			for range kills {
				c.Mode, c.Workers, c.ChunkSize = limiter.Modes[rnd.IntN(3)], 1+rnd.IntN(workers), 0
				if !up {
					c.ChunkSize = []int64{0, 300_000, mib}[rnd.IntN(3)]
				}
				if !killedAfter(t, c, moved, int64(size/kills)*3/4) {
					t.Fatal("it ended before it could be killed")
				}
				if done() {
					t.Fatal("it has its name too early")
				}
			}
			downloaded(t, c.options())
			if n := moved.Load(); float64(n) > most*float64(size) {
				t.Errorf("%d bytes moved for a file of %d, %.2f times as many", n, size, float64(n)/float64(size))
			} else {
				t.Logf("%.3f times the file's size moved", float64(n)/float64(size))
			}
			g.holds(t, "killed", data)
			if !up {
				same(t, dst, data)
				holds(t, to, "dst")
			}
		})
	}
}

// killedAfter runs a child and kills it when it has moved so much, and returns false if it was whole before.
func killedAfter(t *testing.T, c child, moved *atomic.Int64, n int64) bool {
	t.Helper()
	cmd := c.start(t)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it was killed, or done too early
		close(ended)
	}()
	for first := moved.Load(); moved.Load() < first+n; {
		select {
		case <-ended:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	return true
}

// What another source has left of an upload does not get into the object, and goes.
func TestObjectUploadOfChangedSource(t *testing.T) {
	g := newGateway(t)
	m := newMeter(t, g.URL, time.Millisecond)
	from, _ := dirs(t)
	src := write(t, filepath.Join(from, "src"), random(20*mib))
	c := child{Source: src, Dest: "s3://bucket/changed", Store: m.url, Workers: 1, ChunkSize: leastPart}
	if !killedAfter(t, c, &m.up, 12*mib) {
		t.Fatal("it ended before it could be killed")
	}
	if n := len(g.uploads(t)); n != 1 {
		t.Fatalf("%d unfinished uploads", n)
	}
	data := random(20*mib + 1)
	write(t, src, data)
	downloaded(t, c.options())
	g.holds(t, "changed", data)

	// The same with --no-resume.
	write(t, src, random(20*mib+2))
	if !killedAfter(t, c, &m.up, 12*mib) {
		t.Fatal("it ended before it could be killed")
	}
	o := c.options()
	o.NoResume = true
	before := m.up.Load()
	downloaded(t, o)
	if m.up.Load() < before+20*mib {
		t.Error("it did not begin anew")
	}
	g.holds(t, "changed", random(20*mib+2))
}

// A store that is killed in the middle, and is there again soon, costs a few tries.
func TestObjectStoreRestarted(t *testing.T) {
	data := random(40 * mib)
	inModes(t, func(t *testing.T, mode limiter.Mode) {
		g := newGateway(t)
		from, to := dirs(t)
		src, dst := write(t, filepath.Join(from, "src"), data), filepath.Join(to, "dst")
		for _, leg := range [][2]string{{src, "s3://bucket/k"}, {"s3://bucket/k", dst}} {
			m := newMeter(t, g.URL, time.Millisecond)
			o := g.options(mode, leg[0], leg[1])
			o.ChunkSize = leastPart
			o.S3.Endpoint = m.url
			o.Network.Retries = 1000
			r := newRun(o)
			r.backoff = func(int) time.Duration { return 50 * time.Millisecond }
			restarted := make(chan error, 1)
			go func() {
				for m.up.Load()+m.down.Load() < 15*mib {
					time.Sleep(time.Millisecond)
				}
				g.Kill()
				restarted <- g.Restart(t.Context())
			}()
			report, err := r.run(t.Context())
			if err != nil || report.ItemsFailed > 0 {
				t.Fatalf("%v, %+v", err, report)
			}
			if err := <-restarted; err != nil {
				t.Fatal(err)
			}
		}
		g.holds(t, "k", data)
		same(t, dst, data)
		holds(t, to, "dst")
	})
}
