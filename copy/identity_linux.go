package copy

import (
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// partIDOf asks statx(2), as fstat knows neither births nor mounts. A kernel leaves out what it does not know: mounts
// have numbers since Linux 5.8, and such as are not used again since 6.8.
func partIDOf(f *os.File) (partID, error) {
	const mask = unix.STATX_INO | unix.STATX_BTIME | unix.STATX_MNT_ID | unix.STATX_MNT_ID_UNIQUE
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, mask, &st); err != nil {
		return partID{}, err
	}
	id := partID{dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	if st.Mask&(unix.STATX_MNT_ID|unix.STATX_MNT_ID_UNIQUE) != 0 {
		id.mount = st.Mnt_id
	}
	return id, nil
}

// bootID names this boot of the machine (random(4)); "" if it is not known.
func bootID() string { return readBootID() }

var readBootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})
