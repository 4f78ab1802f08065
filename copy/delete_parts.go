package copy

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
)

// orphaned says whether an unfinished name in the destination is of a source that is gone: no run would go on with it.
// What another run has locked is not.
func (n *node) orphaned(name string) bool {
	if strings.HasSuffix(name, jobSuffix) {
		return !n.dst.busy(name) // this run's is locked too
	}
	suffix := partSuffix
	if strings.HasSuffix(name, journalSuffix) {
		suffix = journalSuffix
	}
	of := strings.TrimSuffix(strings.TrimPrefix(name, "."), suffix)
	if suffix == journalSuffix && !n.dst.has("."+of+partSuffix) {
		return true // whoever it was, it has given the file its name
	}
	if of == "" || n.src.has(of) || n.dst.busy("."+of+partSuffix) {
		return false
	}
	if n.tree.Filter != nil || n.tree.only != nil {
		return false // it may be of what is left out of this copy, and in the making all the same
	}
	return !isHashedName(of) || !n.hasHashed(of)
}

// dropDeadJournal removes the journal of a file that has its name already, of a run that was killed before it could do so.
// As long as there is a part file it may be in use.
func (n *node) dropDeadJournal(name string) {
	for _, hashed := range []bool{false, true} {
		if journal := journalName(name, hashed); !n.src.has(journal) && !n.dst.has(partName(name, hashed)) {
			_ = n.dst.remove(journal)
		}
	}
}

// isHashedName says whether a hash may stand for the name.
func isHashedName(of string) bool {
	sum, err := hex.DecodeString(of)
	return err == nil && len(sum) == hashedLen
}

// hasHashed says whether the source has an entry for whose name of stands, or may have.
func (n *node) hasHashed(of string) bool {
	err := n.src.each(func(name string, _ bool) error {
		if partName(name, true) == "."+of+partSuffix {
			return errStop
		}
		return nil
	})
	return errors.Is(err, errStop) || err != nil
}

// busy says whether another run has locked the part of that name. Only files and directories are locked.
func (d *dir) busy(part string) bool {
	m, err := d.lstat(part)
	switch {
	case err != nil:
		return !errors.Is(err, fs.ErrNotExist)
	case m.mode.IsDir():
		sub, err := d.sub(part)
		if err != nil {
			return true
		}
		defer func() { _ = sub.close() }()
		free, err := sub.lock()
		return err != nil || !free
	case m.mode.IsRegular():
		f, err := d.open(part)
		if err != nil {
			return true
		}
		defer func() { _ = f.Close() }()
		return !lockFree(f)
	}
	return false
}
