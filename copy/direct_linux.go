package copy

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openPastCache opens f once more with O_DIRECT, if that takes what directAlign promises.
func openPastCache(f *os.File, flag int) (*os.File, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st) // Linux 6.1
	if err == nil && st.Mask&unix.STATX_DIOALIGN != 0 {
		if a := st.Dio_offset_align; a == 0 || directAlign%a != 0 || directAlign%max(st.Dio_mem_align, 1) != 0 {
			return nil, errors.New("the file system has no direct I/O in blocks of 4 KiB")
		}
	}
	return os.OpenFile(fdPath(f), flag|unix.O_DIRECT, 0)
}

func mapPages(size int64) ([]byte, error) {
	return unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func unmapPages(b []byte) { _ = unix.Munmap(b) }
