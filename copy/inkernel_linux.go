package copy

import (
	"os"

	"golang.org/x/sys/unix"
)

// File systems that golang.org/x/sys/unix has no number for (statfs(2), linux/magic.h).
const (
	cephMagic     = 0x00c36400
	bcachefsMagic = 0xca451a4e
)

var kernelRanges = rangeCopier{suits: rangesSuit, copy: copyRange}

// rangesSuit says so for network file systems, whose servers copy what never travels, and for those that share blocks
// where they could not share the whole file. Elsewhere the kernel would read and write, one file at a time, what several
// workers read and write faster.
func rangesSuit(in, out *os.File, clone error) bool {
	var from, to unix.Statfs_t
	if unix.Fstatfs(int(in.Fd()), &from) != nil || unix.Fstatfs(int(out.Fd()), &to) != nil || from.Type != to.Type {
		return false
	}
	switch uint32(from.Type) {
	case unix.NFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, cephMagic:
		return true
	case unix.BTRFS_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, bcachefsMagic:
		return clone != nil && !cannotClone(clone)
	}
	return false
}

// sharesNothing says whether data that is in the file system of in cannot be shared in that of out.
func sharesNothing(in, out *os.File) bool {
	var from, to unix.Statfs_t
	if unix.Fstatfs(int(in.Fd()), &from) != nil || unix.Fstatfs(int(out.Fd()), &to) != nil {
		return false
	}
	switch uint32(to.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.TMPFS_MAGIC: // ext2 and ext3 have ext4's number
		return true
	}
	return from.Type != to.Type
}

func copyRange(in, out *os.File, off int64, n int) (int, error) {
	from, to := off, off
	return unix.CopyFileRange(int(in.Fd()), &from, int(out.Fd()), &to, n, 0)
}
