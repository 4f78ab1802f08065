package copy

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// A machine that has the destination for reading only fails no file of the job: the others can write them.
func TestFleetOnAReadOnlyMount(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "src"), random(100))
	if err := unix.Mount(to, to, "", unix.MS_BIND, ""); err != nil {
		skipWithoutRight(t, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(to, unix.MNT_DETACH)) })
	o := inFleet(t, url, Options{Sources: []string{src}, Dest: filepath.Join(to, "dst")})

	// The first worker has begun the job, and ended.
	job, err := fleet.Open(t.Context(), *o.Fleet)
	must(t, err)
	lead := &fleetRun{run: newRun(o), job: job}
	plan, err := lead.planFleet(t.Context())
	must(t, err)
	must(t, lead.agree(t.Context(), plan))
	must(t, lead.leave())

	mount := func(flags uintptr) { must(t, unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")) }
	mount(unix.MS_RDONLY)
	if got, err := Run(t.Context(), o); !errors.Is(err, syscall.EROFS) || got.ItemsFailed > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	mount(0)
	if got := together(t, 2, o); got.Items != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(o.Dest); err != nil {
		t.Error(err)
	}
}
