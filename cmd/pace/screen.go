package main

import (
	"io"
	"strings"
	"sync"

	"golang.org/x/term"
)

// screen owns stderr while a job runs: a status line that is drawn again and again, and lines that are printed above it.
// Whatever is written clears the status line first, so that the two never mix.
type screen struct {
	w     io.Writer
	width func() int // columns now; a terminal may be resized between two draws

	mu   sync.Mutex
	line string // the status line on the screen, if any; guarded by mu
}

func newScreen(w io.Writer) *screen {
	return &screen{w: w, width: func() int { return columns(w) }}
}

// columns returns the width of the terminal w, or 80 if it is none or does not say.
func columns(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

func isTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// Write prints whole lines above the status line.
func (s *screen) Write(p []byte) (int, error) { return s.writeTo(s.w, p) }

func (s *screen) writeTo(w io.Writer, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.line
	s.replace("")
	n, err := w.Write(p)
	s.replace(line)
	return n, err
}

// above returns a writer to w, which keeps clear of the status line if w is a terminal too: most likely the same.
func (s *screen) above(w io.Writer) io.Writer {
	if !isTerminal(w) {
		return w
	}
	return writerFunc(func(p []byte) (int, error) { return s.writeTo(w, p) })
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// draw replaces the status line. The line is ASCII, so its length is its width. A nil screen shows nothing.
func (s *screen) draw(line string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(line)
}

// erase takes the status line away.
func (s *screen) erase() { s.draw("") }

// finish leaves the status line where it is; what is written next goes below it.
func (s *screen) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		s.line = ""
		_, _ = io.WriteString(s.w, "\n")
	}
}

// replace requires that mu is held. It writes once, so that nothing flickers.
func (s *screen) replace(line string) {
	width := max(s.width(), 1)
	// A terminal waits at its last column and wraps with the next character; some wrap at once.
	line = clip(line, width-1)
	if line == s.line {
		return
	}
	out := line
	if s.line != "" {
		// A terminal that became narrower has wrapped the old line; its beginning stands above the cursor.
		wrapped := (len(s.line) - 1) / width
		out = "\r" + strings.Repeat("\x1b[A", wrapped) + "\x1b[J" + line
	}
	s.line = line
	_, _ = io.WriteString(s.w, out)
}
