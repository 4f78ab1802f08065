package site

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// blobTime is when every blob says it was last changed.
var blobTime = time.Unix(1_000_000_000, 0)

// blob answers /blob/SIZE. Ranges, multipart too, and preconditions are net/http's (RFC 9110, sections 13 and 14).
func (s *Site) blob(w http.ResponseWriter, r *http.Request) {
	size, err := parseSize(r.PathValue("size"))
	if err != nil {
		badRequest(w, "/blob/ takes a size such as 10MiB or 1234:", err.Error())
		return
	}
	if !s.ready(w, r, mix(forBlob, uint64(size))) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Etag", fmt.Sprintf(`"%x-%x"`, s.o.Seed, size))
	http.ServeContent(w, r, "", blobTime, NewBlob(s.o.Seed, size))
}

// parseSize parses a number of bytes, exactly where it has no unit.
func parseSize(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if errors.Is(err, strconv.ErrSyntax) {
		n, err = humanize.ParseBytes(text)
	}
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("%s is more than 8 EiB", text)
	}
	return int64(n), nil
}

// Blob is the bytes of a /blob/SIZE, made as they are read: an [io.ReadSeeker] and [io.ReaderAt] of any size.
//
// The byte at an offset depends on that offset and the seed only. No two blocks of 8 aligned bytes are equal, so a chunk
// that lands in a wrong place is noticed.
type Blob struct {
	key, size, offset int64
}

// NewBlob returns the first size bytes of the blobs of a site with this seed.
func NewBlob(seed uint64, size int64) *Blob {
	return &Blob{key: int64(mix(seed, forBlob)), size: size}
}

// Size returns the length in bytes.
func (b *Blob) Size() int64 { return b.size }

// ReadAt implements [io.ReaderAt].
func (b *Blob) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at the negative offset %d", off)
	}
	if off >= b.size {
		return 0, io.EOF
	}
	var err error
	if left := b.size - off; int64(len(p)) > left {
		p, err = p[:left], io.EOF
	}
	b.fill(p, off)
	return len(p), err
}

// fill sets p to the bytes from off on.
func (b *Blob) fill(p []byte, off int64) {
	block := uint64(off / 8)
	if skip := int(off % 8); skip > 0 {
		var first [8]byte
		binary.LittleEndian.PutUint64(first[:], b.block(block))
		p = p[copy(p, first[skip:]):]
		block++
	}
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, b.block(block))
		block++
	}
	if len(p) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], b.block(block))
		copy(p, last[:])
	}
}

func (b *Blob) block(n uint64) uint64 { return mix1(n ^ uint64(b.key)) }

// Read implements [io.Reader].
func (b *Blob) Read(p []byte) (int, error) {
	n, err := b.ReadAt(p, b.offset)
	b.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Seek implements [io.Seeker].
func (b *Blob) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.offset
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to the negative offset %d", offset)
	}
	b.offset = offset
	return offset, nil
}
