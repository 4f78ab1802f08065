package copy

import (
	"context"
	"fmt"
)

// checkRemote refuses what cannot be done with URLs.
func checkRemote(o *Options) error {
	if isHTTP(o.Dest) && o.Output == nil {
		return usagef("%s: a web server cannot be copied to", shownURL(o.Dest))
	}
	for _, src := range o.Sources {
		switch {
		case !IsURL(src):
		case IsS3(src) && o.Reflink != ReflinkAlways:
		case o.Recursive:
			return usagef("%s: a web site is no folder; pace crawl --mirror DIR copies one", shownURL(src))
		case o.Checksum:
			return usagef("%s: to compare its bytes would be to fetch them; --expect-hash names what they must be", shownURL(src))
		case o.Reflink == ReflinkAlways:
			return usagef("%s: data from a network cannot be shared", shownURL(src))
		}
	}
	return checkObjects(o)
}

// remoteItem is the item of a source that is a URL. What a file is called in a folder, only the server says.
func remoteItem(o *Options, src string, into bool) (item, error) {
	u, err := parseURL(src)
	it := item{src: shownURL(src), dst: o.Dest, url: u, unnamed: into}
	return it, err
}

// copyRemote is the job that looks for a source of a network and begins to copy it.
func (r *run) copyRemote(ctx context.Context, it item) error {
	if it.from != nil || it.to != nil {
		return r.copyObject(ctx, it)
	}
	from := newHTTPSource(r.web, it.url, it.src)
	what, err := r.openRemote(ctx, from)
	if err != nil {
		return r.failed(ctx, it.src, err, false)
	}
	if it.unnamed {
		it.dst = within(r.Dest, what.name)
	}
	it.info = remoteInfo{what}
	y := &relay{counted: max(what.size, 0), run: r, src: it.src, dst: it.dst, from: from, what: what, far: true}
	if skip, err := r.aim(y, it); err != nil {
		from.close()
		return r.failed(ctx, it.src, err, false)
	} else if skip {
		from.close()
		r.Progress.ItemSkipped()
		return nil
	}
	if r.DryRun {
		from.close()
		r.tell(it.src, it.dst)
		return nil
	}
	return y.start(ctx)
}

// openRemote opens a source for the first time, and tells the progress of it.
func (r *run) openRemote(ctx context.Context, from source) (found, error) {
	what, err := from.open(ctx)
	r.Progress.Grow(0, max(what.size, 0))
	if r.unopened.Add(-1) == 0 {
		r.Progress.SetTotalKnown()
	}
	return what, err
}

// aim decides where what was found goes.
func (r *run) aim(y *relay, it item) (skip bool, err error) {
	if r.Output != nil {
		y.to = newOrdered(r, it.src, r.askSize(orderedChunk), r.Output)
		return false, nil
	}
	if skip, err := r.claim(it); skip || err != nil {
		return skip, err
	}
	t, err := r.target(it)
	if err != nil || t.skip {
		return t.skip, err
	}
	y.to = &localSink{run: r, src: it.src, path: t.path}
	if t.inPlace != 0 {
		if r.Verify {
			return false, fmt.Errorf("cannot verify %s: it is a %s", t.path, kind(t.inPlace))
		}
		y.to = &inPlace{ordered: newOrdered(r, it.src, r.askSize(orderedChunk), nil), path: t.path, mode: t.inPlace}
	}
	return false, nil
}

// askSize is the most bytes of one request to a far source. A rate lowers it as it does all chunks.
func (o *Options) askSize(most int64) int64 {
	if o.ChunkSize > 0 {
		most = o.ChunkSize
	}
	if o.Rate != nil {
		most = min(most, int64(max(o.Rate.PerSecond()/4, minRateChunk)))
	}
	return most
}

// askInShares lets a cutter ask for much at once, and for less toward the end. A chunk size that was chosen is kept to.
func (y *relay) askInShares(c *cutter) {
	c.size = y.askSize(mostAsked)
	if y.ChunkSize > 0 {
		return
	}
	for _, e := range c.extents {
		c.left += e.end - e.off
	}
	workers := int64(y.workers())
	c.share = 2 * workers
	c.least = max(min(leastAsked, c.left/(4*workers)), fewestAsked)
}
