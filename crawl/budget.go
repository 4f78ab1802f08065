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
}

func (f *schedule) setHostBudget(most int, spent func(host string)) {
	f.budget.most, f.budget.told = most, spent
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
		b.add(host, 1)
	}
}

func (b *hostBudget) add(host string, pages int) {
	if b.pages == nil {
		b.pages = map[string]int{}
	}
	b.all += pages
	b.pages[host] += pages
}

// save writes what some hosts have had.
func (b *hostBudget) save(to *pebble.Batch, hosts map[string]bool) error {
	if b.most <= 0 {
		return nil
	}
	for host := range hosts {
		if err := to.Set(hostKey(keySpent, host), binary.AppendUvarint(nil, uint64(b.pages[host])), nil); err != nil {
			return err
		}
	}
	return nil
}

// recover reads what hosts have had in earlier runs.
func (b *hostBudget) recover(from *store) error {
	return from.scan([]byte{keySpent}, []byte{keySpent + 1}, func(key, value []byte) (bool, error) {
		b.add(string(key[1:]), int(firstUvarint(value)))
		return true, nil
	})
}
