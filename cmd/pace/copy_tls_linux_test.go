package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

// An authority of the user's own is trusted where SSL_CERT_FILE names it, and a server that nobody vouches for is refused
// with a word about that.
func TestCopyTLS(t *testing.T) {
	data := pattern(3 << 20)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	dir, none := t.TempDir(), t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range limiter.Modes {
		t.Run(m.String(), func(t *testing.T) {
			dst := filepath.Join(dir, m.String())
			copyIt := func(env ...string) (code int, stderr string) {
				cmd := paceCommand(t, "copy", "--mode", m.String(), "--retries", "0", server.URL+"/f", dst)
				cmd.Env = append(os.Environ(), env...)
				var errs bytes.Buffer
				cmd.Stderr = &errs
				return exitCodeOf(t, cmd.Run()), errs.String()
			}
			code, stderr := copyIt("SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR="+none)
			if code != exitStopped || !strings.Contains(stderr, "x509: certificate signed by unknown authority; SSL_CERT_FILE") ||
				strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d: %s", code, stderr)
			}
			if code, stderr := copyIt("SSL_CERT_FILE=" + ca); code != exitOK {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}
