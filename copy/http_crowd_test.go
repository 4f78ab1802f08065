package copy

import (
	"path/filepath"
	"testing"
	"time"

	"pace/limiter"
)

// A server that answers few at a time, and the others not at all, is read by few connections, however long that takes.
func TestHTTPCrowd(t *testing.T) {
	data := random(640_000)
	const slowly = 20 * time.Millisecond
	answer := func(r raw) bool { return r.good(data) }
	for name, c := range map[string]struct {
		answer  func(r raw) bool
		timeout time.Duration
	}{
		"resets":             {onlyAtOnce(1, slowly, answer, nil), 10 * time.Second},
		"resets all but two": {onlyAtOnce(2, slowly, answer, nil), 10 * time.Second},
		"forgets": {onlyAtOnce(1, slowly, answer, func(r raw) bool {
			_, _ = r.conn.Read(make([]byte, 1)) // until it is closed
			return false
		}), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				s := newRaw(t, c.answer)
				_, to := dirs(t)
				o := fetch(to, s.url+"/f", m)
				// So many come back at once that even the last try of some would be in vain.
				o.Workers, o.Network.Retries, o.Network.Timeout = 8, 3, c.timeout
				downloaded(t, o)
				same(t, filepath.Join(to, "f"), data)
			})
		})
	}
}
