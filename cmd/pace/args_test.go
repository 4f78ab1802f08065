package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseArgs(t *testing.T) {
	for _, test := range []struct {
		args           string
		flags, operand string
	}{
		{"copy a b", "", "a b"},
		{"copy a b --workers 3", "--workers=3", "a b"},                 // flags after operands
		{"copy --workers=3 a -n b", "--workers=3 --no-clobber", "a b"}, // and between them
		{"copy -nv a b", "--no-clobber --verbose", "a b"},              // letters share a dash
		{"copy -nt dir a", "--no-clobber --target-directory=dir", "a"}, // the last one may take a value
		{"copy -tdir a", "--target-directory=dir", "a"},                // which may follow at once
		{"copy a -- -n --mode", "", "a -n --mode"},                     // no flags after --
		{"crawl - --depth 0", "--depth=0", "-"},                        // a dash is an operand
		{"copy --rate 0 a b", "--rate=0", "a b"},                       // zero is a value
		{"crawl --header X:1 --header Y:2 u", "--header=X:1 --header=Y:2", "u"},
		{"compare --runs 2 -- copy a --mode threads -- -b", "--runs=2", "copy a --mode threads -- -b"},
		{"copy --quiet=false a b", "--quiet=false", "a b"},
	} {
		t.Run(test.args, func(t *testing.T) {
			a, err := parseArgs(newApp(streams{}), strings.Fields(test.args))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.flags, strings.Join(a.flags, " ")); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.operand, strings.Join(a.operands, " ")); diff != "" {
				t.Errorf("operands (-want +got):\n%s", diff)
			}
		})
	}
}

// runPace runs a whole command line.
func runPace(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(""), &out, &errs})
	return code, out.String(), errs.String()
}

