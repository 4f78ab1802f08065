package crawl

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"pace/limiter"
	"pace/limiter/progress"
)

// What a child of killFill is told by its environment: the folder of a state, and the first page to add.
const (
	fillDir  = "PACE_FRONTIER_FILL_DIR"
	fillFrom = "PACE_FRONTIER_FILL_FROM"
)

// TestFrontierFill is no test but the process that killFill starts and kills.
func TestFrontierFill(t *testing.T) {
	dir := os.Getenv(fillDir)
	if dir == "" {
		t.Skip("only as a child of other tests")
	}
	from, err := strconv.Atoi(os.Getenv(fillFrom))
	if err != nil {
		t.Fatal(err)
	}
	f, _ := benchFrontier(t, "disk", dir)
	for i := from; ; i++ {
		err := f.commit([]*change{benchPages(t, i, largeLinks, largeHosts)}, nil)
		if err == nil {
			_, err = fmt.Println("page", i) // it must be there from now on, whatever happens; fails when the parent is gone
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// killFill lets a child add the links of pages, from one on, and kills it at full speed when it has said so of n pages. It
// returns how many it said so of.
func killFill(tb testing.TB, dir string, from, n int) (said int) {
	tb.Helper()
	child := exec.CommandContext(tb.Context(), os.Args[0], "-test.run", "^TestFrontierFill$", "-test.timeout", "0")
	child.Env = append(os.Environ(), fillDir+"="+dir, fillFrom+"="+strconv.Itoa(from))
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	other := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != fmt.Sprint("page ", from+said) {
			other += lines.Text() + "\n" // a torn line too
			continue
		}
		if said++; said == n {
			_ = child.Process.Kill()
		}
	}
	if err := child.Wait(); said < n {
		tb.Fatalf("the child ended after %d pages: %v\n%s", said, err, other)
	}
	return said
}

// What a killed process had been told of is there, each commit is there whole or not at all, and nothing else is.
func TestFrontierKilled(t *testing.T) {
	dir := t.TempDir()
	from := 0
	for range 3 {
		said := killFill(t, dir, from, 100+rand.IntN(300))
		s, err := openStore(dir, nil, unsynced{vfs.Default})
		if err != nil {
			t.Fatal(err)
		}
		f, old, err := newDiskFrontier(s, limiter.NewHosts(0, 0), 0, 0, progress.New(), nil)
		if err != nil {
			t.Fatal(err)
		}
		pages := old.pages / largeLinks
		if pages < from+said || old.pages%largeLinks != 0 {
			t.Errorf("%d pages are queued, of %d and %d commits", old.pages, from, said)
		}
		checkFilled(t, f, pages) // while the filter is read, mostly
		f.filter.wg.Wait()
		checkFilled(t, f, pages)
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
		from = pages
	}
}

// checkFilled checks that a frontier knows the links of so many pages, and of no more.
func checkFilled(t *testing.T, f *diskFrontier, pages int) {
	t.Helper()
	for i := range pages + 10 {
		for _, page := range benchPages(t, i, largeLinks, largeHosts).found {
			known, err := f.knows(page.item.url.String())
			if err != nil {
				t.Fatal(err)
			}
			if known != (i < pages) {
				t.Fatalf("%s of page %d: known is %v, with %d pages", page.item.url, i, known, pages)
			}
		}
	}
}
