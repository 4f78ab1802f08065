package crawl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// recordOutput appends records to a file or another writer, each with one Write.
type recordOutput struct {
	w    io.Writer
	file *os.File // nil if the writer is not ours
	path string   // absolute
	size int64
}

// openRecords opens the output for page records.
func openRecords(o *Options, resume []mark) (output, error) {
	if o.OutputFile == "" {
		if o.Output == nil {
			return nil, nil
		}
		return &recordOutput{w: o.Output}, nil
	}
	path, err := filepath.Abs(o.OutputFile)
	if err != nil {
		return nil, recordsError(err)
	}
	m, _ := markOf(resume, path)
	f, err := openCut(path, m.Size)
	if err != nil {
		return nil, recordsError(err)
	}
	if resume != nil && m.Size == 0 && o.Log != nil && (len(resume) != 1 || resume[0].Size > 0) {
		o.Log.Warn("the records of the earlier run are not continued", "file", o.OutputFile)
	}
	return &recordOutput{w: f, file: f, path: path, size: m.Size}, nil
}

func recordsError(err error) error { return fmt.Errorf("cannot write the records: %w", err) }

// openCut opens a file for appending at a size, which it is cut to; at 0 it may be missing.
func openCut(path string, size int64) (*os.File, error) {
	flags := os.O_WRONLY
	if size == 0 {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	if err := cutTo(f, mark{Path: path, Size: size}); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

var recordBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (r *recordOutput) render(p *closing) (func() error, error) {
	if p.record == nil {
		return nil, nil
	}
	buf := recordBuffers.Get().(*bytes.Buffer)
	buf.Reset()
	buf.Write(p.record.appendJSON(buf.AvailableBuffer()))
	return func() error {
		defer func() {
			if buf.Cap() <= maxPooled {
				recordBuffers.Put(buf)
			}
		}()
		n, err := r.w.Write(buf.Bytes())
		r.size += int64(n)
		if err != nil && r.file != nil {
			return recordsError(err)
		}
		return err
	}, nil
}

func (r *recordOutput) marks() []mark {
	if r.file == nil {
		return nil // nobody can cut it back
	}
	return []mark{{Path: r.path, Size: r.size}}
}

func (r *recordOutput) sync() error {
	if r.file == nil {
		return nil
	}
	if err := r.file.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return recordsError(err)
	}
	return nil
}

func (r *recordOutput) close(bool) error {
	if r.file == nil {
		return nil
	}
	if err := r.file.Close(); err != nil {
		return recordsError(err)
	}
	return nil
}
