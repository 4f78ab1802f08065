// Package gwtest gives tests an object store that nobody here wrote: the Versity S3 gateway on loopback, over a folder.
//
// A test is skipped where the program is missing, or fails if the environment variable PACE_REQUIRE_SERVERS is set;
// `make test` installs it.
package gwtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"go/build"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The credentials of its one user, and its region.
const (
	Access = "paceaccess"
	Secret = "pace-secret-that-must-not-be-seen" //nolint:gosec // of a server that lives for one test
	Region = "us-east-1"
)

const version = "v1.8.0" // as the Makefile has it

// Server is a store that can be killed and started again.
type Server struct {
	// URL is its endpoint.
	URL string
	// Root has a folder for each bucket.
	Root string

	program string
	args    []string
	addr    string
	sidecar bool // the folder's file system has no attributes
	dir     string
	cmd     *exec.Cmd
	output  *bytes.Buffer
	gone    chan struct{}
}

// Start starts a store with the buckets, and stops it when the test ends.
func Start(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	return StartWith(tb, nil, buckets...)
}

// StartWith is Start with more arguments for the program. With --cert among them it speaks TLS.
func StartWith(tb testing.TB, args []string, buckets ...string) *Server {
	tb.Helper()
	program, err := find()
	if err != nil {
		missing(tb)
	}
	s := &Server{program: program, args: args, dir: tb.TempDir()}
	s.Root = filepath.Join(s.dir, "root")
	for _, b := range buckets {
		if err := os.MkdirAll(filepath.Join(s.Root, b), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(s.Kill)
	// The port may be another's between its choice and its use, and the file system may have no attributes.
	for i := range 6 {
		s.sidecar = i%2 == 1
		if s.addr, err = freeAddr(); err == nil {
			err = s.start(tb.Context())
		}
		if err == nil {
			s.URL = s.scheme() + s.addr
			return s
		}
	}
	tb.Fatal(err)
	return nil
}

func (s *Server) scheme() string {
	if slices.Contains(s.args, "--cert") {
		return "https://"
	}
	return "http://"
}

func find() (string, error) {
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	name := "versitygw"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return exec.LookPath(filepath.Join(build.Default.GOPATH, "tools", "versitygw-"+version, name))
}

func missing(tb testing.TB) {
	tb.Helper()
	if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
		tb.Fatal("versitygw is missing, and PACE_REQUIRE_SERVERS is set: `make test` installs it")
	}
	tb.Skip("versitygw is missing: `make test` installs it")
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) start(ctx context.Context) error {
	s.output, s.gone = &bytes.Buffer{}, make(chan struct{})
	args := []string{
		"--port", s.addr, "--access", Access, "--secret", Secret, "--region", Region, "--keep-alive", "--quiet",
	}
	args = append(append(args, s.args...), "posix")
	if s.sidecar {
		meta := filepath.Join(s.dir, "meta")
		if err := os.MkdirAll(meta, 0o755); err != nil {
			return err
		}
		args = append(args, "--sidecar", meta)
	}
	s.cmd = exec.Command(s.program, append(args, s.Root)...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, gone := s.cmd, s.gone
	go func() {
		_ = cmd.Wait() // it is killed, or reported by ready
		close(gone)
	}()
	if err := s.ready(ctx); err != nil {
		s.Kill()
		return fmt.Errorf("versitygw does not answer: %w\n%s", err, s.output)
	}
	return nil
}

// ready waits until the store answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // whether it answers is all that is asked
	}}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme()+s.addr+"/", nil)
		if err != nil {
			return err
		}
		req.Close = true
		resp, err := client.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-s.gone:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the store at once, as a crash does.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.gone
}

// Restart starts it again, at the same address.
func (s *Server) Restart(ctx context.Context) error { return s.start(ctx) }
