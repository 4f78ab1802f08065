package crawl

import "strings"

// The bounds beyond which a URL is taken for one of an endless supply.
const (
	trapLength   = 2 << 10 // bytes
	trapSegments = 20
	trapRepeats  = 3 // how often one segment may stand in a path
)

// trap says why a link to u is not worth following, or nothing: scripts that link to ever longer URLs below themselves
// would keep a crawl from ending.
func (u URL) trap() string {
	if len(u.text) > trapLength {
		return "the URL is longer than 2 KiB"
	}
	path := strings.TrimSuffix(strings.TrimPrefix(u.Path(), "/"), "/")
	slashes := strings.Count(path, "/")
	if slashes < trapRepeats {
		return "" // too few to repeat one, as in nearly all
	}
	if slashes >= trapSegments {
		return "the path has more than 20 segments"
	}
	var segments [trapSegments]string
	n := 0
	for segment := range strings.SplitSeq(path, "/") {
		repeats := 1
		for _, earlier := range segments[:n] {
			if earlier == segment {
				repeats++
			}
		}
		if repeats > trapRepeats {
			return "the path has one segment more than 3 times"
		}
		segments[n] = segment
		n++
	}
	return ""
}
