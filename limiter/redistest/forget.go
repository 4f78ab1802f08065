package redistest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Keep copies what the server has saved so far.
func (s *Server) Keep(tb testing.TB) (kept fs.FS) {
	tb.Helper()
	// A file that ends within a transaction is cut there when it is loaded, and not before the transaction: the next time,
	// Redis 7.0 does the half of it that is left. So nothing is written meanwhile.
	must(tb, s, "CLIENT", "PAUSE", "60000", "WRITE")
	defer must(tb, s, "CLIENT", "UNPAUSE")
	dir := filepath.Join(tb.TempDir(), "kept")
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		tb.Fatal(err)
	}
	return os.DirFS(dir)
}

// PutBack lets a server that was killed forget all but what it had saved when that was kept.
func (s *Server) PutBack(tb testing.TB, kept fs.FS) {
	tb.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Remove(path)
	})
	if err == nil {
		err = os.CopyFS(s.dir, kept)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
