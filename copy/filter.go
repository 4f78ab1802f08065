package copy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Rule says that names which match Pattern are included, or are not.
type Rule struct {
	Include bool
	Pattern string
}

// Filter decides which names of a tree are left out. A nil *Filter leaves out none.
//
// The first rule that matches a name decides about it; a name that none matches stays. Nothing in a folder that is left
// out is looked at, so a rule for something in it has no say. Patterns are those of rsync(1), "FILTER RULES":
//
//   - One that begins with a slash matches from the root of the tree: /foo is a name in the root only.
//   - One that ends with a slash matches only folders.
//   - One with another slash in it matches the end of the whole path: foo/bar is any bar in any foo.
//   - One without a slash matches the last name of the path.
//   - "*" is any number of characters but slashes, "?" is one, "**" is any number, slashes included; with "**" in it, a
//     pattern matches the whole path. "[a-z]", "[!a-z]", "[[:digit:]]" is one of a set. dir/*** is dir and all in it.
//   - A backslash before a character takes away its meaning, but is an ordinary one in a pattern without *, ? and [.
//
// Characters are bytes: names need not be UTF-8.
type Filter struct{ rules []compiledRule }

type compiledRule struct {
	include bool
	*glob
}

// NewFilter returns a Filter of rules, in their order. It fails on a pattern that is empty.
func NewFilter(rules []Rule) (*Filter, error) {
	f := &Filter{}
	for _, r := range rules {
		g, err := newGlob(r.Pattern)
		if err != nil {
			return nil, err
		}
		f.rules = append(f.rules, compiledRule{r.Include, g})
	}
	return f, nil
}

// Excludes says whether a name is left out: rel is its path from the root of the tree, with slashes; dir says whether it
// is a folder. Whoever walks the tree does not ask about what is in a folder that is left out.
func (f *Filter) Excludes(rel string, dir bool) bool {
	if f == nil {
		return false
	}
	for _, r := range f.rules {
		if r.match(rel, dir) {
			return !r.include
		}
	}
	return false
}

// maxRuleLine bounds what one line of a file may cost.
const maxRuleLine = 1 << 20

// ParseFilter reads rules, one a line: "+ PATTERN" includes, "- PATTERN" excludes. Empty lines and those that begin with
// "#" or ";" say nothing. Its errors name the line.
func ParseFilter(lines io.Reader) ([]Rule, error) {
	var rules []Rule
	s := bufio.NewScanner(lines)
	s.Buffer(nil, maxRuleLine)
	n := 0
	for s.Scan() {
		n++
		line := bytes.TrimSuffix(s.Bytes(), []byte("\r"))
		if len(line) == 0 || line[0] == '#' || line[0] == ';' {
			continue
		}
		sign, pattern, _ := strings.Cut(string(line), " ")
		if (sign != "+" && sign != "-") || pattern == "" {
			return nil, fmt.Errorf("line %d: %q is no rule: use + PATTERN or - PATTERN", n, line)
		}
		if _, err := newGlob(pattern); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		rules = append(rules, Rule{Include: sign == "+", Pattern: pattern})
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return rules, nil
}
