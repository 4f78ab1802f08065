package copy

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
)

// childOptions is what a killed child is told by its environment.
const childOptions = "PACE_COPY_TEST_CHILD"

// TestChild is no test but the process that TestKilled kills.
func TestChild(t *testing.T) {
	text := os.Getenv(childOptions)
	if text == "" {
		t.Skip("only for TestKilled")
	}
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	r := newRun(c.options())
	c.prepare(t, r)
	if report, err := r.run(t.Context()); err != nil || report.ItemsFailed > 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
}

// child is what a child is to copy, and how.
type child struct {
	Source, Dest string
	Mode         limiter.Mode
	ChunkSize    int64
	Workers      int
	Counter      string // a file that outlives the child: see written
	Store        string // the URL of an object store
}

func (c child) options() Options {
	return Options{
		Sources: []string{c.Source}, Dest: c.Dest, Mode: c.Mode, ChunkSize: c.ChunkSize, Workers: c.Workers,
		Archive: !IsURL(c.Source) && c.Store == "", NoTargetDir: true, Reflink: ReflinkNever, S3: storeAt(c.Store),
	}
}

// A copy that is killed again and again, and goes on each time in another way, is right in the end. On the way there is
// never anything under the final name.
func TestKilled(t *testing.T) {
	for name, tree := range map[string]bool{"file": false, "tree": true} {
		t.Run(name, func(t *testing.T) {
			from, to := dirs(t)
			src, dst := filepath.Join(from, "src"), filepath.Join(to, "dst")
			if tree {
				zoo(t, src)
			} else {
				write(t, src, random(24*mib))
			}
			rnd := rand.New(rand.NewPCG(1, 2))
			kills, spread := 0, 25
			for kills < 12 {
				c := child{
					Source: src, Dest: dst, Mode: limiter.Modes[rnd.IntN(3)],
					ChunkSize: []int64{64 * kib, 100_000, mib}[rnd.IntN(3)], Workers: 1 + rnd.IntN(8),
				}
				killed := killedRun(t, c, time.Duration(10+rnd.IntN(spread))*time.Millisecond)
				if _, err := os.Lstat(dst); !errors.Is(err, os.ErrNotExist) {
					if kills > 0 || spread == 1 {
						break
					}
					// It was faster than the kill: once more, and sooner.
					spread = max(spread/2, 1)
					if err := os.RemoveAll(dst); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if !killed {
					t.Fatal("the run ended without a result")
				}
				kills++
			}
			mustRun(t, child{Source: src, Dest: dst}.options())
			if kills == 0 {
				t.Fatal("it was always faster than the kill")
			}
			alike(t, lookAt(t, dst, true), lookAt(t, src, true))
			holds(t, to, "dst")
		})
	}
}

// start starts a process that copies as c says.
func (c child) start(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childOptions+"="+string(text))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// killedRun runs a child and kills it after a while, and returns whether it was still there.
func killedRun(t *testing.T, c child, after time.Duration) bool {
	t.Helper()
	cmd := c.start(t)
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}
