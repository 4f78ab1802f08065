package main

import (
	"errors"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http/httpproxy"
)

// headerLine is one header field to send.
type headerLine struct{ name, value string }

var headerKind = kind[headerLine]{
	usage: `use for example "Accept-Language: en"`, parse: parseHeader, hide: hideHeader,
}

// hideHeader leaves the name of a field, or what should be one.
func hideHeader(s string) string {
	if i := strings.IndexAny(s, ": "); i >= 0 && strings.Trim(s[i:], ": ") != "" {
		return strings.TrimRight(s[:i+1], " ") + " ..."
	}
	return s
}

func parseHeader(s string) (headerLine, error) {
	h, err := parseHeaderLine(s)
	if err == nil && h.name == "User-Agent" { // robots.txt is matched with it
		return headerLine{}, errors.New("--user-agent sets this")
	}
	return h, err
}

// parseHeaderLine reads one field of a request's header.
func parseHeaderLine(s string) (headerLine, error) {
	name, value, ok := strings.Cut(s, ":")
	value = strings.TrimSpace(value)
	switch {
	case !ok || !httpguts.ValidHeaderFieldName(name):
		return headerLine{}, errors.New("not a header")
	case !httpguts.ValidHeaderFieldValue(value):
		return headerLine{}, errors.New("no header can hold this value")
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection":
		return headerLine{}, errors.New("each request sets this itself")
	}
	return headerLine{name, value}, nil
}

// resolved is an address to use instead of asking the DNS.
type resolved struct {
	hostPort string // as a URL has them, in lower case
	addr     netip.AddrPort
}

var resolveKind = kind[resolved]{
	usage: "use for example www.example.org:443:127.0.0.1 or www.example.org:443:[::1]", parse: parseResolve,
}

// parseResolve reads HOST:PORT:ADDR as curl does; an IPv6 address may stand in brackets.
func parseResolve(s string) (resolved, error) {
	host, rest, ok := strings.Cut(s, ":")
	port, addr, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || host == "" || host == "*" {
		return resolved{}, errors.New("not HOST:PORT:ADDR")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return resolved{}, errors.New("not a port")
	}
	if inner, ok := strings.CutPrefix(addr, "["); ok {
		addr = strings.TrimSuffix(inner, "]")
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return resolved{}, errors.New("not an address")
	}
	return resolved{strings.ToLower(host) + ":" + port, netip.AddrPortFrom(ip, uint16(n))}, nil
}

var proxyKind = kind[proxyFunc]{
	usage: "use for example http://127.0.0.1:3128 or socks5://127.0.0.1:1080", parse: parseProxy, hide: hideUser,
}

// hideUser leaves out who uses a URL.
func hideUser(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme, _, ok := strings.Cut(s[:at], "://")
	if !ok {
		return "..." + s[at:]
	}
	return scheme + "://..." + s[at:]
}

// parseProxy returns a function that sends every URL to one proxy. A missing scheme means http, as with curl.
func parseProxy(s string) (proxyFunc, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("not a proxy")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return func(*url.URL) (*url.URL, error) { return u, nil }, nil
	}
	return nil, errors.New("not a proxy")
}

// environmentProxy reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
func environmentProxy() proxyFunc {
	config := httpproxy.FromEnvironment()
	if config.HTTPProxy == "" && config.HTTPSProxy == "" {
		return nil
	}
	// What cannot be parsed would count for nothing: requests that were to go through a proxy would go without.
	for name, proxy := range map[string]string{"http_proxy": config.HTTPProxy, "https_proxy": config.HTTPSProxy} {
		if _, err := parseProxy(proxy); proxy != "" && err != nil {
			return func(*url.URL) (*url.URL, error) { return nil, errors.New(name + " is not the URL of a proxy") }
		}
	}
	return config.ProxyFunc()
}

var regexKind = kind[*regexp.Regexp]{usage: "use for example '/docs/' or '[.]pdf$'", parse: parseRegex}

// parseRegex reads an expression in Go's syntax, which is RE2's: it matches anywhere unless it says otherwise, in time
// that grows with the text only.
func parseRegex(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, errors.New("no value")
	}
	r, err := regexp.Compile(s)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return nil, errors.New("not a regular expression: " + e.Code.String())
	}
	return r, err
}
