package crawl

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/nlnwa/gowarc"

	"pace/limiter/exchange"
)

// exchangeRecords is one exchange as WARC records, compressed.
type exchangeRecords struct {
	response []byte // the response record
	others   []byte // request and metadata

	url, date, mime string
	status          int
	payload         [sha1.Size]byte
	revisits        bool   // the same payload need not be kept twice
	unchanged       bool   // the response record is a revisit: the server says that there is nothing new
	header          []byte // of the answer, for a revisit
	id              string // of the response
	addr            string
}

// builders is held while a record builder is made: each time, the library sets a variable of the uuid package.
var builders sync.Mutex

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// recordOptions makes the library check each record that it writes. Bodies above the bound would go to temporary files.
var recordOptions = []gowarc.WarcRecordOption{
	gowarc.WithVersion(gowarc.V1_1), gowarc.WithStrictValidation(), gowarc.WithBufferMaxMemBytes(1 << 30),
}

const httpRequestType, httpResponseType = "application/http;msgtype=request", "application/http;msgtype=response"

// infoRecord returns the record that a file begins with.
func (w *warc) infoRecord(name string) ([]byte, error) {
	return packed(gowarc.Warcinfo, []byte(w.describe()),
		gowarc.WarcDate, time.Now().UTC().Format(time.RFC3339), gowarc.WarcRecordID, newRecordID(),
		gowarc.WarcFilename, name, gowarc.ContentType, gowarc.ApplicationWarcFields)
}

// records renders an exchange.
func (w *warc) records(p *closing) (*exchangeRecords, error) {
	r, wire := p.response, p.response.wire
	body := wire.body.Bytes()
	out := &exchangeRecords{
		url: p.item.url.String(), date: r.at.Format(time.RFC3339), mime: mimeOf(r.contentType), status: r.status,
		payload: sha1.Sum(body), revisits: len(body) > 0 && wire.whole,
		header: withoutTransferCoding(withoutBlankLines(wire.Response)), id: newRecordID(),
	}
	if wire.addr.IsValid() {
		out.addr = wire.addr.WithZone("").String()
	}
	fields := out.fields(httpResponseType, out.id, gowarc.WarcPayloadDigest, digestText(out.payload))
	if !wire.whole {
		fields = append(fields, gowarc.WarcTruncated, truncation(r.err))
	}
	var err error
	if p.unchanged != nil && p.unchanged.archive != (archiveRecord{}) {
		out.response, err = out.unchangedRecord(p.unchanged.archive)
	} else {
		out.response, err = packed(gowarc.Response, append(bytes.Clone(out.header), body...), fields...)
	}
	if err != nil {
		return nil, err
	}
	request, err := packed(gowarc.Request, withoutProxySecrets(wire.Request),
		out.fields(httpRequestType, newRecordID(), gowarc.WarcConcurrentTo, out.id)...)
	if err != nil {
		return nil, err
	}
	about, err := packed(gowarc.Metadata, []byte(metadata(p)),
		out.fields(gowarc.ApplicationWarcFields, newRecordID(), gowarc.WarcConcurrentTo, out.id)...)
	out.others = append(request, about...)
	return out, err
}

// fields returns what the header of each record of the exchange has, and more.
func (r *exchangeRecords) fields(contentType, id string, more ...string) []string {
	fields := []string{
		gowarc.WarcDate, r.date, gowarc.WarcRecordID, id, gowarc.WarcTargetURI, r.url, gowarc.ContentType, contentType,
	}
	if r.addr != "" && contentType != gowarc.ApplicationWarcFields {
		fields = append(fields, gowarc.WarcIPAddress, r.addr)
	}
	return append(fields, more...)
}

// revisitRecord returns the record that stands for a response whose payload an earlier one has.
func (w *warc) revisitRecord(r *exchangeRecords, first original) ([]byte, error) {
	return packed(gowarc.Revisit, r.header, r.fields(httpResponseType, r.id,
		gowarc.WarcPayloadDigest, digestText(r.payload), gowarc.WarcProfile, gowarc.ProfileIdenticalPayloadDigestV1_1,
		gowarc.WarcRefersToTargetURI, first.url, gowarc.WarcRefersToDate, first.date)...)
}

