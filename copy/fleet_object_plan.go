package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// openFleetStore opens the object store if the copy needs one.
func (f *fleetRun) openFleetStore() error {
	if !IsS3(f.Dest) && !slices.ContainsFunc(f.Sources, IsS3) {
		return nil
	}
	f.umask = umask() // no worker makes files yet
	f.web = f.openWeb()
	var err error
	f.store, err = f.web.openStore()
	return err
}

func (f *fleetRun) closeFleetStore() {
	if f.web != nil {
		f.store.close()
		f.web.client.Close()
	}
}

// findObject finds what an item's source is, where that is in an object store: below a prefix there has to be something,
// or it is an object itself.
func (f *fleetRun) findObject(ctx context.Context, it *item) error {
	switch {
	case !it.prefix && it.from.isFolder():
		return fmt.Errorf("-r not specified; omitting prefix %s", it.src)
	case it.prefix:
		all := &lister{store: f.store, at: *it.from}
		_, _, err := all.next(ctx)
		if err == nil {
			if it.to != nil {
				return (&withinTree{it: *it}).check()
			}
			return nil
		}
		if err != io.EOF {
			return fmt.Errorf("cannot list %s: %w", it.src, err)
		}
		there := false
		if !it.from.isFolder() {
			if _, there, err = f.store.look(ctx, *it.from); err != nil {
				return err
			}
		}
		if !there {
			return fmt.Errorf("there is nothing below %s", it.src)
		}
		if err := f.landAlone(it); err != nil {
			return err
		}
	}
	it.info = remoteInfo{found{mode: f.newMode()}}
	if it.to != nil && *it.to == *it.from {
		return usagef("%s and %s are the same object", it.src, it.dst)
	}
	return nil
}

// checkUp refuses what cannot be an object.
func (f *fleetRun) checkUp(it *item) error {
	switch {
	case it.to == nil || it.from != nil || it.isTree(&f.Options):
		return nil
	case it.info.IsDir():
		return fmt.Errorf("-r not specified; omitting directory %s", it.src)
	case !it.info.Mode().IsRegular():
		return fmt.Errorf("%s is a %s: only regular files can be copied", it.src, kind(it.info.Mode()))
	}
	return nil
}

// planObject is planSource where either end is in an object store. What lands there has its whole key for its path, and the
// bucket is the base.
func (f *fleetRun) planObject(it item, base string) (plannedSource, error) {
	s := plannedSource{Single: !it.isTree(&f.Options)}
	if it.from == nil {
		m := metaOfInfo(it.info)
		s.Type, s.Inode, s.Time = uint32(it.info.Mode().Type()), m.ino, m.mtime.UnixNano()
	}
	if it.to != nil {
		s.Lands = []byte(it.to.key)
		if !s.Single {
			s.Lands = []byte(strings.TrimSuffix(it.to.key, "/"))
		}
		return s, nil
	}
	lands, err := filepath.Rel(base, trimSlashes(it.dst))
	if lands != "." {
		s.Lands = []byte(filepath.ToSlash(lands))
	}
	return s, err
}

// cutOff says whether err is that an object store is out of this worker's reach, or lets it do nothing at all: what others
// can copy has not failed then.
func (f *fleetRun) cutOff(err error) bool {
	if f.store == nil {
		return false
	}
	var e *StoreError
	if errors.As(err, &e) {
		return e.Code == minio.AccessDenied && !f.served.Load()
	}
	return unanswered(err)
}

// openShelf opens a source.
func (f *fleetRun) openShelf(src string, s plannedSource) (shelf, error) {
	if !IsS3(src) {
		local, err := newLocalShelf(f.run, src, s.Single)
		if err != nil {
			return nil, notMounted(err)
		}
		return local, nil
	}
	at, err := parseS3(src)
	return &objectShelf{run: f.run, at: at, single: s.Single, files: !IsS3(string(f.plan.Base))}, err
}

// openGround opens the destination.
func (f *fleetRun) openGround(base string, begun time.Time) (ground, error) {
	if IsS3(base) {
		at, err := parseS3(base)
		return newObjectGround(f.run, at, begun), err
	}
	local, err := newLocalGround(f.run, base, f.Fleet.Job, f.job.Record().ID, f.job.Worker())
	if err != nil {
		return nil, notMounted(err)
	}
	return local, nil
}
