package crawl

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// keeping returns options that keep a crawl of this world in a folder.
func (w *world) keeping(m limiter.Mode, dir string, seeds ...string) Options {
	o := w.options(m, seeds...)
	o.State, o.OutputFile = filepath.Join(dir, "state"), filepath.Join(dir, "pages.jsonl")
	return o
}

// recordsOf returns the URLs in a file of records, sorted.
func recordsOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for line := range strings.Lines(string(text)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		urls = append(urls, r.URL)
	}
	slices.Sort(urls)
	return urls
}

// stopAt runs until some page is asked for, which is never answered before the run has been told to stop.
func stopAt(t *testing.T, w *world, o Options, page string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	old := w.set(page, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	defer func() { w.set(page, old) }()
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run: %v", err)
	}
}

// What a resume without seeds must know: the scope that a redirected seed opened, private hosts that the user named, the
// first URL of what was redirected, and which pages are done.
func TestResume(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/":  redirect("http://b.test/"),
			"b.test/":  links("/1", "/2", "/3", "http://c.test/"),
			"b.test/1": links("/4"),
			"b.test/2": redirect("/5"),
			"b.test/3": links("/1"), "b.test/4": links(), "b.test/5": links("/6"), "b.test/6": links(),
		})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Workers = 1
		stopAt(t, w, o, "b.test/5")
		o.Seeds = nil
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"http://a.test/", "http://b.test/1", "http://b.test/2", "http://b.test/3", "http://b.test/4", "http://b.test/6"}
		if got := recordsOf(t, o.OutputFile); !slices.Equal(got, want) {
			t.Errorf("records of %v", got)
		}
		for page, n := range w.hits {
			if n != 1 && page != "b.test/5" && !strings.HasSuffix(page, "/robots.txt") {
				t.Errorf("%s was asked for %d times", page, n)
			}
		}
		if report.Items != 2 {
			t.Errorf("the second run counts %d items, want its own 2", report.Items)
		}
	})
}

// A resume waits a whole delay first, and as long as a Retry-After of the run before it asked for.
func TestResumeIsPolite(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]time.Time{}
	note := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked[r.Host] = time.Now()
			mu.Unlock()
			next(w, r)
		}
	}
	var busy atomic.Bool
	busy.Store(true)
	w := newWorld(t, map[string]http.HandlerFunc{
		"a.test/": note(links("/1")), "a.test/1": note(links()), "a.test/robots.txt": note(links()),
		"b.test/robots.txt": links(),
		"b.test/": note(func(w http.ResponseWriter, _ *http.Request) {
			if busy.Load() {
				w.Header().Set("Retry-After", "2")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/", "http://b.test/")
	o.Rate, o.Retries = 4, 5
	stopAt(t, w, o, "a.test/1")
	busy.Store(false)
	mu.Lock()
	pushed := asked["b.test"]
	clear(asked)
	mu.Unlock()
	if pushed.IsZero() {
		t.Fatal("b.test was not asked")
	}
	start := time.Now()
	o.Seeds = nil
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if d := asked["a.test"].Sub(start); d < 500*time.Millisecond { // its robots.txt after a delay, the page after another
		t.Errorf("a.test was asked for the page after %v", d)
	}
	if d := asked["b.test"].Sub(pushed); d < 2*time.Second {
		t.Errorf("b.test was asked again after %v, though it wanted 2s", d)
	}
}

// A page whose record cannot be written is not done, and no other page is lost with it.
func TestResumeAfterAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1", "/2"), "/1": links(), "/2": links()})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	file := o.OutputFile
	o.OutputFile = "/dev/full"
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot write the records") {
		t.Fatalf("the first run: %v", err)
	}
	o.OutputFile = file
	o.Seeds = nil
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := recordsOf(t, file); len(got) != 3 {
		t.Errorf("records of %v", got)
	}
}

// A seed that is no URL has one record, in the first of all runs.
func TestResumeWithABadSeed(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": links()})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/", "http://[")
	for range 2 {
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := recordsOf(t, o.OutputFile); len(got) != 2 {
		t.Errorf("records of %v", got)
	}
}

// A state that was damaged is an error, not a crash and not an empty crawl.
func TestDamagedState(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1", "/2"), "/1": links()})
	for name, damage := range map[string]func(dir string) error{
		"another format": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"format":99}`), 0o600)
		},
		"no header": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, stateFile), nil, 0o600)
		},
		"no database": func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, stateDB))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
			stopAt(t, w, o, "/2")
			if err := damage(o.State); err != nil {
				t.Fatal(err)
			}
			o.Seeds = nil
			if _, err := Run(t.Context(), o); err == nil {
				t.Error("no error")
			}
		})
	}
}