// unchangedRecord returns the record of a 304, which stands for the page that was archived before. Its payload is that
// page's, by which readers find it.
func (r *exchangeRecords) unchangedRecord(before archiveRecord) ([]byte, error) {
	r.unchanged, r.payload = true, before.payload
	return packed(gowarc.Revisit, r.header, r.fields(httpResponseType, r.id,
		gowarc.WarcPayloadDigest, digestText(r.payload), gowarc.WarcProfile, gowarc.ProfileServerNotModifiedV1_1,
		gowarc.WarcRefersToTargetURI, r.url, gowarc.WarcRefersToDate, before.date())...)
}

// packed returns one record as a gzip member of its own. fields are names and values.
func packed(kind gowarc.RecordType, block []byte, fields ...string) ([]byte, error) {
	builders.Lock()
	b := gowarc.NewRecordBuilder(kind, recordOptions...)
	builders.Unlock()
	for i := 0; i < len(fields); i += 2 {
		b.AddWarcHeader(fields[i], fields[i+1])
	}
	if _, err := b.Write(block); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	record, _, err := b.Build()
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	defer func() { _ = record.Close() }()
	var out bytes.Buffer
	zw := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(zw)
	zw.Reset(&out)
	if _, _, err := gowarc.NewMarshaler().Marshal(zw, record, 0); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// newRecordID returns a random UUID (RFC 9562, section 5.4) as a record's id.
func newRecordID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("<urn:uuid:%x-%x-%x-%x-%x>", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func digestText(sum [sha1.Size]byte) string {
	return "sha1:" + base32.StdEncoding.EncodeToString(sum[:])
}

// truncation says why a body is not whole, in the words of WARC 1.1, section 5.13.
func truncation(err error) string {
	var limit *bodyError
	var failed *exchange.Error
	switch {
	case errors.As(err, &failed) && failed.Timeout():
		return "time"
	case errors.As(err, &failed):
		return "disconnect"
	case errors.As(err, &limit), err == nil:
		return "length"
	}
	return "unspecified"
}

// maxHops bounds how long the way from a seed is written.
const maxHops = 100

// metadata says what the crawler knows of an exchange, in the terms of Heritrix: the page that led here, the way from the
// seed (L a link, R a redirect, E something that a page needs), and how long it took.
func metadata(p *closing) string {
	var b strings.Builder
	it := p.item
	if it.referrer != "" {
		fmt.Fprintf(&b, "via: %s\r\n", it.referrer)
	}
	if it.robots != nil {
		b.WriteString("hopsFromSeed: P\r\n")
	} else if it.depth+it.redirects > 0 {
		hops := strings.Repeat("L", min(it.depth, maxHops))
		if it.requisite && hops != "" {
			hops = hops[1:] + "E"
		}
		fmt.Fprintf(&b, "hopsFromSeed: %s%s\r\n", hops, strings.Repeat("R", it.redirects))
	}
	fmt.Fprintf(&b, "fetchTimeMs: %.0f\r\n", p.response.timing.Total)
	return b.String()
}

// withoutTransferCoding renames the header field Transfer-Encoding, for the body that follows has none.
func withoutTransferCoding(header []byte) []byte {
	return eachField(header, "transfer-encoding", func(line []byte) []byte {
		return append([]byte("X-Orig-"), line...)
	})
}

// withoutBlankLines leaves out lines of white space within a header. To net/http they continue the line before, to readers
// of archives they end the header.
func withoutBlankLines(header []byte) []byte {
	end := bytes.LastIndexByte(bytes.TrimSuffix(header, []byte("\n")), '\n') + 1
	out := make([]byte, 0, len(header))
	for line := range bytes.Lines(header[:end]) {
		if len(bytes.TrimSpace(line)) > 0 {
			out = append(out, line...)
		}
	}
	return append(out, header[end:]...)
}

// withoutProxySecrets leaves out what only the proxy was told.
func withoutProxySecrets(request []byte) []byte {
	return eachField(request, "proxy-authorization", func([]byte) []byte { return nil })
}

// eachField returns a header in which change has replaced the lines of one field, whose name is in lower case.
func eachField(header []byte, name string, change func(line []byte) []byte) []byte {
	out := make([]byte, 0, len(header)+16)
	for line := range bytes.Lines(header) {
		if key, _, ok := bytes.Cut(line, []byte(":")); ok && is(bytes.TrimSpace(key), name) {
			line = change(line)
		}
		out = append(out, line...)
	}
	return out
}
