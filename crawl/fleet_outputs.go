package crawl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// fleetMarks returns the marks of the files that an earlier run of this worker has left, or nil without any. They are
// continued, also where that run was killed: what they hold is done for the job, and nobody fetches it again. WARC files
// have none; an archive that is there already is refused.
func fleetMarks(o *Options) ([]byte, error) {
	marks := map[string][]mark{}
	lines := func(kind, path string) error {
		size, err := wholeLines(path)
		if err == nil && size > 0 {
			marks[kind] = append(marks[kind], mark{Path: path, Size: size})
		}
		return err
	}
	var err error
	if o.OutputFile != "" {
		err = lines("records", o.OutputFile)
	}
	if o.Graph != "" && err == nil {
		err = lines("graph", o.Graph)
	}
	if o.Mirror != "" && err == nil {
		err = lines("mirror", filepath.Join(o.Mirror, mirrorIndex))
	}
	if of := marks["mirror"]; of != nil && err == nil {
		bodies := filepath.Join(o.Mirror, mirrorBodies)
		var info fs.FileInfo
		if info, err = os.Stat(bodies); err == nil {
			marks["mirror"] = append(of, mark{Path: bodies, Size: info.Size()}) // each body before the line that names it
		}
	}
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	return json.Marshal(marks)
}

// wholeLines returns how many bytes of a file are whole lines: a process that is killed while it writes may leave half of
// one. Of a file that is missing, or no regular one, it is none.
func wholeLines(path string) (size int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		from := max(0, end-int64(len(buf)))
		n, err := f.ReadAt(buf[:end-from], from)
		if err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}
