package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
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
	recursive   bool
	archive     bool
	oneFS       bool
	noResume    bool
	failFast    bool

	skipExisting, update, checksum bool
	delete                         bool
	maxDelete                      int
	filterFlags
	filesFrom string
	dryRun    bool

	verify, fsync, direct bool
	hash                  *filecopy.Hash
	expect                *filecopy.Digest
	sparse                filecopy.Sparse
	iops                  float64
	chunkSize             int64
	rate                  float64
	reflink               filecopy.Reflink
	networkFlags
	fleet copyFleet
}

func copyCommand(std streams) *cli.Command {
	f := &copyFlags{job: job{tool: "copy", unit: inBytes, std: std}}
	const where = "Where files land"
	flags := []cli.Flag{
		valueFlag(where, "target-directory", "copy into `DIR`, which must exist",
			into(&f.targetDir, textKind, ""), "t"),
		switchFlag(where, "no-target-directory", "take DST as the file itself, never as a folder", &f.noTargetDir, "T"),
		switchFlag(where, "no-clobber", "skip a file that exists", &f.noClobber, "n"),
		switchFlag(where, "recursive", "copy folders with all that is in them", &f.recursive, "r"),
		switchFlag(where, "archive", "as -r, and keep owners, attributes, ACLs, hard links, setuid", &f.archive, "a"),
		switchFlag(where, "one-file-system", "do not go into other file systems", &f.oneFS, "x"),
		switchFlag(where, "verbose", "name each file on stdout when it is copied", &f.verbose, "v"),
	}
	flags = append(flags, f.whichFlags()...)
	flags = append(flags, f.howFlags(" (default threads: 2 a CPU, async: 8, with URLs: 16)", filecopy.DefaultMaxWorkers)...)
	flags = append(flags,
		valueFlag(groupHow, "chunk-size", "copy `SIZE` with one operation, for example 256KiB",
			into(&f.chunkSize, chunkKind, "")),
		valueFlag(groupHow, "rate", "copy at most at `RATE`, for example 50MiB/s; 0 is unlimited",
			into(&f.rate, byteRateKind, "0")),
		valueFlag(groupHow, "reflink", "share data, not copy it: `WHEN` is auto (where the file system can), always or never",
			into(&f.reflink, reflinkKind, "auto")),
	)
	flags = append(flags,
		valueFlag(groupHow, "iops", "copy at most at `RATE` chunks or small files, for example 200/s; 0 is unlimited",
			into(&f.iops, rateKind, "0")),
		valueFlag(groupHow, "sparse", "where to make holes: `WHERE` is auto (where the source has), always (zeros too) or never",
			into(&f.sparse, sparseKind, "auto")),
		switchFlag(groupHow, "verify", "read each file back from its device and compare before it has its name", &f.verify),
		valueFlag(groupHow, "hash", "verify by `HASH`: xxh3, blake3 or sha256", into(&f.hash, hashKind, "xxh3")),
		valueFlag(groupHow, "expect-hash", "fail, without a file, unless it has this `DIGEST`, for example sha256:5feceb66...",
			into(&f.expect, digestKind, "")),
		switchFlag(groupHow, "direct", "move the data of large files past the page cache", &f.direct),
		switchFlag(groupHow, "fsync", "bring everything to the device before it has its name", &f.fsync),
		switchFlag(groupHow, "no-resume", "begin anew where an earlier run was stopped, and leave nothing to resume",
			&f.noResume),
		switchFlag(groupHow, "fail-fast", "stop at the first item that fails", &f.failFast),
	)
	flags = append(flags, f.networkFlags.flags()...)
	flags = append(flags, f.fleet.flags()...)
	flags = append(flags, f.showFlags()...)
	return &cli.Command{
		Name:     "copy",
		HideHelp: true,
		Usage:    "copy files and trees in chunks, many at a time",
		UsageText: "pace copy [flags] SRC DST\npace copy [flags] SRC... DIR\npace copy [flags] -t DIR SRC...\n" +
			"pace copy [flags] URL... DIR\npace copy [flags] URL FILE|-\n" +
			"pace copy [flags] SRC s3://BUCKET/KEY\npace copy [flags] s3://BUCKET/KEY DST|-\n" +
			"pace copy --fleet URL --job NAME [SRC... DST]",
		Description: `
Copies files and trees as cp does, with many chunks and files in flight. A file
has its final name only when it is whole, and so has a new tree: until then they
are beside it, under a name that ends with .pace-part. A run that was stopped or
killed goes on where it was when the same command is run again, also into a
folder that was there before. Permission bits and times are kept; -a keeps
everything. A tree is stopped as soon as more of it was seen than fits.

Within NFS, SMB, Ceph and FUSE the server copies ranges by itself, unless
--reflink never is given; in every mode a worker's thread waits for that.

SRC may be a URL, http:// or https://. Its file is fetched in ranges by several
connections, and a run that was stopped goes on where it was as long as ETag or
Last-Modified say that the file is the same; a server without ranges, or without
either, is read by one connection. In a folder the file has the name that the
server gives it, or that of the URL. Lost and slow connections, 429 and 5xx are
tried again. A URL that was signed anew is the same file if its strong ETag is.
--header goes to the host of the URL and not where it redirects to. DST - is
stdout, in order. Proxies are taken from --proxy or the environment (http_proxy,
https_proxy, no_proxy). On Linux, SSL_CERT_FILE may name a file of certificate
authorities (PEM) to trust instead of the system's. A site with all that is in
it is fetched by pace crawl --mirror.

s3://BUCKET/KEY is an object of S3, or of a store that speaks as S3 does. It may
be SRC, DST or both: then the store copies by itself, but for --verify and
--expect-hash. Endpoint, region and credentials are those of the AWS tools:
AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_CA_BUNDLE
and more, the files in ~/.aws (credential_process, addressing_style), and what
a container or a machine of a cloud is given.
A large file goes up in parts of 5 to 8 MiB (--chunk-size), in parallel; a run
that was stopped goes on with the parts that the store has, if they are still
those of the file; --no-resume removes them. Time and mode are kept as rclone
does.
With -r, what is below SRC goes below DST, whether that is there or not, and of
several sources each under its own name. Buckets are neither made nor removed.

With --fleet, processes on many machines copy together, over file systems that
all of them mount under the same paths, or from, to or within an object store,
for which each has credentials of its own. The first says what is copied; others
join with --fleet URL --job NAME alone, and leave, at any time. What a process
had in hand that was killed, another does again. A folder is seen while it
grows, a file when it is whole. Each name of a hard link is copied. If an item
fails for one of them, all end with exit code 1.

Examples:
  pace copy -a ~/photos /mnt/backup/
  pace copy -a --update --delete --exclude '*.o' src/. /mnt/mirror
  pace copy big.iso /mnt/backup/
  pace copy https://example.org/big.iso .
  pace copy --expect-hash sha256:5fec... https://example.org/x.tgz - | tar xz
  pace copy -r --update ~/photos s3://backup/photos
  pace copy --rate 20MiB/s --report run.json big.iso /mnt/nas/
  pace copy --mode threads --workers 8 -T big.iso other.iso
  pace copy --fleet redis://10.0.0.5 --job move -a /mnt/old/home /mnt/new/
                                      on each of many machines
  pace copy --fleet redis://10.0.0.5 --job up -r /mnt/data s3://archive/data`,
		Flags: flags,
		Action: func(c *cli.Context) error {
			operands, err := f.prepareFleet(c, c.Args().Slice())
			if err != nil {
				return err
			}
			if f.workers == 0 {
				f.workers = filecopy.DefaultWorkers(f.mode)
				if f.mode != limiter.Sequential && slices.ContainsFunc(append(operands, f.targetDir), filecopy.IsURL) {
					f.workers = filecopy.NetworkWorkers
				}
			}
			o, err := f.options(operands)
			if err != nil {
				return err
			}
			if o.Fleet = f.fleet.options(); o.Fleet != nil {
				f.resume = f.fleet.resumeWords("copy")
			}
			return f.run(c.Context, func(ctx context.Context, r running) (outcome, error) {
				o.Progress, o.Log = r.counter, r.log
				if f.verbose || f.dryRun {
					out := r.screen.above(std.stdout)
					o.Verbose, o.Removed = printCopied(out), printRemoved(out)
				}
				rep, err := filecopy.Run(ctx, o)
				return outcome{
					backend: rep.Backend, workers: rep.Workers, steps: rep.WorkerSteps, cpus: rep.CPUs, totals: rep.Totals,
					warnings: rep.Warnings, toOutput: o.Output != nil, failedElsewhere: rep.FailedElsewhere,
				}, err
			})
		},
	}
}

