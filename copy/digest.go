package copy

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	"pace/limiter/progress"
)

// Digest is the hash of a whole file. It implements flag.Value.
type Digest struct {
	Hash Hash
	Sum  []byte
}

// String returns the digest as --expect-hash takes it: sha256:5feceb66….
func (d *Digest) String() string {
	if d == nil || len(d.Sum) == 0 {
		return ""
	}
	return d.Hash.String() + ":" + hex.EncodeToString(d.Sum)
}

// Set parses the name of a hash, a colon and the digest in hexadecimal digits.
func (d *Digest) Set(s string) error {
	name, digits, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("not a hash, a colon and a digest")
	}
	var parsed Digest
	if err := parsed.Hash.Set(name); err != nil {
		return err
	}
	var err error
	if parsed.Sum, err = hex.DecodeString(digits); err != nil {
		return errors.New("the digest is not in hexadecimal digits")
	}
	if want := parsed.Hash.New().Size(); len(parsed.Sum) != want {
		return fmt.Errorf("a digest of %s has %d digits, not %d", parsed.Hash, 2*want, len(digits))
	}
	*d = parsed
	return nil
}

// DigestError says that a source does not have the digest that its user expects.
type DigestError struct {
	Source    string
	Got, Want Digest
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the digest %v, not %v", e.Source, &e.Got, &e.Want)
}

// matches returns a *DigestError if what sum has read is not what is expected of src.
func (d *Digest) matches(src string, sum hash.Hash) error {
	got := Digest{d.Hash, sum.Sum(nil)}
	if bytes.Equal(got.Sum, d.Sum) {
		return nil
	}
	return &DigestError{Source: src, Got: got, Want: *d}
}

// expect reads the part file of src, which is whole, and compares its digest with the one that is expected, if any is.
func (f *incoming) expect(ctx context.Context, src string) error {
	if f.Expect == nil {
		return nil
	}
	sum := f.Expect.Hash.New()
	buf := f.driver.buffer()
	defer f.driver.release(buf)
	for off := int64(0); ; {
		op := f.Progress.Begin()
		n, err := readFull(ctx, f.driver, f.out, buf, off)
		_, _ = sum.Write(buf[:n]) // never fails
		op.EndAs(ctx, progress.Did{Kind: "hash", Item: f.to.shown, Offset: off, Bytes: int64(n), Err: err})
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", f.to.shown, err)
		}
		if n == 0 {
			return f.Expect.matches(src, sum)
		}
		off += int64(n)
	}
}
