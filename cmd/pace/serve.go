package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"pace/crawl/site"
)

// serveMemory is from how many bytes on the garbage collector comes more often than by itself. With some memory for each
// of ten thousand clients, as much would be garbage.
const serveMemory = 400 << 20

// serveFlags is what the command line of serve says.
type serveFlags struct {
	std               streams
	listen            string
	robots, accessLog string
	tail              tail
	options           site.Options
}

func serveCommand(std streams) *cli.Command {
	f := &serveFlags{std: std}
	return &cli.Command{
		Name:      "serve",
		HideHelp:  true,
		Usage:     "serve a synthetic site with chosen latency and faults",
		UsageText: "pace serve [flags]",
		Description: `
Serves a site that is the same each time, to try crawls and copies on. Its
address is the first line on stdout. Ctrl-C ends it, with exit code 0: that is
how a server is meant to end.

  / and /p/N        pages that link to each other
  /wait/DURATION    answers after that long; add ?1, ?2 ... for many URLs
  /blob/SIZE        that many bytes, with ETag, If-Range and ranges
  /status/CODE      that status; ?retry-after=7 sets the header
  /redirect/N       N redirects, then a page
  /robots.txt       as the flags say
  /sitemap.xml      all pages; over 50,000, an index of /sitemap-1.xml and on;
                    with .gz at its end, the same compressed

A request for a page or a blob first waits for --latency, as on a long line, and
then for its turn to be worked on for --service-time. Which URLs are slow and
which of their requests fail follows from --seed and the URL.

--access-log writes one JSON object a request: time, remote, connection, method,
path, host, status (0: no answer), bytes, duration_ms, user_agent, and error if
the answer is not whole: reset, cut, client left or server ended.

Examples:
  pace serve --pages 200 --latency 50ms
  pace serve --latency 100ms --jitter 50ms --tail 0.01:10
  pace serve --service-time 20ms --concurrency 32
  pace serve --error-rate 0.1 --error-mix 503,cut,reset --access-log log.jsonl
  pace serve --listen 127.0.0.1:8000 --rate-per-conn 1MiB/s --max-conns 4`,
		Flags: f.flags(),
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return operandsError("serve", fmt.Sprintf("takes no operand, and got %q", c.Args().First()))
			}
			if c.IsSet("error-mix") && f.options.ErrorRate == 0 {
				return usagef("serve", "--error-mix is of use with --error-rate only")
			}
			return f.run(c.Context)
		},
	}
}

func (f *serveFlags) flags() []cli.Flag {
	const where, what, robots, how = "Where", "What the site is like", "What it asks of robots", "How it answers"
	o := &f.options
	many := countKind(0, 1<<31-1, "1000")
	return []cli.Flag{
		valueFlag(where, "listen", "listen on `ADDRESS:PORT`; port 0 takes a free one, and no address is 127.0.0.1",
			into(&f.listen, listenKind, "127.0.0.1:0")),
		valueFlag(where, "access-log", "add a line of JSON for each request to `FILE`", into(&f.accessLog, textKind, "")),

		valueFlag(what, "pages", "have `N` pages",
			into(&o.Pages, countKind(1, 1<<31-1, "1000"), strconv.Itoa(site.DefaultPages))),
		valueFlag(what, "links", "have `N` links on a page, as far as its size has room",
			into(&o.Links, countKind(1, site.MaxLinks, "20"), strconv.Itoa(site.DefaultLinks))),
		valueFlag(what, "depth", "have no page more than `N` links away from /, with more --links if need be; 0 is no limit",
			into(&o.Depth, many, "5")),
		valueFlag(what, "page-size", "make each page `SIZE` long", into(&o.PageSize, pageSizeKind, "16KiB")),
		switchFlag(what, "gzip", "compress pages and sitemaps for clients that accept it", &o.Gzip),
		valueFlag(what, "seed", "let `N` choose words, links, jitter, tail and faults", into(&o.Seed, seedKind, "0")),

		valueFlag(robots, "disallow", "forbid what begins with `PATH`; may be repeated", each(&o.Disallow, disallowKind)),
		valueFlag(robots, "crawl-delay", "ask for `DURATION` between requests; 0 asks for none",
			into(&o.CrawlDelay, durationKind, "0")),
		valueFlag(robots, "robots", "answer /robots.txt with what is in `FILE`", into(&f.robots, textKind, "")),

		valueFlag(how, "latency", "wait `DURATION` before each answer, however many do", into(&o.Latency, durationKind, "0")),
		valueFlag(how, "jitter", "vary the latency between URLs by `DURATION` either way", into(&o.Jitter, durationKind, "0")),
		valueFlag(how, "tail", "`SHARE:FACTOR` has SHARE of the URLs wait FACTOR times as long, for example 0.01:10",
			into(&f.tail, tailKind, "")),
		valueFlag(how, "service-time", "work for `DURATION` on each answer, after the latency",
			into(&o.ServiceTime, durationKind, "0")),
		valueFlag(how, "concurrency", "work on at most `N` answers at once; others queue; 0 is unlimited",
			into(&o.Concurrency, many, "0")),
		valueFlag(how, "max-conns", "serve at most `N` connections at once; others queue, and none is kept "+
			"between requests while one waits; 0 is unlimited", into(&o.MaxConns, many, "0")),
		valueFlag(how, "rate-per-conn", "send at most `RATE` on each connection; 0 is unlimited",
			into(&o.RatePerConn, byteRateKind, "0")),
		valueFlag(how, "error-rate", "let `SHARE` of the requests fail, from 0 to 1", into(&o.ErrorRate, shareKind, "0")),
		valueFlag(how, "error-mix", "with `FAULTS`, each as often as its weight says: status (500, 502, 503 or 504), "+
			"a code, cut (within the body) or reset (without an answer)",
			into(&o.Faults, faultsKind, site.DefaultFaultMix)),
	}
}

