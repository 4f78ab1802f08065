package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"pace/crawl/site"
)

// serveFlags is what the command line of serve says.
type serveFlags struct {
	std     streams
	listen  string
	options site.Options
}

func serveCommand(std streams) *cli.Command {
	f := &serveFlags{std: std}
	const where, what, how = "Where", "What the site is like", "How it answers"
	count := countKind(1, 1<<31-1, "1000")
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
  /blob/SIZE        that many bytes, with ranges
  /status/CODE      that status
  /redirect/N       N redirects, then a page
  /robots.txt, /sitemap.xml

Examples:
  pace serve --pages 200 --latency 50ms
  pace serve --listen 127.0.0.1:8000 --error-rate 0.05 --rate-per-conn 1MiB/s`,
		Flags: []cli.Flag{
			valueFlag(where, "listen", "listen on `ADDRESS:PORT`; port 0 takes a free one",
				into(&f.listen, listenKind, "127.0.0.1:0")),
			valueFlag(what, "pages", "have `N` pages",
				into(&f.options.Pages, count, strconv.Itoa(site.DefaultPages))),
			valueFlag(what, "links", "have `N` links on a page",
				into(&f.options.Links, count, strconv.Itoa(site.DefaultLinks))),
			valueFlag(what, "page-size", "make each page `SIZE` long",
				into(&f.options.PageSize, pageSizeKind, "16KiB")),
			valueFlag(what, "seed", "let `N` choose words, links, jitter and faults",
				into(&f.options.Seed, seedKind, "0")),
			valueFlag(how, "latency", "wait `DURATION` before each answer",
				into(&f.options.Latency, durationKind, "0")),
			valueFlag(how, "jitter", "vary the latency between URLs by `DURATION` either way",
				into(&f.options.Jitter, durationKind, "0")),
			valueFlag(how, "rate-per-conn", "send at most `RATE` on each connection; 0 is unlimited",
				into(&f.options.RatePerConn, byteRateKind, "0")),
			valueFlag(how, "error-rate", "answer `SHARE` of the requests with an error, from 0 to 1",
				into(&f.options.ErrorRate, shareKind, "0")),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return operandsError("serve", fmt.Sprintf("takes no operand, and got %q", c.Args().First()))
			}
			return f.serve(c.Context)
		},
	}
}

// serve answers until ctx is cancelled.
func (f *serveFlags) serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	server := site.New(f.options).Server()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(f.std.stdout, "http://%s\n", listener.Addr()); err != nil {
		_ = server.Close()
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// A moment for answers that are nearly done; whoever still reads a slow one loses it.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

var (
	listenKind   = kind[string]{usage: "use for example 127.0.0.1:8000", parse: parseListen}
	pageSizeKind = kind[int]{usage: sizeKind.usage, parse: parsePageSize}
	seedKind     = kind[uint64]{usage: "use for example 7", parse: parseSeed}
	shareKind    = kind[float64]{usage: "use for example 0.05", parse: parseShare}
)

func parseListen(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errors.New("not an address and a port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("not a port")
	}
	return s, nil
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
