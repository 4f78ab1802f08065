package copy

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// metadata names what of the metadata differs, if it is to be compared. Links have no mode of their own.
func (v *verifier) metadata(e verifyEntry) []string {
	if !v.Archive {
		return nil
	}
	var found []string
	const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if a, b := e.src.Mode(), e.dst.Mode(); a&modeBits != b&modeBits && a.Type() != fs.ModeSymlink {
		found = append(found, fmt.Sprintf("mode: %v and %v", a, b))
	}
	if a, b := ownerOf(e.src), ownerOf(e.dst); a != b {
		found = append(found, fmt.Sprintf("owner: %s and %s", a, b))
	}
	if a, b := e.src.ModTime(), e.dst.ModTime(); !a.Equal(b) {
		found = append(found, fmt.Sprintf("time: %s and %s", a.Format(time.RFC3339Nano), b.Format(time.RFC3339Nano)))
	}
	return found
}

// attributesThatDiffer names the extended attributes that are not the same on both sides.
func attributesThatDiffer(src, dst *os.File) []string {
	a, aErr := attributes(src)
	b, bErr := attributes(dst)
	if aErr != nil || bErr != nil {
		return []string{fmt.Sprintf("attributes, which cannot be read: %v", firstError(aErr, bErr))}
	}
	var found []string
	for name, value := range a {
		if other, ok := b[name]; !ok || !bytes.Equal(value, other) {
			found = append(found, "attribute "+name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			found = append(found, "attribute "+name)
		}
	}
	slices.Sort(found)
	return found
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
