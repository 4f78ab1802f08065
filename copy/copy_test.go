package copy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

func TestSizes(t *testing.T) {
	const size = 64 * kib
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, n := range []int{0, 1, size - 1, size, size + 1, 5*size + 4097} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				from, to := dirs(t)
				src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
				data := random(n)
				write(t, src, data)
				r := mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, ChunkSize: size, Reflink: ReflinkNever})
				same(t, dst, data)
				holds(t, to, "f")
				if r.Bytes != int64(n) || r.Items != 1 {
					t.Errorf("the report counts %d bytes and %d items", r.Bytes, r.Items)
				}
			})
		}
	})
}

// An odd chunk leaves every chunk but the first off a page boundary.
func TestOddChunk(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
		data := random(100_003)
		write(t, src, data)
		mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, ChunkSize: 997, Workers: 5})
		same(t, dst, data)
	})
}

func TestMetadata(t *testing.T) {
	stamp := time.Unix(1_600_000_000, 123_456_789)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, mode := range []os.FileMode{0o600, 0o644, 0o755, 0o400, 0o777, 0o755 | os.ModeSetuid | os.ModeSetgid} {
			t.Run(mode.String(), func(t *testing.T) {
				from, to := dirs(t)
				src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
				write(t, src, random(1000))
				if err := os.Chmod(src, mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(src, time.Time{}, stamp); err != nil {
					t.Fatal(err)
				}
				mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m})
				info, err := os.Stat(dst)
				if err != nil {
					t.Fatal(err)
				}
				if want := mode & os.ModePerm; info.Mode() != want {
					t.Errorf("mode %v, want %v", info.Mode(), want)
				}
				if !info.ModTime().Equal(stamp) {
					t.Errorf("modification time %v, want %v", info.ModTime(), stamp)
				}
			})
		}
	})
}

func TestReplace(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst, other := filepath.Join(from, "f"), filepath.Join(to, "f"), filepath.Join(to, "g")
		data := random(300_000)
		write(t, src, data)
		write(t, dst, []byte("old"))
		if err := os.Link(dst, other); err != nil {
			t.Fatal(err)
		}
		mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m})
		same(t, dst, data)
		same(t, other, []byte("old")) // a hard link to what was replaced keeps it
		holds(t, to, "f", "g")
	})
}

func TestSeveralSources(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		var sources []string
		for _, name := range []string{"a", "b", "c"} {
			sources = append(sources, write(t, filepath.Join(from, name), random(200_000+len(sources))))
		}
		var log logs
		var told []string
		r, err := Run(t.Context(), Options{
			Sources: append(sources, filepath.Join(from, "missing"), from), Dest: to, Mode: m, ChunkSize: 64 * kib,
			Log: log.logger(), Verbose: func(src, dst string) { told = append(told, src+">"+dst) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Items != 5 || r.ItemsFailed != 2 || len(r.Errors) != 2 || r.Bytes != 600_003 {
			t.Errorf("report %+v", r)
		}
		for i, src := range sources {
			same(t, filepath.Join(to, filepath.Base(src)), random(200_000+i))
			if want := src + ">" + filepath.Join(to, filepath.Base(src)); !slices.Contains(told, want) {
				t.Errorf("told of %q, not of %q", told, want)
			}
		}
		holds(t, to, "a", "b", "c")
		lines := log.lines(8)
		// Workers fail in any order.
		if len(lines) == 2 && strings.Contains(lines[0], "/missing:") {
			slices.Reverse(lines)
		}
		if len(lines) != 2 || !strings.Contains(lines[1], "missing") || !strings.Contains(lines[0], "-r not specified") {
			t.Errorf("logged %q", lines)
		}
	})
}

func TestReportNamesWorkers(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "f"), random(1000))
	for _, tt := range []struct {
		mode       limiter.Mode
		asked, got int
	}{
		{limiter.Sequential, 7, 1},
		{limiter.Threads, 7, 7},
		{limiter.Async, 7, 7},
		{limiter.Threads, 0, DefaultWorkers(limiter.Threads)},
	} {
		r := mustRun(t, Options{Sources: []string{src}, Dest: to, Mode: tt.mode, Workers: tt.asked})
		if r.Workers != tt.got {
			t.Errorf("%v with %d workers reports %d", tt.mode, tt.asked, r.Workers)
		}
	}
}

func TestReflinkValue(t *testing.T) {
	for _, want := range []Reflink{ReflinkAuto, ReflinkAlways, ReflinkNever} {
		var got Reflink
		if err := got.Set(want.String()); err != nil || got != want {
			t.Errorf("%v became %v, %v", want, got, err)
		}
	}
	var r Reflink
	if err := r.Set("sometimes"); err == nil {
		t.Error("sometimes is taken")
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, m := range limiter.Modes {
		b.Run(m.String(), func(b *testing.B) {
			const size = 64 * mib
			from, to := dirs(b)
			src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
			write(b, src, random(size))
			b.SetBytes(size)
			for b.Loop() {
				mustRun(b, Options{Sources: []string{src}, Dest: dst, Mode: m, Reflink: ReflinkNever})
			}
		})
	}
}
