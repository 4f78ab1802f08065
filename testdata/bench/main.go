// Command bench compares `pace copy` with cp, rsync and rclone, and `pace crawl` with wget2 and a crawler made with
// colly, as far as they are installed, on this machine:
//
//	go run ./testdata/bench [-rounds 7] [-dir DIR] [-size 512] [-tree DIR] [-pages 20000] [-only copy|crawl]
//
// The contenders take turns (A B C A B C …) after a warm-up, so that what changes on the machine meanwhile meets all of
// them alike, and each is compared with cp round by round. A copied file is deleted after its run, or the limit on dirty
// pages would be what is measured; a tree goes to a fresh directory and stays until the end, because making files just
// after a mass delete is many times slower.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// contender is one way to copy src to dst, or to crawl src with what is written going to the folder dst.
type contender struct {
	name    string
	command func(src, dst string) []string
	after   func(dst string) []string // counted too; nil for none
	alone   bool                      // its rounds come when those of the others are over
}

// contest is one row of the table: the same work for all.
type contest struct {
	title      string
	src        string
	before     func(src string)    // each run
	keep       bool                // destinations are folders, and stay until the end
	contenders []contender         // the first is what the others are compared with
	pages      int                 // what one run fetches; 0 for a copy
	served     func() (int, error) // requests so far; nil for a copy
}

// cost is what one run took.
type cost struct{ wall, cpu time.Duration }

func main() {
	rounds := flag.Int("rounds", 7, "measured rounds")
	dir := flag.String("dir", ".", "a folder on the file system to measure; one of its own is made in it")
	size := flag.Int64("size", 512, "MiB of the large file")
	tree := flag.String("tree", runtime.GOROOT(), "a tree of many files")
	pages := flag.Int("pages", 20_000, "pages of the site to crawl")
	only := flag.String("only", "", "measure only copy or only crawl")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*rounds, *dir, *size<<20, *tree, *pages, *only); err != nil {
		log.Fatal(err)
	}
}

func run(rounds int, dir string, size int64, tree string, pages int, only string) error {
	work, err := os.MkdirTemp(dir, "pace-bench-")
	if err != nil {
		return err
	}
	if work, err = filepath.Abs(work); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	pace := filepath.Join(work, "pace")
	if out, err := exec.Command("go", "build", "-o", pace, "./cmd/pace").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if only != "crawl" {
		large := filepath.Join(work, "large")
		if err := writeRandom(large, size); err != nil {
			return err
		}
		for i, c := range contests(pace, large, tree) {
			if err := c.run(rounds, filepath.Join(work, fmt.Sprint(i))); err != nil {
				return err
			}
		}
	}
	if only != "copy" {
		return crawls(rounds, work, pace, pages)
	}
	return nil
}

