package crawl

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// hostBudget bounds how many pages of each host are admitted. Commits never overlap, so it needs no lock.
type hostBudget struct {
	most  int // 0 is unlimited
	told  func(host string)
	all   int
	pages map[string]int
	fresh map[string]bool // hosts whose number the next commit stores; nil without a disk
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
		if b.fresh != nil {
			b.fresh[host] = true
		}
	}
}

// setHostBudget goes on from what earlier runs took of each host.
func (f *diskFrontier) setHostBudget(most int, spent func(host string)) {
	f.schedule.setHostBudget(most, spent)
	if most <= 0 {
		return
	}
	f.budget.fresh = map[string]bool{}
	f.fail(f.store.scan([]byte{keyTaken}, []byte{keyTaken + 1}, func(key, value []byte) (bool, error) {
		n := int(firstUvarint(value))
		f.budget.pages[string(key[1:])] = min(n, most)
		f.budget.all += n
		return true, nil
	}))
}

// saveTaken writes how many pages were taken of the hosts that this commit takes some of.
func (f *diskFrontier) saveTaken(b *pebble.Batch) error {
	for host := range f.budget.fresh {
		n := binary.AppendUvarint(nil, uint64(f.budget.pages[host]))
		if err := b.Set(hostKey(keyTaken, host), n, nil); err != nil {
			return err
		}
	}
	clear(f.budget.fresh)
	return nil
}
