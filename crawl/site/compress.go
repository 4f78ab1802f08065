package site

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// compressed says whether this answer goes out with gzip, and if so says it in the header.
func (s *Site) compressed(w http.ResponseWriter, r *http.Request) bool {
	if !s.o.Gzip {
		return false
	}
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		return false
	}
	h.Set("Content-Encoding", "gzip")
	return true
}

// acceptsGzip reads the fields of Accept-Encoding (RFC 9110, section 12.5.3). A client that sends none accepts whatever
// comes, says the RFC, but may not be able to read it.
func acceptsGzip(fields []string) bool {
	accepted, named := false, false
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			coding, parameter, _ := strings.Cut(item, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			isGzip := coding == "gzip" || coding == "x-gzip"
			if !isGzip && (coding != "*" || named) {
				continue
			}
			named = named || isGzip
			accepted = weight(parameter) > 0
		}
	}
	return accepted
}

// weight returns the number in "q=0.5", 1 if there is none, and 0 if it is not to be read.
func weight(parameter string) float64 {
	name, value, ok := strings.Cut(strings.TrimSpace(parameter), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}

// maxZipped is the longest page that is compressed as a whole before it is sent, so that its length is known.
const maxZipped = 1 << 20

// sendZipped sends the whole page, compressed.
func (p page) sendZipped(w http.ResponseWriter) {
	if p.size() > maxZipped {
		out := bufio.NewWriterSize(w, leastPiece)
		zipTo(out, p.send)
		_ = out.Flush() // an error means that the client has left
		return
	}
	zipped := bytes.NewBuffer(make([]byte, 0, p.size()/3))
	zipTo(zipped, p.send)
	w.Header().Set("Content-Length", strconv.Itoa(zipped.Len()))
	_, _ = w.Write(zipped.Bytes()) // as above
}

// zippers holds *gzip.Writer. Each has hundreds of kilobytes, but only as long as it compresses.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is there
	}
	return z
}}

// zipTo compresses to w what write writes. An error is to be had from w again.
func zipTo(w io.Writer, write func(io.Writer)) {
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(w)
	write(z)
	_ = z.Close()
}
