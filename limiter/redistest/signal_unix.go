//go:build unix

package redistest

import (
	"syscall"
	"testing"
)

// Stop makes the process stand still, as a machine that has too much to do.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
}

// Continue lets it go on.
func (s *Server) Continue(tb testing.TB) {
	tb.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
}
