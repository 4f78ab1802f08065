package copy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// keep gives out, a file or a directory, what m says and, with Archive, what more in has. The owner comes first: its
// change takes setuid and setgid away. Attributes come before the mode, which may forbid them, and after an ACL the mode
// is still right. The times come last, since all before would change them.
func (r *run) keep(out, in *os.File, item string, m meta) error {
	now, err := statFile(out)
	if err != nil {
		return fmt.Errorf("cannot keep the mode of %s: %w", item, because(err))
	}
	mode, changed := m.perm(), false
	if r.Archive {
		if r.keepOwner(item, now, m, out.Chown) {
			mode = m.mode & allBits
		}
		changed = r.keepAttributes(out, in, item) || now.uid != m.uid || now.gid != m.gid
	}
	if changed || now.mode&allBits != mode {
		if err := out.Chmod(mode); err != nil {
			if err := r.notKept("mode", item, err); err != nil {
				return err
			}
		}
	}
	if err := setTimes(out, m); err != nil {
		return r.notKept("times", item, err)
	}
	return nil
}

const allBits = fs.ModePerm | fs.ModeSticky | fs.ModeSetuid | fs.ModeSetgid

// keepOwner returns whether the owner and group are now those of m.
func (r *run) keepOwner(item string, now, m meta, chown func(uid, gid int) error) bool {
	if now.uid == m.uid && now.gid == m.gid {
		return true
	}
	err := chown(m.uid, m.gid)
	if err == nil {
		return true
	}
	_ = chown(-1, m.gid) // of one's own groups
	r.warn("owner", item, err)
	return false
}

// notKept turns a refusal of the file system to hold what into a warning.
func (r *run) notKept(what, item string, err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		r.warn(what, item, err)
		return nil
	}
	return fmt.Errorf("cannot keep the %s of %s: %w", what, item, because(err))
}

// warn counts something that the destination does not hold, and names the first item of each sort.
func (r *run) warn(what, item string, err error) {
	r.warnings.Add(1)
	if _, told := r.warned.LoadOrStore(what, true); !told {
		r.Log.Warn("the destination cannot keep the "+what, "item", item, "reason", because(err))
	}
}
