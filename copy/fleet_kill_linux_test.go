package copy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

const fleetChildOptions = "PACE_COPY_TEST_FLEET_CHILD"

// fleetChild is what a worker in a process of its own is told by its environment.
type fleetChild struct {
	Redis, Job   string
	Source, Dest string
	Mode         limiter.Mode
	Verify       bool
	Lease        time.Duration
}

func (c fleetChild) options() Options {
	return Options{
		Sources: []string{c.Source}, Dest: c.Dest, Mode: c.Mode, Archive: true, Verify: c.Verify, ChunkSize: 64 * kib,
		Fleet: &fleet.Options{
			URL: c.Redis, Job: c.Job, Lease: c.Lease, Settings: map[string]string{"source": c.Source}, Patience: time.Minute,
		},
	}
}

// TestFleetChild is no test but a process that others start, stop and kill.
func TestFleetChild(t *testing.T) {
	text := os.Getenv(fleetChildOptions)
	if text == "" {
		t.Skip("only as a child of other tests")
	}
	var c fleetChild
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), c.options())
	if err != nil || report.ItemsFailed+report.FailedElsewhere > 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
}

// worker is a child that runs.
type fleetWorker struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func (c fleetChild) start(t *testing.T) *fleetWorker {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &fleetWorker{cmd: exec.Command(os.Args[0], "-test.run=^TestFleetChild$")}
	w.cmd.Env = append(os.Environ(), fleetChildOptions+"="+string(text))
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.out
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	return w
}

// mustEnd waits for a worker that is to end well.
func (w *fleetWorker) mustEnd(t *testing.T) {
	t.Helper()
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("a worker has ended with %v:\n%s", err, w.out.Bytes())
	}
}

// kill kills a worker, and returns whether it was still there.
func (w *fleetWorker) kill() bool {
	_ = w.cmd.Process.Kill()
	err := w.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// cargo makes a tree with large files and small ones, links, holes and folders that cannot be written to.
func cargo(t *testing.T, root string) {
	t.Helper()
	zoo(t, root)
	for i := range 6 {
		write(t, filepath.Join(root, fmt.Sprintf("large%d", i)), random(3*mib+i*100_001))
	}
}

// arrived fails the test unless dst is what src is, with nothing of a fleet beside it or in it.
func arrived(t *testing.T, dst, src string) {
	t.Helper()
	alike(t, unlinked(lookAt(t, dst, true)), unlinked(lookAt(t, src, true)))
	err := filepath.WalkDir(filepath.Dir(dst), func(path string, e fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(e.Name(), partSuffix) || strings.HasPrefix(e.Name(), ".pace-fleet")) {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// killAtRandom has three workers do a job, of which so many are killed and replaced on the way, each after a time between
// the bounds. It returns how many had not ended by then.
func killAtRandom(
	t *testing.T, rnd *rand.Rand, start func() *fleetWorker, times int, least, most time.Duration,
) (killed int) {
	t.Helper()
	crew := []*fleetWorker{start(), start(), start()}
	for range times {
		<-time.After(least + time.Duration(rnd.Int64N(int64(most-least))))
		i := rnd.IntN(len(crew))
		if crew[i].kill() {
			killed++
		}
		crew[i] = start()
	}
	for _, w := range crew {
		w.mustEnd(t)
	}
	return killed
}

// Whoever is killed at whatever moment, the rest of a fleet brings everything, and leaves nothing else behind.
func TestFleetWithKilledWorkers(t *testing.T) {
	redis := redistest.Start(t)
	src := filepath.Join(t.TempDir(), "src")
	cargo(t, src)
	killed := 0
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			_, to := dirs(t)
			c := fleetChild{
				Redis: redis.URL, Job: fmt.Sprint("kills", seed), Source: src, Dest: filepath.Join(to, "dst"),
				Verify: seed%2 == 0, Lease: time.Second,
			}
			if seed == 1 {
				c.Lease = time.Hour // too long to wait for: those on the same machine see who is dead
			}
			start := func() *fleetWorker {
				c.Mode = limiter.Modes[rnd.IntN(3)]
				return c.start(t)
			}
			killed += killAtRandom(t, rnd, start, 8, 50*time.Millisecond, 300*time.Millisecond)
			arrived(t, c.Dest, src)
		})
	}
	if killed == 0 {
		t.Error("all were faster than the kills")
	}
}

// A worker that was stopped for longer than its lease finds that others have done its work, and leaves it as it is.
func TestFleetWithStoppedWorkers(t *testing.T) {
	redis := redistest.Start(t)
	src := filepath.Join(t.TempDir(), "src")
	cargo(t, src)
	_, to := dirs(t)
	c := fleetChild{Redis: redis.URL, Job: "stops", Source: src, Dest: filepath.Join(to, "dst"), Lease: time.Second}
	stopped := []*fleetWorker{c.start(t), c.start(t)}
	part := func() bool {
		parts, _ := filepath.Glob(filepath.Join(c.Dest, ".large*"+partSuffix))
		return len(parts) > 0
	}
	for deadline := time.Now().Add(time.Minute); !part() && !exists(filepath.Join(c.Dest, "large0")); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was begun")
		}
		<-time.After(time.Millisecond)
	}
	for _, w := range stopped {
		_ = w.cmd.Process.Signal(syscall.SIGSTOP) // it may have ended
	}
	c.start(t).mustEnd(t)
	arrived(t, c.Dest, src)
	for _, w := range stopped {
		_ = w.cmd.Process.Signal(syscall.SIGCONT)
	}
	for _, w := range stopped {
		w.mustEnd(t)
	}
	arrived(t, c.Dest, src)
}

// Redis that is killed and comes back with all it has said goes on where it was.
func TestFleetWithKilledRedis(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	src := filepath.Join(t.TempDir(), "src")
	cargo(t, src)
	_, to := dirs(t)
	c := fleetChild{Redis: redis.URL, Job: "redis", Source: src, Dest: filepath.Join(to, "dst"), Lease: time.Second}
	crew := []*fleetWorker{c.start(t), c.start(t)}
	for deadline := time.Now().Add(time.Minute); !exists(c.Dest); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was begun")
		}
		<-time.After(time.Millisecond)
	}
	for range 2 {
		redis.Kill(t)
		<-time.After(50 * time.Millisecond)
		redis.Restart(t)
		<-time.After(300 * time.Millisecond)
	}
	for _, w := range crew {
		w.mustEnd(t)
	}
	arrived(t, c.Dest, src)
}

// A full file system stops the workers, and with more room the same job goes on.
func TestFleetOnAFullDisk(t *testing.T) {
	redis := redistest.Start(t)
	from, _ := dirs(t)
	zooOfFiles(t, from)
	write(t, filepath.Join(from, "large2"), random(6*mib))
	to := tmpfs(t, 4*mib)
	o := inFleet(t, redis.URL, Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true})
	for range 2 {
		if _, err := Run(t.Context(), o); !errors.As(err, new(*SpaceError)) {
			t.Fatalf("got %v", err)
		}
	}
	if err := unix.Mount("tmpfs", to, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if got := together(t, 2, o); got.Items == 0 {
		t.Errorf("got %+v", got)
	}
	alike(t, unlinked(lookAt(t, filepath.Join(to, "dst"), false)), unlinked(lookAt(t, from, false)))
	holds(t, to, "dst")
}