// run serves until ctx is cancelled.
func (f *serveFlags) run(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // nobody has set GOMEMLIMIT
		debug.SetMemoryLimit(serveMemory)
	}
	o := f.options
	o.TailShare, o.TailFactor = f.tail.share, f.tail.factor
	if f.robots != "" {
		text, err := os.ReadFile(f.robots)
		if err != nil {
			return fmt.Errorf("cannot read the rules: %w", err)
		}
		if o.Robots = string(text); o.Robots == "" {
			o.Robots = "\n" // none would be the site's own
		}
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if f.accessLog == "" {
		return f.serve(ctx, o, listener)
	}
	file, err := os.OpenFile(f.accessLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("cannot write the access log: %w", err)
	}
	log := site.NewAccessLog(file)
	o.OnAnswer = log.Add
	err = f.serve(ctx, o, listener)
	logErr := log.Close()
	if closeErr := file.Close(); closeErr != nil && logErr == nil {
		logErr = fmt.Errorf("cannot write the access log: %w", closeErr)
	}
	if err == nil {
		err = logErr
	}
	return err
}

// serve says where the site is, and answers.
func (f *serveFlags) serve(ctx context.Context, o site.Options, l net.Listener) error {
	if _, err := fmt.Fprintf(f.std.stdout, "http://%s\n", l.Addr()); err != nil {
		return err
	}
	return site.New(o).Serve(ctx, l)
}

// check returns an error if flags make no sense together.
func (f *serveFlags) check() error {
	o := f.options
	switch {
	case f.accessLog == "-":
		return usagef("serve", "--access-log - is not stdout; give a name, or ./- for that one")
	case f.robots != "" && (len(o.Disallow) > 0 || o.CrawlDelay > 0):
		return usagef("serve", "--robots FILE takes the place of --disallow and --crawl-delay; write them into the file")
	case f.robots != "" && f.accessLog != "" && sameFile(f.robots, f.accessLog):
		return usagef("serve", "--access-log would write into %s, the file of --robots; use two files", f.robots)
	case o.Concurrency > 0 && o.ServiceTime == 0:
		return usagef("serve", "--concurrency is of use with --service-time only")
	case f.tail.share > 0 && o.Latency == 0 && o.Jitter == 0:
		return usagef("serve", "--tail is of use with --latency only")
	}
	if err := o.Check(); err != nil {
		return usagef("serve", "%v; give a larger --depth", err)
	}
	return nil
}

// tail is which share of the URLs is how many times as slow.
type tail struct{ share, factor float64 }

var (
	listenKind   = kind[string]{usage: "use for example 127.0.0.1:8000", parse: parseListen}
	pageSizeKind = kind[int]{usage: sizeKind.usage, parse: parsePageSize}
	seedKind     = kind[uint64]{usage: "use for example 7", parse: parseSeed}
	shareKind    = kind[float64]{usage: "use for example 0.05", parse: parseShare}
	tailKind     = kind[tail]{usage: "use for example 0.01:10", parse: parseTail}
	disallowKind = kind[string]{usage: "use for example /p/1", parse: parseDisallow}
	faultsKind   = kind[[]site.Fault]{usage: "use for example status:8,cut:1,reset:1 or 503", parse: site.ParseFaults}
)

func parseListen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errors.New("not an address and a port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("not a port")
	}
	if host == "" {
		host = "127.0.0.1" // to Go it would be all addresses, and nobody has asked for those
	}
	return net.JoinHostPort(host, port), nil
}

func parsePageSize(s string) (int, error) {
	n, err := parseSize(s)
	switch {
	case err != nil:
		return 0, err
	case n < 1:
		return 0, atLeast(1)
	case n > math.MaxInt32:
		return 0, errors.New("more than 2GiB")
	}
	return int(n), nil
}

func parseSeed(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, nil
}

func parseShare(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, errors.New("not a number from 0 to 1")
	}
	return n, nil
}

func parseTail(s string) (tail, error) {
	shareText, factorText, ok := strings.Cut(s, ":")
	share, err := parseShare(shareText)
	if err != nil || !ok {
		return tail{}, errors.New("not a share from 0 to 1 and a factor")
	}
	factor, err := strconv.ParseFloat(factorText, 64)
	if err != nil || !(factor >= 1 && factor <= 1e6) {
		return tail{}, errors.New("the factor is not a number from 1 to 1000000")
	}
	return tail{share, factor}, nil
}

// parseDisallow reads a path pattern (RFC 9309, section 2.2).
func parseDisallow(s string) (string, error) {
	begins := strings.HasPrefix(s, "/") || strings.HasPrefix(s, "*")
	ends := strings.ContainsFunc(s, func(r rune) bool { return r == '#' || unicode.IsControl(r) || unicode.IsSpace(r) })
	if !begins || ends || !utf8.ValidString(s) {
		return "", errors.New("not a path")
	}
	return s, nil
}
