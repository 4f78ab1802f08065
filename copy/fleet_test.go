package copy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// inFleet returns the options of a worker of a job.
func inFleet(t testing.TB, url string, o Options) Options {
	t.Helper()
	o.Fleet = &fleet.Options{
		URL: url, Job: strings.NewReplacer("/", ".", "#", "").Replace(t.Name()),
		Lease:    2 * time.Minute, // a machine that stands still for a while changes nothing
		Settings: map[string]string{"sources": strings.Join(o.Sources, "\n"), "destination": o.Dest},
	}
	if o.ChunkSize == 0 {
		o.ChunkSize = 64 * kib
	}
	return o
}

// together runs workers of one job side by side, and returns what they have done in all.
func together(t testing.TB, n int, o Options) Report {
	t.Helper()
	before := bytesOfJob(t, o)
	reports := make([]Report, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { reports[i], errs[i] = Run(t.Context(), o) })
	}
	wg.Wait()
	var all Report
	for i, r := range reports {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		all.Items += r.Items
		all.Bytes += r.Bytes
		all.ItemsFailed += r.ItemsFailed
		all.ItemsSkipped += r.ItemsSkipped
		all.Errors = append(all.Errors, r.Errors...)
	}
	if all.ItemsFailed > 0 {
		t.Fatalf("failed: %v", all.Errors)
	}
	if bytes := bytesOfJob(t, o) - before; bytes != all.Bytes {
		t.Errorf("the job knows of %d bytes, its workers of %d", bytes, all.Bytes)
	}
	return all
}

// bytesOfJob returns how many bytes have been copied, as those are told who look at the job.
func bytesOfJob(t testing.TB, o Options) int64 {
	t.Helper()
	j, err := fleet.Look(t.Context(), *o.Fleet)
	if errors.Is(err, fleet.ErrNoJob) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Leave() }()
	counts, err := j.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counts.Bytes
}

// When the source changes while it is copied, the file fails, and has no name; all workers know of it, and the others' files
// are there.
func TestFleetWithAChangedSource(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		write(t, filepath.Join(from, "other"), random(100))
		src := write(t, filepath.Join(from, "changes"), random(4*mib))
		o := inFleet(t, url, Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true, Mode: m})
		r := newRun(o)
		change := sync.OnceFunc(func() { write(t, src, random(4*mib+1)) })
		r.wrap = func(d driver) driver {
			return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
				if off >= 2*mib {
					change()
				}
				return d.pwrite(ctx, f, p, off)
			}}
		}
		report, err := r.run(t.Context())
		if err != nil || report.ItemsFailed != 1 || report.Items != 2 || report.FailedElsewhere != 0 {
			t.Fatalf("got %+v, %v", report, err)
		}
		if why := report.Errors[0].Error; !strings.Contains(why, "changed while it was copied") {
			t.Errorf("got %q", why)
		}
		holds(t, filepath.Join(to, "dst"), "other")
		holds(t, to, "dst")
	})
}

