package crawl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// continued returns marks of what the outputs' files hold, as openOutputs takes them, and locks those files. A fleet's
// page counts once its worker has written it, and no state says how long the files were then: a worker that is started
// again adds to what is there. Half a line at its end, of a machine that lost its power, goes.
func (o *Options) continued() (marks []byte, locks locks, err error) {
	defer func() {
		if err != nil {
			locks.release()
			err = fmt.Errorf("cannot go on with the outputs: %w", err)
		}
	}()
	all := map[string][]mark{}
	for _, kind := range outputKinds {
		if !kind.asked(o) || kind.lock == nil {
			continue
		}
		if path := kind.lock(o); path != "" {
			if err := locks.take(path, kind.name == "mirror"); err != nil {
				return nil, locks, err
			}
		}
		if all[kind.name], err = kind.present(o); err != nil {
			return nil, locks, err
		}
	}
	marks, err = json.Marshal(all)
	return marks, locks, err
}

func presentRecords(o *Options) ([]mark, error) { return presentLines(o.OutputFile) }
func presentGraph(o *Options) ([]mark, error)   { return presentLines(o.Graph) }

// presentWARC has the archive go on with a file of its own, since the last one may end in half a record.
func presentWARC(o *Options) ([]mark, error) {
	files := warc{prefix: o.WARC}
	var marks []mark
	for {
		m := mark{Path: files.name(len(marks))}
		info, err := os.Stat(m.Path)
		if errors.Is(err, fs.ErrNotExist) {
			if len(marks) == 0 {
				return nil, nil
			}
			index, err := presentLines(o.WARC + ".cdxj")
			return append(append(marks, m), index...), err
		}
		if err != nil {
			return nil, err
		}
		m.Size = info.Size()
		marks = append(marks, m)
	}
}

func presentMirror(o *Options) ([]mark, error) {
	index, err := presentLines(filepath.Join(o.Mirror, mirrorIndex))
	if err != nil || index == nil {
		return nil, err
	}
	bodies := filepath.Join(o.Mirror, mirrorBodies)
	info, err := os.Stat(bodies)
	if err != nil {
		return nil, err
	}
	return append(index, mark{Path: bodies, Size: info.Size()}), nil
}

// presentLines returns the mark of a file's whole lines, or none if it has no line or is no regular file.
func presentLines(path string) ([]mark, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := lastLineEnd(f, info.Size())
	if err != nil || size == 0 {
		return nil, err
	}
	return []mark{{Path: path, Size: size}}, nil
}

// lastLineEnd returns where the last whole line of the first size bytes ends.
func lastLineEnd(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for size > 0 {
		n := min(size, int64(len(buf)))
		if _, err := r.ReadAt(buf[:n], size-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return size - n + int64(i) + 1, nil
		}
		size -= n
	}
	return 0, nil
}

// locks keep other processes from the same outputs: two workers of a fleet with one file would write over one another.
type locks []*os.File

// take locks a file, or a folder, which is made if it is not there.
func (l *locks) take(path string, folder bool) error {
	flags := os.O_RDONLY | os.O_CREATE
	if folder {
		flags = os.O_RDONLY
		if err := os.MkdirAll(path, 0o777); err != nil {
			return err
		}
	} else if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil // to open a pipe would wait
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return err
	}
	if lockedElsewhere(f) {
		_ = f.Close()
		return fmt.Errorf("%s is written by another process: each worker of a fleet needs its own", path)
	}
	*l = append(*l, f)
	return nil
}

func (l locks) release() {
	for _, f := range l {
		_ = f.Close()
	}
}
