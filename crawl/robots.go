package crawl

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// maxRobots is how much of a robots.txt is parsed; RFC 9309 section 2.5 asks for at least 500 KiB.
const maxRobots = 512 << 10

// robotsRules is what one robots.txt says to one crawler (RFC 9309).
type robotsRules struct {
	rules    []robotsRule
	delay    time.Duration // Crawl-delay; 0 if there is none
	sitemaps []string
}

// robotsRule allows or disallows the paths that its pattern matches.
type robotsRule struct {
	pattern string // normalised; `*` matches any characters, a final `$` the end of the path
	allow   bool
}

// parseRobots reads a robots.txt for the crawler with a product token. All groups that name it count as one; if none
// does, the groups for `*` do (RFC 9309, section 2.2.1).
func parseRobots(body []byte, token string) *robotsRules {
	if len(body) >= maxRobots {
		// The last line may be cut, and half a rule is another one: "Disallow: /".
		body = body[:bytes.LastIndexAny(body[:maxRobots], "\r\n")+1]
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var named, general robotsRules
	found := false
	p := robotsParser{token: token}
	var sitemaps []string
	for len(body) > 0 {
		var line []byte
		line, body = cutLine(body)
		key, value, ok := robotsLine(line)
		if !ok {
			continue
		}
		if key == "sitemap" {
			sitemaps = append(sitemaps, value)
			continue
		}
		p.line(key, value)
		found = found || p.named
		if p.named {
			named.add(key, value)
		}
		if p.general {
			general.add(key, value)
		}
	}
	chosen := &general
	if found {
		chosen = &named
	}
	chosen.sitemaps = sitemaps
	return chosen
}

// robotsParser follows which groups the present line belongs to.
type robotsParser struct {
	token          string
	named, general bool // the group is for the crawler, for all
	inRules        bool // a rule has been seen, so the next user-agent line begins another group
}

// line moves on by one line.
func (p *robotsParser) line(key, value string) {
	switch key {
	case "user-agent":
		if p.inRules {
			p.named, p.general, p.inRules = false, false, false
		}
		if agent := productToken(value); agent == "*" || value == "*" {
			p.general = true
		} else if agent != "" && strings.EqualFold(agent, p.token) {
			p.named = true
		}
	case "allow", "disallow", "crawl-delay":
		p.inRules = true
	}
}

// add takes a line of a group for this crawler.
func (r *robotsRules) add(key, value string) {
	switch key {
	case "allow", "disallow":
		if value != "" {
			r.rules = append(r.rules, robotsRule{pattern: normalizeRobotsPattern(value), allow: key == "allow"})
		}
	case "crawl-delay":
		if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
			const most = float64(365 * 24 * time.Hour / time.Second)
			r.delay = max(r.delay, time.Duration(min(seconds, most)*float64(time.Second)))
		}
	}
}

// allows says whether a path with its query may be fetched: the longest pattern that matches decides, and of equal ones
// the one that allows (RFC 9309, section 2.2.2).
func (r *robotsRules) allows(path string) bool {
	if path == "/robots.txt" {
		return true
	}
	path = normalizeRobotsPath(path)
	longest, allow := -1, true
	for _, rule := range r.rules {
		n := len(rule.pattern)
		if n < longest || n == longest && !rule.allow {
			continue
		}
		if robotsMatch(rule.pattern, path) {
			longest, allow = n, rule.allow
		}
	}
	return allow
}

// robotsMatch says whether a pattern matches the beginning of a path. It is linear in the path for each `*`.
func robotsMatch(pattern, path string) bool {
	pattern, anchored := strings.CutSuffix(pattern, "$")
	first, rest, wild := strings.Cut(pattern, "*")
	if !strings.HasPrefix(path, first) {
		return false
	}
	path = path[len(first):]
	for wild {
		var part string
		part, rest, wild = strings.Cut(rest, "*")
		if !wild && anchored {
			return strings.HasSuffix(path, part)
		}
		i := strings.Index(path, part)
		if i < 0 {
			return false
		}
		path = path[i+len(part):]
	}
	return !anchored || path == ""
}

// cutLine splits off the first line; CR, LF and CRLF end one.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+1:]
}

// robotsLine splits a line into its key, in lower case, and its value, without the comment.
func robotsLine(line []byte) (key, value string, ok bool) {
	line, _, _ = bytes.Cut(line, []byte("#"))
	k, v, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return "", "", false
	}
	return strings.ToLower(string(bytes.TrimSpace(k))), string(bytes.TrimSpace(v)), true
}

// productToken returns the part of a user agent that robots.txt names: the letters, `_` and `-` it begins with
// (RFC 9309, section 2.2.1).
func productToken(agent string) string {
	end := strings.IndexFunc(agent, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && r != '_' && r != '-'
	})
	if end < 0 {
		return agent
	}
	return agent[:end]
}

// normalizeRobotsPattern is normalizeRobotsPath for a rule's pattern, where `*` and a final `$` are no octets of a path.
func normalizeRobotsPattern(pattern string) string {
	body, anchored := strings.CutSuffix(pattern, "$")
	parts := strings.Split(body, "*")
	for i, part := range parts {
		parts[i] = normalizeRobotsPath(part)
	}
	body = strings.Join(parts, "*")
	if anchored {
		body += "$"
	}
	return body
}

// normalizeRobotsPath makes equal what a path can be written as: octets that need no escape stand for themselves, and
// all others are escaped in upper case (RFC 9309, section 2.2.2). `*` and `$` are escaped too, for in a rule that is how
// they are meant as they are (section 2.2.3).
func normalizeRobotsPath(path string) string {
	const plain = "-._~!&'()+,;=:@/?"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' && i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				c, escaped = byte(n), true
				i += 2
			}
		}
		unreserved := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
		switch {
		case unreserved, !escaped && strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
