package crawl

import (
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pace/limiter/exchange"
)

func TestRobotsAllows(t *testing.T) {
	for _, c := range []struct {
		name, robots    string
		allowed, denied string // paths, space-separated
	}{
		{"empty", "", "/ /a /robots.txt", ""},
		{"all", "User-agent: *\nDisallow: /", "/robots.txt", "/ /a"},
		{"an empty rule says nothing", "User-agent: *\nDisallow:", "/ /a", ""},
		{"own group instead of all's", "User-agent: *\nDisallow: /\nUser-agent: pace\nDisallow: /private", "/ /a", "/private /private/x"},
		{"the order of groups is of no matter", "User-agent: pace\nDisallow: /private\nUser-agent: *\nDisallow: /", "/ /a", "/private"},
		{"groups of one agent are merged", "User-agent: pace\nDisallow: /a\n\nUser-agent: other\nDisallow: /\n\nUser-agent: PACE\nDisallow: /b", "/c", "/a /b"},
		{"several agents of one group", "User-agent: other\nUser-agent: pace\nDisallow: /a", "/b", "/a"},
		{"a rule between agents ends the group", "User-agent: pace\nDisallow: /a\nUser-agent: other\nDisallow: /b", "/b", "/a"},
		{"agent with a version", "User-agent: pace/1.0\nDisallow: /a", "/b", "/a"},
		{"a longer token is another agent", "User-agent: pacemaker\nDisallow: /", "/a", ""},
		{"a blank line does not end a group", "User-agent: pace\n\nDisallow: /a", "/b", "/a"},
		{"rules before any agent", "Disallow: /\nUser-agent: *\nDisallow: /a", "/b", "/a"},
		{"longest match", "User-agent: *\nAllow: /p\nDisallow: /\nDisallow: /page/x", "/p /page /page/y", "/ /q /page/x"},
		{"equal length allows", "User-agent: *\nDisallow: /folder\nAllow: /folder", "/folder/page", ""},
		{"wildcards", "User-agent: *\nDisallow: /*.gif$\nDisallow: /a*b*c", "/x.gif?y /ab /acb", "/x.gif /d/x.gif /abc /aXbXcX"},
		{"an end alone", "User-agent: *\nDisallow: /a$", "/a/ /ab", "/a"},
		{"dollar inside is a character", "User-agent: *\nDisallow: /a$b", "/a /ab", "/a$b"},
		{"many stars", "User-agent: *\nDisallow: /" + strings.Repeat("*a", 50) + "$", "/b", "/" + strings.Repeat("a", 50)},
		{"query", "User-agent: *\nDisallow: /*?", "/a", "/a? /a?b=c"},
		{"a star that is one", "User-agent: *\nDisallow: /file-with-a-%2A.html", "/file-with-a-b.html", "/file-with-a-*.html /file-with-a-%2a.html"},
		{"a dollar that is one", "User-agent: *\nDisallow: /path/foo-%24", "/path/foo-", "/path/foo-$ /path/foo-%24 /path/foo-$x"},
		{"a star before an end", "User-agent: *\nDisallow: /a*$\nAllow: /ab$", "/ /b /ab", "/a /abc"},
		{"a star before a suffix that overlaps", "User-agent: *\nDisallow: /ab*ba$", "/aba", "/abba /abxba /ababa"},
		{"a pattern without a slash", "User-agent: *\nDisallow: a\nDisallow: *b", "/a /", "/b /ab"},
		{"stars alone", "User-agent: *\nDisallow: **", "", "/ /a"},
		{"a dollar alone", "User-agent: *\nDisallow: $", "/ /a", ""},
		{"the longest in octets, escaped", "User-agent: *\nDisallow: /%C3%A9\nAllow: /*", "/", "/%c3%a9x"},
		{"an escape that is none", "User-agent: *\nDisallow: /a%zz", "/a /azz /a%ZZ", "/a%zz /a%25zz"},
		{"the RFC's example", "User-agent: *\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/ /example/page/x", "/example/page/disallowed.gif"},
		{"no group for us, and none for all", "User-agent: other\nDisallow: /", "/ /a", ""},
		{"a group without rules allows all", "User-agent: pace\n\nUser-agent: *\nDisallow: /", "", "/ /a"},
		{"sitemaps end no group", "User-agent: pace\nSitemap: http://a/\nUser-agent: other\nDisallow: /a", "/b", "/a"},
		{"a group for us without a rule", "User-agent: *\nDisallow: /\nUser-agent: pace\nDisallow:", "/ /a", ""},
		{"agents beside each other, ours last", "User-agent: *\nUser-agent: pace\nDisallow: /a\nUser-agent: *\nDisallow: /b", "/b", "/a"},
		{"escapes of plain letters", "User-agent: *\nDisallow: /%61%7e", "/b", "/a~ /%61~ /a%7E"},
		{"case of escapes", "User-agent: *\nDisallow: /%e3%82%84", "/", "/%E3%82%84"},
		{"octets above ASCII", "User-agent: *\nDisallow: /や", "/", "/%E3%82%84"},
		{"an escaped slash is no slash", "User-agent: *\nDisallow: /a%2Fb", "/a/b", "/a%2fb"},
		{"comments", "User-agent: * # all\nDisallow: /a # no\n#Disallow: /b", "/b", "/a"},
		{"byte order mark", "\xef\xbb\xbfUser-agent: *\nDisallow: /a", "/b", "/a"},
		{"CR", "User-agent: *\rDisallow: /a\rDisallow: /b", "/c", "/a /b"},
		{"CRLF", "User-agent: *\r\nDisallow: /a\r\n", "/c", "/a"},
		{"junk", "<html>\n:\nUser-agent\nUser-agent: *\n\x00\xff: \nDisallow : /a\nFoo: /b", "/b", "/a"},
		{"case of keys", "USER-AGENT: *\ndisALLOW: /a", "/A", "/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parseRobots([]byte(c.robots), "pace")
			for _, path := range strings.Fields(c.allowed) {
				if !r.allows(path) {
					t.Errorf("%s is disallowed", path)
				}
			}
			for _, path := range strings.Fields(c.denied) {
				if r.allows(path) {
					t.Errorf("%s is allowed", path)
				}
			}
		})
	}
}

