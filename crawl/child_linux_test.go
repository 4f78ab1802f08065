package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
)

// childOptions is what a child is told by its environment.
const childOptions = "PACE_CRAWL_TEST_CHILD"

// killedCrawl is what a child is to crawl, and how.
type killedCrawl struct {
	Seed, Dir string
	Mode      limiter.Mode
	Workers   int
	Fsync     bool
	Recrawl   bool

	Memory   bool // no state
	Seeds    []string
	Resolve  map[string]netip.AddrPort
	Rate     float64
	PerHost  int
	WARC     bool
	WARCSize int64
	Stamps   bool           // starts are noted in a file
	Set      map[string]any // further fields of Options
}

func (k killedCrawl) options() Options {
	o := Options{
		Mode: k.Mode, Workers: k.Workers, Depth: 100, Timeout: 10 * time.Second, Retries: 2, Fsync: k.Fsync, Recrawl: k.Recrawl,
		State: filepath.Join(k.Dir, "state"), OutputFile: filepath.Join(k.Dir, "pages.jsonl"),
		Seeds: k.Seeds, Resolve: k.Resolve, Rate: k.Rate, PerHost: k.PerHost,
	}
	if k.Seed != "" {
		o.Seeds = append(o.Seeds, k.Seed)
	}
	if k.WARC {
		o.WARC, o.WARCSize = filepath.Join(k.Dir, "archive"), k.WARCSize
	}
	if k.Memory {
		o.State = ""
	}
	set, err := json.Marshal(k.Set)
	if err == nil {
		err = json.Unmarshal(set, &o)
	}
	if err != nil {
		panic(err)
	}
	return o
}

// stamps is the file of what a child notes, a line of stampSize bytes each: what happened, the host, the nanoseconds since
// 1970.
func (k killedCrawl) stamps() string { return filepath.Join(k.Dir, "stamps") }

// stampSize divides the size of a page of memory: a process that is killed in write(2) can leave what it has written of the
// pages before, so a line of any other size would at times be torn, and the next process' line go on in it.
const stampSize = 64

// TestCrawlChild is no test but the process that others start and kill.
func TestCrawlChild(t *testing.T) {
	text := os.Getenv(childOptions)
	if text == "" {
		t.Skip("only as a child of other tests")
	}
	var k killedCrawl
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		t.Fatal(err)
	}
	o := k.options()
	note := func(string, string, time.Time) {}
	if k.Stamps {
		f, err := os.OpenFile(k.stamps(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		note = func(what, host string, at time.Time) {
			line := fmt.Sprintf("%-*s\n", stampSize-1, fmt.Sprint(what, " ", host, " ", at.UnixNano()))
			if n, err := f.WriteString(line); err != nil || n != stampSize {
				panic(fmt.Sprintf("%d bytes of %q: %v", n, line, err))
			}
		}
		o.Log = slog.New(pushLog{note: note})
	}
	if err := joinFleet(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	c, seeds, err := newCrawler(o)
	if err != nil {
		t.Fatal(err)
	}
	observe := func(it *item, at time.Time) { note("start", it.url.Host(), at) }
	switch f := c.frontier.(type) {
	case *memoryFrontier:
		f.observe = observe
	case *diskFrontier:
		f.observe = observe
	case *fleetFrontier:
		stamped := &stampedFrontier{fleetFrontier: f, note: note, checked: map[*item]time.Time{}}
		c.frontier, c.ledger.frontier = stamped, stamped
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	if _, err := c.run(ctx, seeds); err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		err = os.WriteFile(k.memory(), status, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// memory is the file with the status of a child at its end (proc_pid_status(5)).
func (k killedCrawl) memory() string { return filepath.Join(k.Dir, "memory") }

var peakField = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// peakMemory returns how many bytes of memory a child had at most that came to its end.
func (k killedCrawl) peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(k.memory())
	if err != nil {
		t.Fatal(err)
	}
	kilobytes, err := strconv.ParseInt(string(peakField.FindSubmatch(status)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// pushLog notes when a host's wish for a pause has been heeded.
type pushLog struct {
	slog.Handler
	note func(what, host string, at time.Time)
}

// Enabled implements slog.Handler, as does Handle.
func (pushLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle looks for tries that follow a 503.
func (l pushLog) Handle(_ context.Context, r slog.Record) error {
	host, pushed := "", false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "item":
			host = strings.SplitN(a.Value.String(), "/", 4)[2]
		case "error":
			pushed = strings.HasPrefix(a.Value.String(), "503 ")
		}
		return true
	})
	if pushed {
		l.note("pushed", host, time.Now())
	}
	return nil
}

// readStamps returns what children have noted, by host and in order.
func readStamps(t *testing.T, path, what string) map[string][]time.Time {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stamps := map[string][]time.Time{}
	for line := range strings.Lines(string(text)) {
		part := strings.Fields(line)
		ns, err := strconv.ParseInt(part[2], 10, 64)
		if err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if part[0] == what {
			stamps[part[1]] = append(stamps[part[1]], time.Unix(0, ns))
		}
	}
	for _, of := range stamps {
		slices.SortFunc(of, time.Time.Compare)
	}
	return stamps
}

// crawlChild is a crawl in a process of its own.
type crawlChild struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func startChild(t *testing.T, k killedCrawl) *crawlChild {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	c := &crawlChild{cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrawlChild$")}
	c.cmd.Env = append(os.Environ(), childOptions+"="+string(text))
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// kill leaves the child no chance.
func (c *crawlChild) kill() { _ = c.cmd.Process.Signal(syscall.SIGKILL) }

// wait says whether the child came to its end; else it was killed.
func (c *crawlChild) wait(t *testing.T) bool {
	t.Helper()
	err := c.cmd.Wait()
	if err == nil {
		return true
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("%v: %s", err, c.out.String())
	}
	return false
}
