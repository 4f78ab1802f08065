package crawl

// hostBudget bounds how many pages of each host are admitted. Commits never overlap, so it needs no lock.
type hostBudget struct {
	most  int // 0 is unlimited
	told  func(host string)
	all   int
	pages map[string]int
}

func (f *schedule) setHostBudget(most int, spent func(host string)) {
	f.budget = hostBudget{most: most, told: spent, pages: map[string]int{}}
}

// spent says whether a host has had its number of pages.
func (b *hostBudget) spent(host string) bool {
	// Most runs have not so many pages on all hosts together, which is quick to see.
	if b.most <= 0 || b.all < b.most || b.pages[host] < b.most {
		return false
	}
	if b.pages[host] == b.most {
		b.pages[host]++ // to say it once
		b.told(host)
	}
	return true
}

// count counts a page that was admitted.
func (b *hostBudget) count(host string) {
	if b.most > 0 {
		b.all++
		b.pages[host]++
	}
}
