package copy

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// visitOperands begins with the two operands. Its error is one that ends the run.
func (f *verifyFeed) visitOperands(e verifyEntry) error {
	switch {
	case e.dst == nil || e.src.Mode().Type() != e.dst.Mode().Type():
		f.visit(e)
	case !e.src.IsDir():
		f.visit(e)
	default:
		if err := f.walk.enterRoots(f.Source, f.Dest); err != nil {
			return err
		}
		f.compareDirs(e, f.walk.dirs[0])
	}
	return nil
}

// visit compares what is under one name, but for the bytes of files, which become the pair to be read.
func (f *verifyFeed) visit(e verifyEntry) {
	if kind, ok := f.presence(e); !ok {
		f.countEntry(e)
		f.differ(f.difference(e, kind, typesText(e)))
		return
	}
	switch mode := e.src.Mode(); {
	case mode.IsDir():
		if err := f.walk.enter(e); err != nil {
			f.Progress.Grow(1, 0)
			f.failed(f.sourcePath(e.rel), err)
			return
		}
		f.compareDirs(e, f.walk.dirs[len(f.walk.dirs)-1])
	case mode.IsRegular():
		f.countEntry(e)
		if e.src.Size() != e.dst.Size() {
			f.differ(f.difference(e, DifferenceContent,
				fmt.Sprintf("size: %d and %d bytes", e.src.Size(), e.dst.Size())))
			return
		}
		f.pair = newVerifyPair(f.verifier, e)
	case mode.Type() == fs.ModeSymlink:
		f.countEntry(e)
		f.compareLinks(e)
	default:
		f.countEntry(e)
		if a, b := deviceNumber(e.src), deviceNumber(e.dst); a != b {
			f.differ(f.difference(e, DifferenceContent, fmt.Sprintf("device number: %#x and %#x", a, b)))
			return
		}
		f.settle(e, nil)
	}
}

// presence says whether there is the same type of file on both sides, and the kind of the difference otherwise.
func (f *verifyFeed) presence(e verifyEntry) (kind DifferenceKind, ok bool) {
	switch {
	case e.dst == nil:
		return DifferenceMissing, false
	case e.src == nil:
		return DifferenceExtra, false
	case e.src.Mode().Type() != e.dst.Mode().Type():
		return DifferenceType, false
	}
	return 0, true
}

// countEntry tells the progress of an item.
func (f *verifyFeed) countEntry(e verifyEntry) {
	size := int64(0)
	if e.src != nil && e.dst != nil && e.src.Mode().IsRegular() && e.src.Size() == e.dst.Size() {
		size = e.src.Size()
	}
	f.Progress.Grow(1, size)
}

// compareDirs compares the metadata of a folder. It is an item only if they differ.
func (f *verifyFeed) compareDirs(e verifyEntry, d *verifyDir) {
	if !f.Archive {
		return
	}
	found := f.metadata(e)
	src, srcErr := d.src.Open(".")
	dst, dstErr := d.dst.Open(".")
	if srcErr == nil && dstErr == nil {
		found = append(found, attributesThatDiffer(src, dst)...)
	}
	for _, file := range []*os.File{src, dst} {
		if file != nil {
			_ = file.Close()
		}
	}
	if len(found) > 0 {
		f.Progress.Grow(1, 0)
		f.differ(f.difference(e, DifferenceMetadata, strings.Join(found, ", ")))
	}
}

func (f *verifyFeed) compareLinks(e verifyEntry) {
	src, err := e.dir.src.Readlink(e.name)
	if err != nil {
		f.failed(f.sourcePath(e.rel), cannotRead(f.sourcePath(e.rel), err))
		return
	}
	dst, err := e.dir.dst.Readlink(e.name)
	if err != nil {
		f.failed(f.destPath(e.rel), cannotRead(f.destPath(e.rel), err))
		return
	}
	if src != dst {
		f.differ(f.difference(e, DifferenceContent, fmt.Sprintf("target: %s and %s", src, dst)))
		return
	}
	f.settle(e, nil)
}

// settle ends an item whose content is the same, with what else was found to differ.
func (v *verifier) settle(e verifyEntry, found []string) {
	if found = append(v.metadata(e), found...); len(found) > 0 {
		v.differ(v.difference(e, DifferenceMetadata, strings.Join(found, ", ")))
		return
	}
	v.Progress.ItemDone()
}

func (v *verifier) difference(e verifyEntry, kind DifferenceKind, detail string) Difference {
	return Difference{Kind: kind, Path: e.rel, Source: v.sourcePath(e.rel), Dest: v.destPath(e.rel), Detail: detail}
}

// typesText says what is on both sides, if there is something.
func typesText(e verifyEntry) string {
	if e.src == nil || e.dst == nil {
		return ""
	}
	return fmt.Sprintf("type: %s and %s", typeText(e.src.Mode()), typeText(e.dst.Mode()))
}

func typeText(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "folder"
	default:
		return kind(m)
	}
}
