package crawl

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const defaultWARCSize = 1_000_000_000 // as Annex C.1 of WARC 1.1 recommends

// warc is an output: every exchange in WARC 1.1 files (ISO 28500:2017), gzip per record, and their index. What got no
// answer is not in them; an answer after which a page was asked for again is, and the next one too.
//
// A response is kept as it came, header byte by byte and body before content decoding, with one exception: the body is
// without its chunks, as most readers expect it, and the field Transfer-Encoding is therefore called
// X-Orig-Transfer-Encoding. Digests are SHA-1 in Base32, which is what indexes and replay tools look up.
type warc struct {
	o      Options
	prefix string
	limit  int64
	file   *outputFile // the last one; the first has no os.File before there is something to write
	full   []mark      // those before it
	index  *outputFile
	seen   payloads // what revisits refer to
}

// errWARCExists keeps an archive from being overwritten: unlike records, it cannot be had again.
var errWARCExists = errors.New("is there already: choose another prefix, or remove it")

// openWARC opens the files of --warc.
func openWARC(o *Options, resume []mark) (output, error) {
	w := &warc{o: *o, prefix: o.WARC, limit: o.WARCSize, seen: payloads{}}
	if w.limit <= 0 {
		w.limit = defaultWARCSize
	}
	err := w.open(resume)
	if err != nil {
		_ = w.closeFiles()
		return nil, fmt.Errorf("cannot write the WARC files: %w", err)
	}
	return w, nil
}

func (w *warc) open(resume []mark) error {
	n := 0
	for ; ; n++ {
		m, marked := markOf(resume, w.name(n))
		if !marked {
			break
		}
		w.full = append(w.full, m)
	}
	if n > 0 {
		w.full = w.full[:n-1]
		for _, m := range w.full {
			if info, err := os.Stat(m.Path); err != nil || info.Size() != m.Size {
				return errors.Join(fmt.Errorf("%s is not as it was written", m.Path), err)
			}
		}
	} else if err := w.absent(); err != nil {
		return err
	}
	for i := max(n, 1); ; i++ { // begun after the marks
		if err := os.Remove(w.name(i)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
	}
	var err error
	if w.index, err = openOutputFile(w.prefix+".cdxj", resume); err != nil {
		return err
	}
	if err := w.seen.load(w.index.File, w.index.size); err != nil {
		return err
	}
	if n > 0 {
		return w.next(n-1, resume)
	}
	// A file that no mark names is another archive's. So the first is not made before a mark does, or a crawl that is
	// killed in between would take its own file for that.
	w.file = &outputFile{path: w.name(0)}
	return nil
}

// absent returns an error if there is an archive already.
func (w *warc) absent() error {
	_, err := os.Lstat(w.name(0))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s %w", w.name(0), errWARCExists)
	}
	return err
}

// name returns the path of the n-th file.
func (w *warc) name(n int) string { return fmt.Sprintf("%s-%05d.warc.gz", w.prefix, n) }

// begin opens the first file. Since the archive was opened, another crawl may have begun one of this name.
func (w *warc) begin() error {
	if err := w.absent(); err != nil {
		return err
	}
	return w.next(0, nil)
}

// next opens the n-th file; a new one begins with a warcinfo record.
func (w *warc) next(n int, resume []mark) (err error) {
	if w.file, err = openOutputFile(w.name(n), resume); err != nil || w.file.size > 0 {
		return err
	}
	info, err := w.infoRecord(filepath.Base(w.file.path))
	if err != nil {
		return err
	}
	return w.file.add(info)
}

// render makes the records of an exchange.
func (w *warc) render(p *closing) (func() error, error) {
	if p.response == nil || p.response.wire == nil || p.response.status == 0 {
		return nil, nil
	}
	records, err := w.records(p)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot make a WARC record: %w", p.item.url, err)
	}
	return func() error {
		if err := w.write(records); err != nil {
			return fmt.Errorf("cannot write the WARC files: %w", err)
		}
		return nil
	}, nil
}

// write appends the records of one exchange, in one file, and their line of the index. It is called in turn.
func (w *warc) write(r *exchangeRecords) error {
	if w.file.File == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if w.file.size >= w.limit {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	original, known := w.seen[r.payload]
	response, isRevisit := r.response, r.unchanged
	if known && r.revisits {
		// Another exchange may have brought the same payload since this one was rendered, so only now it is sure.
		first, err := w.originalAt(original)
		if err != nil {
			return err
		}
		if response, err = w.revisitRecord(r, first); err != nil {
			return err
		}
		isRevisit = true
	}
	offset := w.file.size
	if err := w.file.add(append(append([]byte(nil), response...), r.others...)); err != nil {
		return err
	}
	if r.revisits && !known {
		w.seen.add(r.payload, w.index.size)
	}
	return w.index.add(r.cdxj(filepath.Base(w.file.path), offset, len(response), isRevisit))
}

// rotate begins the next file.
func (w *warc) rotate() error {
	w.full = append(w.full, w.file.mark())
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	return w.next(len(w.full), nil)
}

func (w *warc) marks() []mark {
	return append(append([]mark(nil), w.full...), w.file.mark(), w.index.mark())
}

func (w *warc) sync() error {
	if w.file.File == nil {
		return nil
	}
	err := w.file.Sync()
	if indexErr := w.index.Sync(); err == nil {
		err = indexErr
	}
	return err
}

// close sorts the index, as its readers search it by halves.
func (w *warc) close(finished bool) error {
	err := w.closeFiles()
	if err == nil && finished {
		err = sortLines(w.index.path)
	}
	if err != nil {
		return fmt.Errorf("cannot write the WARC files: %w", err)
	}
	return nil
}

func (w *warc) closeFiles() error {
	var first error
	for _, f := range []*outputFile{w.file, w.index} {
		if f == nil || f.File == nil {
			continue
		}
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// payloads holds where in the index the first response with a payload stands, by the payload's SHA-1. The zero digest
// stands for none.
type payloads map[[sha1.Size]byte]int64

// maxPayloads bounds the memory for them, to about 300 MB. What is new beyond is archived whole each time.
const maxPayloads = 4 << 20

func (s payloads) add(digest [sha1.Size]byte, at int64) {
	if len(s) < maxPayloads {
		s[digest] = at
	}
}

// describe returns the fields that a warcinfo record of this run has.
func (w *warc) describe() string {
	robots := "obey"
	if w.o.IgnoreRobots {
		robots = "ignore"
	}
	return strings.Join([]string{
		"software: pace", "format: WARC File Format 1.1",
		"conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
		"robots: " + robots, "http-header-user-agent: " + w.o.UserAgent, "",
	}, "\r\n")
}
