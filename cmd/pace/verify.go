package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
)

var hashKind = kind[*filecopy.Hash]{usage: "use " + orList(hashNames()), words: hashNames(), parse: parseHash}

func hashNames() []string {
	var names []string
	for _, h := range filecopy.Hashes {
		names = append(names, h.String())
	}
	return names
}

func parseHash(s string) (*filecopy.Hash, error) {
	h := new(filecopy.Hash)
	if err := h.Set(s); err != nil {
		return nil, errors.New("not a hash")
	}
	return h, nil
}

// verifyFlags is what the command line of verify says.
type verifyFlags struct {
	job
	filterFlags
	archive   bool
	hash      *filecopy.Hash // nil for the default, which depends
	manifest  string
	check     bool
	chunkSize int64
}

func verifyCommand(std streams) *cli.Command {
	f := &verifyFlags{job: job{tool: "verify", unit: inBytes, std: std}}
	const what = "What is compared"
	flags := []cli.Flag{
		switchFlag(what, "archive", "compare mode, owner, times and extended attributes too", &f.archive, "a"),
		valueFlag(what, "hash", "compare hashes of kind `HASH`: xxh3, blake3 or sha256 (default xxh3, for a list sha256)",
			into(&f.hash, hashKind, "")),
		valueFlag(what, "manifest", "write a list of the hashes in SRC to `FILE`, as sha256sum; - is stdout, with -c stdin",
			into(&f.manifest, textKind, "")),
		switchFlag(what, "check", "check the files in DIR against the list", &f.check, "c"),
	}
	flags = append(flags, f.filterFlags.flags(what)...)
	flags = append(flags, f.howFlags(" (default 2 a CPU)", filecopy.DefaultMaxWorkers)...)
	flags = append(flags,
		valueFlag(groupHow, "chunk-size", "hash `SIZE` with one operation, for example 256KiB (default 1MiB)",
			into(&f.chunkSize, chunkKind, "")))
	flags = append(flags, f.showFlags()...)
	return &cli.Command{
		Name:     "verify",
		HideHelp: true,
		Usage:    "compare two files or trees by checksum",
		UsageText: "pace verify [flags] SRC DST\npace verify [flags] --manifest FILE SRC\n" +
			"pace verify [flags] --manifest FILE --check [DIR]",
		Description: `
Compares DST with SRC, many chunks at a time: files by the hashes of their
bytes, links by where they lead. What is missing, extra or different is named on
stderr, and makes the exit code 1. DST may be a folder where SRC is a file.

With --manifest the hashes go to a list that sha256sum -c checks, and with
--check they are checked against one that sha256sum wrote. Names in it are
relative to SRC, and to DIR, which is the working directory unless given.

Examples:
  pace verify -a /home /mnt/backup/home
  pace verify --exclude '*.o' --exclude /tmp/ src/ dst/
  pace verify --manifest photos.sha256 ~/photos
  pace verify --manifest photos.sha256 --check /mnt/backup/photos`,
		Flags: flags,
		Action: func(c *cli.Context) error {
			if f.workers == 0 {
				f.workers = filecopy.DefaultVerifyWorkers(f.mode)
			}
			return f.verify(c.Context, c.Args().Slice())
		},
	}
}

func (f *verifyFlags) verify(ctx context.Context, operands []string) error {
	o, err := f.options(operands)
	if err != nil {
		return err
	}
	if o.Filter, err = f.filter(f.tool); err != nil {
		return err
	}
	work := f.compareTrees
	switch {
	case f.check:
		work = f.checkList
	case f.manifest != "":
		work = f.writeList
	}
	return f.run(ctx, func(ctx context.Context, r running) (outcome, error) {
		o.Progress, o.Log = r.counter, r.log
		rep, err := work(ctx, r, o)
		return outcome{
			backend: rep.Backend, workers: rep.Workers, steps: rep.WorkerSteps, cpus: rep.CPUs, totals: rep.Totals,
		}, err
	})
}

