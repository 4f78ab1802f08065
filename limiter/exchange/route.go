package exchange

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
)

// route is the way of a request to its server.
type route struct {
	key
	proxy    *url.URL      // nil for none
	absolute bool          // the request line holds the whole URL (RFC 9112 section 3.2.2)
	request  *http.Request // as it is written
}

// route checks the request and finds its way.
func (c *Client) route(req *http.Request) (route, error) {
	if err := check(req); err != nil {
		return route{}, err
	}
	r := route{request: req}
	r.scheme = req.URL.Scheme
	var err error
	if r.host, r.port, err = hostPort(req.URL); err != nil {
		return route{}, err
	}
	if c.o.Proxy == nil {
		return r, nil
	}
	if r.proxy, err = c.o.Proxy(req.URL); err != nil || r.proxy == nil {
		return r, err
	}
	switch r.proxy.Scheme {
	case "http", "https":
		if r.scheme == "http" {
			r.absolute = true
			r.key = key{}
			r.request = withAuth(req, r.proxy)
		}
	case "socks5", "socks5h":
	default:
		return route{}, fmt.Errorf("proxy scheme %q: use http, https, socks5 or socks5h", r.proxy.Scheme)
	}
	r.key.proxy = r.proxy.String()
	return r, nil
}

// check refuses what net/http would write as it is, though it could not be read as one request.
func check(req *http.Request) error {
	if req.URL == nil || req.URL.Host == "" {
		return errors.New("the request has no host")
	}
	if req.Method != "" && !httpguts.ValidHeaderFieldName(req.Method) {
		return fmt.Errorf("method %q is no token", req.Method)
	}
	for name, values := range req.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("header field name %q is not valid", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("the value of header field %q is not valid", name) // it may be a secret
			}
		}
	}
	return nil
}

var defaultPorts = map[string]uint16{"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

// hostPort returns where a URL leads to, the host in lower case and ASCII.
func hostPort(u *url.URL) (string, uint16, error) {
	port, ok := defaultPorts[u.Scheme]
	if !ok {
		return "", 0, fmt.Errorf("URL scheme %q: use http or https", u.Scheme)
	}
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("%q is not a port", s)
		}
		port = uint16(n)
	}
	host := strings.ToLower(u.Hostname())
	for i := range len(host) {
		if host[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(host)
			return ascii, port, err
		}
	}
	if host == "" {
		return "", 0, errors.New("the URL has no host")
	}
	return host, port, nil
}

// withAuth returns req with the proxy's credentials. It leaves req itself alone, as a RoundTripper must.
func withAuth(req *http.Request, proxy *url.URL) *http.Request {
	auth := proxyAuth(proxy)
	if auth == "" {
		return req
	}
	clone := *req
	clone.Header = req.Header.Clone()
	if clone.Header == nil {
		clone.Header = http.Header{}
	}
	clone.Header.Set("Proxy-Authorization", auth)
	return &clone
}

// proxyAuth returns the credentials in a proxy's URL as a header's value (RFC 7617), or nothing.
func proxyAuth(proxy *url.URL) string {
	if proxy.User == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password))
}
