package site

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serveBubble runs a site inside a bubble, as Serve does.
func serveBubble(t *testing.T, s *Site) *bubble {
	b := &bubble{conns: make(chan net.Conn), gone: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), b) }()
	t.Cleanup(func() { // the context of the test is cancelled before
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

// dial returns a connection to a site in a bubble.
func (b *bubble) dial() net.Conn {
	ours, theirs := net.Pipe()
	b.conns <- theirs
	return ours
}

func TestMaxConns(t *testing.T) {
	for _, most := range []int{1, 3} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const clients, requests = 9, 4
				s := New(Options{MaxConns: most, Latency: time.Second})
				b := serveBubble(t, s)
				var wg sync.WaitGroup
				start := time.Now()
				for range clients {
					client := b.client(t)
					wg.Go(func() {
						for range requests {
							if _, err := fetch(t.Context(), client, "http://site/p/1"); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				// Who has its turns last may have them alone.
				least, more := clients*requests*time.Second/time.Duration(most), time.Duration(most-1)*requests*time.Second
				if took := time.Since(start); took < least || took > least+more {
					t.Errorf("took %v, want %v, and at most %v more", took, least, more)
				}
				if peak := s.Stats().InFlightPeak; peak != int64(most) {
					t.Errorf("%d requests at once", peak)
				}
			})
		})
	}
}

// A connection is kept while no other waits.
func TestMaxConnsKeepsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{MaxConns: 1})
		b := serveBubble(t, s)
		one, other := b.client(t), b.client(t)
		for range 5 {
			if _, err := fetch(t.Context(), one, "http://site/p/1"); err != nil {
				t.Error(err)
			}
		}
		if open, accepted := s.Connections(); open != 1 || accepted != 1 {
			t.Errorf("%d of %d connections are open", open, accepted)
		}
		// The other finds it idle, and has its turn at once.
		start := time.Now()
		if _, err := fetch(t.Context(), other, "http://site/p/1"); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if open, accepted := s.Connections(); open != 1 || accepted != 2 {
			t.Errorf("%d of %d connections are open", open, accepted)
		}
	})
}

// A client that sends nothing holds its turn for no longer than the server waits for a header.
func TestMaxConnsAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveBubble(t, New(Options{MaxConns: 1}))
		silent := b.dial()
		defer func() { _ = silent.Close() }()
		start := time.Now()
		if _, err := fetch(t.Context(), b.client(t), "http://site/p/1"); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 31*time.Second {
			t.Errorf("the next waited %v", took)
		}
	})
}

// Cancelling Serve cuts waits, drops the connection that waits for its turn, and leaves nothing behind.
func TestServeEndsWhileAConnectionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []Access
		s := New(Options{MaxConns: 1, OnAnswer: func(a Access) { answers = append(answers, a) }})
		b := serveBubble(t, s)
		served, waits := b.dial(), b.dial()
		if _, err := fmt.Fprint(served, "GET /wait/1h HTTP/1.1\r\nHost: site\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		t.Cleanup(func() { // runs before serveBubble's, when the context has been cancelled
			for _, c := range []net.Conn{served, waits} {
				if _, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
					t.Error("an answer")
				}
				_ = c.Close()
			}
			synctest.Wait()
			if len(answers) != 1 || answers[0].Error != "server ended" || answers[0].Status != 0 {
				t.Errorf("%+v", answers)
			}
		})
	})
}

func TestServeReturnsTheListenersError(t *testing.T) {
	broken := errors.New("broken")
	if err := New(Options{}).Serve(t.Context(), brokenListener{broken}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (l brokenListener) Close() error              { return nil }
func (l brokenListener) Addr() net.Addr            { return &net.UnixAddr{} }
