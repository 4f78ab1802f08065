package copy

import (
	"fmt"
	"slices"
	"strings"
)

var sparseNames = []string{SparseAuto: "auto", SparseAlways: "always", SparseNever: "never"}

// String returns the name that --sparse takes.
func (s Sparse) String() string {
	if s < 0 || int(s) >= len(sparseNames) {
		return fmt.Sprintf("Sparse(%d)", int(s))
	}
	return sparseNames[s]
}

// Set parses a name.
func (s *Sparse) Set(name string) error {
	i := slices.Index(sparseNames, strings.ToLower(name))
	if i < 0 {
		return fmt.Errorf("%q is not a choice of sparse: use auto, always or never", name)
	}
	*s = Sparse(i)
	return nil
}

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
