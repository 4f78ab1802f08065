// Package redistest gives tests a Redis that nobody here wrote: processes of redis-server on loopback, alone or as a
// Cluster, that can be killed, stopped and started again.
//
// A test whose server is missing on this machine is skipped, or fails if the environment variable PACE_REQUIRE_SERVERS
// is set; `make test` installs it.
package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is a redis-server.
type Server struct {
	// Addr is its host and port, on loopback.
	Addr string
	// URL is redis:// and Addr.
	URL string

	path, dir string
	args      []string
	cmd       *exec.Cmd
	output    *bytes.Buffer
	gone      chan struct{}
}

// Start starts a server with options as its command line has them, such as "--appendonly", "yes", and ends it when the
// test does. Without options it saves nothing.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		Missing(tb, "redis-server (Debian package redis-server)")
	}
	s := &Server{path: path, dir: tb.TempDir(), args: args}
	for range 20 {
		// Below the ports that systems give to clients, so that a server that was killed finds its own free again.
		port := 10_000 + rand.N(9000)
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s.URL = "redis://" + s.Addr
		l, err := net.Listen("tcp", s.Addr)
		if err != nil {
			continue
		}
		_ = l.Close()
		if err = s.launch(); err == nil {
			tb.Cleanup(func() {
				s.Continue(tb)
				s.Kill(tb)
			})
			return s
		}
		tb.Logf("trying another port: %v", err)
	}
	tb.Fatal("redis-server does not start")
	return nil
}

// launch starts the process and waits for its answer.
func (s *Server) launch() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--auto-aof-rewrite-percentage", "0",
	}, s.args...)
	s.output = &bytes.Buffer{}
	s.cmd = exec.Command(s.path, args...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	gone, cmd := make(chan struct{}), s.cmd
	s.gone = gone
	go func() {
		_ = cmd.Wait() // ended by Kill, or reported below
		close(gone)
	}()
	deadline := time.Now().Add(60 * time.Second)
	for {
		reply, err := s.Do("PING")
		if err == nil && (reply == "PONG" || strings.Contains(reply, "NOAUTH") || strings.Contains(reply, "authentication")) {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("redis-server has ended: %s", s.output)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			<-gone
			return fmt.Errorf("redis-server does not answer: %q, %w", reply, err)
		}
	}
}

// Kill ends the process at once, as kill -9.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.gone
}

// Restart starts it again where it was, with the data that it saved. It must have been killed.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.launch(); err != nil {
		tb.Fatal(err)
	}
}

// Do sends one command and returns its reply: the text of a status, number, string or error, or the lines of a list.
func (s *Server) Do(args ...string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(c))
}

// readReply reads one reply (Redis serialization protocol, version 2).
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil || len(line) < 3 {
		return "", fmt.Errorf("no reply: %q, %w", line, err)
	}
	kind, rest := line[0], strings.TrimSpace(line[1:])
	if kind != '$' && kind != '*' {
		return rest, nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", err
	}
	if kind == '$' {
		if n < 0 {
			return "", nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	}
	var all []string
	for range n {
		one, err := readReply(r)
		if err != nil {
			return "", err
		}
		all = append(all, one)
	}
	return strings.Join(all, "\n"), nil
}

// Missing skips the test for want of what, or fails it where everything has to be there.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
		tb.Fatalf("%s is missing, and PACE_REQUIRE_SERVERS is set: `make test` installs it", what)
	}
	tb.Skipf("%s is missing: `make test` installs it", what)
}
