//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pace/crawl/site"
	"pace/limiter"
)

// paceCommand returns the real program: this test binary runs main when it is called pace.
func paceCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Args[0] = "pace"
	return cmd
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return 0
}

// soon is long before a run would end that nobody interrupts, also on a machine that is busy.
const soon = 10 * time.Second

// interruptAfter starts cmd, waits for ready, and interrupts it. It must end with 130 soon.
func interruptAfter(t *testing.T, cmd *exec.Cmd, ready func() error) (stderr string) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := ready(); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("%v; stderr: %s", err, errs.String())
	}
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code := exitCodeOf(t, cmd.Wait())
	if took := time.Since(began); code != exitInterrupted || took > soon {
		t.Errorf("exit %d after %v, want %d soon; stderr: %s", code, took, exitInterrupted, errs.String())
	}
	if !strings.Contains(errs.String(), "interrupted: ") {
		t.Errorf("the summary does not say so: %s", errs.String())
	}
	return errs.String()
}

func checkReportOf(t *testing.T, path, tool string) {
	t.Helper()
	var r report
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil || r.Tool != tool || r.WallSeconds <= 0 {
		t.Errorf("report of an interrupted run: %s, %v", text, err)
	}
}

func TestInterruptCopy(t *testing.T) {
	for _, mode := range limiter.Modes {
		t.Run(mode.String(), func(t *testing.T) {
			dir := t.TempDir()
			src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
			if err := os.WriteFile(src, pattern(32<<20), 0o644); err != nil {
				t.Fatal(err)
			}
			reportPath := filepath.Join(dir, "report.json")
			cmd := paceCommand(t, "copy", "--mode", mode.String(), "--rate", "1MiB/s", "--progress", "always",
				"--report", reportPath, src, dst)
			stderr := interruptAfter(t, cmd, func() error { return appears(filepath.Join(dir, ".dst.pace-part")) })
			if _, err := os.Lstat(dst); !os.IsNotExist(err) {
				t.Errorf("the unfinished copy has its final name: %v", err)
			}
			checkReportOf(t, reportPath, "copy")
			if lines := shown(stderr); !strings.HasPrefix(lines[1], "copied 0 files") {
				t.Errorf("the bar is not left on a line of its own:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

func TestInterruptCrawl(t *testing.T) {
	for _, mode := range limiter.Modes {
		t.Run(mode.String(), func(t *testing.T) {
			asked := make(chan struct{}, 10)
			address := startSite(t, asked)
			reportPath := filepath.Join(t.TempDir(), "report.json")
			cmd := paceCommand(t, "crawl", "--mode", mode.String(), "--depth", "0", "--rate", "0", "--robots", "ignore",
				"--report", reportPath, "--output", os.DevNull, address+"/wait/1m?1", address+"/wait/1m?2")
			interruptAfter(t, cmd, func() error {
				select {
				case <-asked:
					return nil
				case <-time.After(10 * time.Second):
					return errors.New("no request arrives")
				}
			})
			checkReportOf(t, reportPath, "crawl")
		})
	}
}

func TestInterruptWhileReadingURLs(t *testing.T) {
	cmd := paceCommand(t, "crawl", "--input", "-")
	stdin, err := cmd.StdinPipe() // never closed
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe takes: when it is written, the program reads.
	if _, err := io.WriteString(stdin, strings.Repeat("http://127.0.0.1/\n", 20_000)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if code := exitCodeOf(t, cmd.Wait()); code != exitInterrupted {
		t.Errorf("exit %d, want %d; stderr: %s", code, exitInterrupted, stderr.String())
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	cmd := paceCommand(t)
	cmd.Args[0] = "stubborn"
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for _, want := range []string{"ready", "stopping"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, want %q", lines.Text(), want)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	// The signals have their default meaning a moment after the context is cancelled.
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("%v, want it ended by the signal", err)
	}
}

func TestReaderOfTheRecordsLeaves(t *testing.T) {
	address := startSite(t, nil)
	cmd := paceCommand(t, "crawl", "--rate", "50/s", "--robots", "ignore", "--quiet", address+"/")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || !json.Valid([]byte(line)) {
		t.Errorf("first record: %q, %v", line, err)
	}
	_ = stdout.Close()
	if code := exitCodeOf(t, cmd.Wait()); code != exitStopped || stderr.Len() > 0 {
		t.Errorf("exit %d, stderr %q; want %d and nothing", code, stderr.String(), exitStopped)
	}
}

// startSite serves a site and tells asked of each request.
func startSite(t *testing.T, asked chan struct{}) (address string) {
	t.Helper()
	o := site.Options{Pages: 500}
	if asked != nil {
		o.OnRequest = func(*http.Request) {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := site.New(o).Server()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

func TestInterruptCompareLeavesNoCopies(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	if err := os.WriteFile(src, pattern(8<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "target")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := paceCommand(t, "compare", "--", "copy", "--rate", "1MiB/s", src, filepath.Join(target, "dst"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := fmt.Sprintf(".dst.pace-compare-%d-1.pace-part", cmd.Process.Pid)
	if err := appears(filepath.Join(target, part)); err != nil {
		t.Error(err)
	}
	began := time.Now()
	_ = cmd.Process.Signal(os.Interrupt)
	if code, took := exitCodeOf(t, cmd.Wait()), time.Since(began); code != exitInterrupted || took > soon {
		t.Errorf("exit %d after %v, want %d soon", code, took, exitInterrupted)
	}
	if left, _ := os.ReadDir(target); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
