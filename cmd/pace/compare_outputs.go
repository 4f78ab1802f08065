package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ownName returns a name beside a file or folder that a crawl is to write, for one run of compare alone.
func (c *child) ownName(path string) string {
	return fmt.Sprintf("%s.pace-compare-%d-%d", filepath.Clean(path), os.Getpid(), c.runs)
}

// comparedOutputs are the flags of crawl whose files each run of compare has for itself.
var comparedOutputs = []string{"--warc", "--mirror", "--graph"}

// ownOutputs returns the flags of a crawl with names of its own for what it writes.
func (c *child) ownOutputs() []string {
	var flags []string
	for _, given := range c.flags {
		if name, value, ok := strings.Cut(given, "="); ok && slices.Contains(comparedOutputs, name) {
			given = name + "=" + c.ownName(value)
		}
		flags = append(flags, given)
	}
	return flags
}

// removeOutputs deletes what a run of a crawl wrote.
func (c *child) removeOutputs() error {
	for _, given := range c.flags {
		name, value, ok := strings.Cut(given, "=")
		if !ok || !slices.Contains(comparedOutputs, name) {
			continue
		}
		own := c.ownName(value)
		err := removeMatching(filepath.Dir(own), func(name string) bool {
			rest, ok := strings.CutPrefix(name, filepath.Base(own))
			return ok && (rest == "" || rest[0] == '-' || rest[0] == '.')
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeMatching deletes the entries of a folder whose name is of compare's own making.
func removeMatching(dir string, own func(name string) bool) error {
	entries, _ := os.ReadDir(dir) // without the folder there is nothing
	var failed error
	for _, e := range entries {
		if own(e.Name()) {
			failed = cmp.Or(failed, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}

// removeTree deletes a file or a tree, also one with folders that their owner may not write in, as copies of such are.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(path string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil // what is still in the way, the next line says
	})
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("cannot delete what the run wrote: %w", err)
	}
	return nil
}
