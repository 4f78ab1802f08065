package copy

import (
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

// newTLS starts a server with TLS that hands requests to h.
func newTLS(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// A server that is not whom it is taken for is named with the reason, and not asked again.
func TestHTTPSRefused(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*tls.Config)
		host   string
		want   string
	}{
		"unknown":    {func(c *tls.Config) { c.RootCAs = nil }, "127.0.0.1", "x509: certificate signed by unknown authority"},
		"other name": {func(*tls.Config) {}, "localhost", "x509: certificate is valid for example.com, *.example.com, not localhost"},
		"expired": {func(c *tls.Config) { c.Time = func() time.Time { return time.Now().AddDate(100, 0, 0) } }, "127.0.0.1",
			"x509: certificate has expired or is not yet valid"},
		"too old": {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11; c.MinVersion = tls.VersionTLS10 }, "127.0.0.1",
			"protocol version not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, random(1000))
				server := newTLS(t, o)
				_, to := dirs(t)
				opts := fetch(to, strings.Replace(server.URL, "127.0.0.1", c.host, 1)+"/f", m)
				opts.Network.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				c.config(opts.Network.TLS)
				report, err := quickly(opts).run(t.Context())
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "tries") {
					t.Errorf("%v, %+v", err, report)
				}
				if len(o.asked()) > 0 {
					t.Error("it was asked for the file")
				}
				holds(t, to)
			})
		})
	}
}

// A redirect from https to http is followed, but not in silence, and what is secret stays behind.
func TestHTTPSToPlain(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, random(300_000))
		server := newTLS(t, http.RedirectHandler(o.URL+"/g", http.StatusFound))
		_, to := dirs(t)
		opts := fetch(to, server.URL+"/f", m)
		opts.Network.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig
		opts.Network.Header = http.Header{"Authorization": {"Bearer secret"}}
		var l logs
		opts.Log = l.logger()
		downloaded(t, opts)
		same(t, filepath.Join(to, "g"), o.data)
		if told := l.lines(slog.LevelWarn); len(told) != 1 || !strings.Contains(told[0], "redirects to http") {
			t.Errorf("told %q", told)
		}
		for _, r := range o.asked() {
			if r.Header.Get("Authorization") != "" {
				t.Error("the secret came along")
			}
		}
	})
}
