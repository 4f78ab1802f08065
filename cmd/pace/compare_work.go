package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	filecopy "pace/copy"
)

// compared is the command that every run repeats.
type compared struct {
	title    string   // what the work is, where the command line is not the user's
	command  []string // as given
	tool     string
	flags    []string
	operands []string
	dest     string // where a copy was asked to go; empty for the others
}

// notCompared are flags whose runs would not be alike, and why.
var notCompared = map[string]string{
	"--state":            "only the first run would have something to do",
	"--fleet":            "only the first run would have something to do",
	"--cookie-jar":       "runs would hand cookies on",
	"--manifest":         "give verify a SRC and a DST",
	"--target-directory": "give SRC and a DST that does not exist",
}

// work checks the command after "--" before anything runs. own are flags that compare itself gives to each run.
func work(std streams, args, own []string) (compared, error) {
	if len(args) == 0 {
		return compared{}, operandsError(compareName, "no command after --")
	}
	if !slices.Contains(comparedTools, args[0]) {
		return compared{}, usagef(compareName, "%q: cannot be compared; use %s", args[0], orList(comparedTools))
	}
	a, err := parseArgs(newApp(std), args)
	if err != nil {
		return compared{}, err
	}
	if a.help {
		return compared{}, usagef(compareName, "nothing to compare in --help; see pace %s --help", args[0])
	}
	own = append(own, "--mode", "--report", "--trace", "--progress", "--quiet")
	if args[0] == "crawl" {
		own = append(own, "--output")
	}
	for _, given := range a.flags {
		name, value, _ := strings.Cut(given, "=")
		if slices.Contains(own, name) {
			return compared{}, usagef(compareName, "%s is compare's own: it sets it for each run", name)
		}
		if why, ok := notCompared[name]; ok {
			return compared{}, usagef(compareName, "%s is not compared: %s", name, why)
		}
		if (name == "--input" || name == "--files-from") && value == "-" {
			return compared{}, usagef(compareName, "%s - can be read only once; put the list into a file", name)
		}
	}
	w := compared{command: args, tool: args[0], flags: a.flags, operands: a.operands}
	if w.tool == "copy" {
		return w.withDest()
	}
	return w, nil
}

// withDest takes the destination from the operands: each run has one of its own instead.
func (w compared) withDest() (compared, error) {
	if len(w.operands) != 2 {
		return w, usagef(compareName, "copy needs one SRC and one DST here, and got %d names", len(w.operands))
	}
	dest := w.operands[1]
	if dest == "-" || filecopy.IsURL(dest) {
		return w, usagef(compareName, "%s: compare copies to a file or a tree, which it deletes; name one", dest)
	}
	w.dest = filepath.Clean(dest)
	w.operands = w.operands[:1]
	if _, err := os.Lstat(w.dest); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = errors.New("it exists")
		}
		return w, usagef(compareName, "%s: %v; name a destination that does not exist, for compare to copy beside",
			w.dest, err)
	}
	return w, nil
}
