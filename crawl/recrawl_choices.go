package crawl

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A page that has not changed shows no links. What it links to is known by itself, but only if the last crawl wanted it:
// after a recrawl is asked to go deeper, or elsewhere, all pages are fetched whole, for their links to be seen again.

// choices returns what decides which links of a page are followed, as a text to compare.
func (o *Options) choices() string {
	return fmt.Sprint(o.Depth, o.MaxPages, o.MaxPagesPerHost, o.Scope, o.Include, o.Exclude, o.StripQuery, o.ContentType,
		o.IgnoreNoFollow, o.IgnoreRobots, o.AllowPrivate, o.Requisites)
}

// keepChoices keeps with which choices a generation is crawled; with none if its runs differ.
func (f *diskFrontier) keepChoices(choices string, found bool) error {
	switch {
	case f.choices == choices:
		return nil
	case found:
		choices = ""
	}
	f.choices = choices
	return f.store.set(keyChoices, []byte(choices))
}

// setThere makes a key be there or not.
func setThere(b *pebble.Batch, key []byte, there bool) error {
	if there {
		return b.Set(key, nil, nil)
	}
	return b.Delete(key, nil)
}

// recoverChoices reads them.
func (f *diskFrontier) recoverChoices() error {
	choices, err := f.store.get(keyChoices)
	if err == nil {
		f.choices = string(choices)
		f.whole, err = f.store.has(keyWhole)
	}
	return err
}
