//go:build unix

package copy

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openOwn opens the journal at path, made if it is not there. It refuses what someone else may have put in its place: to
// have ranges trusted that are not there, or another file of ours overwritten. Only a plain file of another user is
// removed: where a file system gives all files one owner, each is such a file. shown is the path for messages.
func openOwn(path, shown string) (*os.File, error) {
	for {
		// O_NONBLOCK: what lies there may be a fifo.
		f, made, err := makeOrOpen(unix.AT_FDCWD, path, unix.O_NONBLOCK)
		if errors.Is(err, unix.ELOOP) {
			return nil, notOurJournal(shown)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", shown, err)
		}
		var st unix.Stat_t
		err = unix.Fstat(int(f.Fd()), &st)
		if err == nil && (made || ours(&st)) {
			_ = f.Chmod(0o600) // as it was made; not every file system has modes
			return f, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", shown, err)
		}
		if st.Nlink == 0 {
			continue // the run before, which has renamed its part, has just removed it
		}
		if !alone(&st) || unix.Unlink(path) != nil {
			return nil, notOurJournal(shown)
		}
	}
}

func notOurJournal(shown string) error {
	return fmt.Errorf("%s is not a journal of this user; remove it", shown)
}
