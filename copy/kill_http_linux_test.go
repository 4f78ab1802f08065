package copy

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A download that is killed twenty times fetches little twice, as its server counts, and leaves nothing but the file.
func TestKilledDownload(t *testing.T) {
	const size, kills, most = 48 * mib, 20, 1.15
	data := random(size)
	var sent atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(&slowWriter{&countingWriter{w, &sent}, r.Context()}, r, data, `"v1"`, longAgo)
	}))
	// What the kernel takes for a client that is dead counts as sent.
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(16 * kib)
		return ctx
	}
	server.Start()
	defer server.Close()

	_, to := dirs(t)
	dst := filepath.Join(to, "dst")
	rnd := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for killed < kills && !exists(dst) {
		c := child{
			Source: server.URL + "/f", Dest: dst, Mode: limiter.Modes[rnd.IntN(3)],
			ChunkSize: []int64{0, 300_000, mib}[rnd.IntN(3)], Workers: 1 + rnd.IntN(4),
		}
		cmd := c.start(t)
		// Not before it has begun to fetch, however slow it is to start: a kill that hits nothing shows nothing.
		for from := sent.Load(); sent.Load() < from+size/30 && !exists(dst); {
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		killed++
	}
	if killed < kills {
		t.Logf("it was whole after %d kills", killed)
	}
	downloaded(t, child{Source: server.URL + "/f", Dest: dst}.options())
	same(t, dst, data)
	holds(t, to, "dst")
	if n := sent.Load(); float64(n) > most*size {
		t.Errorf("%d bytes were sent for a file of %d, %.2f times as many", n, size, float64(n)/size)
	} else {
		t.Logf("%.3f times the file's size was sent", float64(n)/size)
	}
}

// slowWriter writes little at a time.
type slowWriter struct {
	http.ResponseWriter
	ctx context.Context
}

func (w *slowWriter) Write(p []byte) (int, error) {
	all := bytes.NewReader(p)
	buf := make([]byte, 16*kib)
	for all.Len() > 0 {
		n, _ := all.Read(buf)
		if _, err := w.ResponseWriter.Write(buf[:n]); err != nil {
			return len(p) - all.Len() - n, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		select {
		case <-time.After(2 * time.Millisecond):
		case <-w.ctx.Done():
			return len(p) - all.Len(), w.ctx.Err()
		}
	}
	return len(p), nil
}
