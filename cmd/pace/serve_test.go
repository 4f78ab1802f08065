//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// serving is a `pace serve` that runs.
type serving struct {
	address string // host and port
	pid     int
	end     func() (code int, stderr string) // interrupts it
}

func startServe(t *testing.T, args ...string) serving {
	t.Helper()
	cmd := paceCommand(t, append([]string{"serve"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err, stderr.String())
	}
	return serving{strings.TrimPrefix(strings.TrimSpace(line), "http://"), cmd.Process.Pid, func() (int, string) {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		code := exitCodeOf(t, cmd.Wait())
		return code, stderr.String()
	}}
}

// Ctrl-C ends a server with exit code 0 and cuts what it is sending; the log has that too, after what it had before.
func TestInterruptServe(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for round := range 2 {
		s := startServe(t, "--rate-per-conn", "1kB/s", "--access-log", log)
		for _, path := range []string{"/status/404", "/blob/1MiB"} {
			resp, err := http.Get("http://" + s.address + path) // which returns when the answer has begun
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
		}
		if code, stderr := s.end(); code != exitOK || stderr != "" {
			t.Errorf("exit %d: %s", code, stderr)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range bytes.Lines(text) {
			var a struct {
				Path, Error string
				Status      int
			}
			if err := json.Unmarshal(line, &a); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			got = append(got, fmt.Sprint(a.Path, " ", a.Status, " ", a.Error))
		}
		want := slices.Repeat([]string{"/status/404 404 ", "/blob/1MiB 200 server ended"}, round+1)
		if !slices.Equal(got, want) {
			t.Errorf("log: %q, want %q", got, want)
		}
	}
}

func TestServeValues(t *testing.T) {
	checkKind(t, "listen", listenKind, map[string]string{
		":80": "127.0.0.1:80", "0.0.0.0:80": "0.0.0.0:80", "[::]:0": "[::]:0", "localhost:80": "localhost:80",
	}, "", "80", "[::1]")
	checkKind(t, "tail", tailKind, map[string]tail{"0.01:10": {0.01, 10}, "1:1": {1, 1}, "0:2.5": {0, 2.5}},
		"", ":", "0.1", "0.1:", "2:10", "0.1:0", "0.1:NaN", "0.1:Inf", "0.1:1e7", "-0.1:2", "0.1:10:1", "1%:10")
	checkKind(t, "disallow", disallowKind, map[string]string{"/": "/", "/a*b$": "/a*b$", "*.pdf": "*.pdf", "/ä": "/ä"},
		"", "p", "http://x/", "/a\nAllow: /", "/a b", "/a#b", "/\xff", " /a", "$")
}
