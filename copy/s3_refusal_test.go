package copy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// Each refusal is one line that says what to do, and one that concerns all ends the run at once, with what it holds.
func TestObjectRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   string
		ends   bool // the run
	}{
		{403, "RequestTimeTooSkewed", "clock of this machine", true},
		{400, "ExpiredToken", "have expired", true},
		{403, "InvalidAccessKeyId", "does not accept the credentials", true},
		{400, "AuthorizationHeaderMalformed", "is AWS_REGION right? some words", true},
		{404, "NoSuchBucket", "no such bucket", true},
		{403, "AccessDenied", "denies access (AccessDenied): see the credentials", false},
		{503, "SlowDown", "503", false},
		{500, "InternalError", "(after 3 tries)", false},
		{409, "Strange", "409 Strange: some words", false},
		{400, "", "the store answers 400 Bad Request", false}, // a page
	} {
		refuser := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(c.status)
			if c.code == "" {
				_, _ = fmt.Fprint(w, "<html><body>many\nlines</body></html>")
				return
			}
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>some words</Message></Error>", c.code)
		}))
		t.Cleanup(refuser.Close)
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				for i := range 8 {
					write(t, filepath.Join(from, fmt.Sprint(i)), random(10))
				}
				before := openTempFiles(t)
				for _, leg := range [][2]string{{from, "s3://bucket/k"}, {"s3://bucket/k", filepath.Join(to, "dst")}} {
					o := Options{Sources: leg[:1], Dest: leg[1], Mode: m, Workers: 4, S3: storeAt(refuser.URL)}
					o.Recursive, o.Network.Retries = leg[0] == from, 2
					report, err := quickly(o).run(t.Context())
					if err == nil && len(report.Errors) > 0 {
						err = fmt.Errorf("%s", report.Errors[0].Error)
						if c.ends {
							t.Error("the run did not end")
						}
					}
					if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%v", err)
					}
				}
				if after := openTempFiles(t); after > before {
					t.Errorf("%d descriptors are open, there were %d", after, before)
				}
			})
		})
	}
}

// A key that is too long fails alone, also as the first.
func TestObjectKeyTooLong(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, _ := dirs(t)
		write(t, filepath.Join(from, "a-name-too-long"), random(10))
		write(t, filepath.Join(from, "b"), random(10))
		prefix := fmt.Sprintf("long%d/", m) + strings.Repeat("123456789/", 101)
		o := g.options(m, from, "s3://bucket/"+prefix)
		o.Recursive, o.Workers = true, 1
		report, err := quickly(o).run(t.Context())
		if err != nil || report.ItemsFailed != 1 || report.Items != 2 || !strings.Contains(report.Errors[0].Error, "1024") {
			t.Errorf("%v, %+v", err, report)
		}
		sameNames(t, g.keys(t, prefix), []string{"b"})
	})
}

// openTempFiles counts those that are open, where that can be seen; connections of a server that is not ours may come and go.
func openTempFiles(t *testing.T) (files int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if at, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(at, os.TempDir()) {
			files++
		}
	}
	return files
}
