package copy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
	"pace/limiter/redistest"
)

// smallTrouble is what happens to one of many small files, or to the name that it is to get, when the first are open.
type smallTrouble struct {
	late  bool // it is one that is not open yet
	make  func(src, dst string) error
	fails string // why it fails, in a fleet; empty if it does not
	alone string // the same without a fleet, if that says it in other words
}

// What is said of WHICH, the file that has trouble.
const (
	overFolder  = "cannot overwrite directory /to/from/WHICH with non-directory /from/WHICH"
	whileCopied = "/from/WHICH changed while it was copied"
)

var smallTroubles = map[string]smallTrouble{
	"grows":           {make: func(src, _ string) error { return os.Truncate(src, 100_000) }, fails: whileCopied},
	"shrinks":         {make: func(src, _ string) error { return os.Truncate(src, 10) }, fails: whileCopied},
	"goes":            {make: func(src, _ string) error { return os.Remove(src) }, fails: whileCopied},
	"folder is there": {make: inWayFolder, fails: overFolder, alone: "cannot create /to/from/WHICH: is a directory"},
	"file is there":   {make: inWayFile},
	"link is there":   {make: inWayLink},
	"fifo is there":   {make: func(_, dst string) error { return unix.Mkfifo(dst, 0o600) }},

	"has gone":      {late: true, make: func(src, _ string) error { return os.Remove(src) }, fails: "cannot read /from/WHICH: no such file or directory"},
	"has grown":     {late: true, make: func(src, _ string) error { return os.Truncate(src, 300_000) }},
	"is empty":      {late: true, make: func(src, _ string) error { return os.Truncate(src, 0) }},
	"is a hole":     {late: true, make: func(src, _ string) error { return errors.Join(os.Truncate(src, 0), os.Truncate(src, 50_000)) }},
	"is a folder":   {late: true, make: func(src, _ string) error { return errors.Join(os.Remove(src), os.Mkdir(src, 0o700)) }, fails: whileCopied},
	"is a link":     {late: true, make: func(src, _ string) error { return errors.Join(os.Remove(src), os.Symlink("f01", src)) }, fails: "cannot read /from/WHICH: too many levels of symbolic links"},
	"is a fifo":     {late: true, make: func(src, _ string) error { return errors.Join(os.Remove(src), unix.Mkfifo(src, 0o600)) }, fails: whileCopied},
	"folder before": {late: true, make: inWayFolder, fails: overFolder},
	"file before":   {late: true, make: inWayFile},
	"link before":   {late: true, make: inWayLink},
}

func inWayFolder(_, dst string) error { return os.Mkdir(dst, 0o755) }
func inWayFile(_, dst string) error   { return os.WriteFile(dst, []byte("theirs"), 0o600) }
func inWayLink(_, dst string) error   { return os.Symlink("/nowhere", dst) }

// What happens to small files while others are copied together has the same outcome in a fleet as in a copy by one process:
// one that has trouble is told of once, and all others arrive.
func TestFleetTroubleAmongSmallFiles(t *testing.T) {
	url := redistest.Start(t).URL
	for name, trouble := range smallTroubles {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := Options{Recursive: true, Mode: m, Workers: 1, ChunkSize: 64 * kib, Reflink: ReflinkNever}
				fleet := trouble.meet(t, inFleet(t, url, o), trouble.fails)
				alone := trouble.meet(t, o, cmp.Or(trouble.alone, trouble.fails))
				alike(t, fleet, alone)
			})
		})
	}
}

// meet copies a folder to where some of it happens, and returns what is there then. The one failure is to be fails.
func (s smallTrouble) meet(t *testing.T, o Options, fails string) map[string]string {
	t.Helper()
	from, to := dirs(t)
	old := time.Unix(1_000_000_000, 5)
	for i := range 40 {
		path := write(t, filepath.Join(from, fmt.Sprintf("f%02d", i)), random(1000+i*100))
		must(t, os.Chtimes(path, old, old))
	}
	dst := filepath.Join(to, "from")
	must(t, os.Mkdir(dst, 0o755))
	names, err := readNames(from) // in the order in which they are copied
	must(t, err)
	which := names[0]
	if s.late {
		which = names[len(names)-1]
	}
	o.Sources, o.Dest = []string{from}, to
	r := newRun(o)
	happen := sync.OnceFunc(func() {
		made := filepath.Join(from, which)
		err := s.make(made, filepath.Join(dst, which))
		if exists(filepath.Join(dst, which)) {
			made = filepath.Join(dst, which)
		}
		if err != nil {
			t.Error(err)
		}
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, made, []unix.Timespec{{}, {Sec: 1_000_000_001}}, unix.AT_SYMLINK_NOFOLLOW)
	})
	r.wrap = func(d driver) driver {
		return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
			happen()
			return d.pread(ctx, f, p, off)
		}}
	}
	report, err := r.run(t.Context())
	must(t, err)
	said := ""
	for _, e := range report.Errors {
		said += strings.ReplaceAll(strings.ReplaceAll(e.Error, filepath.Dir(from), ""), which, "WHICH")
	}
	failed := int64(0)
	if fails != "" {
		failed = 1
	}
	if said != fails || report.ItemsFailed != failed || report.Items != int64(len(names)) || report.ItemsSkipped != 0 {
		t.Errorf("%d items, %d failed, %d skipped: %q", report.Items, report.ItemsFailed, report.ItemsSkipped, said)
	}
	holds(t, to, "from")
	tree := lookAt(t, dst, true)
	delete(tree, ".") // which others have changed meanwhile
	return tree
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.Readdirnames(-1)
}