// Whoever ends without a failure of its own learns of those of others.
func TestFleetTellsOfFailuresElsewhere(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	write(t, filepath.Join(from, "file"), random(10))
	if err := os.MkdirAll(filepath.Join(to, "dst", "file"), 0o755); err != nil {
		t.Fatal(err)
	}
	o := inFleet(t, url, Options{Sources: []string{from + "/."}, Dest: filepath.Join(to, "dst"), Recursive: true})
	var wg sync.WaitGroup
	reports := make([]Report, 3)
	for i := range reports {
		wg.Go(func() {
			var err error
			if reports[i], err = Run(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	failed := int64(0)
	for _, r := range reports {
		if failed += r.ItemsFailed; r.ItemsFailed+r.FailedElsewhere != 1 {
			t.Errorf("a worker knows of %d failures and %d elsewhere", r.ItemsFailed, r.FailedElsewhere)
		}
	}
	if failed != 1 {
		t.Errorf("%d workers have the failure", failed)
	}
}

// What was done and is asked for again is neither done again nor an error.
func TestFleetThatIsFinished(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "src"), random(100))
	o := inFleet(t, url, Options{Sources: []string{src}, Dest: to})
	mustRun(t, o)
	must(t, os.Remove(filepath.Join(to, "src")))
	l := &logs{}
	o.Log = l.logger()
	if got := mustRun(t, o); got.Items != 0 || exists(filepath.Join(to, "src")) {
		t.Errorf("got %+v", got)
	}
	if lines := strings.Join(l.lines(slog.LevelWarn), "\n"); !strings.Contains(lines, "was finished at") {
		t.Errorf("got %q", lines)
	}
}

func TestFleetsSideBySide(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	zooOfFiles(t, from)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		o := inFleet(t, url, Options{Sources: []string{from}, Dest: filepath.Join(to, name), Recursive: true})
		o.Fleet.Job += name
		o.Fleet.Settings = map[string]string{"destination": name}
		for range 2 {
			wg.Go(func() {
				if _, err := Run(t.Context(), o); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, name := range []string{"a", "b"} {
		for i := range 30 {
			same(t, filepath.Join(to, name, "sub", strconv.Itoa(i)), random(i*10_000))
		}
	}
	holds(t, to, "a", "b")
}

func zooOfFiles(t *testing.T, root string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(root, "sub"), 0o755))
	for i := range 30 {
		write(t, filepath.Join(root, "sub", strconv.Itoa(i)), random(i*10_000))
	}
	write(t, filepath.Join(root, "large"), random(3*mib))
}

// What is there already stays, is compared or replaced, as in a copy by one process.
func TestFleetOverWhatIsThere(t *testing.T) {
	url := redistest.Start(t).URL
	older, newer := time.Unix(1_000_000_000, 0), time.Now().Add(time.Hour)
	tests := map[string]struct {
		set     func(*Options)
		data    []byte // what is there
		when    time.Time
		skipped int64
	}{
		"replaced":               {func(*Options) {}, []byte("old"), newer, 0},
		"kept":                   {func(o *Options) { o.NoClobber = true }, []byte("old"), older, 2},
		"update of what is old":  {func(o *Options) { o.Update = true }, []byte("old"), older, 0},
		"update of what is new":  {func(o *Options) { o.Update = true }, []byte("old"), newer, 2},
		"checksum of the same":   {func(o *Options) { o.Checksum = true }, nil, newer, 2},
		"checksum of other data": {func(o *Options) { o.Checksum = true }, []byte("old"), newer, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			from, to := dirs(t)
			must(t, os.Mkdir(filepath.Join(to, "from"), 0o755))
			data := map[string][]byte{"small": random(5000), "large": random(3 * mib)}
			for file, bytes := range data {
				write(t, filepath.Join(from, file), bytes)
				there := bytes
				if test.data != nil {
					there = test.data
				}
				path := write(t, filepath.Join(to, "from", file), there)
				must(t, os.Chtimes(path, test.when, test.when))
			}
			o := inFleet(t, url, Options{Sources: []string{from}, Dest: to, Recursive: true})
			o.Fleet.Job = strings.ReplaceAll(o.Fleet.Job, " ", "")
			test.set(&o)
			got := together(t, 2, o)
			if got.ItemsSkipped != test.skipped || got.Items != 2-test.skipped {
				t.Errorf("got %d items and %d skipped", got.Items, got.ItemsSkipped)
			}
			for file, bytes := range data {
				if test.skipped > 0 && test.data != nil {
					bytes = test.data
				}
				same(t, filepath.Join(to, "from", file), bytes)
			}
		})
	}
}

func TestFleetFilters(t *testing.T) {
	url := redistest.Start(t).URL
	from, to := dirs(t)
	zooOfFiles(t, from)
	filter, err := NewFilter([]Rule{{Include: true, Pattern: "sub/3"}, {Pattern: "sub/*"}, {Pattern: "large"}})
	must(t, err)
	together(t, 2, inFleet(t, url, Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true, Filter: filter}))
	holds(t, filepath.Join(to, "dst"), "sub")
	holds(t, filepath.Join(to, "dst", "sub"), "3")
}

// Several sources go into a folder, each under its own name, and what is one source's contents alone into the folder itself.
func TestFleetWithManySources(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		must(t, os.MkdirAll(filepath.Join(from, "tree", "in"), 0o755))
		must(t, os.MkdirAll(filepath.Join(from, "open"), 0o755))
		write(t, filepath.Join(from, "tree", "in", "a"), random(10))
		write(t, filepath.Join(from, "open", "b"), random(20))
		write(t, filepath.Join(from, "small"), random(30))
		write(t, filepath.Join(from, "large"), random(2*mib))
		together(t, 3, inFleet(t, url, Options{
			Sources: []string{
				filepath.Join(from, "tree"), filepath.Join(from, "open"), filepath.Join(from, "small"), filepath.Join(from, "large"),
			},
			Dest: to, Recursive: true, Mode: m,
		}))
		holds(t, to, "large", "open", "small", "tree")
		same(t, filepath.Join(to, "tree", "in", "a"), random(10))
		same(t, filepath.Join(to, "open", "b"), random(20))
		same(t, filepath.Join(to, "small"), random(30))
		same(t, filepath.Join(to, "large"), random(2*mib))
	})
}

func TestFleetRefusals(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "src"), random(100))
	for name, set := range map[string]func(*Options){
		"delete":       func(o *Options) { o.Delete, o.Recursive = true, true },
		"stdout":       func(o *Options) { o.Output = io.Discard },
		"a web server": func(o *Options) { o.Sources = []string{"http://127.0.0.1/x"} },
		"a digest":     func(o *Options) { o.Expect = &Digest{} },
		"a list":       func(o *Options) { o.Only, o.Recursive = []string{"x"}, true },
		"a dry run":    func(o *Options) { o.DryRun = true },
		"contents": func(o *Options) {
			o.Recursive, o.Sources = true, []string{from + "/.", src}
		},
		"into itself":    func(o *Options) { o.Recursive, o.Sources, o.Dest = true, []string{from}, filepath.Join(from, "new") },
		"the same file":  func(o *Options) { o.Dest = src },
		"no destination": func(o *Options) { o.Dest = "" },
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Sources: []string{src}, Dest: to, Fleet: &fleet.Options{URL: "redis://127.0.0.1:1", Job: "x"}}
			set(&o)
			usage := (*UsageError)(nil)
			if name == "contents" || name == "into itself" || name == "the same file" { // which is seen when the job was not found
				o.Fleet.URL = redistest.Start(t).URL
			}
			if _, err := Run(t.Context(), o); !errors.As(err, &usage) {
				t.Errorf("got %v, want a usage error", err)
			}
		})
	}
}
