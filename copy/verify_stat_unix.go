//go:build unix

package copy

import (
	"fmt"
	"io/fs"
	"syscall"
)

const nonBlocking = syscall.O_NONBLOCK

// ownerOf returns user and group as chown(1) takes them.
func ownerOf(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
	}
	return ""
}

// deviceNumber returns which device a node stands for; 0 for what is no device.
func deviceNumber(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&fs.ModeDevice != 0 {
		return uint64(st.Rdev)
	}
	return 0
}
