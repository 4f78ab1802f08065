package copy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// item is one source and the path it is copied to.
type item struct {
	src, dst string
	info     fs.FileInfo // of what src leads to; nil if err is set
	err      error
}

// plan says where each source lands, by the rules of cp.
func plan(o *Options) ([]item, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	into, err := intoDir(o)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(o.Sources))
	for i, src := range o.Sources {
		it := item{src: src, dst: o.Dest}
		if into {
			it.dst = within(o.Dest, filepath.Base(src))
		}
		it.info, it.err = os.Stat(src)
		items[i] = it
	}
	return items, nil
}

// within returns the path of name in dir. filepath.Join would take "link/.." for "." before the link is followed.
func within(dir, name string) string {
	if os.IsPathSeparator(dir[len(dir)-1]) {
		return dir + name
	}
	return dir + string(filepath.Separator) + name
}

// check looks at what o says without looking at any file.
func check(o *Options) error {
	switch {
	case len(o.Sources) == 0:
		return usagef("no source is given")
	case o.Dest == "":
		return usagef("no destination is given")
	case o.TargetDir && o.NoTargetDir:
		return usagef("the destination cannot be both a folder to copy into and the file itself")
	case o.NoTargetDir && len(o.Sources) > 1:
		return usagef("%d sources cannot all become the file %s", len(o.Sources), o.Dest)
	case o.ChunkSize < 0:
		return usagef("chunk size %d is below zero", o.ChunkSize)
	case o.Workers < 0:
		return usagef("%d workers are below zero", o.Workers)
	}
	return nil
}

// intoDir says whether the destination is a folder that receives the sources under their own names.
func intoDir(o *Options) (bool, error) {
	if o.NoTargetDir {
		return false, nil
	}
	info, err := os.Stat(o.Dest)
	if err == nil && info.IsDir() {
		return true, nil
	}
	if o.TargetDir || len(o.Sources) > 1 {
		if err == nil {
			err = errors.New("not a directory")
		}
		return false, usagef("target %s: %v", o.Dest, because(err))
	}
	return false, nil
}
