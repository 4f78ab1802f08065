package copy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// fakeStore lists the keys that it is told to, as no real store would, and gives each as its own content.
type fakeStore struct{ keys []string }

func (s *fakeStore) start(t *testing.T) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *fakeStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("list-type") == "2" {
		s.list(w)
		return
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Last-Modified", longAgo.Format(http.TimeFormat))
	_, _ = fmt.Fprint(w, key)
}

func (s *fakeStore) list(w http.ResponseWriter) {
	_, _ = fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>`)
	for _, key := range slices.Sorted(slices.Values(s.keys)) {
		_, _ = fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"v1"</ETag>`+
			`<LastModified>2001-02-03T04:05:06.000Z</LastModified></Contents>`, url.QueryEscape(key), len(key))
	}
	_, _ = fmt.Fprint(w, `</ListBucketResult>`)
}
