package crawl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// What the number says that a packed item begins with.
const (
	packedSeed     uint64 = 1 << iota
	packedFallback        // its user gave no scheme
	packedFirst           // it began at another URL
	packedTries           // it has been tried or redirected
	packedRequisite
	packedCheck
	packedGet
	packedSitemap // it is a sitemap, or one speaks of it
	packedVisit   // it was fetched by an earlier crawl
)

var errPacked = errors.New("an item has been cut or changed")

// damaged says that a state cannot be understood.
func damaged(err error) error { return fmt.Errorf("the state is damaged: %w", err) }

// appendItem packs a page for a queue or the disk: its URL, its referrer and a few bytes.
func appendItem(b []byte, it *item) []byte {
	var flags uint64
	if it.seed {
		flags |= packedSeed
	}
	if it.fallback {
		flags |= packedFallback
	}
	if it.first != it.url.String() {
		flags |= packedFirst
	}
	if it.redirects > 0 || it.attempts > 0 || !it.notBefore.IsZero() {
		flags |= packedTries
	}
	if it.requisite {
		flags |= packedRequisite
	}
	if it.check {
		flags |= packedCheck
	}
	if it.get {
		flags |= packedGet
	}
	if it.sitemap > 0 || it.lastMod != "" {
		flags |= packedSitemap
	}
	if it.visit != nil && *it.visit != (visit{}) {
		flags |= packedVisit
	}
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, uint64(it.depth))
	b = appendString(b, it.url.String())
	b = appendString(b, it.referrer)
	if flags&packedFirst != 0 {
		b = appendString(b, it.first)
	}
	if flags&packedSitemap != 0 {
		b = appendString(append(b, it.sitemap), it.lastMod)
	}
	if flags&packedTries != 0 {
		b = binary.AppendUvarint(b, uint64(it.redirects))
		b = binary.AppendUvarint(b, uint64(it.attempts))
		b = binary.AppendVarint(b, unixNano(it.notBefore))
	}
	if flags&packedVisit != 0 {
		b = appendVisit(b, it.visit)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unixNano returns t in nanoseconds, and 0 for no time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// fromUnixNano returns what unixNano was given.
func fromUnixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// unpackItem is the reverse of appendItem.
func unpackItem(b []byte) (*item, error) {
	r := reader{b: b}
	flags := r.uvarint()
	it := &item{
		seed: flags&packedSeed != 0, fallback: flags&packedFallback != 0,
		requisite: flags&packedRequisite != 0, check: flags&packedCheck != 0, get: flags&packedGet != 0,
	}
	it.depth = int(r.uvarint())
	text := r.text()
	it.referrer = r.text()
	if flags&packedFirst != 0 {
		it.first = r.text()
	}
	if flags&packedSitemap != 0 {
		it.sitemap = r.byte()
		it.lastMod = r.text()
	}
	if flags&packedTries != 0 {
		it.redirects, it.attempts = int(r.uvarint()), int(r.uvarint())
		it.notBefore = fromUnixNano(r.varint())
	}
	if flags&packedVisit != 0 {
		it.visit = r.visit()
	}
	if r.failed || len(r.b) > 0 {
		return nil, damaged(errPacked)
	}
	u, ok := parseCanonical(text)
	if !ok {
		return nil, damaged(errPacked)
	}
	it.url = u
	if flags&packedFirst == 0 {
		it.first = u.String()
	}
	return it, nil
}

// What a packed host is.
const (
	knownSeed byte = 1 << iota
	knownSecure
)

// pack packs what is known of a host but for its name.
func (h knownHost) pack() []byte {
	var flags byte
	if h.seed {
		flags |= knownSeed
	}
	if h.secure {
		flags |= knownSecure
	}
	return []byte{flags}
}

func unpackKnown(name string, b []byte) knownHost {
	return knownHost{name: name, seed: b[0]&knownSeed != 0, secure: b[0]&knownSecure != 0}
}

// reader takes packed values off b. After one that is not there all are zero.
type reader struct {
	b      []byte
	failed bool
}

// skip takes n bytes, or fails if n says that there are none.
func (r *reader) skip(n int) []byte {
	if n <= 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.skip(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) text() string {
	n := r.uvarint()
	if n == 0 {
		return ""
	}
	return string(r.skip(int(min(n, uint64(len(r.b))+1))))
}

// mostChunk is what the chunks of a packed queue grow to, in bytes. The first holds one item: most hosts have few.
const mostChunk = 64 << 10

// packedQueue is a queue of packed items, each with a number of its queue's. An item takes its bytes and two or three
// more, where a pointer to an item would keep about 200 and its strings.
type packedQueue struct {
	chunks [][]byte
	off    int // of the first item in the first chunk
	n      int
	bytes  int // of all items
}

// push appends an item.
func (q *packedQueue) push(seq uint64, packed []byte) {
	last := len(q.chunks) - 1
	need := len(packed) + 2*binary.MaxVarintLen64
	if last < 0 || cap(q.chunks[last])-len(q.chunks[last]) < need {
		size := need
		if last >= 0 {
			size = min(2*cap(q.chunks[last]), mostChunk)
		}
		q.chunks = append(q.chunks, make([]byte, 0, max(size, need)))
		last++
	}
	b := binary.AppendUvarint(q.chunks[last], seq)
	q.chunks[last] = append(binary.AppendUvarint(b, uint64(len(packed))), packed...)
	q.n++
	q.bytes += len(packed)
}

// head returns the first item, which is valid until it is popped. The queue must not be empty.
func (q *packedQueue) head() (seq uint64, packed []byte) {
	b := q.chunks[0][q.off:]
	seq, n := binary.Uvarint(b)
	size, m := binary.Uvarint(b[n:])
	return seq, b[n+m:][:size]
}

// pop takes the first item out.
func (q *packedQueue) pop() {
	b := q.chunks[0][q.off:]
	_, n := binary.Uvarint(b)
	size, m := binary.Uvarint(b[n:])
	q.off += n + m + int(size)
	q.n--
	q.bytes -= int(size)
	if q.off == len(q.chunks[0]) {
		q.chunks[0] = nil
		q.chunks, q.off = q.chunks[1:], 0
		if q.n == 0 {
			q.chunks = nil
		}
	}
}