func TestRobotsOtherLines(t *testing.T) {
	r := parseRobots([]byte("Sitemap: http://a/1\nUser-agent: *\nCrawl-delay: 9\nUser-agent: pace\nCrawl-delay: 1.5\nSitemap: http://a/2"), "pace")
	if r.delay != 1500*time.Millisecond {
		t.Errorf("delay %v", r.delay)
	}
	if d := cmp.Diff([]string{"http://a/1", "http://a/2"}, r.sitemaps); d != "" {
		t.Error(d)
	}
	for _, value := range []string{"-1", "x", "nan", "1e400", ""} {
		r := parseRobots([]byte("User-agent: *\nCrawl-delay: "+value), "pace")
		if r.delay != 0 {
			t.Errorf("delay %q is %v", value, r.delay)
		}
	}
	if r := parseRobots([]byte("User-agent: *\nCrawl-delay: 1e30"), "pace"); r.delay < 364*24*time.Hour {
		t.Errorf("an endless delay is %v", r.delay)
	}
}

func TestRobotsSize(t *testing.T) {
	filler := strings.Repeat("# comment\n", 500<<10/10)
	if r := parseRobots([]byte("User-agent: *\n"+filler+"Disallow: /a"), "pace"); r.allows("/a") {
		t.Error("a rule at 500 KiB is not read")
	}
}

// FuzzRobots looks for crashes, and for paths that one file both allows and disallows.
func FuzzRobots(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /a*b$\nAllow: /%zz", "/a%2")
	f.Fuzz(func(t *testing.T, robots, path string) {
		r := parseRobots([]byte(robots), "pace")
		if got := r.allows(path); got != r.allows(path) {
			t.Error("two answers")
		}
		if normalized := normalizeRobotsPath(path); normalizeRobotsPath(normalized) != normalized {
			t.Errorf("%q is normalised to %q, and that to something else", path, normalized)
		}
		if !parseRobots(nil, "pace").allows(path) {
			t.Error("an empty file disallows")
		}
	})
}

// star and end are what `*` and a final `$` mean in a pattern.
const star, end = "star", "end"

// slowRobotsMatch is the definition of a match, one character at a time.
func slowRobotsMatch(pattern, path []string) bool {
	switch {
	case len(pattern) == 0:
		return true
	case len(pattern) == 1 && pattern[0] == end:
		return len(path) == 0
	case pattern[0] == star:
		return slowRobotsMatch(pattern[1:], path) || len(path) > 0 && slowRobotsMatch(pattern, path[1:])
	}
	return len(path) > 0 && pattern[0] == path[0] && slowRobotsMatch(pattern[1:], path[1:])
}

