package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
)

// filterFlags is what --include, --exclude and --filter-from say, in the order in which they stand.
type filterFlags struct{ parts []filterPart }

// filterPart is a rule, or a file of rules.
type filterPart struct {
	rule filecopy.Rule
	file string
}

func (f *filterFlags) flags(group string) []cli.Flag {
	// One list for all three: the first rule that matches decides, so their order is what they mean.
	rule := func(include bool) cli.Generic {
		return &value[string]{kind: textKind, put: func(pattern string) {
			f.parts = append(f.parts, filterPart{rule: filecopy.Rule{Include: include, Pattern: pattern}})
		}}
	}
	file := &value[string]{kind: textKind, put: func(path string) {
		f.parts = append(f.parts, filterPart{file: path})
	}}
	return []cli.Flag{
		valueFlag(group, "include", "keep names in a tree that match `PATTERN`, as rsync; the first rule that matches decides",
			rule(true)),
		valueFlag(group, "exclude", "leave out names in a tree that match `PATTERN`; may be repeated, as --include",
			rule(false)),
		valueFlag(group, "filter-from", "read rules from `FILE`, one a line: + PATTERN or - PATTERN", file),
	}
}

// rules returns the rules that were given, those of files too.
func (f *filterFlags) rules(command string) ([]filecopy.Rule, error) {
	var rules []filecopy.Rule
	for _, p := range f.parts {
		if p.file == "" {
			rules = append(rules, p.rule)
			continue
		}
		read, err := readRules(p.file)
		if err != nil {
			return nil, usagef(command, "--filter-from %s: %v", p.file, err)
		}
		rules = append(rules, read...)
	}
	return rules, nil
}

// filter returns the filter, nil if no rule was given.
func (f *filterFlags) filter(command string) (*filecopy.Filter, error) {
	rules, err := f.rules(command)
	if len(rules) == 0 {
		return nil, err
	}
	filter, err := filecopy.NewFilter(rules)
	if err != nil {
		return nil, usagef(command, "%v", err)
	}
	return filter, nil
}

func readRules(path string) ([]filecopy.Rule, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; use a file of rules", err)
	}
	defer func() { _ = f.Close() }()
	return filecopy.ParseFilter(f)
}
