package copy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

func TestVerifyUnreadable(t *testing.T) {
	if asNobody(t) {
		return
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, dst := twins(t)
		big, sub := filepath.Join(src, "big"), filepath.Join(dst, "sub")
		if err := errors.Join(os.Chmod(big, 0), os.Chmod(sub, 0)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(sub, 0o755) })
		report, found := verified(t, VerifyOptions{Source: src, Dest: dst, Mode: m})
		if len(found) > 0 || report.ItemsFailed != 2 || report.Items != 5 {
			t.Errorf("%q, %+v", found, report)
		}
		report, err := Verify(t.Context(), VerifyOptions{Source: big, Dest: dst, Mode: m})
		if !errors.Is(err, fs.ErrPermission) || report.ItemsFailed != 1 {
			t.Errorf("the only file cannot be read: %v, %+v", err, report)
		}
	})
}
