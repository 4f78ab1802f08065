package exchange_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// TestMinSpeed has servers that answer at some speed. The window is 200 ms, in which 100 bytes must arrive.
func TestMinSpeed(t *testing.T) {
	const head, window = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200 * time.Millisecond
	body := strings.Repeat("x", 1000)
	type part struct {
		after time.Duration
		text  string
	}
	drip := func(text string) (parts []part) {
		for _, b := range text {
			parts = append(parts, part{10 * time.Millisecond, string(b)})
		}
		return parts
	}
	for _, c := range []struct {
		name  string
		parts []part
		fails bool
	}{
		{"at once", []part{{0, head + body}}, false},
		{"a server that thinks", []part{{3 * window, head + body}}, false},
		{"in lumps", []part{{0, head}, {window / 2, body[:200]}, {window * 3 / 4, body[:300]}, {window * 3 / 4, body[:300]}, {window / 2, body[:200]}}, false},
		{"a header that drips", drip(head + body), true},
		{"a body that drips", append([]part{{0, head}}, drip(body)...), true},
		{"a body that stops", []part{{0, head + body[:999]}, {time.Hour, ""}}, true},
		{"a body that stops after a while", append([]part{{0, head}, {window / 2, body[:500]}, {window, body[:499]}}, part{time.Hour, ""}), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				over := make(chan struct{})
				left := make(chan struct{})
				go func() {
					defer close(left)
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer func() { _ = conn.Close() }()
					_, _ = conn.Read(make([]byte, 4096))
					for _, p := range c.parts {
						select {
						case <-time.After(p.after):
						case <-over:
							return
						}
						if _, err := io.WriteString(conn, p.text); err != nil {
							return
						}
					}
				}()
				defer func() {
					close(over)
					_ = l.Close()
					<-left
				}()
				client := newClient(t, exchange.Options{Mode: mode, Timeout: 20 * time.Second, MinSpeed: 500, SpeedWindow: window})
				start := time.Now()
				r := get(t, mode, client, "http://"+l.Addr().String()+"/")
				if !c.fails {
					if r.err != nil || len(r.body) != 1000 {
						t.Errorf("%d bytes: %v", len(r.body), r.err)
					}
					return
				}
				r.wantError(t, exchange.Timeout)
				if r.err != nil && !strings.Contains(r.err.Error(), "too slowly") || time.Since(start) > 10*time.Second {
					t.Errorf("after %v: %v", time.Since(start), r.err)
				}
			})
		})
	}
}
