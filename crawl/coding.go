package crawl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// acceptEncoding is what requests ask for. deflate is decoded but not asked for: servers send two formats under its name.
const acceptEncoding = "gzip, br, zstd"

const (
	// maxCodings is how many codings may lie over one another. Each has its window in memory.
	maxCodings = 3
	// maxZstdWindow is the memory of a zstd decoder; senders must do with it (RFC 9659, section 3).
	maxZstdWindow = 8 << 20
	// codedSlack is how many bytes more than the limit for what it decodes to an encoded body may have. A coding adds a
	// few bytes to what it cannot compress, but one can also go on for ever without a result.
	codedSlack = 64 << 10
)

// coding is one content coding (RFC 9110, section 8.4.1).
type coding struct {
	windows []int64 // the largest that decoders of each class have, in bytes, from small to large
	make    func(window int64) decoder
	// window returns what the beginning of a body says that its window has; nil where no window is worth to be asked for.
	window func(begin []byte) int64

	idle []sync.Pool // decoders of the first classes; of the others none are kept
}

// decoder decodes what it was last reset to.
type decoder interface {
	io.Reader
	reset(r *bufio.Reader) error
}

var codings = func() map[string]*coding {
	gz := &coding{make: func(int64) decoder { return new(gzipDecoder) }, idle: make([]sync.Pool, 1)}
	return map[string]*coding{
		"gzip": gz, "x-gzip": gz,
		"br": {
			make: func(int64) decoder { return new(brotliDecoder) }, window: brotliWindow,
			windows: []int64{256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20}, idle: make([]sync.Pool, 2),
		},
		"zstd": { // levels up to 3, which servers use for what they make themselves, have at most 2 MiB
			make: func(most int64) decoder { return &zstdDecoder{most: most} }, window: zstdWindow,
			windows: []int64{256 << 10, 512 << 10, 2 << 20, maxZstdWindow}, idle: make([]sync.Pool, 3),
		},
		"deflate": {make: func(int64) decoder { return new(deflateDecoder) }, idle: make([]sync.Pool, 1)},
	}
}()

type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) reset(r *bufio.Reader) error { return d.Reset(r) }

type brotliDecoder struct{ brotli.Reader }

func (d *brotliDecoder) reset(r *bufio.Reader) error { return d.Reset(r) }

type zstdDecoder struct {
	*zstd.Decoder
	most int64 // of its window
}

func (d *zstdDecoder) reset(r *bufio.Reader) (err error) {
	if d.Decoder != nil {
		return d.Reset(r)
	}
	// Without concurrency it has no goroutine, and needs no Close.
	d.Decoder, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(uint64(d.most)))
	return err
}

// deflateDecoder decodes what RFC 9110 calls deflate, the zlib format, and what some servers send under that name, the
// bare deflate format.
type deflateDecoder struct {
	io.Reader
	zlib, bare io.ReadCloser
}

func (d *deflateDecoder) reset(r *bufio.Reader) (err error) {
	head, peekErr := r.Peek(2)
	if peekErr == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		if d.zlib == nil {
			d.zlib, err = zlib.NewReader(r)
		} else {
			err = d.zlib.(zlib.Resetter).Reset(r, nil)
		}
		d.Reader = d.zlib
		return err
	}
	if peekErr != nil && peekErr != io.EOF {
		return peekErr
	}
	if d.bare == nil {
		d.bare = flate.NewReader(r)
	} else {
		err = d.bare.(flate.Resetter).Reset(r, nil)
	}
	d.Reader = d.bare
	return err
}

var codedReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}

// decoded is a body with its codings undone.
type decoded struct {
	io.Reader
	r    *response // in whose share the decoders' windows are
	free []func()  // gives the decoders back
}

func (d *decoded) close() {
	for _, free := range d.free {
		free()
	}
	d.free, d.Reader = nil, nil
}

// bodyCodings returns the codings of a body, in the order in which they were applied.
func bodyCodings(h http.Header) []string {
	var names []string
	for _, value := range h.Values("Content-Encoding") {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	return names
}

// decode undoes the codings of a body, the last one first. A body of no bytes is one that was not encoded, as answers to
// requests for something that is empty have it. The result must be closed, also if there is an error.
func decode(body io.Reader, names []string, r *response) (*decoded, error) {
	d := &decoded{Reader: body, r: r}
	if len(names) > maxCodings {
		return d, &bodyError{fmt.Sprintf("the body has %d content codings, more than %d", len(names), maxCodings)}
	}
	for i := len(names) - 1; i >= 0; i-- {
		c := codings[names[i]]
		if c == nil {
			return d, &bodyError{fmt.Sprintf("the body has the content encoding %q, which was not asked for", clip(names[i]))}
		}
		if err := d.undo(c); errors.Is(err, errNoBody) {
			d.Reader = bytes.NewReader(nil)
			break
		} else if err != nil {
			return d, err
		}
	}
	return d, nil
}

var errNoBody = errors.New("no body")

// undo puts a decoder on top.
func (d *decoded) undo(c *coding) error {
	in := codedReaders.Get().(*bufio.Reader)
	in.Reset(d.Reader)
	d.free = append(d.free, func() {
		in.Reset(nil)
		codedReaders.Put(in)
	})
	if _, err := in.Peek(1); err == io.EOF {
		return errNoBody
	} else if err != nil {
		return err
	}
	class, err := d.takeWindow(c, in)
	if err != nil {
		return err
	}
	top := c.get(class)
	if err := top.reset(in); err != nil {
		return err // a decoder that failed at its start may be in any state
	}
	d.Reader = top
	d.free = append(d.free, func() { c.put(class, top) })
	return nil
}