// whichFlags choose among files.
func (f *copyFlags) whichFlags() []cli.Flag {
	const which = "Which files"
	flags := []cli.Flag{
		switchFlag(which, "skip-existing", "skip a file that exists, as -n", &f.skipExisting),
		switchFlag(which, "update", "skip a file that is as new as its source or newer", &f.update, "u"),
		switchFlag(which, "checksum", "skip a file that has the same bytes as its source", &f.checksum),
		switchFlag(which, "delete", "remove from an existing tree what its source has not", &f.delete),
		valueFlag(which, "max-delete", "remove at most `N` entries; 0 is unlimited",
			into(&f.maxDelete, countKind(0, math.MaxInt, "100"), "0")),
	}
	flags = append(flags, f.filterFlags.flags(which)...)
	return append(flags,
		valueFlag(which, "files-from", "copy only the paths of SRC that `FILE` names, one a line; - is stdin",
			into(&f.filesFrom, textKind, "")),
		switchFlag(which, "dry-run", "change nothing; say on stdout what would be done", &f.dryRun),
	)
}

var (
	sparseKind = choice("choice", []string{"auto", "always", "never"},
		[]filecopy.Sparse{filecopy.SparseAuto, filecopy.SparseAlways, filecopy.SparseNever})
)

// digestKind is the name of a hash and a digest.
var digestKind = kind[*filecopy.Digest]{
	usage: "use for example sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
	parse: func(s string) (*filecopy.Digest, error) {
		d := &filecopy.Digest{}
		return d, d.Set(s)
	},
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
		Mode: f.mode, Workers: f.fixedWorkers(), AutoWorkers: f.workers == autoWorkers, MaxWorkers: f.mostAuto,
		ChunkSize: f.chunkSize,
		Reflink:   f.reflink, NoClobber: f.noClobber || f.skipExisting, Recursive: f.recursive, Archive: f.archive,
		OneFileSystem: f.oneFS, NoResume: f.noResume, FailFast: f.failFast,
		Update: f.update, Checksum: f.checksum, Delete: f.delete, MaxDelete: int64(f.maxDelete), DryRun: f.dryRun,
		Verify: f.verify, Hash: *f.hash, Expect: f.expect, Fsync: f.fsync, Direct: f.direct, Sparse: f.sparse,
	}
	switch {
	case o.TargetDir && o.NoTargetDir:
		return o, usagef("copy", "-t and -T exclude each other; see pace copy --help")
	case f.delete && !f.recursive && !f.archive:
		return o, usagef("copy", "--delete goes with -r or -a; see pace copy --help")
	case f.filesFrom != "" && !f.recursive && !f.archive:
		return o, usagef("copy", "--files-from goes with -r or -a; see pace copy --help")
	case len(operands) == 0:
		return o, operandsError("copy", "no source given")
	case !o.TargetDir && len(operands) == 1:
		return o, operandsError("copy", fmt.Sprintf("no destination given after %q", operands[0]))
	case !o.TargetDir:
		last := len(operands) - 1
		o.Sources, o.Dest = operands[:last], operands[last]
	}
	if o.Dest == "-" {
		if f.report == "-" || f.verbose {
			return o, usagef("copy", "the file and %s cannot both go to stdout; ./- is a file of that name",
				map[bool]string{true: "the report", false: "the names of -v"}[f.report == "-"])
		}
		o.Output = f.std.stdout
	}
	if o.NoTargetDir && len(o.Sources) > 1 {
		return o, usagef("copy", "-T takes one source, not %d; see pace copy --help", len(o.Sources))
	}
	if o.Dest == "" || slices.Contains(o.Sources, "") {
		return o, usagef("copy", "an empty name is no file; see pace copy --help")
	}
	o.Network = f.network()
	if err := objectStore(&o); err != nil {
		return o, err
	}
	o.Rate, o.IOPS = limiter.NewRate(f.rate), limiter.NewRate(f.iops)
	var err error
	if o.Filter, err = f.filter("copy"); err != nil {
		return o, err
	}
	if f.filesFrom != "" {
		o.Only, err = f.readPaths()
	}
	return o, err
}

// readPaths reads what --files-from names.
func (f *copyFlags) readPaths() ([]string, error) {
	in := f.std.stdin
	if f.filesFrom != "-" {
		file, err := os.Open(f.filesFrom)
		if err != nil {
			return nil, usagef("copy", "--files-from %s: %v", f.filesFrom, errors.Unwrap(err))
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	paths := []string{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() != "" {
			paths = append(paths, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("copy", "--files-from %s: %v", f.filesFrom, err)
	}
	return paths, nil
}

// printRemoved returns what prints one line an entry, as rm -v.
func printRemoved(w io.Writer) func(dst string) {
	return func(dst string) { _, _ = fmt.Fprintf(w, "removed '%s'\n", escape(dst)) }
}

// printCopied returns what prints one line a file, as cp -v.
func printCopied(w io.Writer) func(src, dst string) {
	return func(src, dst string) { _, _ = fmt.Fprintf(w, "'%s' -> '%s'\n", escape(src), escape(dst)) }
}
