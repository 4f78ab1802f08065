package crawl

import (
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// TestKilledBeforeAnythingCounts leaves a crawl where a kill leaves it that comes when its outputs have just been opened.
func TestKilledBeforeAnythingCounts(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		dir := t.TempDir()
		w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1"), "/1": links("/")})
		o := w.keeping(m, dir, "http://a.test/")
		o.WARC, o.Mirror, o.Graph, o.CheckLinks = filepath.Join(dir, "w"), filepath.Join(dir, "mirror"), filepath.Join(dir, "graph.csv"), true
		for range 2 {
			c, _, err := newCrawler(o)
			if err != nil {
				t.Fatal(err)
			}
			c.client.Close()
			if err := c.close(false); err != nil {
				t.Fatal(err)
			}
		}
		unnamed := o
		unnamed.Seeds = nil
		var usage *UsageError
		if _, err := Run(t.Context(), unnamed); !errors.As(err, &usage) {
			t.Errorf("no seed was kept, yet without seeds: %v", err)
		}
		report, err := Run(t.Context(), o)
		if err != nil || report.Items != 2 {
			t.Errorf("%d items: %v", report.Items, err)
		}
		if n := len(readArchive(t, o.WARC)); n != 1+3*3 {
			t.Errorf("%d records", n)
		}
	})
}
