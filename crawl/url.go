package crawl

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	whatwgerrors "github.com/nlnwa/whatwg-url/errors"
	whatwg "github.com/nlnwa/whatwg-url/url"
)

var (
	errNotHTTP     = errors.New("not an http or https URL")
	errCredentials = errors.New("a URL with a user name or password is not followed")
	errLongURL     = errors.New("the URL is too long")
	errLongHost    = errors.New("the host is too long")
)

// maxReference is the most bytes of a URL that are parsed at all, far above what [URL.trap] lets through: the time that
// the standard's parser takes grows with the square of a URL's length.
const maxReference = 8 << 10

// maxHost is the most bytes of a host: what the DNS can hold (RFC 1035 2.3.4) and a dot at the end.
const maxHost = 254

// URL is an absolute http or https URL in the canonical form that pages are told apart by. Two URLs are equal, with ==
// too, if and only if their strings are. The zero URL is no URL.
//
// The canonical form is what the WHATWG URL Standard parses and writes back, without the fragment, without an empty
// query, and with the hexadecimal digits of percent-encoded bytes in upper case. Nothing is decoded: a server may
// tell %41 from A. A URL with credentials has no canonical form; --header is the place for them.
type URL struct {
	text  string
	host  int32 // where the host starts in text: after the two slashes
	path  int32 // where the path starts, with its slash
	query int32 // where the query starts, with its question mark; len(text) if there is none
	colon int32 // where the host ends
	port  uint16
}

// ParseURL parses an absolute URL. An address without a scheme is an error, and so is a scheme but http and https.
func ParseURL(s string) (URL, error) {
	u, err := URL{}.Resolve(s)
	if err != nil {
		return URL{}, fmt.Errorf("%q: %w", clip(s), err)
	}
	return u, nil
}

// Resolve returns the URL that a link on a page stands for, where base is the page's URL or what its base element
// says. The error is errNotHTTP for a link that leads elsewhere, as mailto: does.
func (base URL) Resolve(ref string) (URL, error) {
	var room [256]byte
	text, u, err := base.resolveIn(room[:0], ref)
	u.text = string(text)
	return u, err
}

// resolveIn is Resolve that leaves the text of the URL to its caller: it is in room, which is empty, or where that is
// too small in a new slice.
func (base URL) resolveIn(room []byte, ref string) (text []byte, u URL, err error) {
	seen := classesOf(ref)
	if seen&(mayChange|isColon) != 0 { // there may be a space, a scheme or a fragment
		ref = trimControls(ref)
		if scheme, ok := schemeOf(ref); ok && scheme != "http" && scheme != "https" {
			return nil, URL{}, errNotHTTP
		}
		ref, _, _ = strings.Cut(ref, "#")
		seen = classesOf(ref)
	}
	if len(ref) > maxReference {
		return nil, URL{}, errLongURL
	}
	if text, u, ok := base.resolveFast(room, ref, seen); ok {
		return text, u, nil
	}
	return base.resolveStandard(ref)
}

// standard is the parser for what the fast path leaves, the library's with corrections: the standard encodes the
// circumflex in a path since 2024, an address in more than one pair of brackets is no host, and a number with a sign is
// no address (-6 would become 255.255.255.250); for no such name can exist, it is refused.
var standard = whatwg.NewParser(
	whatwg.WithPathPercentEncodeSet(whatwg.PathPercentEncodeSet.Set('^')),
	whatwg.WithPreParseHostFunc(func(_ *whatwg.Url, host string) string {
		if strings.HasPrefix(host, "[[") || strings.HasSuffix(host, "]]") || signedNumber.MatchString(host) {
			return " " // which is refused
		}
		return host
	}),
)

// signedNumber matches the hosts that the library takes for an address though a part has a sign.
var signedNumber = regexp.MustCompile(
	`(^|\.)([-+][0-9]+|0[-+][0-7]+|0[xX][-+][0-9a-fA-F]+)(\.([0-9]+|0[xX][0-9a-fA-F]*))*\.?$`)

