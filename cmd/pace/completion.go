package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func completionCommand(std streams) *cli.Command {
	shells := map[string]func(io.Writer, *cli.App) error{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	}
	return &cli.Command{
		Name:      "completion",
		HideHelp:  true,
		Usage:     "print a completion script for bash, zsh or fish",
		UsageText: "pace completion bash|zsh|fish",
		Description: `
The script completes commands, flags and the values of flags that take one of a
few words.

Examples:
  source <(pace completion bash)         # in ~/.bashrc
  source <(pace completion zsh)          # in ~/.zshrc, after compinit
  pace completion fish | source          # in ~/.config/fish/config.fish`,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return operandsError("completion", "needs one shell: bash, zsh or fish")
			}
			write := shells[c.Args().First()]
			if write == nil {
				return usagef("completion", "%q: not a shell; use bash, zsh or fish", c.Args().First())
			}
			return write(std.stdout, newApp(std))
		},
	}
}

// flagWords returns all spellings of a command's flags.
func flagWords(c *cli.Command) []string {
	words := []string{"--help"}
	for _, f := range c.Flags {
		for _, name := range f.Names() {
			words = append(words, dashes(name))
		}
	}
	return words
}

func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// valueWords returns the words that a flag takes, if it takes one of a few.
func valueWords(f cli.Flag) []string {
	if generic, ok := f.(*cli.GenericFlag); ok {
		if v, ok := generic.Value.(interface{ choices() []string }); ok {
			return v.choices()
		}
	}
	return nil
}

// argumentWords returns the words that stand as a command's operand.
func argumentWords(app *cli.App, c *cli.Command) []string {
	switch c.Name {
	case compareName:
		return comparedTools
	case "completion":
		return []string{"bash", "zsh", "fish"}
	}
	return nil
}

func commandWords(app *cli.App) []string {
	words := []string{"help"}
	for _, c := range app.Commands {
		words = append(words, c.Name)
	}
	return words
}

func bashCompletion(w io.Writer, app *cli.App) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for pace
_pace() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W "%s --help --version" -- "$cur"))
        return
    fi
    case "${COMP_WORDS[1]} $prev" in
`, strings.Join(commandWords(app), " "))
	for _, c := range app.Commands {
		for _, f := range c.Flags {
			if words := valueWords(f); words != nil {
				fmt.Fprintf(&b, "        \"%s --%s\") COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n",
					c.Name, f.Names()[0], strings.Join(words, " "))
			}
		}
	}
	b.WriteString("    esac\n    case \"${COMP_WORDS[1]}\" in\n")
	fmt.Fprintf(&b, "        help) words=\"%s\" ;;\n", strings.Join(commandWords(app)[1:], " "))
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "        %s)\n            [[ $cur == -* ]] && words=\"%s\" || words=\"%s\" ;;\n",
			c.Name, strings.Join(flagWords(c), " "), strings.Join(argumentWords(app, c), " "))
	}
	b.WriteString(`    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _pace pace
`)
	_, err := io.WriteString(w, b.String())
	return err
}

func zshCompletion(w io.Writer, app *cli.App) error {
	var b strings.Builder
	b.WriteString("#compdef pace\n_pace() {\n    local -a commands\n    commands=(\n")
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "        %s\n", shellQuote(c.Name+":"+c.Usage))
	}
	b.WriteString(`    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
`)
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "        %s)\n            _arguments -s \\\n", c.Name)
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				fmt.Fprintf(&b, "                %s \\\n", shellQuote(zshFlag(f, name)))
			}
		}
		operand := "*:file:_files"
		if words := argumentWords(app, c); words != nil {
			operand = "1:argument:(" + strings.Join(words, " ") + ")"
		}
		fmt.Fprintf(&b, "                %s ;;\n", shellQuote(operand))
	}
	b.WriteString("    esac\n}\ncompdef _pace pace\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// zshFlag describes a flag as _arguments wants it: --name[what it does]:PLACEHOLDER:(words).
func zshFlag(f cli.Flag, name string) string {
	placeholder, usage := unquote(f.(cli.DocGenerationFlag).GetUsage())
	// Brackets end the description, and a colon the placeholder.
	usage = strings.NewReplacer("[", "(", "]", ")").Replace(usage)
	spec := dashes(name) + "[" + usage + "]"
	if !takesValue(f) {
		return spec
	}
	if placeholder = strings.ReplaceAll(placeholder, ":", "-"); placeholder == "" {
		placeholder = "value"
	}
	action := "_files"
	if words := valueWords(f); words != nil {
		action = "(" + strings.Join(words, " ") + ")"
	}
	return spec + ":" + placeholder + ":" + action
}

func fishCompletion(w io.Writer, app *cli.App) error {
	var b strings.Builder
	b.WriteString("# fish completion for pace\ncomplete -c pace -n __fish_use_subcommand -l help -d 'show help'\n" +
		"complete -c pace -n __fish_use_subcommand -l version -d 'show the version'\n")
	for _, c := range app.Commands {
		fmt.Fprintf(&b, "complete -c pace -n __fish_use_subcommand -f -a %s -d %s\n", c.Name, shellQuote(c.Usage))
		in := "complete -c pace -n '__fish_seen_subcommand_from " + c.Name + "'"
		if words := argumentWords(app, c); words != nil {
			fmt.Fprintf(&b, "%s -f -a '%s'\n", in, strings.Join(words, " "))
		}
		for _, f := range c.Flags {
			line := in
			for _, name := range f.Names() {
				if len(name) == 1 {
					line += " -s " + name
				} else {
					line += " -l " + name
				}
			}
			if words := valueWords(f); words != nil {
				line += " -x -a '" + strings.Join(words, " ") + "'"
			} else if takesValue(f) {
				line += " -r"
			}
			_, usage := unquote(f.(cli.DocGenerationFlag).GetUsage())
			b.WriteString(line + " -d " + shellQuote(usage) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shellQuote puts s in single quotes.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
