package crawl

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
