package crawl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

// mirrorStage is the folder, in the mirror's own, for pages as they came. Under which names they end, and what their
// links are to be, is only known when all are there: until then it would depend on which came first.
const (
	mirrorStage  = ".pace-mirror"
	mirrorIndex  = mirrorStage + "/index.jsonl"
	mirrorBodies = mirrorStage + "/bodies"
	mirrorNames  = mirrorStage + "/names.jsonl" // of a finished mirror that a later run may add to
)

// mirror is an output: pages as files whose links lead from file to file.
//
// A page that comes is put away as it is, in one file for all, and noted in an index. At the end each gets its own file,
// with links rewritten, and what was put away is removed last: a run that is killed on the way can do it again. Until
// then the mirror takes twice its room. All is reached through an os.Root, so that no name and no symbolic link leads
// out of the folder.
//
// With a state, a finished mirror may get more pages. Of those that are files by then only the names are known: links to
// them lead to their files, but links from them to pages that came later stay as they are.
type mirror struct {
	dir           string
	root          *os.Root
	index, bodies *outputFile
	canonical     func(URL) URL // under which URL a page that a link leads to was fetched
	again         bool          // a later run may add pages
}

// mirrorLine is one line of the index: a page, or where a redirect leads.
type mirrorLine struct {
	URL         string `json:"url"`
	ContentType string `json:"content_type,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Offset      int64  `json:"offset,omitempty"` // of the body among the bodies, in bytes
	Size        int64  `json:"size,omitempty"`
	Seed        bool   `json:"seed,omitempty"`
	Location    string `json:"location,omitempty"`
	Name        string `json:"name,omitempty"` // of the page's file, once it has one
	isFile      bool   // it is there: an earlier run wrote it
}

// openMirror opens the folder of --mirror.
func openMirror(o *Options, resume []mark) (output, error) {
	m := &mirror{dir: o.Mirror, canonical: o.canonical, again: o.State != ""}
	if err := m.open(resume); err != nil {
		_ = m.closeFiles()
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
	if _, marked := markOf(resume, m.path(mirrorIndex)); !marked {
		err = m.root.RemoveAll(mirrorStage) // of a run that nothing can continue
	} else if finished, findErr := m.finished(); finished {
		resume = nil // they are of files that finish has removed
	} else {
		err = findErr
	}
	if err != nil {
		return err
	}
	if err := m.root.MkdirAll(mirrorStage, 0o777); err != nil {
		return err
	}
	// A link here would lead them out of the folder.
	for _, name := range []string{mirrorStage, mirrorIndex, mirrorBodies} {
		if info, err := m.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a link", m.path(name))
		}
	}
	if m.index, err = openOutputFile(m.path(mirrorIndex), resume); err != nil {
		return err
	}
	m.bodies, err = openOutputFile(m.path(mirrorBodies), resume)
	return err
}

// finished says whether what an earlier run put away has become files.
func (m *mirror) finished() (bool, error) {
	info, err := m.root.Stat(mirrorIndex)
	if err == nil && info.Size() > 0 {
		return false, nil
	}
	if _, namesErr := m.root.Stat(mirrorNames); namesErr == nil {
		return true, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is gone, so the crawl cannot go on with it", m.path(mirrorIndex))
	}
	return false, err
}

// path returns where a file of the mirror is.
func (m *mirror) path(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

// kept says whether what a page came to is a file of the mirror.
func (m *mirror) kept(p *closing) bool {
	if p.record == nil || p.response == nil || p.failure != nil || p.response.hash == "" {
		return false // it failed, or its body was not asked for
	}
	switch p.response.status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNonAuthoritativeInfo:
		return true
	}
	return false
}

func (m *mirror) render(p *closing) (func() error, error) {
	if !p.item.isPage() || p.item.check || p.response == nil {
		return nil, nil
	}
	line := mirrorLine{URL: p.item.url.String(), Seed: p.item.seed}
	var body []byte
	if p.to != (URL{}) {
		line.Location = p.to.String()
	} else if m.kept(p) {
		line.ContentType, line.SHA256 = p.response.contentType, p.response.hash
		body = bytes.Clone(p.response.body)
	} else {
		return nil, nil
	}
	return func() error { return m.putAway(line, body) }, nil
}

// putAway appends a page as it came, and notes it.
func (m *mirror) putAway(line mirrorLine, body []byte) error {
	line.Offset, line.Size = m.bodies.size, int64(len(body))
	text, err := json.Marshal(line)
	if err == nil {
		err = m.bodies.add(body)
	}
	if err == nil {
		err = m.index.add(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot write the mirror: %w", err)
	}
	return nil
}

func (m *mirror) marks() []mark { return []mark{m.index.mark(), m.bodies.mark()} }

func (m *mirror) sync() error {
	return errors.Join(m.bodies.Sync(), m.index.Sync())
}

// close gives the pages their names and rewrites their links, unless more may come.
func (m *mirror) close(finished bool) error {
	var err error
	if finished {
		err = m.finish()
	}
	if closeErr := m.closeFiles(); err == nil {
		err = closeErr
	}
	if err == nil && finished {
		err = m.removeStage()
	}
	_ = m.root.Close() // of a folder
	if err != nil {
		return fmt.Errorf("cannot write the mirror: %w", err)
	}
	return nil
}

// removeStage removes what was put away: the index first, for as long as it is there, so is what it names.
func (m *mirror) removeStage() error {
	err := m.root.Remove(mirrorIndex)
	switch {
	case err != nil:
		return err
	case m.again:
		return m.root.Remove(mirrorBodies)
	}
	return m.root.RemoveAll(mirrorStage)
}

func (m *mirror) closeFiles() (err error) {
	for _, f := range []*outputFile{m.index, m.bodies} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
