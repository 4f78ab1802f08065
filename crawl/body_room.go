package crawl

import (
	"bytes"
	"io"
)

// makeRoom lets n more bytes into a buffer. It doubles the buffer as bytes.Buffer does, but not beyond most, unless that
// is 0: a body that is a byte too long would else take twice what it may have, and three times while it is copied.
func makeRoom(b *bytes.Buffer, n int, most int64) {
	if b.Available() >= n {
		return
	}
	need := b.Len() + n
	size := max(2*b.Cap(), need, bytes.MinRead)
	if most > 0 && int64(size) > most {
		size = max(need, int(most))
	}
	grown := make([]byte, b.Len(), size)
	copy(grown, b.Bytes())
	*b = *bytes.NewBuffer(grown)
}

// readInto reads to the end of r, which has at most so many bytes; 0 is unlimited.
func readInto(b *bytes.Buffer, r io.Reader, most int64) error {
	for {
		makeRoom(b, bytes.MinRead, most+bytes.MinRead*min(most, 1))
		free := b.AvailableBuffer()
		n, err := r.Read(free[:cap(free)])
		b.Write(free[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
