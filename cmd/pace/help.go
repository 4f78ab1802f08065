package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	helpWidth  = 80
	helpIndent = 28 // where what a flag does begins
)

// valueFlag returns a flag that takes a value. The word in backquotes in usage stands for the value in the help.
func valueFlag(group, name, usage string, v cli.Generic, aliases ...string) cli.Flag {
	return &cli.GenericFlag{Category: group, Name: name, Aliases: aliases, Usage: usage, Value: v}
}

// switchFlag returns a flag that is on when it is given.
func switchFlag(group, name, usage string, dst *bool, aliases ...string) cli.Flag {
	return &cli.BoolFlag{Category: group, Name: name, Aliases: aliases, Usage: usage, Destination: dst}
}

// writeHelp writes the help of one command, or of pace itself if it is nil.
func writeHelp(w io.Writer, app *cli.App, c *cli.Command) error {
	var b strings.Builder
	if c == nil {
		appHelp(&b, app)
	} else {
		commandHelp(&b, c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func appHelp(b *strings.Builder, app *cli.App) {
	fmt.Fprintf(b, "pace: %s\n\nUsage:\n  pace COMMAND [flags] ARGS...\n\nCommands:\n", app.Usage)
	for _, c := range app.Commands {
		helpRow(b, "  "+c.Name, 14, c.Usage)
	}
	b.WriteString("\nModes, the same for every command:\n")
	helpRow(b, "  sequential", 14, "one operation at a time, in order")
	helpRow(b, "  threads", 14, "many in flight, each blocking its own thread in the system call")
	helpRow(b, "  async", 14, "many in flight on few threads, completed by events (the default)")
	b.WriteString("\nExit codes:\n")
	helpRow(b, "  0", 14, "everything is done")
	helpRow(b, "  1", 14, "finished, but some items failed")
	helpRow(b, "  2", 14, "the command line is wrong; nothing was done")
	helpRow(b, "  3", 14, "could not go on")
	helpRow(b, "  130", 14, "interrupted")
	b.WriteString("\nSee pace COMMAND --help for each command, pace --version for the version.\n")
}

func commandHelp(b *strings.Builder, c *cli.Command) {
	fmt.Fprintf(b, "pace %s: %s\n\nUsage:\n", c.Name, c.Usage)
	for line := range strings.Lines(c.UsageText) {
		b.WriteString("  " + line)
	}
	b.WriteString("\n\n" + strings.TrimSpace(c.Description) + "\n")
	for _, group := range groups(c) {
		b.WriteString("\n" + group + ":\n")
		for _, f := range c.Flags {
			if f.(cli.CategorizableFlag).GetCategory() == group {
				flagHelp(b, f)
			}
		}
	}
}

// groups returns the groups of a command's flags in the order in which they first appear.
func groups(c *cli.Command) []string {
	var found []string
	for _, f := range c.Flags {
		if group := f.(cli.CategorizableFlag).GetCategory(); !slices.Contains(found, group) {
			found = append(found, group)
		}
	}
	return found
}

func flagHelp(b *strings.Builder, f cli.Flag) {
	names := f.Names()
	left := "      --" + names[0]
	if len(names) > 1 {
		left = "  -" + names[1] + ", --" + names[0]
	}
	placeholder, usage := unquote(f.(cli.DocGenerationFlag).GetUsage())
	if placeholder != "" {
		left += " " + placeholder
	}
	if text := f.(cli.DocGenerationFlag).GetValue(); takesValue(f) && text != "" {
		usage += " (default " + text + ")"
	}
	helpRow(b, left, helpIndent, usage)
}

// unquote returns the word in backquotes, which is the placeholder of a flag's value, and the text without the quotes.
func unquote(usage string) (placeholder, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	placeholder, after, _ := strings.Cut(rest, "`")
	return placeholder, before + placeholder + after
}

// helpRow writes a term and what it means beside it, wrapped; the meaning goes below a term that is too long.
func helpRow(b *strings.Builder, left string, indent int, text string) {
	column := len(left)
	b.WriteString(left)
	if column+2 > indent {
		b.WriteString("\n")
		column = 0
	}
	b.WriteString(strings.Repeat(" ", indent-column))
	column = indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteString("\n")
}
