package cookies

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// parseSetCookie reads one Set-Cookie line as user agents do (RFC 6265, sections 5.2 and 5.3). remove says that the line
// takes away the cookie of that id; ok is false for a line that is ignored.
func parseSetCookie(line string, r Request, now time.Time) (c *cookie, remove, ok bool) {
	if !httpguts.ValidHeaderFieldValue(line) {
		return nil, false, false
	}
	pair, rest, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", name
	}
	c = &cookie{value: trim(value), hostOnly: true}
	c.domain, c.path, c.name = r.Host, defaultPath(r.Path), trim(name)
	if c.name+c.value == "" || len(c.name)+len(c.value) > maxCookie || strings.Contains(c.name+c.value, "\t") {
		return nil, false, false // a tab would end its field in a file
	}
	a := readAttributes(rest)
	if !c.setDomain(a.domain, r.Host) {
		return nil, false, false
	}
	if strings.HasPrefix(a.path, "/") && len(a.path) <= maxPath && !strings.Contains(a.path, "\t") {
		c.path = a.path
	}
	c.secure, c.httpOnly = a.secure, a.httpOnly
	if c.secure && !r.Secure || !c.keepsPrefix(a) {
		return nil, false, false
	}
	switch {
	case a.hasAge:
		remove = a.age <= 0
		c.expires = now.Add(min(a.age, maxAge))
	case !a.expires.IsZero():
		remove = !a.expires.After(now)
		c.expires = a.expires
		if c.expires.After(now.Add(maxAge)) {
			c.expires = now.Add(maxAge)
		}
	}
	return c, remove, true
}

// attributes is what follows a cookie's pair; of repeated ones the last counts.
type attributes struct {
	domain, path     string
	secure, httpOnly bool
	hasAge           bool
	age              time.Duration
	expires          time.Time
}

func readAttributes(text string) attributes {
	var a attributes
	for part := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(part, "=")
		value = trim(value)
		switch strings.ToLower(trim(key)) {
		case "domain":
			a.domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			a.path = value
		case "secure":
			a.secure = true
		case "httponly":
			a.httpOnly = true
		case "max-age":
			if age, ok := parseAge(value); ok {
				a.age, a.hasAge = age, true
			}
		case "expires":
			if at, ok := parseDate(value); ok {
				a.expires = at
			}
		}
	}
	return a
}

// setDomain takes a Domain attribute. It is false if the cookie may not be for that domain.
func (c *cookie) setDomain(domain, host string) bool {
	if domain == "" {
		return true
	}
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	if domain != host && !domainMatch(host, domain) {
		return false
	}
	// A domain under which strangers register has no cookies of its own, unless the host is that domain.
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain || isAddress(domain) {
		return domain == host
	}
	c.domain, c.hostOnly = domain, false
	return true
}

// keepsPrefix checks what a cookie's name promises (draft RFC 6265bis, section 4.1.3).
func (c *cookie) keepsPrefix(a attributes) bool {
	lower := strings.ToLower(c.name)
	switch {
	case strings.HasPrefix(lower, "__secure-"):
		return c.secure
	case strings.HasPrefix(lower, "__host-"):
		return c.secure && c.hostOnly && a.domain == "" && a.path == "/"
	}
	return true
}

// defaultPath is that of RFC 6265, section 5.1.4.
func defaultPath(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}

// parseAge reads the value of Max-Age (RFC 6265, section 5.2.2): digits, perhaps after a minus sign.
func parseAge(s string) (time.Duration, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if most := int64(maxAge / time.Second); err != nil || seconds > most {
		seconds = most // more than a number can hold
	}
	if digits != s {
		seconds = 0
	}
	return time.Duration(seconds) * time.Second, true
}

func trim(s string) string { return strings.Trim(s, " \t") }
