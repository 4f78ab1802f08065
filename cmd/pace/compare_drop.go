package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	filecopy "pace/copy"
)

// dropped is what is to be dropped from the page cache.
type dropped struct {
	files bool // those that are read
	all   bool // everything on the machine
}

// check finds out before the first run whether this can be done.
func (d dropped) check(w compared) error {
	switch {
	case !d.files && !d.all:
		return nil
	case runtime.GOOS != "linux":
		return usagef(compareName, "only Linux drops files from memory on demand; use --prepare with a command that does")
	case d.all && os.Geteuid() != 0:
		return usagef(compareName, "only root may drop all files from memory; --drop-caches drops those that are read")
	case !d.all && len(w.localFiles()) == 0:
		return usagef(compareName, "--drop-caches drops files that are read, and %s reads none here", w.tool)
	}
	return nil
}

// localFiles returns what a copy or verify reads from this machine.
func (w compared) localFiles() []string {
	var paths []string
	if w.tool == "crawl" {
		return nil
	}
	for _, path := range w.operands {
		if !filecopy.IsURL(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// now drops what is to be dropped.
func (d dropped) now(ctx context.Context, w compared) error {
	if d.all {
		return dropEverything()
	}
	if !d.files {
		return nil
	}
	for _, root := range w.localFiles() {
		if target, err := filepath.EvalSymlinks(root); err == nil {
			root = target
		}
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil && entry.Type().IsRegular() { // opening a pipe would wait for its writer
				err = dropFile(path)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil // the run itself says so
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
