package copy

// identity is what a source is recognised by between runs. What a system does not know is zero.
type identity struct {
	dev, ino     uint64
	size         int64 // bytes
	mtime, ctime int64 // nanoseconds since 1970
}

func identityOf(m meta) identity {
	id := identity{dev: m.dev, ino: m.ino, size: m.size, mtime: m.mtime.UnixNano()}
	if !m.ctime.IsZero() {
		id.ctime = m.ctime.UnixNano()
	}
	return id
}

// is says whether now is the source that was, unchanged. Device numbers are handed out anew at each boot, so that they
// say something only within one.
func (was identity) is(now identity, sameBoot bool) bool {
	if !sameBoot {
		now.dev = was.dev
	}
	return was == now
}

// sameFile says whether a and b are of one file, which may have changed in between. Where there are no inode numbers,
// equal in everything else is taken for the same.
func (id identity) sameFile(other identity) bool {
	if id.ino == 0 {
		return id == other
	}
	return id.dev == other.dev && id.ino == other.ino
}

// partID tells a part file from every other one. Inode numbers are used again soon after a file is removed, hence the
// time of birth.
type partID struct {
	dev, ino uint64
	born     int64 // nanoseconds since 1970; 0 if it is not known
	// mount is another one each time the file system is mounted; 0 if it is not known. A disk that was pulled out has
	// lost what was not written yet, although the machine runs on.
	mount uint64
}

// is says whether now is the part file that was. As with sources, device numbers hold only as long as a mount does.
func (was partID) is(now partID, sameMount bool) bool {
	if !sameMount {
		now.dev = was.dev
	}
	now.mount = was.mount
	return was == now
}
