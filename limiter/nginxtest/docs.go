package nginxtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Docs returns the folder of the PostgreSQL manual in HTML: over a thousand pages, with index.html as their root.
func Docs(tb testing.TB) string {
	tb.Helper()
	const dir = "/usr/share/doc/postgresql-doc-15/html"
	if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
		Missing(tb, "the PostgreSQL manual (Debian package postgresql-doc-15)")
	}
	return dir
}
