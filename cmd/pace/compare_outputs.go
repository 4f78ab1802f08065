package main

import (
	"fmt"
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
func (c *child) removeOutputs() {
	for _, given := range c.flags {
		name, value, ok := strings.Cut(given, "=")
		if !ok || !slices.Contains(comparedOutputs, name) {
			continue
		}
		own := c.ownName(value)
		entries, _ := os.ReadDir(filepath.Dir(own)) // without the folder there are no files
		for _, e := range entries {
			rest, ok := strings.CutPrefix(e.Name(), filepath.Base(own))
			if ok && (rest == "" || rest[0] == '-' || rest[0] == '.') {
				_ = os.RemoveAll(filepath.Join(filepath.Dir(own), e.Name()))
			}
		}
	}
}
