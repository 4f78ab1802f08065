package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestServeManyConnections has thousands of clients with an answer that is on its way, in bounded memory. When they are
// killed nothing of them is left.
func TestServeManyConnections(t *testing.T) {
	connections := 8000
	const most = 480 << 20 // bytes of memory, so that ten thousand take less than 600 MiB
	if raceDetector {
		connections = 2000 // with each goroutine of the server, of the most that it can follow
	}
	skipWithoutFiles(t, connections+100)
	s := startServe(t, "--rate-per-conn", "1B/s", "--gzip")
	conns := make([]net.Conn, connections)
	for i := range conns {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
		path := []string{"/p/1", "/blob/1GiB"}[i%2]
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: a browser\r\nAccept-Encoding: gzip\r\n\r\n", path, s.address)
		if err != nil {
			t.Fatal(err)
		}
	}
	start := make([]byte, len("HTTP/1.1 200 OK\r\n"))
	for i, conn := range conns {
		if _, err := io.ReadFull(conn, start); err != nil || string(start) != "HTTP/1.1 200 OK\r\n" {
			t.Fatalf("connection %d: %q, %v", i, start, err)
		}
	}
	if n := openFiles(t, s.pid); n < connections {
		t.Errorf("%d files are open for %d connections", n, connections)
	}
	peak := peakMemory(t, s.pid)
	t.Logf("%d connections, %d MiB", connections, peak>>20)
	if peak > most && !raceDetector {
		t.Errorf("%d connections take %d MiB", connections, peak>>20)
	}
	for i, conn := range conns {
		if i%3 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	}
	const own = 20 // standard streams, the listener, the poller
	for deadline := time.Now().Add(2 * time.Minute); openFiles(t, s.pid) > own; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open though all clients have left", openFiles(t, s.pid))
		}
	}
	if code, stderr := s.end(); code != exitOK || stderr != "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// peakMemory returns the most bytes that were resident so far (proc_pid_status(5)).
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
	number, _, _ := strings.Cut(rest, " kB\n")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
