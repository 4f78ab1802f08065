package copy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// A worker that does not see what the others see stops before it copies anything.
func TestFleetWhereNothingIsMounted(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "src"), random(100))
	o := inFleet(t, url, Options{Sources: []string{src}, Dest: filepath.Join(to, "dst")})
	first, err := fleet.Open(t.Context(), *o.Fleet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Close(context.Background()) })
	lead := &fleetRun{run: newRun(o), job: first}
	plan, err := lead.planFleet()
	if err == nil {
		err = lead.agree(t.Context(), plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func() // to what another machine has
		back   func()
	}{
		"another destination": {
			func() { rename(t, to, to+".was"); must(t, os.Mkdir(to, 0o755)) },
			func() { must(t, os.Remove(to)); rename(t, to+".was", to) },
		},
		"the mark of another job": {
			func() { write(t, filepath.Join(to, ".pace-fleet-"+o.Fleet.Job), []byte("another")) },
			func() { must(t, lead.ground.mark(t.Context(), first.Record().ID)) },
		},
		"no destination": {
			func() { rename(t, to, to+".was") },
			func() { rename(t, to+".was", to) },
		},
		"another source": {
			func() { rename(t, src, src+".was"); must(t, os.Mkdir(src, 0o755)) },
			func() { must(t, os.Remove(src)); rename(t, src+".was", src) },
		},
		"a younger source": {
			func() { rename(t, src, src+".was"); write(t, src, random(100)) },
			func() { must(t, os.Remove(src)); rename(t, src+".was", src) },
		},
		"no source": {
			func() { rename(t, src, src+".was") },
			func() { rename(t, src+".was", src) },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.change()
			defer test.back()
			r := newRun(o)
			r.markPatience = 10 * time.Millisecond
			report, err := r.run(t.Context())
			if err == nil || report.Items > 0 {
				t.Errorf("got %+v, %v", report, err)
			}
			if entries, _ := os.ReadDir(to); len(entries) > 1 { // the mark
				t.Errorf("the destination holds %v", entries)
			}
		})
	}
	lead.ground.close()
	mustRun(t, o)
	same(t, filepath.Join(to, "dst"), random(100))
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.Rename(from, to))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A file system that goes away in the middle is no failure of the items: others can still copy them.
func TestFleetLosesItsMount(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	write(t, filepath.Join(from, "large"), random(3*mib))
	o := inFleet(t, url, Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true})
	r := newRun(o)
	mark := filepath.Join(to, ".pace-fleet-"+o.Fleet.Job)
	r.wrap = func(d driver) driver {
		return faulty{driver: d, write: func(context.Context, *os.File, []byte, int64) (int, error) {
			_ = os.Rename(mark, mark+".was")
			return 0, errors.New("stale file handle")
		}}
	}
	report, err := r.run(t.Context())
	if err == nil || report.ItemsFailed > 0 || !strings.Contains(err.Error(), "is it mounted here?") {
		t.Fatalf("got %+v, %v", report, err)
	}
	rename(t, mark+".was", mark)
	if got := mustRun(t, o); got.Items != 1 || got.FailedElsewhere != 0 {
		t.Errorf("got %+v", got)
	}
	same(t, filepath.Join(to, "dst", "large"), random(3*mib))
}

// A worker that finds no space leaves the job as it is, and the same command goes on when there is some.
func TestFleetWithoutSpace(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		write(t, filepath.Join(from, "small"), random(100))
		write(t, filepath.Join(from, "large"), random(3*mib))
		o := inFleet(t, url, Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true, Mode: m})
		r := newRun(o)
		r.wrap = func(d driver) driver {
			return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
				if off > mib {
					return 0, syscall.ENOSPC
				}
				return d.pwrite(ctx, f, p, off)
			}}
		}
		if _, err := r.run(t.Context()); !errors.As(err, new(*SpaceError)) {
			t.Fatalf("got %v", err)
		}
		mustRun(t, o)
		same(t, filepath.Join(to, "dst", "large"), random(3*mib))
		holds(t, filepath.Join(to, "dst"), "large", "small")
	})
}
