package main

import (
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
)

// networkFlags say how URLs are read.
type networkFlags struct {
	header   []headerLine
	proxy    proxyFunc
	timeout  time.Duration
	minSpeed float64
	retries  int
}

func (f *networkFlags) flags() []cli.Flag {
	const group = "URLs"
	return []cli.Flag{
		valueFlag(group, "header", "send `LINE` with each request, for example 'Authorization: Bearer ...'; may be repeated",
			each(&f.header, copyHeaderKind)),
		valueFlag(group, "proxy", "go through the proxy `URL` (http, https, socks5); default as the environment says",
			into(&f.proxy, proxyKind, "")),
		valueFlag(group, "timeout", "the answer for a chunk may take `DURATION`; what has arrived is kept; 0 is unlimited",
			into(&f.timeout, durationKind, "1m")),
		valueFlag(group, "min-speed", "break a connection that brings less than `RATE` over 10 s; 0 is never",
			into(&f.minSpeed, byteRateKind, "1KiB/s")),
		valueFlag(group, "retries", "try a request that brings nothing `N` times again",
			into(&f.retries, countKind(0, math.MaxInt32, "5"), "5")),
	}
}

// network returns what the flags say. In the library, zero is a default and less than zero is what zero means here.
func (f *networkFlags) network() filecopy.Network {
	n := filecopy.Network{Header: http.Header{}, Proxy: f.proxy, Timeout: f.timeout, MinSpeed: f.minSpeed, Retries: f.retries}
	if n.Timeout == 0 {
		n.Timeout = -1
	}
	if n.MinSpeed == 0 {
		n.MinSpeed = -1
	}
	if n.Retries == 0 {
		n.Retries = -1
	}
	if n.Proxy == nil {
		n.Proxy = environmentProxy()
	}
	for _, h := range f.header {
		n.Header.Add(h.name, h.value)
	}
	if n.Header.Get("User-Agent") == "" {
		n.Header.Set("User-Agent", "pace/"+version())
	}
	return n
}

// copyHeaderKind is a field of a request for a file, of which pace sets those that say which part of it is wanted.
var copyHeaderKind = kind[headerLine]{usage: headerKind.usage, hide: hideHeader, parse: func(s string) (headerLine, error) {
	h, err := parseHeaderLine(s)
	switch h.name {
	case "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Accept-Encoding":
		return headerLine{}, errors.New("each request sets this itself")
	}
	return h, err
}}