// robotsCharacters splits a text into the characters that are compared: those of octets that are no letters, digits or
// plain marks are the three of their escape.
func robotsCharacters(text string, pattern bool) (characters []string) {
	escape := regexp.MustCompile("^%[0-9a-fA-F]{2}")
	for i := 0; i < len(text); i++ {
		octet := text[i : i+1]
		plain := regexp.MustCompile(`^[-A-Za-z0-9._~!&'()+,;=:@/?]$`)
		switch {
		case pattern && octet == "*":
			characters = append(characters, star)
			continue
		case pattern && octet == "$" && i == len(text)-1:
			characters = append(characters, end)
			continue
		case escape.MatchString(text[i:]):
			n, _ := strconv.ParseUint(text[i+1:i+3], 16, 8)
			octet = string([]byte{byte(n)})
			plain = regexp.MustCompile(`^[-A-Za-z0-9._~]$`) // what is reserved differs from its escape
			i += 2
		}
		if !plain.MatchString(octet) {
			octet = fmt.Sprintf("%%%02X", octet)
		}
		characters = append(characters, strings.Split(octet, "")...)
	}
	return characters
}

// FuzzRobotsMatch compares the matcher with the definition.
func FuzzRobotsMatch(f *testing.F) {
	for _, seed := range [][2]string{{"/a*b$", "/axb"}, {"/a%2Ab", "/a*b"}, {"*/%7e$", "/x/~"}, {"/a$b", "/a$bc"}, {"/%2f", "//"}, {"$", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if strings.Count(pattern, "*") > 4 || len(path) > 40 || len(pattern) > 40 {
			return // the definition takes too long
		}
		got := robotsMatch(normalizeRobotsPattern(pattern), normalizeRobotsPath(path))
		if want := slowRobotsMatch(robotsCharacters(pattern, true), robotsCharacters(path, false)); got != want {
			t.Errorf("pattern %q, path %q: %v, want %v", pattern, path, got, want)
		}
	})
}

// slowRobots reads the rules for an agent in the plainest way: lines into groups, then the groups into one.
func slowRobots(text, agent string) (rules []string) {
	type group struct{ agents, rules []string }
	var groups []group
	open := false // the last group takes more agents
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		switch {
		case !ok:
		case key == "user-agent":
			if !open {
				groups = append(groups, group{})
			}
			open = true
			last := &groups[len(groups)-1]
			last.agents = append(last.agents, strings.ToLower(value))
		case key == "allow" || key == "disallow" || key == "crawl-delay":
			open = false
			if len(groups) > 0 && value != "" && key != "crawl-delay" {
				last := &groups[len(groups)-1]
				last.rules = append(last.rules, key+" "+normalizeRobotsPattern(value))
			}
		}
	}
	for _, name := range []string{agent, "*"} {
		found := false
		for _, g := range groups {
			if slices.ContainsFunc(g.agents, func(a string) bool { return a == name || name != "*" && productToken(a) == name }) {
				found = true
				rules = append(rules, g.rules...)
			}
		}
		if found {
			return rules
		}
	}
	return nil
}

// FuzzRobotsGroups compares which rules are an agent's with the plainest reading.
func FuzzRobotsGroups(f *testing.F) {
	f.Add("User-agent: a\nUser-agent: pace/1\nDisallow: /x\n\nuser-agent: *\nAllow: /\rUser-agent: pace\nSitemap: x\nDisallow: /*.gif$ # no")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) >= maxRobots || strings.HasPrefix(text, "\ufeff") || !utf8.ValidString(text) {
			return
		}
		var got []string
		for _, r := range parseRobots([]byte(text), "pace").rules {
			key := "disallow "
			if r.allow {
				key = "allow "
			}
			got = append(got, key+r.pattern)
		}
		if d := cmp.Diff(slowRobots(text, "pace"), got); d != "" {
			t.Errorf("(-plain +ours):\n%s", d)
		}
	})
}

// FuzzRetryAfter compares with a reading of each form by itself.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, s := range []string{"7", " 120 ", "99999999999999999999", "-1", "Thu, 01 Jan 2026 00:00:09 GMT", "Thursday, 01-Jan-26 00:01:00 GMT", "Thu Jan  1 00:00:09 2026", "soon"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := exchange.RetryAfter(http.Header{"Retry-After": {value}}, now)
		want := time.Duration(0)
		text := strings.TrimSpace(value)
		if n, ok := new(big.Int).SetString(text, 10); ok && strings.Trim(text, "0123456789") == "" {
			want = exchange.MaxAsked
			if n.Cmp(big.NewInt(int64(exchange.MaxAsked/time.Second))) < 0 {
				want = time.Duration(n.Int64()) * time.Second
			}
		} else if at, err := http.ParseTime(text); err == nil && at.After(now) {
			want = exchange.MaxAsked
			if at.Before(now.Add(exchange.MaxAsked)) {
				want = at.Sub(now)
			}
		}
		if got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	})
}
