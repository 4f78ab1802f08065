package copy

import (
	"io/fs"
	"os"
	"time"
)

// meta is what an inode says of itself.
type meta struct {
	mode         fs.FileMode
	size, blocks int64 // bytes; blocks are of 512 bytes, below zero if not known
	mtime, atime time.Time
	ctime        time.Time // when the inode last changed, which no one can set; zero where it is not known
	dev, ino     uint64
	nlink, rdev  uint64
	uid, gid     int

	info fs.FileInfo // where inodes have no numbers
}

// place is a name in an open directory, and the path by which the user knows it.
type place struct {
	dir    *dir
	name   string
	shown  string
	uid    int  // besides this user, who may own the part: a run that was killed may have given it away already
	hidden bool // nobody else looks there
	stale  bool // what has the name is what an earlier run has left, where nobody sees it
	hashed bool // a hash stands for the name in that of the part, because the source has an entry of the plain one
}

// sameFile says whether both are the same file.
func sameFile(a, b meta) bool {
	if a.info != nil && b.info != nil {
		return os.SameFile(a.info, b.info)
	}
	return a.dev == b.dev && a.ino == b.ino
}

// unchanged says whether now is still the same content of the same file.
func (m meta) unchanged(now meta) bool {
	return m.size == now.size && m.mtime.Equal(now.mtime) && m.ctime.Equal(now.ctime)
}

// perm is what of the mode every copy keeps. Setuid and setgid stay behind: the new file may have another owner.
func (m meta) perm() fs.FileMode { return m.mode & (fs.ModePerm | fs.ModeSticky) }
