package crawl

import "bytes"

// requisites reads an element that may show something.
func (s *scanner) requisites(e element) {
	var src, srcset, poster, data, typ []byte
	for name, value, ok := s.attribute(); ok; name, value, ok = s.attribute() {
		switch {
		case src == nil && is(name, "src"):
			src = value
		case srcset == nil && is(name, "srcset"):
			srcset = value
		case poster == nil && is(name, "poster"):
			poster = value
		case data == nil && is(name, "data"):
			data = value
		case typ == nil && is(name, "type"):
			typ = value
		}
	}
	if s.eof {
		return
	}
	switch e {
	case elImg:
		s.addSource(KindImage, s.decode(src))
		s.addSet(s.decode(srcset))
	case elSource: // of a video, or of a picture
		s.addSource(KindMedia, s.decode(src))
		s.addSet(s.decode(srcset))
	case elVideo:
		s.addSource(KindMedia, s.decode(src))
		s.addSource(KindImage, s.decode(poster))
	case elMedia:
		s.addSource(KindMedia, s.decode(src))
	case elObject:
		s.addSource(KindMedia, s.decode(data))
	case elScript:
		s.addSource(KindScript, s.decode(src))
	case elInput:
		if is(s.decode(typ), "image") {
			s.addSource(KindImage, s.decode(src))
		}
	}
}

// addSet adds the images of a srcset (HTML Standard, "parse a srcset attribute"): URLs, each followed by descriptors and
// a comma. A comma within a URL belongs to it.
func (s *scanner) addSet(set []byte) {
	for {
		set = bytes.TrimLeft(set, whiteSpace+",")
		if len(set) == 0 {
			return
		}
		end := bytes.IndexAny(set, whiteSpace)
		if end < 0 {
			end = len(set)
		}
		url := bytes.TrimRight(set[:end], ",")
		s.addSource(KindImage, url)
		if set = set[end:]; len(url) == end {
			set = set[descriptors(set):]
		}
	}
}

// descriptors returns how long the descriptors are, up to a comma that is not in parentheses.
func descriptors(set []byte) int {
	parenthesis := false
	for i, c := range set {
		switch {
		case c == '(':
			parenthesis = true
		case c == ')':
			parenthesis = false
		case c == ',' && !parenthesis:
			return i
		}
	}
	return len(set)
}
