package crawl

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func FuzzRecordJSON(f *testing.F) {
	f.Add("http://a/", "title", "x\"\\\n\u2028\xff<>&", int64(5), 1.25, int64(1700000000123456789))
	f.Add("", "", "", int64(-1), 1e-7, int64(0))
	f.Add("é", "\x7f", "\t", int64(1), 1e21, int64(1))
	f.Fuzz(func(t *testing.T, url, title, link string, n int64, ms float64, at int64) {
		if ms != ms || ms-ms != 0 {
			return // no number that JSON has
		}
		r := &record{
			URL: url, FinalURL: link, Status: int(n), Depth: 3, Referrer: title, ContentType: link, Bytes: n, Title: title,
			Links: []string{link, url}, SHA256: "00", FetchedAt: time.Unix(0, at).UTC(),
			Timing: timing{DNS: ms, Connect: -ms, TTFB: ms / 3, Total: ms * 2}, Selected: map[string][]string{}, Error: link,
		}
		if n%2 == 0 {
			r.DuplicateOf, r.LastMod = url, title
			r.Selected = map[string][]string{title: {link}, url: nil}
			r.Links = []string{}
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return // a year of five digits, or an infinite double
		}
		if got := r.appendJSON(nil); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("got  %s\nwant %s", got, want.Bytes())
		}
	})
}
