package exchange

import (
	"bufio"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// writeRequest writes a request. What nearly all are, net/http takes three times as long for.
func writeRequest(w *bufio.Writer, req *http.Request) error {
	h, ok := plainHead(req)
	if !ok {
		return req.Write(w)
	}
	return h.write(w)
}

// head is a request without a body.
type head struct {
	method, target, host string
	header               http.Header
}

// plainHead returns the head of a request that needs nothing but to be written, byte for byte as net/http would. Its
// header is valid: see check.
func plainHead(req *http.Request) (h head, ok bool) {
	switch {
	case req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead,
		req.Body != nil && req.Body != http.NoBody, req.Close, req.ContentLength != 0, len(req.TransferEncoding) > 0,
		len(req.Trailer) > 0, len(req.Header) > maxPlainHeader:
		return head{}, false
	}
	h = head{method: req.Method, host: req.Host, target: req.URL.RequestURI(), header: req.Header}
	if h.method == "" {
		h.method = http.MethodGet
	}
	if h.host == "" {
		h.host = req.URL.Host
	}
	return h, plainHost(h.host) && plainTarget(h.target)
}

// maxPlainHeader is the most fields of a head that are sorted in place.
const maxPlainHeader = 16

// plainHost says whether a Host header's value is a name or address in ASCII, with a port or without, but no zone.
func plainHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(".-_:[]", c) < 0 {
			return false
		}
	}
	return host != ""
}

// plainTarget says whether a request target can be written: net/http refuses control characters.
func plainTarget(target string) bool {
	for i := range len(target) {
		if target[i] < ' ' || target[i] == 0x7f {
			return false
		}
	}
	return true
}

const defaultUserAgent = "Go-http-client/1.1" // net/http's

// write writes the head. The errors of w stay in it: the last call returns them.
func (h head) write(w *bufio.Writer) error {
	write(w, h.method, " ", h.target, " HTTP/1.1\r\nHost: ", h.host, "\r\n")
	agent := defaultUserAgent
	if values := h.header["User-Agent"]; len(values) > 0 {
		agent = values[0]
	}
	if agent != "" {
		write(w, "User-Agent: ", fieldValue(agent), "\r\n")
	}
	var room [maxPlainHeader]string
	names := room[:0]
	for name := range h.header {
		switch name {
		case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h.header[name] {
			write(w, name, ": ", fieldValue(value), "\r\n")
		}
	}
	_, err := w.WriteString("\r\n")
	return err
}

func write(w *bufio.Writer, parts ...string) {
	for _, s := range parts {
		_, _ = w.WriteString(s)
	}
}

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// fieldValue returns a value as net/http writes it.
func fieldValue(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		s = lineBreaks.Replace(s)
	}
	return textproto.TrimString(s)
}
