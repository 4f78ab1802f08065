package copy

import (
	"path"
	"strings"
)

// IsS3 says whether name is an object, or what is below a prefix, in an object store: s3://BUCKET/KEY. The key is taken as
// it stands: nothing in it is an escape.
func IsS3(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && strings.EqualFold(scheme, "s3")
}

// object is a place in an object store: an object, or a prefix of their keys.
type object struct{ bucket, key string }

func (o object) String() string { return "s3://" + o.bucket + "/" + o.key }

// parseS3 reads a name that IsS3.
func parseS3(name string) (object, error) {
	_, rest, _ := strings.Cut(name, "://")
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return object{}, usagef("%s names no bucket: an object is s3://BUCKET/KEY", name)
	}
	return object{bucket, key}, nil
}

// isFolder says whether an object's place can only be that of others.
func (o object) isFolder() bool { return o.key == "" || strings.HasSuffix(o.key, "/") }

// below returns the object of a key that is below o.
func (o object) below(rel string) object {
	if o.isFolder() {
		return object{o.bucket, o.key + rel}
	}
	return object{o.bucket, o.key + "/" + rel}
}

// base is what an object is called in a folder; that of a bucket is the bucket's name.
func (o object) base() string {
	if key := strings.TrimRight(o.key, "/"); key != "" {
		return path.Base(key)
	}
	return o.bucket
}

// checkObjects refuses what cannot be done with object stores.
func checkObjects(o *Options) error {
	to := o.Output == nil && IsS3(o.Dest)
	switch {
	case !to:
		return nil
	case o.Archive:
		return usagef("%s: an object has no owner, attributes or links; -r copies trees", o.Dest)
	case o.Reflink == ReflinkAlways:
		return usagef("%s: data cannot be shared over a network", o.Dest)
	}
	at, err := parseS3(o.Dest)
	if err == nil && o.NoTargetDir && !o.Recursive && at.isFolder() {
		return usagef("%s is no object: its key is missing", o.Dest)
	}
	return err
}

// intoPrefix is intoDir for an object store. There are no folders, so what is there already does not count: the same
// command does the same when it is repeated.
func intoPrefix(o *Options, at object) bool {
	return !o.NoTargetDir && (o.TargetDir || len(o.Sources) > 1 || !o.Recursive && at.isFolder())
}

// objectItem is the item of a source, or for a destination, that is in an object store. With into set it gets its own name
// in the destination. A tree without has its contents there: a prefix has no name that could be there or not.
func objectItem(o *Options, src string, into bool) (item, error) {
	it := item{src: src, dst: o.Dest}
	var err error
	base := ""
	switch {
	case IsS3(src):
		var from object
		from, err = parseS3(src)
		it.from, it.prefix = &from, o.Recursive
		base = from.base()
	case IsURL(src):
		it, err = remoteItem(o, src, into)
	default:
		it.info, it.err = look(src, o.Recursive)
		it.prefix = it.err == nil && o.Recursive && it.info.IsDir()
		_, it.merge = landing(".", src)
		base = path.Base(toSlash(src))
	}
	if err != nil {
		return it, err
	}
	into = into && !it.merge && (!it.prefix || o.TargetDir || len(o.Sources) > 1)
	if o.Output != nil {
		it.dst = outputName
		return it, nil
	}
	if !IsS3(o.Dest) {
		if into {
			it.dst = within(o.Dest, base)
			err = checkBase(src, base)
		}
		return it, err
	}
	to, err := parseS3(o.Dest)
	into = into || !o.NoTargetDir && it.info != nil && !it.info.IsDir() && to.isFolder() // also with -r a file has a name
	if into && !it.unnamed {
		to = to.below(base)
	}
	it.to, it.dst = &to, to.String()
	return it, err
}

// checkBase refuses a name that is none in a folder.
func checkBase(src, base string) error {
	if !isFileName(base) {
		return usagef("%s: %q is no name for a file; name it in the destination", src, base)
	}
	return nil
}

// isFileName says whether a key's part can be the name of a file here.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") && validHere(name)
}
