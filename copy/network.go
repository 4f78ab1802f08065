package copy

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// Network says how sources are read that are URLs. The zero value of each field is its default.
type Network struct {
	// Header is sent to the origins of the sources, and to no other that they redirect to, but for User-Agent, Accept and
	// Accept-Language.
	Header http.Header
	// Proxy returns the proxy for a URL (http, https, socks5 or socks5h), or nil for none. nil means no proxy.
	Proxy func(*url.URL) (*url.URL, error)
	// TLS is the configuration of TLS connections; nil means the default.
	TLS *tls.Config
	// Timeout is how long the answer to a request for a chunk may take as a whole, and the beginning of any other; 0 means
	// [DefaultTimeout], and less than 0 is unlimited. What has arrived is kept.
	Timeout time.Duration
	// MinSpeed is how many bytes a second an answer must bring over 10 s; 0 means [DefaultMinSpeed], and less than 0 none.
	MinSpeed float64
	// Retries is how often a request that brings nothing is tried again; 0 means [DefaultRetries], and less than 0 never.
	Retries int
}

// What is taken for zero in a Network.
const (
	DefaultTimeout  = time.Minute
	DefaultMinSpeed = 1 * kib // bytes a second: less is taken for a connection that hangs
	DefaultRetries  = 5       // about 15 s with the pauses in between
)

// NetworkWorkers is how many chunks are in flight from a network, unless told otherwise: a single connection seldom gets
// all that a link carries. Sequential has one.
const NetworkWorkers = 16

// Of chunks that are read from a network. A request costs a round trip; a chunk that is lost costs nothing, since what has
// arrived of it is kept.
const (
	mostAsked    = 16 * mib // bytes of one request
	leastAsked   = mib
	fewestAsked  = 256 * kib // of a file too short to give each worker more
	networkPiece = 256 * kib // bytes that are written at once
	orderedChunk = 2 * mib   // bytes of one request where each worker holds a chunk until its turn comes
)

// web is what all sources of a run that are URLs share.
type web struct {
	*run
	client  *exchange.Client
	lanes   lanes
	timeout time.Duration // 0 is unlimited
	retries int
}

func (r *run) openWeb() *web {
	n := r.Network
	w := &web{run: r, timeout: n.Timeout, retries: n.Retries}
	switch {
	case n.Timeout == 0:
		w.timeout = DefaultTimeout
	case n.Timeout < 0:
		w.timeout = 0
	}
	switch {
	case n.Retries == 0:
		w.retries = DefaultRetries
	case n.Retries < 0:
		w.retries = 0
	}
	w.client = exchange.New(w.exchangeOptions())
	if r.Mode == limiter.Threads && w.client.Backend() != "blocking" {
		r.Log.Warn("blocking sockets are not available: threads wait in the poller")
	}
	return w
}

// exchangeOptions are those of a client of the run.
func (w *web) exchangeOptions() exchange.Options {
	n := w.Network
	if n.MinSpeed == 0 {
		n.MinSpeed = DefaultMinSpeed
	}
	return exchange.Options{
		Mode: w.Mode, MinSpeed: n.MinSpeed, SpeedWindow: w.speedWindow, MaxIdlePerHost: w.workers(),
		Proxy: n.Proxy, TLS: n.TLS,
	}
}

// remote says whether an item comes from a network, or goes there.
func (it item) remote() bool { return it.url != nil || it.from != nil || it.to != nil }

// sizeForNetwork is size for a run of which a source is a URL: what there is to do is known when it is opened. The largest of
// the others has that many bytes.
func (r *run) sizeForNetwork(largest int64) {
	r.width = r.workers()
	for _, it := range r.items {
		if it.remote() {
			r.unopened.Add(1)
		}
	}
	r.chunk = min(r.askSize(networkPiece), networkPiece)
	if slices.ContainsFunc(r.items, func(it item) bool { return !it.remote() }) {
		r.chunk = max(r.chunk, min(r.chunkSize(), largest))
	}
}

// anyRemote says whether one of the items does.
func (r *run) anyRemote() bool {
	for _, it := range r.items {
		if it.remote() {
			return true
		}
	}
	return false
}
