package crawl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// lines reads what earlier runs made files of, and then the index.
func (m *mirror) lines() ([]mirrorLine, error) {
	var lines []mirrorLine
	names, err := m.root.Open(mirrorNames)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		lines, err = readMirrorLines(nil, names)
		if closeErr := names.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, err
		}
		for i := range lines {
			lines[i].isFile = true
		}
	}
	return readMirrorLines(lines, io.NewSectionReader(m.index, 0, m.index.size))
}

func readMirrorLines(lines []mirrorLine, r io.Reader) ([]mirrorLine, error) {
	text := json.NewDecoder(bufio.NewReader(r))
	for {
		var l mirrorLine
		switch err := text.Decode(&l); {
		case err == io.EOF:
			return lines, nil
		case err != nil:
			return nil, fmt.Errorf("the index of the mirror: %w", err)
		}
		lines = append(lines, l)
	}
}

// writeNames keeps the names of all pages for a later run.
func (m *mirror) writeNames(lines []mirrorLine, names map[string]string) error {
	return m.replace(mirrorNames, func(w *bufio.Writer) error {
		enc := json.NewEncoder(w)
		for _, l := range lines {
			l.Name, l.Offset, l.Size = names[l.URL], 0, 0
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// replace gives a file of the mirror its content at once.
func (m *mirror) replace(name string, write func(w *bufio.Writer) error) error {
	part := path.Join(mirrorStage, "part")
	f, err := m.root.Create(part)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if err := errors.Join(write(w), w.Flush(), f.Close()); err != nil {
		return err
	}
	if err := m.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	return m.root.Rename(part, name)
}

// makeFolder makes a folder of the mirror. A file of an older mirror in the place of a folder has to go, as one in the
// place of a file has.
func (m *mirror) makeFolder(name string) error {
	err := m.root.MkdirAll(name, 0o777)
	for at := name; err != nil && at != "."; at = path.Dir(at) {
		if info, statErr := m.root.Lstat(at); statErr == nil && info.Mode().IsRegular() {
			if err := m.root.Remove(at); err != nil {
				return err
			}
			return m.root.MkdirAll(name, 0o777)
		}
	}
	return err
}

// isFolder says whether a name is a folder's that is there already.
func (m *mirror) isFolder(name string) bool {
	info, err := m.root.Lstat(name)
	return err == nil && info.IsDir()
}
