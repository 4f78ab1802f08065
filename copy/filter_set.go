package copy

import "strings"

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c/64] |= 1 << (c % 64) }
func (s *byteSet) has(c byte) bool { return s[c/64]&(1<<(c%64)) != 0 }

func (s *byteSet) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

// invert makes the set what it was not, without the slash, which no set matches.
func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

func (s *byteSet) dropSlash() { s['/'/64] &^= 1 << ('/' % 64) }

var notSlash = func() *byteSet {
	var s byteSet
	s.invert()
	s.dropSlash()
	return &s
}()

// parseSet reads a set that begins with "[", and returns how long it is; 0 if it has no end or names no class.
func parseSet(p string) (set *byteSet, n int) {
	set = &byteSet{}
	i := 1
	inverted := i < len(p) && (p[i] == '!' || p[i] == '^')
	if inverted {
		i++
	}
	last, ranged := byte(0), false // the character that a "-" would begin a range with
	for first := true; ; first = false {
		switch rest := p[min(i, len(p)):]; {
		case rest == "":
			return nil, 0
		case rest[0] == ']' && !first:
			if inverted {
				set.invert()
			}
			set.dropSlash()
			return set, i + 1
		case rest[0] == '-' && ranged && len(rest) > 1 && rest[1] != ']':
			i++
			hi, width := setChar(p[i:])
			if width == 0 {
				return nil, 0
			}
			set.addRange(last, hi)
			ranged = false
			i += width
		case strings.HasPrefix(rest, "[:"):
			width, ok := addClass(set, rest)
			if !ok {
				return nil, 0
			}
			if width > 0 {
				ranged = false
				i += width
				continue
			}
			fallthrough // without ":]" it is an ordinary bracket
		default:
			c, width := setChar(rest)
			if width == 0 {
				return nil, 0
			}
			set.add(c)
			last, ranged = c, true
			i += width
		}
	}
}

// setChar reads one character of a set, and how long it is written; 0 if p ends within it.
func setChar(p string) (c byte, width int) {
	if p[0] != '\\' {
		return p[0], 1
	}
	if len(p) == 1 {
		return 0, 0
	}
	return p[1], 2
}

// classes are the POSIX classes, as the C locale has them.
var classes = map[string]func(c byte) bool{
	"alnum":  func(c byte) bool { return isAlpha(c) || isDigit(c) },
	"alpha":  isAlpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  isLower,
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  isUpper,
	"xdigit": func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' },
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isAlpha(c byte) bool { return isLower(c) || isUpper(c) }

// addClass adds the class that p begins with, "[:alpha:]", and returns how long it is written: 0 if it is no class. It is
// not ok if there is no class of that name.
func addClass(set *byteSet, p string) (width int, ok bool) {
	end := strings.IndexByte(p, ']')
	if end < 0 {
		return 0, false
	}
	if end < len("[:")+1 || p[end-1] != ':' {
		return 0, true
	}
	in := classes[p[len("[:"):end-1]]
	if in == nil {
		return 0, false
	}
	for c := range 256 {
		if in(byte(c)) {
			set.add(byte(c))
		}
	}
	return end + 1, true
}
