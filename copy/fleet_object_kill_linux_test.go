package copy

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

const objectChildOptions = "PACE_COPY_TEST_OBJECT_CHILD"

// objectChild is what a worker in a process of its own is told by its environment.
type objectChild struct {
	Redis, Job, Store, Source, Dest string
	Mode                            limiter.Mode
	Verify                          bool
	Rate                            float64
}

// TestFleetObjectChild is no test but a process that others start, stop and kill.
func TestFleetObjectChild(t *testing.T) {
	text := os.Getenv(objectChildOptions)
	if text == "" {
		t.Skip("only as a child of other tests")
	}
	var c objectChild
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), Options{
		Sources: []string{c.Source}, Dest: c.Dest, Mode: c.Mode, Workers: 4, Recursive: true, Verify: c.Verify,
		ChunkSize: 64 * kib, S3: storeAt(c.Store), Rate: limiter.NewRate(c.Rate),
		Fleet: &fleet.Options{
			URL: c.Redis, Job: c.Job, Lease: time.Second, Settings: map[string]string{}, Patience: time.Minute,
		},
	})
	if err != nil || report.ItemsFailed+report.FailedElsewhere > 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
}

func (c objectChild) start(t *testing.T) *fleetWorker {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &fleetWorker{cmd: exec.Command(os.Args[0], "-test.run=^TestFleetObjectChild$")}
	w.cmd.Env = append(os.Environ(), objectChildOptions+"="+string(text))
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.out
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGCONT)
		_ = w.cmd.Process.Kill()
	})
	return w
}

// objectLeg is a way that a fleet copies: which tree or prefix to which.
type objectLeg struct {
	name     string
	src, dst func(root string) string
}

var objectLegs = []objectLeg{
	{"up", func(root string) string { return filepath.Join(root, "src") }, func(root string) string {
		return "s3://bucket/up" + filepath.Base(root)
	}},
	{"within", func(string) string { return "s3://bucket/src" }, func(root string) string {
		return "s3://bucket/within" + filepath.Base(root)
	}},
	{"down", func(string) string { return "s3://bucket/src" }, func(root string) string { return filepath.Join(root, "dst") }},
}

// arrivedAll fails the test unless the destination of a leg has all, and nothing else.
func arrivedAll(t *testing.T, g *gateway, dst string, all map[string][]byte) {
	t.Helper()
	if prefix, ok := strings.CutPrefix(dst, "s3://bucket/"); ok {
		g.sameObjects(t, prefix+"/", all)
		return
	}
	sameTree(t, dst, all)
}

// Whoever is killed at whatever moment, the rest of a fleet brings everything, and leaves no upload and no part behind.
func TestFleetOfObjectsWithKilledWorkers(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t)
	all := objectCargo()
	for name, data := range all {
		g.put(t, "src/"+name, data)
	}
	killed := 0
	for i, leg := range objectLegs {
		t.Run(leg.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 11))
			root := t.TempDir()
			writeTree(t, filepath.Join(root, "src"), all)
			c := objectChild{
				Redis: redis.URL, Job: "kills-" + leg.name, Store: g.URL, Source: leg.src(root), Dest: leg.dst(root),
				Verify: leg.name == "up", Rate: 10 * mib,
			}
			start := func() *fleetWorker {
				c.Mode = limiter.Modes[rnd.IntN(3)]
				return c.start(t)
			}
			killed += killAtRandom(t, rnd, start, 6, 100*time.Millisecond, 500*time.Millisecond)
			arrivedAll(t, g, c.Dest, all)
		})
	}
	if killed == 0 {
		t.Error("all were faster than the kills")
	}
}

// A worker that was stopped for longer than its lease, and goes on when others have done its work, changes nothing.
func TestFleetOfObjectsWithAStoppedWorker(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t)
	all := objectCargo()
	for name, data := range all {
		g.put(t, "src/"+name, data)
	}
	for _, leg := range objectLegs {
		t.Run(leg.name, func(t *testing.T) {
			root := t.TempDir()
			writeTree(t, filepath.Join(root, "src"), all)
			c := objectChild{
				Redis: redis.URL, Job: "stops-" + leg.name, Store: g.URL, Source: leg.src(root), Dest: leg.dst(root), Rate: 10 * mib,
			}
			late := c.start(t)
			begun := func() bool {
				if prefix, ok := strings.CutPrefix(c.Dest, "s3://bucket/"); ok {
					return len(g.uploads(t))+len(g.keys(t, prefix)) > 0
				}
				names, _ := os.ReadDir(c.Dest)
				return len(names) > 0
			}
			for deadline := time.Now().Add(time.Minute); !begun(); {
				if time.Now().After(deadline) {
					t.Fatal("nothing was begun")
				}
				<-time.After(5 * time.Millisecond)
			}
			_ = late.cmd.Process.Signal(syscall.SIGSTOP)
			c.start(t).mustEnd(t)
			arrivedAll(t, g, c.Dest, all)
			_ = late.cmd.Process.Signal(syscall.SIGCONT)
			late.mustEnd(t)
			arrivedAll(t, g, c.Dest, all)
		})
	}
}
