package crawl

import (
	"bufio"

	"github.com/klauspost/compress/zstd"
)

// Decoders of br and zstd keep what they have decoded, up to the window that a body asks for in its first bytes: most
// ask for far more than they need. A window is in the share of its page for as long as the page is read.

// get returns a decoder of a class.
func (c *coding) get(class int) decoder {
	if class < len(c.idle) {
		if d, ok := c.idle[class].Get().(decoder); ok {
			return d
		}
	}
	if c.window == nil {
		return c.make(0)
	}
	return c.make(c.windows[class])
}

// put keeps a decoder for the next body. Idle ones are in nobody's share, so those with large windows are left to the
// garbage collector: few servers make them needed.
func (c *coding) put(class int, d decoder) {
	if class < len(c.idle) {
		c.idle[class].Put(d)
	}
}

// takeWindow makes room for the window of a body, and returns the class of decoders for it.
func (d *decoded) takeWindow(c *coding, in *bufio.Reader) (class int, err error) {
	if c.window == nil {
		return 0, nil
	}
	begin, _ := in.Peek(zstd.HeaderMaxSize) // a body may be shorter
	window := c.window(begin)
	for class < len(c.windows)-1 && c.windows[class] < window {
		class++
	}
	size := c.windows[class]
	if err := d.r.takeRoom(size); err != nil {
		return 0, err
	}
	d.free = append(d.free, func() { d.r.share.give(size) })
	return class, nil
}

// brotliWindow returns the window of a body in br (RFC 7932, section 9.1).
func brotliWindow(begin []byte) int64 {
	if len(begin) == 0 {
		return 0
	}
	bits, b := uint(17), begin[0]
	switch n, low := b>>1&7, b>>4&7; {
	case b&1 == 0:
		bits = 16
	case n != 0:
		bits += uint(n)
	case low != 0:
		bits = 8 + uint(low)
	}
	return 1 << bits
}

// zstdWindow returns the window of the first frame of a body in zstd (RFC 8878, section 3.1.1.1.2). A later frame with a
// far larger one is refused by the decoder. If the first frame is to be skipped, the window may be any.
func zstdWindow(begin []byte) int64 {
	var h zstd.Header
	switch err := h.Decode(begin); {
	case err != nil:
		return 0 // the decoder says what is wrong
	case h.Skippable:
		return maxZstdWindow
	case h.SingleSegment:
		return int64(min(h.FrameContentSize, maxZstdWindow))
	}
	return int64(min(h.WindowSize, maxZstdWindow))
}
