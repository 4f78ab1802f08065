package crawl

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// record is what one item came to: one JSON object on a line of the output.
type record struct {
	URL         string              `json:"url"`       // where the item began
	FinalURL    string              `json:"final_url"` // where redirects ended
	Status      int                 `json:"status"`    // 0 without a response
	Depth       int                 `json:"depth"`
	Referrer    string              `json:"referrer"`
	ContentType string              `json:"content_type"`
	Bytes       int64               `json:"bytes"` // of the decoded body
	Title       string              `json:"title"`
	Links       []string            `json:"links"`                  // absolute, in document order, each once
	SHA256      string              `json:"sha256"`                 // of the decoded body; empty if it did not come whole
	DuplicateOf string              `json:"duplicate_of,omitempty"` // the url of the record that had this body first
	LastMod     string              `json:"lastmod,omitempty"`      // as a sitemap says it
	FetchedAt   time.Time           `json:"fetched_at"`
	Timing      timing              `json:"timing_ms"`
	Selected    map[string][]string `json:"selected"`
	Error       string              `json:"error"` // empty for an item that did not fail
}

// timing is where the time of the last request went, in milliseconds. On a connection that was open already dns,
// connect and tls are 0.
type timing struct {
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	TLS     float64 `json:"tls"`
	TTFB    float64 `json:"ttfb"` // from the request's first byte written to the response's first byte read
	Total   float64 `json:"total"`
}

// recordWriter writes records, each with one Write.
type recordWriter struct {
	mu sync.Mutex
	w  io.Writer
}

var recordBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write appends a record. An error is one of the output, which the run cannot go on without.
func (rw *recordWriter) write(r *record) error {
	if rw.w == nil {
		return nil
	}
	if r.Links == nil {
		r.Links = []string{}
	}
	if r.Selected == nil {
		r.Selected = map[string][]string{}
	}
	buf := recordBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxPooled {
			recordBuffers.Put(buf)
		}
	}()
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	rw.mu.Lock()
	defer rw.mu.Unlock()
	_, err := rw.w.Write(buf.Bytes())
	return err
}
