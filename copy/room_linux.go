package copy

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes this user can still write to the file system of f, if it says.
func freeSpace(f *os.File) (int64, bool) {
	var st unix.Statfs_t
	// Without blocks a file system has no size, as FUSE ones that do not tell.
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree // root may use what is held back
	}
	return int64(min(blocks, math.MaxInt64/uint64(st.Frsize))) * int64(st.Frsize), true
}

// freeInodes returns how many inodes are left in the file system of f, if it counts them: btrfs, for one, does not.
func freeInodes(f *os.File) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Files == 0 {
		return 0, false
	}
	return int64(min(st.Ffree, math.MaxInt64)), true
}

// blocksOf knows how files lie on the most usual file systems. ext4 may keep what is shorter than an inode in that
// (inline_data), btrfs what is shorter than 2 KiB in its tree (max_inline of btrfs(5)).
func blocksOf(f *os.File) blockRule {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err == nil && st.Bsize > 0 {
		switch uint32(st.Type) {
		case unix.TMPFS_MAGIC, unix.XFS_SUPER_MAGIC:
			return blockRule{size: int64(st.Bsize)}
		case unix.EXT4_SUPER_MAGIC:
			return blockRule{size: int64(st.Bsize), inline: kib}
		case unix.BTRFS_SUPER_MAGIC:
			return blockRule{size: int64(st.Bsize), inline: 2 * kib}
		}
	}
	return blockRule{size: 1}
}

// preallocate takes the space for e, if the file system can do that without writing it (fallocate(2), mode 0).
func preallocate(f *os.File, e extent) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, e.off, e.end-e.off)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		default:
			return err
		}
	}
}

func outOfSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
