package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
	"pace/limiter"
)

var reflinkKind = choice("choice", []string{"auto", "always", "never"},
	[]filecopy.Reflink{filecopy.ReflinkAuto, filecopy.ReflinkAlways, filecopy.ReflinkNever})

// copyFlags is what the command line of copy says.
type copyFlags struct {
	job
	targetDir   string
	noTargetDir bool
	noClobber   bool
	verbose     bool
	chunkSize   int64
	rate        float64
	reflink     filecopy.Reflink
}

func copyCommand(std streams) *cli.Command {
	f := &copyFlags{job: job{tool: "copy", unit: inBytes, std: std}}
	const where = "Where files land"
	flags := []cli.Flag{
		valueFlag(where, "target-directory", "copy into `DIR`, which must exist",
			into(&f.targetDir, textKind, ""), "t"),
		switchFlag(where, "no-target-directory", "take DST as the file itself, never as a folder", &f.noTargetDir, "T"),
		switchFlag(where, "no-clobber", "skip a file that exists", &f.noClobber, "n"),
		switchFlag(where, "verbose", "name each file on stdout when it is copied", &f.verbose, "v"),
	}
	flags = append(flags, f.howFlags(" (default threads: 2 a CPU, async: 8)")...)
	flags = append(flags,
		valueFlag(groupHow, "chunk-size", "copy `SIZE` with one operation, for example 256KiB",
			into(&f.chunkSize, chunkKind, "")),
		valueFlag(groupHow, "rate", "copy at most at `RATE`, for example 50MiB/s; 0 is unlimited",
			into(&f.rate, byteRateKind, "0")),
		valueFlag(groupHow, "reflink", "share data, not copy it: `WHEN` is auto (where the file system can), always or never",
			into(&f.reflink, reflinkKind, "auto")),
	)
	flags = append(flags, f.showFlags()...)
	return &cli.Command{
		Name:      "copy",
		HideHelp:  true,
		Usage:     "copy files in chunks, many at a time",
		UsageText: "pace copy [flags] SRC DST\npace copy [flags] SRC... DIR\npace copy [flags] -t DIR SRC...",
		Description: `
Copies files as cp does, chunk by chunk with many chunks in flight. A file has
its final name only when it is whole: until then its bytes are in a part file
beside it. Permission bits and times are kept.

Examples:
  pace copy big.iso /mnt/backup/
  pace copy --rate 20MiB/s --report run.json big.iso /mnt/nas/
  pace copy --mode threads --workers 8 -T big.iso other.iso`,
		Flags: flags,
		Action: func(c *cli.Context) error {
			if f.workers == 0 {
				f.workers = filecopy.DefaultWorkers(f.mode)
			}
			o, err := f.options(c.Args().Slice())
			if err != nil {
				return err
			}
			return f.run(c.Context, func(ctx context.Context, r running) (outcome, error) {
				o.Progress, o.Log = r.counter, r.log
				if f.verbose {
					o.Verbose = printCopied(r.screen.above(std.stdout))
				}
				rep, err := filecopy.Run(ctx, o)
				return outcome{backend: rep.Backend, workers: rep.Workers, cpus: rep.CPUs, totals: rep.Totals}, err
			})
		},
	}
}

// chunkKind is a size that is not zero.
var chunkKind = kind[int64]{usage: sizeKind.usage, parse: func(s string) (int64, error) {
	n, err := parseSize(s)
	if err == nil && n == 0 {
		err = atLeast(1)
	}
	return n, err
}}

func (f *copyFlags) options(operands []string) (filecopy.Options, error) {
	o := filecopy.Options{
		Sources: operands, Dest: f.targetDir, TargetDir: f.targetDir != "", NoTargetDir: f.noTargetDir,
		Mode: f.mode, Workers: f.workers, ChunkSize: f.chunkSize,
		Reflink: f.reflink, NoClobber: f.noClobber,
	}
	switch {
	case o.TargetDir && o.NoTargetDir:
		return o, usagef("copy", "-t and -T exclude each other; see pace copy --help")
	case len(operands) == 0:
		return o, operandsError("copy", "no source given")
	case !o.TargetDir && len(operands) == 1:
		return o, operandsError("copy", fmt.Sprintf("no destination given after %q", operands[0]))
	case !o.TargetDir:
		last := len(operands) - 1
		o.Sources, o.Dest = operands[:last], operands[last]
	}
	if o.NoTargetDir && len(o.Sources) > 1 {
		return o, usagef("copy", "-T takes one source, not %d; see pace copy --help", len(o.Sources))
	}
	if o.Dest == "" || slices.Contains(o.Sources, "") {
		return o, usagef("copy", "an empty name is no file; see pace copy --help")
	}
	if f.rate > 0 {
		o.Rate = limiter.NewRate(f.rate)
	}
	return o, nil
}

// printCopied returns what prints one line a file, as cp -v.
func printCopied(w io.Writer) func(src, dst string) {
	return func(src, dst string) { _, _ = fmt.Fprintf(w, "'%s' -> '%s'\n", escape(src), escape(dst)) }
}
