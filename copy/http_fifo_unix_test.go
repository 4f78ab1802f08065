//go:build unix

package copy

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// The reader of a fifo gets a file once and whole, also of a server whose ranges turn out to be none.
func TestHTTPToFifo(t *testing.T) {
	data := random(500_000)
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"good": nil,
		"boasts of ranges": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Accept-Ranges", "bytes")
			r.Header.Del("Range")
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				o.behave(fault)
				_, to := dirs(t)
				path := filepath.Join(to, "fifo")
				if err := unix.Mkfifo(path, 0o600); err != nil {
					t.Fatal(err)
				}
				var got []byte
				read := make(chan error, 1)
				go func() {
					f, err := os.Open(path)
					if err == nil {
						got, err = io.ReadAll(f)
						_ = f.Close()
					}
					read <- err
				}()
				downloaded(t, fetch(path, o.URL+"/f", m))
				if err := <-read; err != nil || !bytes.Equal(got, data) {
					t.Errorf("the reader has %d bytes, %v", len(got), err)
				}
			})
		})
	}
}