func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"cpoy"}, `pace: unknown command "cpoy"; did you mean copy?`},
		{[]string{"frobnicate"}, `pace: unknown command "frobnicate"; use copy, crawl, verify, compare, demo, serve, fleet or completion`},
		{[]string{"--mode", "async", "copy"}, "pace: --mode goes after a command, as in pace copy --mode"},
		{[]string{"--color"}, "pace: unknown flag --color; see pace --help"},
		{[]string{"copy"}, "pace copy: no source given; see pace copy --help"},
		{[]string{"copy", "a"}, `pace copy: no destination given after "a"; see pace copy --help`},
		{[]string{"copy", "-t", "d", "-T", "a"}, "pace copy: -t and -T exclude each other; see pace copy --help"},
		{[]string{"copy", "--chunksize", "1"}, "pace copy: unknown flag --chunksize; did you mean --chunk-size?"},
		{[]string{"copy", "--work", "1"}, "pace copy: unknown flag --work; did you mean --workers?"},
		{[]string{"copy", "-chunk-size", "1"}, "pace copy: unknown flag -chunk-size; did you mean --chunk-size?"},
		{[]string{"copy", "--zzz"}, "pace copy: unknown flag --zzz; see pace copy --help"},
		{[]string{"copy", "-5"},
			"pace copy: unknown flag -5; see pace copy --help, or put -- before a name that begins with a dash"},
		{[]string{"copy", "a", "b", "--rate"}, "pace copy: --rate needs a value; use for example 50MiB/s"},
		{[]string{"copy", "--rate", "fast"}, `pace copy: --rate "fast": not a rate; use for example 50MiB/s`},
		{[]string{"copy", "--mode=thread"}, `pace copy: --mode "thread": not a mode; use sequential, threads or async`},
		{[]string{"copy", "--workers", "-5"}, `pace copy: --workers "-5": must be at least 1; use for example 8, or auto`},
		{[]string{"copy", "--workers", "0"}, `pace copy: --workers "0": must be at least 1; use for example 8, or auto`},
		{[]string{"copy", "--workers", "9999999999999999999"},
			`pace copy: --workers "9999999999999999999": more than 1000000; use for example 8, or auto`},
		{[]string{"copy", "--chunk-size", "0"},
			`pace copy: --chunk-size "0": must be at least 1; use for example 64KiB`},
		{[]string{"copy", "--quiet=maybe"}, `pace copy: --quiet "maybe": not true or false; use --quiet alone`},
		{[]string{"copy", "a", ""}, "pace copy: an empty name is no file; see pace copy --help"},
		{[]string{"copy", "--ra\nte"}, `pace copy: unknown flag --ra\nte; did you mean --rate?`},
		{[]string{"crawl"}, "pace crawl: no URL given; see pace crawl --help"},
		{[]string{"crawl", "--timeout", "30", "u"}, `pace crawl: --timeout "30": not a duration; use for example 30s`},
		{[]string{"crawl", "--rate", "NaN/s"}, `pace crawl: --rate "NaN/s": not a rate; use for example 2/s or 30/m`},
		{[]string{"crawl", "--resolve", "h:80"}, `pace crawl: --resolve "h:80": not HOST:PORT:ADDR; use for example ` +
			"www.example.org:443:127.0.0.1 or www.example.org:443:[::1]"},
		{[]string{"crawl", "--report", "-", "u"},
			"pace crawl: the report and the records cannot both go to stdout; use --output FILE"},
		{[]string{"compare", "--runs", "2"}, "pace compare: no command after --; see pace compare --help"},
		{[]string{"compare", "copy", "a", "b"},
			"pace compare: put -- before the command to compare: pace compare -- copy ..."},
		{[]string{"compare", "--", "serve"}, `pace compare: "serve": cannot be compared; use copy, crawl or verify`},
		{[]string{"compare", "--modes", "async,fast", "--", "copy"},
			`pace compare: --modes "async,fast": "fast" is not a mode; use for example sequential,async`},
		{[]string{"compare", "--", "copy", "--mode", "async", "a", "b"},
			"pace compare: --mode is compare's own: it sets it for each run"},
		{[]string{"compare", "--", "crawl", "--output", "f", "u"},
			"pace compare: --output is compare's own: it sets it for each run"},
		{[]string{"compare", "--", "copy", "a"}, "pace compare: copy needs one SRC and one DST here, and got 1 names"},
		{[]string{"compare", "--", "copy", "--nmode", "a"}, "pace copy: unknown flag --nmode; did you mean --mode?"},
		{[]string{"serve", "x"}, `pace serve: takes no operand, and got "x"; see pace serve --help`},
		{[]string{"serve", "--error-rate", "2"}, `pace serve: --error-rate "2": not a number from 0 to 1; use for example 0.05`},
		{[]string{"completion", "tcsh"}, `pace completion: "tcsh": not a shell; use bash, zsh or fish`},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, stdout, stderr := runPace(t, test.args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit %d, stdout %q; want %d and nothing", code, stdout, exitUsage)
			}
			if diff := cmp.Diff(test.want+"\n", stderr); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"rate", "retries", "report", "robots", "global-rate", "max-pages", "max-body"}
	for typed, want := range map[string]string{
		"rtae":     "rate",        // swapped neighbours count once
		"reports":  "report",      // one letter too many
		"globl":    "",            // neither close nor a beginning
		"global":   "global-rate", // a beginning of one name only
		"max":      "",            // of two
		"x":        "",            // too short to guess
		"maxpages": "max-pages",
		"color":    "",
	} {
		if got := nearest(typed, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, command := range []string{"", "copy", "crawl", "compare", "serve", "completion"} {
		args := strings.Fields(command + " --help")
		code, text, stderr := runPace(t, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("pace %s --help: exit %d, stderr %q", command, code, stderr)
		}
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > helpWidth {
				t.Errorf("pace %s --help: %d columns: %s", command, n, line)
			}
		}
		if command == "" {
			continue
		}
		for _, f := range newApp(streams{}).Command(command).Flags {
			for _, name := range f.Names() {
				if !strings.Contains(text, dashes(name)) {
					t.Errorf("pace %s --help does not name %s", command, dashes(name))
				}
			}
		}
		if _, same, _ := runPace(t, "help", command); same != text {
			t.Errorf("pace help %s differs from pace %s --help", command, command)
		}
	}
}

func TestNoArguments(t *testing.T) {
	code, stdout, stderr := runPace(t)
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "Usage:\n  pace COMMAND") {
		t.Errorf("exit %d, stdout %q, stderr %q; want %d and the help on stderr", code, stdout, stderr, exitUsage)
	}
}
