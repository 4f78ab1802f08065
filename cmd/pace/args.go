package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// arguments is a command line in the one order that the cli package understands: flags first.
type arguments struct {
	command  *cli.Command // nil for pace itself
	flags    []string     // each as --name=value or --name, in the order given
	operands []string
	help     bool
	version  bool
}

// normal returns the command line for the cli package.
func (a arguments) normal() []string {
	return slices.Concat([]string{"pace", a.command.Name}, a.flags, []string{"--"}, a.operands)
}

// parseArgs reads a command line as getopt_long(3) does: flags may stand before or after operands, "--" ends them, "-" is
// an operand, one-letter flags may share a dash. The cli package stops at the first operand and would take a flag after
// it for one. The values of app's flags are set on the way, to find those that are wrong.
func parseArgs(app *cli.App, args []string) (arguments, error) {
	var a arguments
	for i, arg := range args {
		switch {
		case arg == "--help" || arg == "-h":
			a.help = true
		case arg == "--version":
			a.version = true
		case arg == "help":
			a.help = true
			if len(args) > i+1 {
				c, err := findCommand(app, args[i+1])
				a.command = c
				return a, err
			}
		case strings.HasPrefix(arg, "-"):
			return a, unknownGlobal(app, arg)
		default:
			c, err := findCommand(app, arg)
			if err != nil {
				return a, err
			}
			a.command = c
			p := argParser{arguments: &a, flags: flagsByName(c), dashed: c.Name == compareName}
			return a, p.parse(args[i+1:])
		}
	}
	return a, nil
}

func findCommand(app *cli.App, name string) (*cli.Command, error) {
	if c := app.Command(name); c != nil {
		return c, nil
	}
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
	}
	if near := nearest(name, names); near != "" {
		return nil, usagef("", "unknown command %q; did you mean %s?", name, near)
	}
	return nil, usagef("", "unknown command %q; use %s", name, orList(names))
}

func unknownGlobal(app *cli.App, arg string) error {
	name, _, _ := strings.Cut(arg, "=")
	for _, c := range app.Commands {
		if flagsByName(c)[strings.TrimLeft(name, "-")] != nil {
			return usagef("", "%s goes after a command, as in pace %s %s", name, c.Name, name)
		}
	}
	return usagef("", "unknown flag %s; see pace --help", name)
}

func flagsByName(c *cli.Command) map[string]cli.Flag {
	flags := make(map[string]cli.Flag)
	for _, f := range c.Flags {
		for _, name := range f.Names() {
			flags[name] = f
		}
	}
	return flags
}

// argParser reads the arguments of one command.
type argParser struct {
	*arguments
	flags  map[string]cli.Flag
	dashed bool // operands stand after "--" only, and are another command's
	rest   []string
}

func (p *argParser) parse(args []string) error {
	for p.rest = args; len(p.rest) > 0; {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		var err error
		switch {
		case arg == "--":
			p.operands = append(p.operands, p.rest...)
			return nil
		case arg == "--help" || arg == "-h":
			p.help = true
			return nil
		case strings.HasPrefix(arg, "--"):
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			err = p.short(arg[1:])
		case p.dashed:
			err = p.usagef("put -- before the command to compare: pace compare -- %s ...", arg)
		default:
			p.operands = append(p.operands, arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *argParser) usagef(format string, args ...any) error {
	return usagef(p.command.Name, format, args...)
}

// long reads --name or --name=value.
func (p *argParser) long(arg string) error {
	name, value, given := strings.Cut(arg, "=")
	f := p.flags[name]
	if f == nil || len(name) == 1 {
		return p.unknown("--" + name)
	}
	if !takesValue(f) {
		return p.add(f, "--"+name, value, given)
	}
	if !given {
		if len(p.rest) == 0 {
			return p.missing(f, "--"+name)
		}
		// What stands here is the value, even with a dash in front: "--workers -5" asks for -5 workers.
		value, p.rest = p.rest[0], p.rest[1:]
	}
	return p.add(f, "--"+name, value, true)
}

// short reads the letters that share one dash: -v, -nv, -t DIR, -tDIR.
func (p *argParser) short(letters string) error {
	whole := letters
	for letters != "" {
		name := letters[:1]
		letters = letters[1:]
		f := p.flags[name]
		switch {
		case f == nil:
			return p.unknown("-" + whole)
		case !takesValue(f):
			if err := p.add(f, "-"+name, "", false); err != nil {
				return err
			}
			continue
		case letters == "" && len(p.rest) == 0:
			return p.missing(f, "-"+name)
		case letters == "":
			letters, p.rest = p.rest[0], p.rest[1:]
		}
		return p.add(f, "-"+name, letters, true)
	}
	return nil
}

// add checks one flag's value and keeps the flag.
func (p *argParser) add(f cli.Flag, shown, value string, given bool) error {
	name := "--" + f.Names()[0]
	if generic, ok := f.(*cli.GenericFlag); ok {
		if err := generic.Value.Set(value); err != nil {
			if v, ok := generic.Value.(interface{ public(string) string }); ok {
				value = v.public(value)
			}
			return p.usagef("%s %q: %v", shown, value, err)
		}
	} else if given {
		if _, err := strconv.ParseBool(value); err != nil {
			return p.usagef("%s %q: not true or false; use %s alone", shown, value, shown)
		}
	}
	if given {
		name += "=" + value
	}
	p.arguments.flags = append(p.arguments.flags, name)
	return nil
}

func (p *argParser) missing(f cli.Flag, shown string) error {
	if v, ok := f.(*cli.GenericFlag).Value.(interface{ hint() string }); ok {
		return p.usagef("%s needs a value; %s", shown, v.hint())
	}
	return p.usagef("%s needs a value", shown)
}

func (p *argParser) unknown(shown string) error {
	var names []string
	for name := range p.flags {
		if len(name) > 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if near := nearest(strings.TrimLeft(shown, "-"), names); near != "" {
		return p.usagef("unknown flag %s; did you mean --%s?", shown, near)
	}
	if strings.HasPrefix(shown, "--") {
		return p.usagef("unknown flag %s; see pace %s --help", shown, p.command.Name)
	}
	return p.usagef("unknown flag %s; see pace %s --help, or put -- before a name that begins with a dash",
		shown, p.command.Name)
}

func takesValue(f cli.Flag) bool {
	doc, ok := f.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

// operandsError says how many operands a command lacks or has too many.
func operandsError(command, problem string) error {
	return usagef(command, "%s; see pace %s --help", problem, command)
}

// orList joins words as a sentence does: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

var errNotNegative = errors.New("must not be negative")

func atLeast(n int) error { return fmt.Errorf("must be at least %d", n) }
