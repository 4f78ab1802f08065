package exchange_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// TestExtend reads a body after its time was over, but for what it was extended by.
func TestExtend(t *testing.T) {
	const timeout = 250 * time.Millisecond
	body := strings.Repeat("x", 1<<20) // more than the client's buffers hold
	for name, o := range map[string]exchange.Options{
		"Timeout":  {Timeout: timeout},
		"MinSpeed": {MinSpeed: 1 << 20, SpeedWindow: timeout},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, body)
				}))
				defer server.Close()
				o.Mode = mode
				client := newClient(t, o)
				inMode(t, mode, func() {
					for _, extend := range []bool{false, true} {
						got, err := readLate(t, client, server.URL, 2*timeout, extend)
						if whole := got == len(body) && err == nil; whole != extend {
							t.Errorf("extended: %t; %d bytes: %v", extend, got, err)
						}
					}
				})
			})
		})
	}
}

// readLate reads a body that it leaves alone for a while first.
func readLate(t *testing.T, client *exchange.Client, url string, late time.Duration, extend bool) (int, error) {
	for { // on a busy machine the header may take too long
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req, nil)
		if err != nil && exchange.Retryable(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(late)
		if extend {
			exchange.Extend(resp.Body, time.Hour)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		exchange.Extend(resp.Body, time.Hour) // it is over
		return len(got), err
	}
}
