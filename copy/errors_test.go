package copy

import "testing"

// What is not known of the want of space is not said either.
func TestSpaceErrorText(t *testing.T) {
	for want, e := range map[string]SpaceError{
		"no space for d":                                            {Dest: "d", Free: -1},
		"no space for d: it needs 5 bytes":                          {Dest: "d", Need: 5, Free: -1},
		"no space for d: it needs 5 bytes and 3 are free":           {Dest: "d", Need: 5, Free: 3},
		"no space for d: it needs at least 5 inodes and 0 are free": {Dest: "d", Need: 5, SoFar: true, Inodes: true},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
