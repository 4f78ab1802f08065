package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	filecopy "pace/copy"
	"pace/crawl/site"
)

// demoSize is how much work the demo does.
type demoSize struct {
	wait    time.Duration // of one slow page
	pages   int
	latency time.Duration // of a page of the site
	blob    int64         // bytes of the download
	perConn float64       // bytes a second that the download's server sends on each connection
	file    int64         // bytes of the file that is copied and hashed
	runs    int           // of each part that takes little time
}

// fullDemo takes about 35 seconds on two cores, two thirds of which are the waits of sequential mode.
var fullDemo = demoSize{
	wait: time.Second, pages: 200, latency: 50 * time.Millisecond, blob: 16 << 20, perConn: 8 << 20, file: 128 << 20, runs: 7,
}

// stage is what the demo's work needs: two files and three servers.
type stage struct {
	demoSize
	dir                  string
	servers              []*http.Server
	slow, pages, segment string // the servers' URLs
}

// openStage makes the folder and starts the servers; close undoes both.
func openStage(size demoSize) (*stage, error) {
	dir, err := os.MkdirTemp("", "pace-demo-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary folder: %w", err)
	}
	s := &stage{demoSize: size, dir: dir}
	err = s.checkRoom()
	for _, server := range []struct {
		url     *string
		options site.Options
	}{
		{&s.slow, site.Options{}},
		{&s.pages, site.Options{Pages: size.pages, Latency: size.latency}},
		{&s.segment, site.Options{RatePerConn: size.perConn}},
	} {
		if err == nil {
			*server.url, err = s.serve(server.options)
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// serve starts a site on the loopback network.
func (s *stage) serve(o site.Options) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := site.New(o).Server()
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(listener) }() // close ends it
	return "http://" + listener.Addr().String(), nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// need is how many bytes the folder has at once: a file, another with the same bytes, and a copy or the download.
func (s *stage) need() int64 { return 2*s.file + max(s.file, s.blob) }

func (s *stage) checkRoom() error {
	if free, ok := filecopy.FreeSpace(s.dir); ok && free < s.need() {
		return fmt.Errorf("the demo needs %s in %s, and only %s are free; set TMPDIR to a folder with more room",
			bytesText(float64(s.need())), filepath.Dir(s.dir), bytesText(float64(free)))
	}
	return nil
}

// makeFiles writes the file that is copied and another with the same bytes. It is called right before they are used:
// later, the kernel would bring them to the device in the middle of the runs.
func (s *stage) makeFiles(ctx context.Context) error {
	for _, name := range []string{"file", "same"} {
		err := writeBlob(ctx, s.path(name), s.file)
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return fmt.Errorf("the demo needs %s in %s: %w",
				bytesText(float64(s.need())), filepath.Dir(s.dir), errors.Unwrap(err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeBlob writes bytes that do not compress. It returns a *PathError or what ended ctx.
func writeBlob(ctx context.Context, path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	const step = 4 << 20
	blob := site.NewBlob(1, size)
	for err == nil && ctx.Err() == nil {
		if _, err = io.CopyN(f, blob, step); err == io.EOF {
			return f.Close()
		}
	}
	_ = f.Close()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// demoPart is one comparison of the demo.
type demoPart struct {
	title        string
	command      []string
	runs, warmup int
	prepare      func(context.Context) error // nil for nothing
}

// parts returns the demo's work. The first two take long in sequential mode, run once, and need no warm-up: servers that
// wait are as slow the first time.
func (s *stage) parts() []demoPart {
	waits := strings.Fields("crawl --depth 0 --rate 0 --per-host 0")
	for n := range 5 {
		waits = append(waits, fmt.Sprintf("%s/wait/%s?%d", s.slow, s.wait, n+1))
	}
	return []demoPart{
		{
			title:   fmt.Sprintf("Five pages that take %s each", s.wait),
			command: waits, runs: 1,
		},
		{
			title:   fmt.Sprintf("A site of %d pages with a latency of %s", s.demoSize.pages, s.latency),
			command: append(strings.Fields("crawl --rate 0 --per-host 0"), s.pages+"/"), runs: 1,
		},
		{
			title: fmt.Sprintf("A download of %s from a server that sends %s on each connection",
				bytesText(float64(s.blob)), inBytes.perSecond(s.perConn)),
			command: append(strings.Fields("copy --chunk-size 1MiB"),
				fmt.Sprintf("%s/blob/%d", s.segment, s.blob), s.path("download")), runs: min(s.runs, fewestForTest),
		},
		{
			title:   fmt.Sprintf("A copy of a file of %s that is in memory", bytesText(float64(s.file))),
			command: append(strings.Fields("copy --reflink never"), s.path("file"), s.path("copy")),
			runs:    s.runs, warmup: 1, prepare: s.makeFiles,
		},
		{
			title:   "SHA-256 of two such files",
			command: append(strings.Fields("verify --hash sha256"), s.path("file"), s.path("same")),
			runs:    s.runs, warmup: 1,
		},
	}
}
