package copy

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// aclPrefix begins the names of what holds POSIX ACLs (acl(5)).
const aclPrefix = "system.posix_acl_"

// keepAttributes gives out the extended attributes that in has, ACLs included, and takes away the ACLs that out got
// from its folder and in has not. It returns whether there was anything to do.
func (r *run) keepAttributes(out, in *os.File, item string) bool {
	return r.moveAttributes(item, attributesOf(in), attributesOf(out))
}

// keepEntryAttributes does so for what is not opened: a link or a special file.
func (r *run) keepEntryAttributes(out, in place) {
	r.moveAttributes(in.shown, attributesOfEntry(in.dir, in.name), attributesOfEntry(out.dir, out.name))
}

// xattrs are the attributes of one inode, reached by its descriptor or by a path that follows no link at its end.
type xattrs struct {
	list   func(buf []byte) (int, error)
	get    func(name string, buf []byte) (int, error)
	set    func(name string, value []byte) error
	remove func(name string) error
}

func attributesOf(f *os.File) xattrs {
	fd := int(f.Fd())
	return xattrs{
		list:   func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) },
		get:    func(name string, buf []byte) (int, error) { return unix.Fgetxattr(fd, name, buf) },
		set:    func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) },
		remove: func(name string) error { return unix.Fremovexattr(fd, name) },
	}
}

func attributesOfEntry(d *dir, name string) xattrs {
	path := d.pathOf(name)
	return xattrs{
		list:   func(buf []byte) (int, error) { return unix.Llistxattr(path, buf) },
		get:    func(name string, buf []byte) (int, error) { return unix.Lgetxattr(path, name, buf) },
		set:    func(name string, value []byte) error { return unix.Lsetxattr(path, name, value, 0) },
		remove: func(name string) error { return unix.Lremovexattr(path, name) },
	}
}

func (r *run) moveAttributes(item string, src, dst xattrs) (changed bool) {
	names, err := src.names()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			r.warn("attributes", item, err)
		}
		return false
	}
	for _, name := range names {
		value, err := grown(func(buf []byte) (int, error) { return src.get(name, buf) })
		if err == nil {
			changed = true
			err = dst.set(name, value)
		}
		// The label of a security module is its own business.
		if err != nil && !errors.Is(err, unix.ENODATA) && name != "security.selinux" {
			r.warn("attribute "+name, item, err)
		}
	}
	had, _ := dst.names()
	for _, name := range had {
		if strings.HasPrefix(name, aclPrefix) && !slices.Contains(names, name) {
			changed = true
			if err := dst.remove(name); err != nil {
				r.warn("attribute "+name, item, err)
			}
		}
	}
	return changed
}

// names returns the names of the attributes.
func (a xattrs) names() ([]string, error) {
	list, err := grown(a.list)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var names []string
	for _, name := range bytes.Split(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		names = append(names, string(name))
	}
	return names, nil
}

// grown calls get with a buffer that is large enough.
func grown(get func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := get(buf)
		if errors.Is(err, unix.ERANGE) && size < 1<<20 {
			continue
		}
		return buf[:max(n, 0)], err
	}
}

func cannotClone(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOTTY)
}
