package main

import (
	"os"
	"path/filepath"
)

// namedFile is a file that a flag of crawl names.
type namedFile struct{ flag, what, path string }

// checkPaths returns an error if two outputs would be written into one file, or one over what is read, or if a flag names
// what is no file.
func (f *crawlFlags) checkPaths() error {
	if f.report == "-" && f.output == "-" {
		return usagef("crawl", "the report and the records cannot both go to stdout; use --output FILE")
	}
	for _, n := range []namedFile{
		{flag: "graph", path: f.graph}, {flag: "cookie-jar", path: f.cookieJar}, {flag: "warc", path: f.warc},
		{flag: "mirror", path: f.mirror}, {flag: "state", path: f.state},
	} {
		if n.path == "-" {
			return usagef("crawl", "--%s - is not stdout; give a name, or ./- for that one", n.flag)
		}
	}
	if f.warc != "" && os.IsPathSeparator(f.warc[len(f.warc)-1]) {
		return usagef("crawl", "--warc %s: names need a beginning; use for example %spages", f.warc, f.warc)
	}
	files := f.writtenFiles()
	for i, a := range files {
		if f.input != "" && f.input != "-" && sameFile(a.path, f.input) {
			return usagef("crawl", "--%s would overwrite %s, the list of --input; use two files", a.flag, f.input)
		}
		for _, b := range files[:i] {
			if sameFile(a.path, b.path) {
				return usagef("crawl", "%s and %s cannot both go to %s; use two files", b.what, a.what, a.path)
			}
		}
	}
	return nil
}

// writtenFiles returns the files that a run replaces.
func (f *crawlFlags) writtenFiles() []namedFile {
	files := []namedFile{
		{"report", "the report", f.report}, {"trace", "the trace", f.trace}, {"output", "the records", f.output},
		{"graph", "the links", f.graph}, {"cookie-jar", "the cookies", f.cookieJar},
	}
	if f.warc != "" {
		files = append(files, namedFile{"warc", "the index of the archive", f.warc + ".cdxj"})
	}
	named := files[:0]
	for _, file := range files {
		if file.path != "" && file.path != "-" {
			named = append(named, file)
		}
	}
	return named
}

// sameFile says whether two paths lead to one file that keeps what is written to it, which a device or a pipe does not.
func sameFile(a, b string) bool {
	aInfo, aErr := os.Stat(a)
	bInfo, bErr := os.Stat(b)
	if aErr == nil && bErr == nil {
		return aInfo.Mode().IsRegular() && os.SameFile(aInfo, bInfo)
	}
	if aErr == nil || bErr == nil {
		return false // one of them is there, and the other is not
	}
	return realPath(a) == realPath(b)
}

// realPath returns the absolute path of a file that is not there yet, without links in its folder's.
func realPath(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}
