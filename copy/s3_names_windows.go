package copy

import (
	"path/filepath"
	"strings"
)

func toSlash(path string) string { return filepath.ToSlash(path) }

// validHere refuses what Windows would take for another name, or for none.
func validHere(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	return !strings.ContainsAny(name, `<>:"\|?*`) && !strings.HasSuffix(name, ".") && !strings.HasSuffix(name, " ") &&
		!isDevice(base)
}