// resolveStandard resolves any reference without a fragment, by the standard's algorithm.
func (base URL) resolveStandard(ref string) (text []byte, _ URL, err error) {
	// A space before a fragment is part of the path, and would be removed from the end.
	u, err := standard.ParseRef(base.text, ref+"#")
	switch {
	case err != nil:
		return nil, URL{}, parseError(err)
	case u.Scheme() != "http" && u.Scheme() != "https":
		return nil, URL{}, errNotHTTP
	case len(u.Hostname()) > maxHost:
		return nil, URL{}, errLongHost
	case u.Username() != "" || u.Password() != "":
		return nil, URL{}, errCredentials
	}
	out := append(make([]byte, 0, len(ref)+64), u.Scheme()...)
	out = append(out, "://"...)
	host := len(out)
	out = append(out, u.Hostname()...)
	colon := len(out)
	port := u.DecodedPort()
	if u.Port() != "" {
		out = append(append(out, ':'), u.Port()...)
	}
	if u.Port() == "0" {
		port = 0 // DecodedPort takes it for none
	}
	path := len(out)
	out = appendEncoded(out, u.Pathname(), inPath)
	query := len(out)
	out = appendQuery(out, u.Query())
	return out, placesOf(host, colon, path, query, uint16(port)), nil
}

// parseError says why the standard's parser refuses a URL, without the URL itself, which the library's errors repeat.
func parseError(err error) error {
	switch kind := whatwgerrors.Type(err); kind {
	case "":
		return err
	case whatwgerrors.MissingSchemeNonRelativeURL:
		return errors.New("no scheme, such as https://")
	default:
		return errors.New(strings.ToLower(string(kind[:1])) + string(kind[1:]))
	}
}

// placesOf returns a URL but for its text.
func placesOf(host, colon, path, query int, port uint16) URL {
	return URL{host: int32(host), path: int32(path), query: int32(query), colon: int32(colon), port: port}
}

// parseCanonical is ParseURL for what String has returned, which is only taken apart.
func parseCanonical(text string) (u URL, ok bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	path := strings.IndexByte(rest, '/')
	if !ok || path < 0 || scheme != "http" && scheme != "https" {
		return URL{}, false
	}
	u = URL{text: text, host: int32(len(scheme) + 3), port: 80}
	if scheme == "https" {
		u.port = 443
	}
	u.path = u.host + int32(path)
	u.colon, u.query = u.path, int32(len(text))
	if i := strings.LastIndexByte(rest[:path], ':'); i > strings.LastIndexByte(rest[:path], ']') {
		u.colon = u.host + int32(i)
		port, err := strconv.ParseUint(rest[i+1:path], 10, 16)
		if err != nil {
			return URL{}, false
		}
		u.port = uint16(port)
	}
	if i := strings.IndexByte(rest[path:], '?'); i >= 0 {
		u.query = u.path + int32(i)
	}
	return u, true
}

// String returns the whole URL.
func (u URL) String() string { return u.text }

// Scheme returns http or https.
func (u URL) Scheme() string { return u.text[:max(0, u.host-3)] }

// Host returns the host in lower case without its port: a name in ASCII, or an address, an IPv6 one without brackets.
func (u URL) Host() string {
	return strings.TrimSuffix(strings.TrimPrefix(u.text[u.host:u.colon], "["), "]")
}

// Port returns the port, the scheme's own if the URL names none.
func (u URL) Port() uint16 { return u.port }

// HostPort returns what to connect to, as net.Dial takes it.
func (u URL) HostPort() string {
	if u.colon < u.path {
		return u.text[u.host:u.path]
	}
	return net.JoinHostPort(u.Host(), strconv.Itoa(int(u.port)))
}

// Authority returns the value of the Host header (RFC 9110 7.2): the host, and the port unless it is the scheme's own.
func (u URL) Authority() string { return u.text[u.host:u.path] }

// Origin returns the scheme, the host, and the port unless it is the scheme's own.
func (u URL) Origin() string { return u.text[:u.path] }

// Path returns the path, which starts with a slash, as it is sent.
func (u URL) Path() string { return u.text[u.path:u.query] }

// RequestURI returns the path and query, as they are sent in a request (RFC 9112 3.2.1). It is printable ASCII
// without spaces.
func (u URL) RequestURI() string { return u.text[u.path:] }

// trimControls removes what the standard does at both ends: spaces and C0 controls.
func trimControls(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// schemeOf returns the scheme that a reference starts with, in lower case. There is none to be seen in a reference that
// has a tab or a newline inside its scheme, which the standard ignores: that one is left to the standard's parser.
func schemeOf(ref string) (string, bool) {
	for i := range len(ref) {
		switch c := ref[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(ref[:i]), true
		default:
			return "", false
		}
	}
	return "", false
}

// clip shortens what a message quotes.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
