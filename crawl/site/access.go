package site

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Access is one request and what became of it: one object of an access log.
type Access struct {
	Time       time.Time `json:"time"`       // of its arrival
	Remote     string    `json:"remote"`     // address and port
	Connection int64     `json:"connection"` // its number, from 1 on; 0 on a server other than the site's own
	Method     string    `json:"method"`
	Path       string    `json:"path"` // with the query
	Host       string    `json:"host"`
	Status     int       `json:"status"` // 0 if there was no answer
	Bytes      int64     `json:"bytes"`  // of the body, as it was sent
	DurationMS float64   `json:"duration_ms"`
	UserAgent  string    `json:"user_agent"`
	// Error says why the answer is not whole: "reset" and "cut" are faults that were asked for, else "client left" or
	// "server ended".
	Error string `json:"error,omitempty"`
}

var errServerEnds = errors.New("the server ends")

// answer returns what became of the request, when its handler has ended.
func (e *exchange) answer(r *http.Request, begun time.Time) Access {
	a := Access{
		Time: begun.UTC(), Remote: r.RemoteAddr, Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host,
		Status: e.status, Bytes: e.sent, DurationMS: float64(time.Since(begun).Microseconds()) / 1000,
		UserAgent: r.UserAgent(), Error: e.fault,
	}
	if e.connection != nil {
		a.Connection = e.connection.id
	}
	if a.Error == "" && (e.status == 0 || e.failed) {
		a.Error = "client left"
		if errors.Is(context.Cause(r.Context()), errServerEnds) {
			a.Error = "server ended"
		}
	}
	return a
}

// maxPending is how many bytes of an access log may wait to be written.
const maxPending = 16 << 20

// AccessLog writes one JSON object a line for each request. No request waits for it: it writes on a goroutine of its own,
// and where the writer is too slow for too long it leaves requests out, and counts them.
type AccessLog struct {
	w    io.Writer
	wake chan struct{} // full if there may be something to write; closed by Close
	done chan struct{} // closed when all is written

	mu      sync.Mutex
	pending []Access
	bytes   int // of pending
	lost    int64
	closed  bool

	err error // of w; read after done
}

// NewAccessLog returns a log that writes to w until it is closed.
func NewAccessLog(w io.Writer) *AccessLog {
	l := &AccessLog{w: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.write()
	return l
}

// Add logs a request. It is for [Options].OnAnswer. After Close it does nothing.
func (l *AccessLog) Add(a Access) {
	const fixed = 256 // about the bytes of the other fields
	size := fixed + len(a.Path) + len(a.Host) + len(a.UserAgent)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.bytes+size > maxPending {
		l.lost++
		return
	}
	l.pending, l.bytes = append(l.pending, a), l.bytes+size
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close writes what is left. It returns the writer's first error, or one that says how many requests were left out.
func (l *AccessLog) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.wake)
	}
	l.mu.Unlock()
	<-l.done
	if l.err != nil {
		return fmt.Errorf("cannot write the access log: %w", l.err)
	}
	if l.lost > 0 {
		return fmt.Errorf("the access log lacks %d requests: it could not be written as fast as they came", l.lost)
	}
	return nil
}

// write writes what is added, until the log is closed.
func (l *AccessLog) write() {
	defer close(l.done)
	out := bufio.NewWriterSize(l.w, 64<<10)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	var batch []Access
	for open := true; open; {
		_, open = <-l.wake
		for batch = l.take(batch); len(batch) > 0; batch = l.take(batch) {
			for i := range batch {
				if err := lines.Encode(&batch[i]); err != nil && l.err == nil {
					l.err = err
				}
			}
		}
		if err := out.Flush(); err != nil && l.err == nil {
			l.err = err
		}
	}
}

// take returns what is to be written, in exchange for an array that is no longer needed.
func (l *AccessLog) take(written []Access) []Access {
	clear(written)
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.pending
	l.pending, l.bytes = written[:0], 0
	return taken
}
