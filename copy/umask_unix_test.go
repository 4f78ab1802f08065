//go:build unix

package copy

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Many runs of one process may ask at once, and none changes what it asks for.
func TestUmask(t *testing.T) {
	was := unix.Umask(0o027)
	defer unix.Umask(was)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if got := umask(); got != 0o027 {
					t.Errorf("umask %o", got)
					return
				}
			}
		})
	}
	wg.Wait()
	if now := unix.Umask(0o027); now != 0o027 {
		t.Errorf("it is %o now", now)
	}
}