// writeRandom makes a file, and brings it to the device and into the page cache.
func writeRandom(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	random := rand.NewChaCha8([32]byte{})
	buf := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(buf)) {
		_, _ = random.Read(buf)
		if _, err := f.Write(buf[:min(left, int64(len(buf)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}

func contests(pace, large, tree string) []contest {
	mib := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			log.Fatal(err)
		}
		return info.Size() >> 20
	}
	plain := func(args ...string) func(src, dst string) []string {
		return func(src, dst string) []string { return append(slices.Clone(args), src, dst) }
	}
	sync := func(dst string) []string { return []string{"sync", dst} }
	modes := func(args ...string) (list []contender) {
		for _, mode := range []string{"sequential", "threads", "async"} {
			list = append(list, contender{name: "pace " + mode,
				command: plain(append([]string{pace, "copy", "--quiet", "--mode", mode}, args...)...)})
		}
		return list
	}
	file := append([]contender{
		{name: "cp", command: plain("cp", "--reflink=never")},
		{name: "rsync", command: plain("rsync", "--whole-file")},
		{name: "rclone", command: plain("rclone", "copyto")},
	}, modes()...)
	return []contest{
		{title: fmt.Sprintf("a file of %d MiB in the page cache", mib(large)), src: large, contenders: file},
		{title: "the same, its source dropped from the cache", src: large, before: dropCache, contenders: file},
		{title: "the same, brought to the device", src: large, contenders: append([]contender{
			{name: "cp + sync", command: plain("cp", "--reflink=never"), after: sync},
			{name: "rsync --fsync", command: plain("rsync", "--whole-file", "--fsync")},
		}, modes("--fsync")...)},
		{title: fmt.Sprintf("a tree of %d entries", entries(tree)), src: tree, keep: true, contenders: append([]contender{
			{name: "cp -a", command: plain("cp", "-a")},
			{name: "rsync -a", command: plain("rsync", "-a")},
			// It leaves deleted inodes behind, and whoever makes files within the next minute pays for them.
			{name: "rclone", command: plain("rclone", "copy", "--links"), alone: true},
		}, modes("-a")...)},
	}
}

func entries(tree string) int {
	n := 0
	if err := filepath.WalkDir(tree, func(string, os.DirEntry, error) error { n++; return nil }); err != nil {
		log.Fatal(err)
	}
	return n
}

// run measures all contenders that are installed and prints a line for each.
func (c contest) run(rounds int, work string) error {
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	c.contenders = slices.DeleteFunc(slices.Clone(c.contenders), func(x contender) bool {
		_, err := exec.LookPath(x.command("", "")[0])
		return err != nil
	})
	freeMemory()
	took := make([][]cost, len(c.contenders))
	for _, alone := range []bool{false, true} {
		for round := range rounds + 1 {
			for i, x := range c.contenders {
				if x.alone != alone {
					continue
				}
				d, err := c.measure(x, filepath.Join(work, fmt.Sprintf("%d-%d", round, i)))
				if err != nil {
					return err
				}
				if round > 0 { // the first is the warm-up
					took[i] = append(took[i], d)
				}
			}
		}
	}
	fmt.Printf("%s, %d rounds\n", c.title, rounds)
	fmt.Printf("  %-16s %9s %9s %9s   %s\n", "", "median", "best", c.cpuTitle(), "times as fast as "+c.contenders[0].name)
	for i, x := range c.contenders {
		ratios := make([]float64, rounds)
		var wall, cpu []time.Duration
		for r, t := range took[i] {
			ratios[r] = took[0][r].wall.Seconds() / t.wall.Seconds()
			wall, cpu = append(wall, t.wall), append(cpu, t.cpu)
		}
		fmt.Printf("  %-16s %7.3f s %7.3f s %9s   %.2f (%.2f to %.2f)\n", x.name, median(wall).Seconds(),
			slices.Min(wall).Seconds(), c.cpuText(median(cpu)), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	return nil
}

func (c contest) cpuTitle() string {
	if c.pages > 0 {
		return "CPU/page"
	}
	return "CPU"
}

func (c contest) cpuText(cpu time.Duration) string {
	if c.pages > 0 {
		return fmt.Sprintf("%d µs", (cpu / time.Duration(c.pages)).Microseconds())
	}
	return fmt.Sprintf("%.3f s", cpu.Seconds())
}

// measure times one run.
func (c contest) measure(x contender, dst string) (cost, error) {
	if c.before != nil {
		c.before(c.src)
	}
	if c.keep {
		if err := os.Mkdir(dst, 0o755); err != nil {
			return cost{}, err
		}
	}
	before := 0
	if c.served != nil {
		var err error
		if before, err = c.served(); err != nil {
			return cost{}, err
		}
	}
	start := time.Now()
	cpu, err := execute(x.command(c.src, dst))
	if err == nil && x.after != nil {
		var more time.Duration
		more, err = execute(x.after(dst))
		cpu += more
	}
	took := cost{time.Since(start), cpu}
	if err == nil && !c.keep {
		err = os.Remove(dst)
	}
	if err == nil && c.served != nil {
		var after int
		if after, err = c.served(); err == nil && after-before < c.pages {
			err = fmt.Errorf("%s fetched %d of %d pages", x.name, after-before, c.pages)
		}
	}
	return took, err
}

// execute runs a command and returns the CPU time that it took.
func execute(command []string) (cpu time.Duration, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// median returns the middle value, the upper of two.
func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
