package main

import (
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pace/crawl"
)

// Flags that a state does not keep: how a run is driven and shown, and which URLs it adds.
var (
	passingGroups = []string{groupHow, groupShow}
	passingFlags  = []string{"input", "state", "max-time", "recrawl"}
)

// Flags whose value may be a secret. A state keeps only whether it is the same.
var secretFlags = []string{"header", "proxy"}

// Flags whose value is the path of a file, for which a resume from another folder must not be another file.
var pathFlags = []string{"output", "warc", "mirror", "graph", "cookie-jar"}

// restore sets the flags that are not on the command line as the state's latest run had them, so that
// `pace crawl --state DIR` goes on as it was. It returns what all of them say, for the state to keep.
func (f *crawlFlags) restore(c *cli.Context) (map[string]string, error) {
	was, _, err := crawl.StateSettings(f.state)
	if err != nil {
		return nil, err
	}
	return takeSettings(c, was, "the state "+f.state, func(name, group string) bool {
		return slices.Contains(passingGroups, group) || slices.Contains(passingFlags, name)
	})
}

// takeSettings returns what the flags say that are no one run's own: those on the command line, and else what they were
// before, which they are set to. of says in messages who remembers that.
func takeSettings(
	c *cli.Context, was map[string]string, of string, own func(name, group string) bool,
) (map[string]string, error) {
	settings := map[string]string{}
	for _, fl := range c.Command.Flags {
		name := fl.Names()[0]
		if own(name, fl.(cli.CategorizableFlag).GetCategory()) {
			continue
		}
		var err error
		if texts := given(c, fl); texts != nil {
			if settings[name], err = keptText(name, texts); err != nil {
				return nil, err
			}
			continue
		}
		text, ok := was[name]
		if !ok || slices.Contains(secretFlags, name) {
			continue
		}
		for line := range strings.SplitSeq(text, "\n") {
			if err := c.Set(name, line); err != nil {
				return nil, fmt.Errorf("%s asks for --%s %s: %w", of, name, line, err)
			}
		}
		settings[name] = text
	}
	return settings, nil
}

// given returns the values of a flag that is on the command line, or nil.
func given(c *cli.Context, f cli.Flag) []string {
	name := f.Names()[0]
	if generic, ok := f.(*cli.GenericFlag); ok {
		return generic.Value.(interface{ given() []string }).given()
	}
	if c.IsSet(name) {
		return []string{fmt.Sprint(c.Bool(name))}
	}
	return nil
}

// keptText returns the values of a flag as a state keeps them.
func keptText(name string, texts []string) (string, error) {
	text := strings.Join(texts, "\n")
	switch {
	case slices.Contains(secretFlags, name):
		h := fnv.New32a()
		_, _ = h.Write([]byte(text))
		return fmt.Sprintf("hidden (%08x)", h.Sum32()), nil
	case slices.Contains(pathFlags, name) && text != "-":
		return filepath.Abs(texts[len(texts)-1])
	}
	return text, nil
}

// shellWord returns a word as a shell takes it.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+=:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
