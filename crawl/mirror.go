package crawl

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// mirrorStage is the folder, in the mirror's own, for pages as they came. Under which names they end, and what their
// links are to be, is only known when all are there: until then it would depend on which came first.
const mirrorStage = ".pace-mirror"

// mirror is an output: pages as files whose links lead from file to file.
//
// A page that comes is put away as it is, and noted in an index. At the end the files get their names, and those with
// links are rewritten from what was put away, which is removed last: a run that is killed on the way can do it again.
// Everything is reached through an os.Root, so that no name and no symbolic link leads out of the folder.
type mirror struct {
	dir   string
	root  *os.Root
	index *outputFile
	made  [256]sync.Once // the folders of what is put away
	done  bool           // an earlier run has finished it
}

// mirrorLine is one line of the index: a page, or where a redirect leads.
type mirrorLine struct {
	URL         string `json:"url"`
	ContentType string `json:"content_type,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Seed        string `json:"seed,omitempty"` // as the user gave it; empty for pages that links led to
	Location    string `json:"location,omitempty"`
}

// openMirror opens the folder of --mirror.
func openMirror(o Options, resume []mark) (output, error) {
	m := &mirror{dir: o.Mirror}
	if err := m.open(resume); err != nil {
		if m.root != nil {
			_ = m.root.Close()
		}
		return nil, fmt.Errorf("cannot write the mirror: %w", err)
	}
	return m, nil
}

func (m *mirror) open(resume []mark) (err error) {
	if err := os.MkdirAll(m.dir, 0o777); err != nil {
		return err
	}
	if m.root, err = os.OpenRoot(m.dir); err != nil {
		return err
	}
	at := filepath.Join(m.dir, mirrorStage, "index.jsonl")
	if _, marked := markOf(resume, at); marked {
		if _, err := m.root.Stat(path.Join(mirrorStage, "index.jsonl")); errors.Is(err, fs.ErrNotExist) {
			m.done = true
			return m.root.RemoveAll(mirrorStage)
		}
	} else if err := m.root.RemoveAll(mirrorStage); err != nil { // of a run that nothing can continue
		return err
	}
	// A link here would lead the index out of the folder.
	if info, err := m.root.Lstat(mirrorStage); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no folder", filepath.Join(m.dir, mirrorStage))
	}
	if err := m.root.MkdirAll(mirrorStage, 0o777); err != nil {
		return err
	}
	m.index, err = openOutputFile(at, resume)
	return err
}

// kept says whether what a page came to is a file of the mirror.
func (m *mirror) kept(p *closing) bool {
	if p.record == nil || p.response == nil || p.failure != nil {
		return false
	}
	switch p.response.status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNonAuthoritativeInfo:
		return true
	}
	return false
}

func (m *mirror) render(p *closing) (func() error, error) {
	if m.done || p.item.robots != nil || p.item.check || p.response == nil {
		return nil, nil
	}
	line := mirrorLine{URL: p.item.url.String()}
	if p.item.seed {
		line.Seed = p.item.first
	}
	if to, ok := p.response.location(p.item.url); ok {
		line.Location = to.String()
	} else if m.kept(p) {
		line.ContentType, line.SHA256 = p.response.contentType, p.response.hash
		if err := m.putAway(line.URL, p.response.body); err != nil {
			return nil, fmt.Errorf("cannot write the mirror: %w", err)
		}
	} else {
		return nil, nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return nil, err
	}
	return func() error { return m.index.add(append(text, '\n')) }, nil
}

// putAway writes a page as it came. It counts once it is in the index, so a torn one is none.
func (m *mirror) putAway(url string, body []byte) (err error) {
	name, folder := stagedName(url)
	m.made[folder].Do(func() { err = m.root.MkdirAll(path.Dir(name), 0o777) })
	if err != nil {
		return err
	}
	return m.root.WriteFile(name, body, 0o666)
}

// stagedName returns where a page is put away, in one of 256 folders.
func stagedName(url string) (name string, folder byte) {
	sum := sha256.Sum256([]byte(url))
	text := hex.EncodeToString(sum[:16])
	return path.Join(mirrorStage, text[:2], text[2:]), sum[0]
}

func (m *mirror) marks() []mark {
	if m.done {
		return nil
	}
	return []mark{m.index.mark()}
}

func (m *mirror) sync() error {
	if m.done {
		return nil
	}
	return m.index.Sync()
}

// close gives the pages their names and rewrites their links, unless more may come.
func (m *mirror) close(finished bool) error {
	defer func() { _ = m.root.Close() }()
	if m.done {
		return nil
	}
	var err error
	if finished {
		err = m.finish()
	}
	if closeErr := m.index.Close(); err == nil {
		err = closeErr
	}
	if err == nil && finished {
		// The index first: as long as it is there, all that it names is.
		if err = m.root.Remove(path.Join(mirrorStage, "index.jsonl")); err == nil {
			err = m.root.RemoveAll(mirrorStage)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the mirror: %w", err)
	}
	return nil
}

// lines reads the index.
func (m *mirror) lines() (lines []mirrorLine, err error) {
	text, err := m.root.ReadFile(path.Join(mirrorStage, "index.jsonl"))
	if err != nil {
		return nil, err
	}
	for b := range bytes.Lines(text[:m.index.size]) {
		var l mirrorLine
		if err := json.Unmarshal(b, &l); err != nil {
			return nil, fmt.Errorf("the index of the mirror: %w", err)
		}
		lines = append(lines, l)
	}
	return lines, nil
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
	return m.moveTo(name, part)
}

// moveTo renames a file of the mirror to its final name, whose folder it makes.
func (m *mirror) moveTo(name, from string) error {
	if err := m.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	return m.root.Rename(from, name)
}
