package crawl

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"io"
	"os"
	"slices"
)

// sortBlock is how many bytes of lines are sorted in memory at once.
const sortBlock = 64 << 20

// sortLines sorts the lines of a file by their bytes. The file is replaced at once when all is done; memory is bounded
// whatever its size.
func sortLines(path string) error { return sortLinesIn(path, sortBlock) }

func sortLinesIn(path string, block int) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	var runs []*os.File
	defer func() {
		for _, run := range runs {
			err = errors.Join(err, closeScratch(run))
		}
	}()
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		lines, readErr := readLines(r, block)
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
		slices.SortFunc(lines, bytes.Compare)
		if readErr == io.EOF && len(runs) == 0 {
			return replaceWith(path, info.Mode(), func(w *bufio.Writer) error { return writeLines(w, lines) })
		}
		run, err := openScratch("pace-sort-")
		if err != nil {
			return err
		}
		runs = append(runs, run)
		w := bufio.NewWriter(run)
		if err := errors.Join(writeLines(w, lines), w.Flush()); err != nil {
			return err
		}
		if readErr == io.EOF {
			return replaceWith(path, info.Mode(), func(w *bufio.Writer) error { return mergeLines(w, runs) })
		}
	}
}

// readLines reads whole lines, about size bytes of them. It returns io.EOF with the last ones.
func readLines(r *bufio.Reader, size int) (lines [][]byte, err error) {
	for read := 0; read < size; {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			lines = append(lines, line)
			read += len(line)
		}
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

func writeLines(w *bufio.Writer, lines [][]byte) error {
	for _, line := range lines {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// replaceWith gives a file what write writes, under another name until it is whole.
func replaceWith(path string, mode os.FileMode, write func(w *bufio.Writer) error) error {
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode.Perm())
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = errors.Join(write(w), w.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part) // the first error is the one to tell
	}
	return err
}

// mergeLines writes the lines of sorted files in order.
func mergeLines(w *bufio.Writer, runs []*os.File) error {
	var h lineHeap
	for _, run := range runs {
		if _, err := run.Seek(0, io.SeekStart); err != nil {
			return err
		}
		source := &lineSource{r: bufio.NewReader(run)}
		if ok, err := source.next(); err != nil {
			return err
		} else if ok {
			h = append(h, source)
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		if _, err := w.Write(h[0].line); err != nil {
			return err
		}
		if ok, err := h[0].next(); err != nil {
			return err
		} else if ok {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return nil
}

// lineSource is one sorted file and its next line.
type lineSource struct {
	r    *bufio.Reader
	line []byte
}

func (s *lineSource) next() (ok bool, err error) {
	if s.line, err = s.r.ReadBytes('\n'); err == io.EOF {
		err = nil
	}
	return len(s.line) > 0, err
}

type lineHeap []*lineSource

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return bytes.Compare(h[i].line, h[j].line) < 0 }
func (h lineHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lineHeap) Push(x any)        { *h = append(*h, x.(*lineSource)) }
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}