func (f *verifyFlags) options(operands []string) (filecopy.VerifyOptions, error) {
	o := filecopy.VerifyOptions{Mode: f.mode, Workers: f.fixedWorkers(), ChunkSize: f.chunkSize, Archive: f.archive}
	o.AutoWorkers, o.MaxWorkers = f.workers == autoWorkers, f.mostAuto
	if f.manifest != "" {
		o.Hash = filecopy.HashSHA256
	}
	if f.hash != nil {
		o.Hash = *f.hash
	}
	if f.check && len(operands) == 0 {
		operands = []string{"."}
	}
	most := 2
	if f.manifest != "" {
		most = 1
	}
	switch n := len(operands); {
	case f.check && f.manifest == "":
		return o, usagef(f.tool, "--check needs --manifest FILE, the list to check")
	case f.manifest != "" && f.archive:
		return o, usagef(f.tool, "--archive and --manifest exclude each other: a list has no metadata")
	case f.check && len(f.parts) > 0:
		return o, usagef(f.tool, "--check takes no --include, --exclude and --filter-from: it checks the whole list")
	case f.manifest == "-" && f.report == "-" && !f.check:
		return o, usagef(f.tool, "the list and the report cannot both go to stdout; see pace verify --help")
	case n == 0:
		return o, operandsError(f.tool, "no source given")
	case n > most:
		return o, operandsError(f.tool, fmt.Sprintf("takes %s here, and got %d", countOf(int64(most), "name"), n))
	case slices.Contains(operands, ""):
		return o, usagef(f.tool, "an empty name is no file; see pace verify --help")
	case n < most:
		return o, operandsError(f.tool, fmt.Sprintf("no destination given after %q", operands[0]))
	}
	o.Source = operands[0]
	if most == 2 {
		o.Dest = operands[1]
	}
	return o, nil
}

func (f *verifyFlags) compareTrees(ctx context.Context, _ running, o filecopy.VerifyOptions) (filecopy.Report, error) {
	return filecopy.Verify(ctx, o)
}

func (f *verifyFlags) checkList(ctx context.Context, _ running, o filecopy.VerifyOptions) (filecopy.Report, error) {
	if f.manifest == "-" {
		return filecopy.CheckManifest(ctx, f.std.stdin, o)
	}
	list, err := os.Open(f.manifest)
	if err != nil {
		return filecopy.Report{}, fmt.Errorf("cannot read the list: %w", err)
	}
	defer func() { _ = list.Close() }()
	return filecopy.CheckManifest(ctx, list, o)
}

// writeList writes the list. A file has its name only when the list is whole.
func (f *verifyFlags) writeList(ctx context.Context, r running, o filecopy.VerifyOptions) (filecopy.Report, error) {
	if f.manifest == "-" {
		return filecopy.WriteManifest(ctx, r.screen.above(f.std.stdout), o)
	}
	info, err := os.Stat(f.manifest)
	if err == nil && !info.Mode().IsRegular() {
		return writeListTo(ctx, f.manifest, os.O_WRONLY, o) // a device or a fifo: written in place
	}
	if err == nil {
		// The list may stand in the tree, and is no part of it.
		o.Omit = append(o.Omit, info)
	}
	path := f.manifest
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	part := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.part", filepath.Base(path), os.Getpid()))
	rep, err := writeListTo(ctx, part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, o)
	if err == nil {
		if err = os.Rename(part, path); err != nil {
			err = listError(err)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		_ = os.Remove(part)
	}
	return rep, err
}

func writeListTo(ctx context.Context, path string, flags int, o filecopy.VerifyOptions) (filecopy.Report, error) {
	out, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return filecopy.Report{}, listError(err)
	}
	if own, err := out.Stat(); err == nil {
		o.Omit = append(o.Omit, own)
	}
	rep, err := filecopy.WriteManifest(ctx, out, o)
	if closeErr := out.Close(); err == nil && closeErr != nil {
		err = listError(closeErr)
	}
	return rep, err
}

func listError(err error) error { return fmt.Errorf("cannot write the list: %w", err) }
