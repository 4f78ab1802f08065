//go:build unix

package copy

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openOwn opens the journal at path, made if it is not there.
func openOwn(path string) (*os.File, error) {
	// O_NONBLOCK: what lies there may be a fifo.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, notOurJournal(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, because(err))
	}
	return f, nil
}

// checkOwn refuses what someone else may have put in the journal's place: to have ranges trusted that are not there, or
// another file of ours overwritten.
func checkOwn(f *os.File, shown string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("cannot open %s: %w", shown, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 || int(st.Uid) != os.Geteuid() {
		return notOurJournal(shown)
	}
	_ = f.Chmod(0o600) // as it was made; not every file system has modes
	return nil
}

func notOurJournal(shown string) error {
	return fmt.Errorf("%s is not a journal of this user; remove it", shown)
}
