// Package cookies is a cookie jar by the rules of RFC 6265 that can be kept in a file as curl and wget keep theirs.
package cookies

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Bounds on what servers can make a jar hold and a request carry; browsers have about the same (RFC 6265, section 6.1).
const (
	maxCookie = 4 << 10  // bytes of a name and its value
	maxPath   = 1 << 10  // bytes of a Path
	maxSite   = 180      // cookies of a registered domain and all hosts below it
	maxJar    = 16 << 20 // bytes of all cookies
	maxHeader = 8 << 10  // bytes of a Cookie header

	// maxAge is how long a cookie may live (draft RFC 6265bis, section 5.5).
	maxAge = 400 * 24 * time.Hour

	overhead = 256 // bytes that a cookie takes besides its texts, about
)

// Jar holds cookies. It is safe for use by many goroutines. The zero Jar is empty and ready to use.
type Jar struct {
	mu    sync.Mutex
	sites map[string]map[id]*cookie // by registered domain
	bytes int
	born  uint64 // cookies ever stored
	edits uint64 // how often what it holds was changed
}

// Edits returns a number that rises whenever what the jar holds is changed.
func (j *Jar) Edits() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.edits
}

// id tells the cookies of a site apart.
type id struct{ domain, path, name string }

// cookie is one cookie, its names as RFC 6265 section 5.3 has them.
type cookie struct {
	id
	value    string
	hostOnly bool // it is for the domain itself only, not for the hosts below it
	secure   bool
	httpOnly bool
	expires  time.Time // zero for a session's cookie, which has no date
	born     uint64    // order of creation
}

func (c *cookie) size() int {
	return len(c.domain) + len(c.path) + len(c.name) + len(c.value) + overhead
}

// saysAs says whether two cookies differ in nothing.
func (c *cookie) saysAs(other *cookie) bool {
	same := *other
	same.born, same.expires = c.born, c.expires
	return *c == same && c.expires.Equal(other.expires)
}

func (c *cookie) expired(now time.Time) bool { return !c.expires.IsZero() && !c.expires.After(now) }

// Request is the part of a request that decides about its cookies.
type Request struct {
	Secure bool   // the scheme is https
	Host   string // a name in lower case or an address, without a port
	Path   string // begins with a slash
}

// Set takes the Set-Cookie lines of the answer to a request. What RFC 6265 says to ignore is ignored.
func (j *Jar) Set(r Request, lines []string, now time.Time) {
	for _, line := range lines {
		c, remove, ok := parseSetCookie(line, r, now)
		if !ok {
			continue
		}
		j.mu.Lock()
		if r.Secure || !j.shadowsSecure(c) {
			if remove {
				j.remove(site(c.domain), c.id)
			} else {
				j.put(c, now)
			}
		}
		j.mu.Unlock()
	}
}

// Header returns the value of the Cookie header for a request, or nothing if there are none for it: longer paths first,
// then older cookies first (RFC 6265, section 5.4). What would make it longer than 8 KiB is left out.
func (j *Jar) Header(r Request, now time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []*cookie
	for _, c := range j.sites[site(r.Host)] {
		if c.matches(r) && !c.expired(now) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *cookie) int {
		if d := len(b.path) - len(a.path); d != 0 {
			return d
		}
		return int(int64(a.born) - int64(b.born))
	})
	var b strings.Builder
	for _, c := range found {
		if b.Len()+len("; =")+len(c.name)+len(c.value) > maxHeader {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		if c.name != "" {
			b.WriteString(c.name + "=")
		}
		b.WriteString(c.value)
	}
	return b.String()
}

// matches says whether a cookie is for a request.
func (c *cookie) matches(r Request) bool {
	if c.secure && !r.Secure || !pathMatch(r.Path, c.path) {
		return false
	}
	return r.Host == c.domain || !c.hostOnly && domainMatch(r.Host, c.domain)
}

// shadowsSecure says whether a cookie that came in the clear would take the place of one that only https may set (draft
// RFC 6265bis, section 5.6, step 13). It requires that mu is held.
func (j *Jar) shadowsSecure(c *cookie) bool {
	for _, old := range j.sites[site(c.domain)] {
		if old.secure && old.name == c.name && pathMatch(c.path, old.path) &&
			(domainMatch(c.domain, old.domain) || domainMatch(old.domain, c.domain)) {
			return true
		}
	}
	return false
}

// put stores a cookie in the place of the one with its id, whose age it inherits. It requires that mu is held.
func (j *Jar) put(c *cookie, now time.Time) {
	key := site(c.domain)
	j.born++
	c.born = j.born
	if old := j.sites[key][c.id]; old != nil {
		c.born = old.born
		if old.saysAs(c) {
			return // many sites set the same cookie with each page
		}
	}
	j.remove(key, c.id)
	if j.sites == nil {
		j.sites = map[string]map[id]*cookie{}
	}
	if j.sites[key] == nil {
		j.sites[key] = map[id]*cookie{}
	}
	if len(j.sites[key]) >= maxSite {
		j.makeRoom(key, now)
	}
	j.sites[key][c.id] = c
	j.bytes += c.size()
	j.edits++
	for other, held := range j.sites {
		if j.bytes <= maxJar {
			break
		}
		if other == key {
			continue
		}
		for old := range held {
			j.remove(other, old)
		}
	}
}

// makeRoom removes a site's expired cookies, or its oldest one if none is. It requires that mu is held.
func (j *Jar) makeRoom(key string, now time.Time) {
	var oldest *cookie
	for i, c := range j.sites[key] {
		if c.expired(now) {
			j.remove(key, i)
		} else if oldest == nil || c.born < oldest.born {
			oldest = c
		}
	}
	if len(j.sites[key]) >= maxSite {
		j.remove(key, oldest.id)
	}
}

// remove requires that mu is held.
func (j *Jar) remove(key string, i id) {
	if c := j.sites[key][i]; c != nil {
		j.bytes -= c.size()
		j.edits++
		delete(j.sites[key], i)
	}
}

// site returns what a host shares with all hosts that may have a cookie in common with it.
func site(host string) string {
	if isAddress(host) {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// domainMatch is that of RFC 6265, section 5.1.3.
func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	above, ok := strings.CutSuffix(host, domain)
	return ok && strings.HasSuffix(above, ".") && !isAddress(host)
}

// pathMatch is that of RFC 6265, section 5.1.4.
func pathMatch(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}
