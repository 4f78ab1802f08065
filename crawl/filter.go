package crawl

import (
	"net/url"
	"regexp"
	"strings"
)

// wants says whether --include and --exclude let a link lead to a URL.
func (c *crawler) wants(u URL) bool {
	return (len(c.o.Include) == 0 || anyMatches(c.o.Include, u.String())) && !anyMatches(c.o.Exclude, u.String())
}

func anyMatches(patterns []*regexp.Regexp, s string) bool {
	for _, p := range patterns {
		if p.MatchString(s) {
			return true
		}
	}
	return false
}

// canonical returns the URL that pages are told apart by in this run: without the query parameters that --strip-query
// names.
func (o *Options) canonical(u URL) URL {
	if len(o.StripQuery) == 0 {
		return u
	}
	return u.withoutParameters(func(name string) bool { return anyMatches(o.StripQuery, name) })
}

func (c *crawler) canonical(u URL) URL { return c.o.canonical(u) }

// redirectTarget is canonical for where a response redirects to. A server that starts a session redirects a URL to
// itself with a session's id: there the id stays, else the page could never be had.
func (c *crawler) redirectTarget(from, to URL) URL {
	if short := c.canonical(to); short != c.canonical(from) {
		return short
	}
	return to
}

// withoutParameters returns a URL without the parameters of its query whose name, percent-decoded, drop says yes to. The
// others stay as they are, in their order.
func (u URL) withoutParameters(drop func(name string) bool) URL {
	if int(u.query) == len(u.text) {
		return u
	}
	var kept []string
	dropped := false
	for parameter := range strings.SplitSeq(u.text[u.query+1:], "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if drop(name) {
			dropped = true
		} else {
			kept = append(kept, parameter)
		}
	}
	if !dropped {
		return u
	}
	text := u.text[:u.query]
	if query := strings.Join(kept, "&"); query != "" {
		text += "?" + query
	}
	u.text = text
	return u
}
