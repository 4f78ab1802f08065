package crawl

import (
	"hash/maphash"

	"pace/limiter"
	"pace/limiter/progress"
)

// memoryFrontier is a frontier that ends with the process.
//
// The seen-set keeps 64 bits a URL: among ten million URLs the chance that any one is missed is below 3 in a million.
// In their tables they take 11 to 22 bytes a URL. A page that waits takes its URL, its referrer and about six bytes more.
type memoryFrontier struct {
	schedule
	maxPages int
	seed     maphash.Seed
	seen     fingerprints // guarded by mu, as is what follows
	admitted int
}

// newMemoryFrontier returns an empty frontier that admits at most maxPages pages; 0 is unlimited.
func newMemoryFrontier(
	hosts *limiter.Hosts, maxPages int, counter *progress.Counter, gate func(*item) *item,
) *memoryFrontier {
	return &memoryFrontier{
		schedule: newSchedule(hosts, counter, gate), maxPages: maxPages,
		seed: maphash.MakeSeed(),
	}
}

func (f *memoryFrontier) fingerprint(url []byte) uint64 { return maphash.Bytes(f.seed, url) }

func (f *memoryFrontier) noted(links []pageLink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range links {
		if l := &links[i]; l.isNew {
			l.noted = f.seen.has(l.slot.hash)
		}
	}
}

func (f *memoryFrontier) reserve(url string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.see(url), nil
}

func (f *memoryFrontier) knows(url string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.has(url), nil
}

func (f *memoryFrontier) commit(changes []*change, _ []byte) error {
	for _, c := range changes {
		f.settle(c)
	}
	return nil
}

// settle makes one change.
func (f *memoryFrontier) settle(c *change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, page := range c.found {
		if page.item.sitemap > 0 {
			if f.see(page.item.seenAs(page.item.url)) && f.sitemapFiles.take() {
				f.push(page.item)
			}
			continue
		}
		if page.item.check && f.has(page.item.url.String()) {
			continue
		}
		full := f.maxPages > 0 && f.admitted >= f.maxPages || f.budget.spent(page.item.url.Host())
		if full && !page.forbidden || !f.see(page.item.seenAs(page.item.url)) {
			continue
		}
		if !page.item.check || page.forbidden {
			f.counter.Grow(1, 0)
		}
		if page.forbidden {
			f.counter.ItemSkipped()
			continue
		}
		f.admitted++
		f.budget.count(page.item.url.Host())
		f.push(page.item)
	}
	if c.to != (URL{}) {
		if c.follow {
			f.counter.Grow(1, 0)
		}
		f.push(c.moved())
	}
	if c.item != nil {
		f.release(c.item)
	}
}

// has says whether a URL is noted. It requires that mu is held.
func (f *memoryFrontier) has(url string) bool {
	return f.seen.has(maphash.String(f.seed, url))
}

// see notes a URL and says whether it is new. It requires that mu is held.
func (f *memoryFrontier) see(url string) bool {
	return f.seen.add(maphash.String(f.seed, url))
}

func (f *memoryFrontier) close() error { return nil }

var _ frontier = (*memoryFrontier)(nil)
