package copy

import (
	"errors"
	"strings"
)

// glob is one pattern of rsync's rules. What it means where the manual is short is taken from rule_matches in rsync's
// exclude.c.
type glob struct {
	pattern string // without the slashes that anchor it and that ask for a folder
	tokens  []token
	wild    bool // otherwise pattern is compared as it is

	anchored bool // only the whole path
	dirOnly  bool
	nameOnly bool // only the last name of the path
	orSelf   bool // ends with ***: a folder is tried with a slash behind it, too
	fromRoot bool // begins with **: the path is tried with a slash before it, so that **/foo matches foo
	anyStart bool // has ** elsewhere: the match may begin at any name
	names    int  // otherwise: how many names at the end of the path must match
}

func newGlob(pattern string) (*glob, error) {
	if pattern == "" {
		return nil, errors.New("a pattern is empty")
	}
	g := &glob{wild: strings.ContainsAny(pattern, "*?[")}
	wild2 := g.wild && strings.Contains(pattern, "**")
	g.fromRoot = wild2 && strings.HasPrefix(pattern, "**")
	if len(pattern) > 1 && strings.HasSuffix(pattern, "/") {
		g.dirOnly = true
		pattern = pattern[:len(pattern)-1]
	}
	g.orSelf = wild2 && strings.HasSuffix(pattern, "***")
	slashes := strings.Count(pattern, "/")
	if strings.HasPrefix(pattern, "/") {
		g.anchored = true
		pattern = pattern[1:]
	}
	g.nameOnly = slashes == 0 && !wild2
	g.anyStart = wild2 && !g.anchored && !g.fromRoot
	g.names = slashes + 1
	g.pattern = pattern
	if g.wild {
		g.tokens = tokenize(pattern)
	}
	return g, nil
}

// match says whether the pattern matches a path.
func (g *glob) match(path string, dir bool) bool {
	if path == "" || g.dirOnly && !dir {
		return false
	}
	switch {
	case g.nameOnly:
		path = path[strings.LastIndexByte(path, '/')+1:]
	case g.fromRoot:
		path = "/" + path
	}
	if g.orSelf && dir {
		path += "/"
	}
	switch {
	case !g.wild && g.anchored:
		return path == g.pattern
	case !g.wild:
		before, found := strings.CutSuffix(path, g.pattern)
		return found && (before == "" || strings.HasSuffix(before, "/"))
	case !g.anchored && !g.nameOnly && !g.fromRoot && !g.anyStart:
		var enough bool
		if path, enough = lastNames(path, g.names); !enough {
			return false
		}
	}
	return matchTokens(g.tokens, path, g.anyStart)
}

// lastNames returns the last n names of a path, or false if it has fewer.
func lastNames(path string, n int) (string, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			if n--; n == 0 {
				return path[i+1:], true
			}
		}
	}
	return path, n == 1
}

// token is one element of a pattern: a star, or a set of bytes of which it matches one.
type token struct {
	kind tokenKind
	set  *byteSet // for oneOf
	char byte     // for oneChar
}

type tokenKind uint8

const (
	oneChar  tokenKind = iota
	oneOf              // a byte of set
	star               // any number of bytes but slashes
	starStar           // any number of bytes
	never              // nothing matches: the pattern ends within [ or after a backslash
)

func (t token) takes(c byte) bool {
	switch t.kind {
	case oneChar, starStar:
		return t.kind == starStar || c == t.char
	case oneOf:
		return t.set.has(c)
	case star:
		return c != '/'
	default:
		return false
	}
}

// tokenize reads a pattern as rsync's wildmatch.c does.
func tokenize(p string) []token {
	var tokens []token
	for i := 0; i < len(p); {
		switch p[i] {
		case '*':
			n := len(p[i:]) - len(strings.TrimLeft(p[i:], "*"))
			kind := star
			if n > 1 {
				kind = starStar
			}
			tokens = append(tokens, token{kind: kind})
			i += n
			continue
		case '?':
			tokens = append(tokens, token{kind: oneOf, set: notSlash})
		case '[':
			set, n := parseSet(p[i:])
			if n == 0 {
				return append(tokens, token{kind: never})
			}
			tokens = append(tokens, token{kind: oneOf, set: set})
			i += n
			continue
		case '\\':
			if i++; i == len(p) {
				return append(tokens, token{kind: never})
			}
			tokens = append(tokens, token{kind: oneChar, char: p[i]})
		default:
			tokens = append(tokens, token{kind: oneChar, char: p[i]})
		}
		i++
	}
	return tokens
}

// matchTokens says whether the tokens match all of text; with anyStart, or all of it from some name on.
//
// It follows all ways through the pattern at once, so the time is at most len(tokens) * len(text): trying one after the
// other, a pattern like *a*a*a*a*b would take years.
func matchTokens(tokens []token, text string, anyStart bool) bool {
	var room [2][64]bool
	at, next := room[0][:], room[1][:] // at[i]: tokens[:i] match the text so far
	if len(tokens) >= len(at) {
		at, next = make([]bool, len(tokens)+1), make([]bool, len(tokens)+1)
	}
	enter(at, tokens, 0)
	for i := range len(text) {
		clear(next[:len(tokens)+1])
		alive := false
		for j, t := range tokens {
			if !at[j] || !t.takes(text[i]) {
				continue
			}
			alive = true
			if t.kind == star || t.kind == starStar {
				enter(next, tokens, j) // it may take more
			} else {
				enter(next, tokens, j+1)
			}
		}
		if anyStart && text[i] == '/' {
			enter(next, tokens, 0)
			alive = true
		}
		if !alive && !anyStart {
			return false
		}
		at, next = next, at
	}
	return at[len(tokens)]
}

// enter marks tokens[:i] as matched, and what follows from it: a star may match nothing.
func enter(at []bool, tokens []token, i int) {
	for at[i] = true; i < len(tokens) && (tokens[i].kind == star || tokens[i].kind == starStar); i++ {
		at[i+1] = true
	}
}
