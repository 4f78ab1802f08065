package copy

import (
	"fmt"
	"slices"
	"strings"
)

var reflinkNames = []string{ReflinkAuto: "auto", ReflinkAlways: "always", ReflinkNever: "never"}

// String returns the name that --reflink takes.
func (r Reflink) String() string {
	if r < 0 || int(r) >= len(reflinkNames) {
		return fmt.Sprintf("Reflink(%d)", int(r))
	}
	return reflinkNames[r]
}

// Set parses a name.
func (r *Reflink) Set(s string) error {
	i := slices.Index(reflinkNames, strings.ToLower(s))
	if i < 0 {
		return fmt.Errorf("%q is not a choice of reflink: use auto, always or never", s)
	}
	*r = Reflink(i)
	return nil
}
