package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// openInput opens a list of URLs.
func openInput(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the URLs: %w", err)
	}
	return f, nil
}

// readSeeds reads one URL a line. Blank lines and lines that begin with # are no URLs; a byte order mark and CRLF, as
// editors on Windows write them, are no part of one.
func readSeeds(ctx context.Context, r io.Reader) ([]string, error) {
	type result struct {
		seeds []string
		err   error
	}
	done := make(chan result, 1)
	// A terminal or a pipe may never end, and its read cannot be cancelled: then this goroutine stays behind.
	go func() {
		seeds, err := parseSeeds(r)
		done <- result{seeds, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.seeds, r.err
	}
}

func parseSeeds(r io.Reader) ([]string, error) {
	var seeds []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for first := true; lines.Scan(); first = false {
		line := lines.Text()
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			seeds = append(seeds, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the URLs: %w", err)
	}
	return seeds, nil
}

const flushEvery = 200 * time.Millisecond

// recordWriter writes records to a file or stdout, many at a time. What is written is seen within a moment all the same:
// someone may read it through a pipe.
type recordWriter struct {
	mu      sync.Mutex
	buf     *bufio.Writer // guarded by mu; keeps its first error
	file    *os.File      // nil for stdout
	atOnce  bool          // a record is written before Write returns, so that a crash loses none
	stopped chan struct{}
	wg      sync.WaitGroup
}

// openRecords opens the file that --output names, and empties it.
func openRecords(path string, s *screen, stdout io.Writer) (*recordWriter, error) {
	w := &recordWriter{stopped: make(chan struct{})}
	if path == "-" {
		w.buf = bufio.NewWriterSize(s.above(stdout), 64<<10)
	} else {
		f, err := os.Create(path)
		if err != nil {
			return nil, fmt.Errorf("cannot write the records: %w", err)
		}
		w.file, w.buf = f, bufio.NewWriterSize(f, 64<<10)
	}
	w.wg.Go(w.flushOften)
	return w, nil
}

func (w *recordWriter) flushOften() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stopped:
			return
		case <-tick.C:
			w.mu.Lock()
			_ = w.buf.Flush() // the next Write or Close returns its error
			w.mu.Unlock()
		}
	}
}

// Write takes whole records.
func (w *recordWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A record is not cut where the buffer is full: on a terminal the bar would be drawn into it.
	if w.buf.Available() < len(p) {
		if err := w.buf.Flush(); err != nil {
			return 0, err
		}
	}
	n, err := w.buf.Write(p)
	if err == nil && w.atOnce {
		err = w.buf.Flush()
	}
	return n, err
}

// Close writes what is left. A full disk shows at the latest here.
func (w *recordWriter) Close() error {
	close(w.stopped)
	w.wg.Wait()
	err := w.buf.Flush()
	if w.file != nil {
		if closeErr := w.file.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the records: %w", err)
	}
	return nil
}
