package site

import (
	"net/http"
	"strconv"
	"strings"
)

// robots answers /robots.txt.
func (s *Site) robots(w http.ResponseWriter, r *http.Request) {
	text := s.o.Robots
	if text == "" {
		text = s.rules(origin(r))
	}
	writeText(w, http.StatusOK, text)
}

// rules returns the robots.txt that the options describe (RFC 9309; Crawl-delay and Sitemap are extensions).
func (s *Site) rules(origin string) string {
	var b strings.Builder
	b.WriteString("User-agent: *\n")
	for _, path := range s.o.Disallow {
		b.WriteString("Disallow: " + path + "\n")
	}
	if len(s.o.Disallow) == 0 {
		b.WriteString("Disallow:\n")
	}
	if s.o.CrawlDelay > 0 {
		b.WriteString("Crawl-delay: " + strconv.FormatFloat(s.o.CrawlDelay.Seconds(), 'f', -1, 64) + "\n")
	}
	b.WriteString("\nSitemap: " + origin + "/sitemap" + s.sitemapSuffix() + "\n")
	return b.String()
}

// origin returns the scheme and host under which the client knows the site.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
