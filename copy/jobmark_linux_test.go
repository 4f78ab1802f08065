package copy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

const markedFiles, markedSize = 60, 20_000

// marked makes a tree and a destination that has some of it, stops a copy in the middle, and returns how it was asked for
// and how many files it had finished.
func marked(t *testing.T, m limiter.Mode) (o Options, finished int64) {
	t.Helper()
	from, to := dirs(t)
	src, dst := filepath.Join(from, "src"), filepath.Join(to, "src")
	for i := range markedFiles {
		name := markedName(i)
		plant(t, src, filepath.Dir(name)+"/")
		write(t, filepath.Join(src, name), random(markedSize+i))
		if i%2 == 0 && i%3 < 2 { // one folder is new
			plant(t, dst, filepath.Dir(name)+"/")
			twin(t, filepath.Join(src, name), filepath.Join(dst, name))
		}
	}
	time.Sleep(20 * time.Millisecond) // times of birth are those of the kernel's tick
	o = Options{Sources: []string{src}, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib, Workers: 1, Reflink: ReflinkNever}
	stoppedAt(t, o, 48)
	for i := range markedFiles {
		data, _ := os.ReadFile(filepath.Join(dst, markedName(i)))
		if bytes.Equal(data, random(markedSize+i)) {
			finished++
		}
	}
	if finished < 5 {
		t.Fatalf("%d files were finished", finished)
	}
	if got := strings.Join(names(t, dst), " "); !strings.Contains(got, jobSuffix) {
		t.Fatalf("there is no mark: %s", got)
	}
	return o, finished
}

// twin makes dst a file with the size and the time of src, but other bytes.
func twin(t *testing.T, src, dst string) {
	t.Helper()
	info, err := os.Stat(src)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dst, bytes.Repeat([]byte("x"), int(info.Size())))
	if err := os.Chtimes(dst, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

func markedName(i int) string { return fmt.Sprintf("d%d/%d", i%3, i) }

// A copy into a folder that is there goes on after a crash without copying again what it has finished, and copies all
// else: what has changed, and what only looks as if it had been copied.
func TestExistingTreeResumes(t *testing.T) {
	real := readBootID
	defer func() { readBootID = real }()
	for what, tt := range map[string]struct {
		change func(t *testing.T, o *Options, src, dst string)
		all    bool
	}{
		"nothing": {func(*testing.T, *Options, string, string) {}, false},
		"killed after the name": {func(t *testing.T, _ *Options, _, dst string) {
			for i := range markedFiles {
				if _, err := os.Lstat(filepath.Join(dst, markedName(i))); err == nil {
					plant(t, dst, filepath.Join(filepath.Dir(markedName(i)), journalName(filepath.Base(markedName(i)), false)))
				}
			}
			plant(t, dst, journalName("d0", false)) // as of a folder that was new
		}, false},
		"twins are touched": {func(t *testing.T, _ *Options, _, dst string) {
			// Their change times are later than the mark now.
			touched := 0
			for i := range markedFiles {
				path := filepath.Join(dst, markedName(i))
				if data, _ := os.ReadFile(path); len(data) > 0 && data[0] == 'x' && data[1] == 'x' {
					touched++
					if err := os.Chmod(path, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if touched == 0 {
				t.Fatal("there is no twin")
			}
		}, false},
		"the source, not its size and time": {func(t *testing.T, _ *Options, src, _ string) {
			for i := range markedFiles {
				path := filepath.Join(src, markedName(i))
				var st unix.Stat_t
				err := unix.Stat(path, &st)
				if err == nil {
					err = os.WriteFile(path, random(markedSize + i + 7)[7:], 0o644)
				}
				if err := errors.Join(err, unix.UtimesNano(path, []unix.Timespec{st.Atim, st.Mtim})); err != nil {
					t.Fatal(err)
				}
			}
		}, true},
		"boot":    {func(*testing.T, *Options, string, string) { readBootID = func() string { return "next" } }, true},
		"options": {func(_ *testing.T, o *Options, _, _ string) { o.Verify = true }, true},
	} {
		t.Run(what, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				readBootID = real
				o, finished := marked(t, m)
				src, dst := o.Sources[0], filepath.Join(o.Dest, "src")
				tt.change(t, &o, src, dst)
				o.Mode = (m + 1) % 3
				r := mustRun(t, o)
				want := (markedFiles - finished) * (markedSize + markedFiles)
				if again := r.Bytes > want; again != tt.all {
					t.Errorf("%d bytes were copied; %d files were finished", r.Bytes, finished)
				}
				alike(t, lookAt(t, dst, true), lookAt(t, src, true))
				// It is finished: the same command means to copy all.
				if r := mustRun(t, o); r.Bytes < markedFiles*markedSize {
					t.Errorf("only %d bytes were copied by another run", r.Bytes)
				}
				alike(t, lookAt(t, dst, true), lookAt(t, src, true))
			})
		})
	}
}

// Two runs into one folder do not take each other's finished files for their own, and an old mark goes with --delete.
func TestMarkOfAnother(t *testing.T) {
	o, _ := marked(t, limiter.Threads)
	dst := filepath.Join(o.Dest, "src")
	other := filepath.Join(t.TempDir(), "src")
	plant(t, other, "d0/", "d1/")
	for i := range markedFiles {
		plant(t, other, filepath.Dir(markedName(i))+"/")
		path := write(t, filepath.Join(other, markedName(i)), random(markedSize + i + 9)[9:])
		info, err := os.Stat(filepath.Join(o.Sources[0], markedName(i)))
		if err == nil {
			err = os.Chtimes(path, info.ModTime(), info.ModTime())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	o.Sources, o.Delete = []string{other}, true
	mustRun(t, o)
	alike(t, lookAt(t, dst, true), lookAt(t, other, true))
}
