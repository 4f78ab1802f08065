package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pace/crawl/site"
)

// traced is a system call as strace shows it.
type traced struct {
	thread, name, args, result string
}

var straceLine = regexp.MustCompile(`(?m)^(\d+) +(\w+)\((.*?)(?:\) += +(-?\d+|\?)(.*)| <unfinished \.\.\.>)$`)

// strace runs pace under strace and returns what it did: the calls named, paths and sockets shown for descriptors.
func strace(t *testing.T, calls string, options []string, args ...string) (got []traced, stderr string) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
			t.Fatal("strace is missing: make test installs it")
		}
		t.Skip("strace is missing: make test installs it")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// This test binary runs main when it is called pace.
	pace, log := filepath.Join(dir, "pace"), filepath.Join(dir, "strace")
	if err := os.Symlink(binary, pace); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", append(append([]string{"-f", "-y", "-yy", "-o", log, "-e", "trace=" + calls}, options...),
		append([]string{pace}, args...)...)...)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range straceLine.FindAllStringSubmatch(string(text), -1) {
		got = append(got, traced{thread: m[1], name: m[2], args: m[3], result: m[4] + m[5]})
	}
	return got, out.String()
}

// TestStraceCopy looks from outside at how the data of a file moves in each mode.
func TestStraceCopy(t *testing.T) {
	for _, c := range []struct {
		mode            string
		options         []string // of strace
		threads, atMost int      // that move data by pread64 and pwrite64
		ring            bool     // io_uring_enter moves it
		warning         string
	}{
		{mode: "sequential", threads: 1, atMost: 1},
		{mode: "threads", threads: 6, atMost: 8},
		{mode: "async", ring: true},
		{mode: "async", options: []string{"-e", "inject=io_uring_setup:error=EPERM"}, threads: 1, atMost: 64,
			warning: "io_uring"},
	} {
		t.Run(strings.Join(append([]string{c.mode}, c.options...), " "), func(t *testing.T) {
			dir := t.TempDir()
			src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
			if err := os.WriteFile(src, pattern(64<<20), 0o644); err != nil {
				t.Fatal(err)
			}
			calls, stderr := strace(t, "pread64,pwrite64,read,write,copy_file_range,sendfile,splice,io_uring_setup,io_uring_enter",
				c.options, "copy", "--mode", c.mode, "--workers", "8", "--chunk-size", "256KiB", "--progress", "never",
				"--rate", "128MiB/s", src, dst) // with a rate all get their turn, however the threads are scheduled
			threads, enters, other := map[string]bool{}, 0, []traced{}
			for _, call := range calls {
				// The journal is no data: each record is a few bytes, written where the chunk was copied.
				ours := strings.Contains(call.args, dir) && !strings.Contains(call.args, ".pace-journal")
				switch call.name {
				case "pread64", "pwrite64":
					if ours {
						threads[call.thread] = true
					}
				case "io_uring_enter":
					enters++
				case "io_uring_setup":
				default:
					if ours {
						other = append(other, call)
					}
				}
			}
			if len(threads) < c.threads || len(threads) > c.atMost {
				t.Errorf("%d threads moved data by pread64 and pwrite64, want %d to %d", len(threads), c.threads, c.atMost)
			}
			if c.ring != (enters > 0) {
				t.Errorf("%d calls of io_uring_enter", enters)
			}
			if len(other) > 0 {
				t.Errorf("data moved in another way: %v", other[0])
			}
			if !strings.Contains(stderr, c.warning) || c.warning == "" && strings.Contains(stderr, "warning") {
				t.Errorf("stderr: %s", stderr)
			}
			want, _ := os.ReadFile(src)
			if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, want) {
				t.Errorf("the copy differs: %v", err)
			}
		})
	}
}

var tcpSocket = regexp.MustCompile(`^\d+<TCP(?:v6)?:\[(\S+?)->(\S+?)\]>`)

// TestStraceCrawl looks from outside at how requests wait in each mode.
func TestStraceCrawl(t *testing.T) {
	const workers = 6
	server := newSiteServer(t, site.Options{})
	var args []string
	for i := range workers {
		args = append(args, fmt.Sprintf("%s/wait/200ms?%d", server, i))
	}
	for _, mode := range []string{"threads", "async"} {
		t.Run(mode, func(t *testing.T) {
			calls, _ := strace(t, "recvfrom,read,epoll_ctl", nil, append([]string{"crawl", "--mode", mode, "--depth", "0",
				"--rate", "0", "--per-host", "0", "--workers", fmt.Sprint(workers), "--robots", "ignore", "--output", os.DevNull,
				"--progress", "never"}, args...)...)
			// The threads that read from each socket, and the sockets that epoll was given.
			readers, sockets, polled := map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}
			for _, call := range calls {
				switch call.name {
				case "recvfrom", "read":
					if m := tcpSocket.FindStringSubmatch(call.args); m != nil && !strings.Contains(call.args, "MSG_DONTWAIT") {
						if readers[call.thread] == nil {
							readers[call.thread] = map[string]bool{}
						}
						readers[call.thread][m[1]] = true
						sockets[m[1]] = true
						if mode == "threads" && strings.Contains(call.result, "EAGAIN") {
							t.Errorf("a read that does not block: %v", call)
						}
					}
				case "epoll_ctl":
					if _, target, ok := strings.Cut(call.args, "EPOLL_CTL_ADD, "); ok {
						if m := tcpSocket.FindStringSubmatch(target); m != nil {
							polled[m[1]] = true
						} else if strings.Contains(target, "TCP") {
							polled[target] = true
						}
					}
				}
			}
			if len(sockets) != workers {
				t.Errorf("%d sockets were read from, want %d", len(sockets), workers)
			}
			if mode == "async" {
				if len(polled) == 0 {
					t.Error("no socket was given to epoll: the other checks would see nothing")
				}
				return
			}
			if len(polled) != 0 {
				t.Errorf("epoll was given %v", polled)
			}
			if len(readers) != workers {
				t.Errorf("%d threads read, want %d", len(readers), workers)
			}
			for thread, own := range readers {
				if len(own) != 1 {
					t.Errorf("thread %s read from %d sockets, want its own", thread, len(own))
				}
			}
		})
	}
}

// newSiteServer serves a synthetic site and returns its address.
func newSiteServer(t *testing.T, o site.Options) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = site.New(o).Server()
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
