package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// readLog returns the lines of a log.
func readLog(t *testing.T, text []byte) (all []Access) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var a Access
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil || line[len(line)-1] != '\n' {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, a)
	}
	return all
}

func TestAccessLog(t *testing.T) {
	var text bytes.Buffer
	log := NewAccessLog(&text)
	s := New(Options{OnAnswer: log.Add, ErrorRate: 1, Faults: parseFaults(t, "418")})
	ctx, stop := context.WithCancel(t.Context())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	address := "http://" + listener.Addr().String()
	begun := time.Now()

	client := &http.Client{Transport: &http.Transport{}}
	ask := func(method, path string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "a \"<b>\"\t\xff")
		req.Host = "www.test"
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	ask("GET", "/wait/20ms?a=1&b=<x>")
	ask("HEAD", "/status/200")
	client.CloseIdleConnections()
	ask("GET", "/p/1")
	ask("POST", "/p/1")
	// One whose client leaves, and one that the server's end cuts.
	gone, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(gone, "GET /wait/1h HTTP/1.1\r\nHost: gone\r\n\r\n")
	waitFor(t, func() bool { return s.Stats().InFlight == 1 })
	_ = gone.Close()
	waitFor(t, func() bool { return s.Stats().InFlight == 0 })
	cut, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cut.Close() }()
	_, _ = io.WriteString(cut, "GET /wait/1h HTTP/1.1\r\nHost: cut\r\n\r\n")
	waitFor(t, func() bool { return s.Stats().InFlight == 1 })
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	log.Add(Access{Path: "/late"}) // does nothing

	const agent = "a \"<b>\"\t\ufffd"
	want := []Access{
		{Connection: 1, Method: "GET", Path: "/wait/20ms?a=1&b=<x>", Host: "www.test", Status: 200, Bytes: 12, UserAgent: agent},
		{Connection: 1, Method: "HEAD", Path: "/status/200", Host: "www.test", Status: 200, UserAgent: agent},
		{Connection: 2, Method: "GET", Path: "/p/1", Host: "www.test", Status: 418, Bytes: 17, UserAgent: agent},
		{Connection: 2, Method: "POST", Path: "/p/1", Host: "www.test", Status: 405, Bytes: 19, UserAgent: agent},
		{Connection: 3, Method: "GET", Path: "/wait/1h", Host: "gone", Error: "client left"},
		{Connection: 4, Method: "GET", Path: "/wait/1h", Host: "cut", Error: "server ended"},
	}
	got := readLog(t, text.Bytes())
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), &text)
	}
	for i, a := range got {
		if a.Time.Sub(begun).Abs() > time.Hour || a.DurationMS < 0 || i == 0 && a.DurationMS < 20 {
			t.Errorf("line %d: %v, %v ms", i+1, a.Time, a.DurationMS)
		}
		if host, _, err := net.SplitHostPort(a.Remote); err != nil || host != "127.0.0.1" {
			t.Errorf("line %d: from %q", i+1, a.Remote)
		}
		a.Time, a.DurationMS, a.Remote = time.Time{}, 0, ""
		if a != want[i] {
			t.Errorf("line %d:\n%+v, want\n%+v", i+1, a, want[i])
		}
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}

func TestFaultsAreLogged(t *testing.T) {
	var mu sync.Mutex
	var answers []Access
	s := New(Options{ErrorRate: 1, Faults: parseFaults(t, "cut,reset"), OnAnswer: func(a Access) {
		mu.Lock()
		defer mu.Unlock()
		answers = append(answers, a)
	}})
	address := newServer(t, s)
	for range 20 {
		what, content := outcome(t, address, "GET", "/p/1")
		waitFor(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(answers) == 1
		})
		if a := answers[0]; a.Error != what || a.Bytes != int64(len(content)) || (a.Status == 0) != (what == "reset") {
			t.Errorf("%s after %d bytes: %+v", what, len(content), a)
		}
		answers = nil
	}
}

// stuck is a writer that takes nothing until it is let go.
type stuck struct {
	bytes.Buffer
	begun, let chan struct{}
	once       sync.Once
}

func (s *stuck) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.let
	return s.Buffer.Write(p)
}

// No answer waits for the log, and what it cannot hold is left out and counted.
func TestStuckAccessLog(t *testing.T) {
	w := &stuck{begun: make(chan struct{}), let: make(chan struct{})}
	log := NewAccessLog(w)
	s := New(Options{OnAnswer: log.Add})
	get(s, "/p/1")
	<-w.begun
	const requests = 5000
	long := "/status/404?" + strings.Repeat("x", 8000) // 40 MB of log
	for range requests {
		get(s, long)
	}
	close(w.let)
	err := log.Close()
	lines := len(readLog(t, w.Bytes()))
	if lines < 1000 || lines > 3000 {
		t.Errorf("%d of %d requests are in the log", lines, requests)
	}
	lost := requests + 1 - lines
	if err == nil || !strings.Contains(err.Error(), "lacks "+strconv.Itoa(lost)+" requests") {
		t.Errorf("%d requests are not in the log: %v", lost, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAccessLogOnAFullDisk(t *testing.T) {
	full := errors.New("no space left")
	log := NewAccessLog(failing{full})
	s := New(Options{OnAnswer: log.Add})
	for range 1000 {
		get(s, "/p/1")
	}
	if err := log.Close(); !errors.Is(err, full) {
		t.Error(err)
	}
	if err := log.Close(); !errors.Is(err, full) {
		t.Error("closed twice:", err)
	}
}

func TestAccessLogOfManyAtOnce(t *testing.T) {
	var text bytes.Buffer
	log := NewAccessLog(&text)
	s := New(Options{OnAnswer: log.Add})
	const clients, requests = 20, 200
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := range requests {
				get(s, "/status/200?"+strconv.Itoa(n))
			}
		})
	}
	wg.Wait()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	count := map[string]int{}
	for _, a := range readLog(t, text.Bytes()) {
		count[a.Path]++
	}
	for n := range requests {
		if got := count["/status/200?"+strconv.Itoa(n)]; got != clients {
			t.Errorf("request %d of %d clients is there %d times", n, clients, got)
		}
	}
}
