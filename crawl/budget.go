package crawl

// hostBudget bounds how many pages of each host are admitted. Commits never overlap, so it needs no lock.
type hostBudget struct {
	most  int // 0 is unlimited
	tell  func(host string)
	told  map[string]bool
	all   int
	pages map[string]int // by host: all, or on disk those that the present commit adds

	before func(host string) int // those that commits have added; nil if pages has them
}

func (f *schedule) setHostBudget(most int, spent func(host string)) {
	f.budget = hostBudget{most: most, tell: spent, told: map[string]bool{}, pages: map[string]int{}}
}

// spent says whether a host has had its number of pages.
func (b *hostBudget) spent(host string) bool {
	// Most runs have not so many pages on all hosts together, which is quick to see.
	if b.most <= 0 || b.all < b.most {
		return false
	}
	n := b.pages[host]
	if b.before != nil {
		n += b.before(host)
	}
	if n < b.most {
		return false
	}
	b.tellOnce(host)
	return true
}

// tellOnce says that a host has had its number of pages, once.
func (b *hostBudget) tellOnce(host string) {
	if !b.told[host] {
		b.told[host] = true
		b.tell(host)
	}
}

// count counts a page that was admitted.
func (b *hostBudget) count(host string) {
	if b.most > 0 {
		b.all++
		b.pages[host]++
	}
}

// sitemapBudget bounds how many sitemaps are read. Like [hostBudget] it needs no lock.
type sitemapBudget struct {
	most  int // 0 is unlimited
	taken int
	tell  func()
}

func (f *schedule) setSitemapBudget(most int, spent func()) {
	f.sitemapFiles.most, f.sitemapFiles.tell = most, spent
}

// take counts a sitemap that is new, and says whether it is one of those that are read.
func (b *sitemapBudget) take() bool {
	b.taken++
	if b.most > 0 && b.taken == b.most+1 {
		b.tell()
	}
	return b.most <= 0 || b.taken <= b.most
}

// spent says whether there were as many sitemaps as are read, and that there is one more.
func (b *sitemapBudget) spent() bool {
	return b.most > 0 && b.taken >= b.most && !b.take()
}
