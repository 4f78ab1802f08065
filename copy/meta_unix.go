//go:build unix

package copy

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// statFile returns what an open file says of itself.
func statFile(f *os.File) (meta, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

// metaOfInfo returns what is known of a file that os.Stat has looked at: enough to recognise it.
func metaOfInfo(info fs.FileInfo) meta {
	m := meta{mode: info.Mode(), size: info.Size(), mtime: info.ModTime(), atime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		m.dev, m.ino, m.nlink, m.rdev = uint64(st.Dev), uint64(st.Ino), uint64(st.Nlink), uint64(st.Rdev)
		m.uid, m.gid = int(st.Uid), int(st.Gid)
	}
	return m
}

// notDirectory says whether an open failed because there is something else, or a symlink.
func notDirectory(err error) bool { return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) }

// statPath returns what path leads to says of itself, or path itself if follow is not set.
func statPath(path string, follow bool) (meta, error) {
	var st unix.Stat_t
	stat := unix.Lstat
	if follow {
		stat = unix.Stat
	}
	if err := stat(path, &st); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

func metaOf(st *unix.Stat_t) meta {
	return meta{
		mode: modeOf(uint32(st.Mode)), size: st.Size, blocks: int64(st.Blocks),
		mtime: time.Unix(st.Mtim.Unix()), atime: time.Unix(st.Atim.Unix()), ctime: time.Unix(st.Ctim.Unix()),
		dev: uint64(st.Dev), ino: uint64(st.Ino), nlink: uint64(st.Nlink), rdev: uint64(st.Rdev),
		uid: int(st.Uid), gid: int(st.Gid),
	}
}

// modeOf turns st_mode into a mode of package fs.
func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	}
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// timespecs are the times that a copy of m is given.
func timespecs(m meta) []unix.Timespec { return []unix.Timespec{timespec(m.atime), timespec(m.mtime)} }

// timespec does not count in nanoseconds, which end in 2262. Where seconds have 32 bits they end in 2038.
func timespec(t time.Time) unix.Timespec {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		ts, _ = unix.TimeToTimespec(time.Unix(math.MaxInt32, 0))
	}
	return ts
}

// nodeOf returns the type bits of a special file, and whether it is a device.
func nodeOf(m fs.FileMode) (kind uint32, device bool) {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return unix.S_IFIFO, false
	case m&fs.ModeSocket != 0:
		return unix.S_IFSOCK, false
	case m&fs.ModeCharDevice != 0:
		return unix.S_IFCHR, true
	default:
		return unix.S_IFBLK, true
	}
}

// permBits is a mode of package fs as chmod(2) takes it.
func permBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= unix.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		bits |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return bits
}
