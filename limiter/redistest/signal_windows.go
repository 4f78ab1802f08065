package redistest

import "testing"

// Stop makes the process stand still, which Windows has no signal for.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	Missing(tb, "SIGSTOP")
}

// Continue lets it go on.
func (s *Server) Continue(testing.TB) {}
