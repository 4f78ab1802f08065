package copy

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pace/limiter"
)

// descriptors returns how many the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// However a download ends, no descriptor stays open: goroutines are counted when all tests have ended.
func TestHTTPLeaks(t *testing.T) {
	data := random(300_000)
	stall := func(r raw) bool {
		r.say(data[:5000], "HTTP/1.1 200 OK", "Content-Length: 300000")
		_, _ = r.conn.Read(make([]byte, 1))
		return false
	}
	for name, answer := range map[string]func(r raw) bool{
		"good":            func(r raw) bool { return r.good(data) },
		"not found":       says("HTTP/1.1 404 No", "Content-Length: 0"),
		"not found, long": func(r raw) bool { return r.say(data, "HTTP/1.1 404 No", "Content-Length: 300000") },
		"redirects":       says("HTTP/1.1 302 Found", "Location: /f", "Content-Length: 0"),
		"malformed":       says("HTTP/1.1 what"),
		"stalls":          stall,
		"closes":          func(r raw) bool { return r.n < 3 && r.good(data) },
		"coded": func(r raw) bool {
			return r.say(data, "HTTP/1.1 200 OK", "Content-Length: 300000", "Content-Encoding: br")
		},
		"changes": func(r raw) bool {
			return r.good(data, "Last-Modified: "+longAgo.Add(time.Duration(r.n)*time.Second).Format(http.TimeFormat))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				s := newRaw(t, answer)
				_, to := dirs(t)
				before := descriptors(t)
				for _, dest := range []string{to, filepath.Join(to, "no", "f")} {
					o := fetch(dest, s.url+"/f", m)
					o.Network.Timeout, o.Network.Retries = 300*time.Millisecond, 1
					ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
					_, _ = quickly(o).run(ctx)
					cancel()
				}
				s.stop()
				if after := descriptors(t); after > before {
					t.Errorf("%d descriptors before, %d after", before, after)
				}
			})
		})
	}
}
