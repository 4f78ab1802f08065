package crawl

import (
	"fmt"
	"io"
	"os"
)

// outputFile is a file that an output appends to.
type outputFile struct {
	*os.File
	path string
	size int64
}

// openOutputFile opens a file, empty or, if it has a mark, cut back to that.
func openOutputFile(path string, resume []mark) (*outputFile, error) {
	m, marked := markOf(resume, path)
	flags := os.O_RDWR | os.O_CREATE
	if !marked {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	if marked {
		err = cutTo(f, m)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &outputFile{File: f, path: path, size: m.Size}, nil
}

// cutTo makes a file as long as its mark says, to be written on from there.
func cutTo(f *os.File, m mark) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // /dev/null and pipes keep nothing
	}
	if info.Size() < m.Size {
		return fmt.Errorf("%s has %d bytes, but %d were written: it was changed, so the crawl cannot go on with it",
			m.Path, info.Size(), m.Size)
	}
	if err := f.Truncate(m.Size); err != nil {
		return err
	}
	_, err = f.Seek(m.Size, io.SeekStart)
	return err
}

// add appends to the file, all or nothing where the file is a regular one.
func (f *outputFile) add(b []byte) error {
	n, err := f.Write(b)
	if err != nil {
		if n > 0 {
			_ = f.Truncate(f.size) // the error of writing is the one to tell
		}
		return err
	}
	f.size += int64(n)
	return nil
}

func (f *outputFile) mark() mark { return mark{Path: f.path, Size: f.size} }
