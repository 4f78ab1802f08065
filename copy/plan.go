package copy

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// item is one source and the path it is copied to.
type item struct {
	src, dst string
	info     fs.FileInfo // of what src leads to, or of src itself in a recursive copy; nil if err is set
	err      error
	merge    bool // dst is a folder that gets the contents of src, not src itself

	url     *url.URL // of a source that is read over a network: src is how to show it, and info is known when it is opened
	unnamed bool     // its name in the folder dst is known then too

	from, to *object // where it is, and goes, in an object store; nil elsewhere
	prefix   bool    // it is a tree, and one of these is a prefix
}

// isTree says whether the item is a folder to copy with all that is in it.
func (it item) isTree(o *Options) bool {
	return it.prefix || it.err == nil && !it.remote() && it.info.IsDir() && o.Recursive
}

// size is how many bytes the item has as far as is known.
func (it item) size() int64 {
	if it.err != nil || it.remote() || !it.info.Mode().IsRegular() {
		return 0
	}
	return it.info.Size()
}

// plan says where each source lands, by the rules of cp.
func plan(o *Options) ([]item, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	if o.Output != nil && IsS3(o.Sources[0]) {
		it, err := objectItem(o, o.Sources[0], false)
		return []item{it}, err
	}
	if o.Output != nil && IsURL(o.Sources[0]) {
		it, err := remoteItem(o, o.Sources[0], false)
		it.dst = outputName
		return []item{it}, err
	}
	if o.Output != nil {
		it := item{src: o.Sources[0], dst: outputName}
		it.info, it.err = look(it.src, false)
		return []item{it}, nil
	}
	into, err := intoDir(o)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(o.Sources))
	for i, src := range o.Sources {
		if IsS3(src) || IsS3(o.Dest) {
			if items[i], err = objectItem(o, src, into); err != nil {
				return nil, err
			}
			continue
		}
		if IsURL(src) {
			if items[i], err = remoteItem(o, src, into); err != nil {
				return nil, err
			}
			continue
		}
		it := item{src: src, dst: o.Dest}
		if into {
			it.dst, it.merge = landing(o.Dest, src)
		}
		it.info, it.err = look(src, o.Recursive)
		if it.merge && o.Delete && len(items) > 1 {
			return nil, usagef("--delete refused: what %s has not, another source may have brought to %s", src, o.Dest)
		}
		items[i] = it
	}
	return items, nil
}

// landing returns where src is copied to in the folder dest. "." and the like have no name there: their contents go into
// dest itself.
func landing(dest, src string) (dst string, merge bool) {
	base := filepath.Base(src)
	if base == "." || base == ".." || base == string(filepath.Separator) {
		return dest, true
	}
	return within(dest, base), false
}

// mergesAny says whether the contents of one of several items go where others go too. Which one is the last to copy a name
// that several have is then not to be left to chance.
func mergesAny(o *Options, items []item) bool {
	trees := map[string]bool{}
	for _, it := range items {
		if it.isTree(o) && (it.merge || trees[it.dst]) {
			return len(items) > 1
		}
		trees[it.dst] = it.isTree(o)
	}
	return false
}

// look says what src is. A recursive copy takes symlinks as such (cp -r is cp -r -P), unless a slash follows.
func look(src string, recursive bool) (fs.FileInfo, error) {
	if recursive {
		return os.Lstat(src)
	}
	return os.Stat(src)
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
	case o.Output != nil:
		return checkOutput(o)
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
	case o.Expect != nil && (len(o.Sources) > 1 || o.Recursive):
		return usagef("a digest to expect is that of one file")
	}
	return checkRemote(o)
}

// intoDir says whether the destination is a folder that receives the sources under their own names.
func intoDir(o *Options) (bool, error) {
	if IsS3(o.Dest) {
		at, err := parseS3(o.Dest)
		return intoPrefix(o, at), err
	}
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
