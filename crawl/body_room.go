package crawl

import (
	"bytes"
	"io"
)

// makeRoom lets n more bytes into a buffer. It doubles the buffer as bytes.Buffer does, but not beyond most, unless that
// is 0: a body that is a byte too long would else take twice what it may have, and three times while it is copied. take is
// asked for what the buffer grows by.
func makeRoom(b *bytes.Buffer, n int, most int64, take func(n int64) error) error {
	if b.Available() >= n {
		return nil
	}
	need := b.Len() + n
	size := max(2*b.Cap(), need, bytes.MinRead)
	if most > 0 && int64(size) > most {
		size = max(need, int(most))
	}
	if err := take(int64(size - b.Cap())); err != nil {
		return err
	}
	grown := make([]byte, b.Len(), size)
	copy(grown, b.Bytes())
	*b = *bytes.NewBuffer(grown)
	return nil
}

// readInto reads to the end of r, which has at most so many bytes; 0 is unlimited.
func readInto(b *bytes.Buffer, r io.Reader, most int64, take func(n int64) error) error {
	for {
		if err := makeRoom(b, bytes.MinRead, most+bytes.MinRead*min(most, 1), take); err != nil {
			return err
		}
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
