package crawl

import (
	"bytes"
	"io"
	"net/netip"

	"pace/limiter/exchange"
)

// wire is one exchange as it went over the wire, but for the transfer coding of the body.
type wire struct {
	exchange.Wire
	addr  netip.Addr // the server's; not valid if a proxy stood in between
	whole bool       // the body was read to its end
	body  *bytes.Buffer
	room  int64 // how many more bytes of the body may be kept
}

// tape has an exchange recorded if it is to be archived. Checks of links are not.
func (c *crawler) tape(it *item, r *response, trace *exchange.Trace) {
	if c.o.WARC == "" || it.check {
		return
	}
	r.wire = &wire{body: bodyBuffers.Get().(*bytes.Buffer)}
	trace.Wire = &r.wire.Wire
}

// archiveTry writes an answer to the archive that is not the item's last. An archive holds what was answered, and when:
// wget and Heritrix too write each response that they get.
func (c *crawler) archiveTry(it *item, r *response) error {
	if r.wire == nil || r.status == 0 {
		return nil
	}
	return c.ledger.close(&entry{closing: &closing{item: it, response: r, passing: true}})
}

// taped returns a body that is recorded as it is read.
func (r *response) taped(body io.Reader, limit int64) io.Reader {
	if r.wire == nil {
		return body
	}
	r.wire.room = limit + codedSlack
	return &tapeReader{r: body, w: r.wire, limited: limit > 0, take: r.takeRoom}
}

// endTape notes what is known after the exchange.
func (r *response) endTape(trace *exchange.Trace, proxy bool) {
	if r.wire != nil && !proxy {
		r.wire.addr = trace.Addr.Addr()
	}
}

// release gives the body's memory back.
func (w *wire) release() {
	if w != nil && w.body != nil {
		if w.body.Cap() <= maxPooled {
			w.body.Reset()
			bodyBuffers.Put(w.body)
		}
		w.body = nil
	}
}

// tapeReader keeps what is read.
type tapeReader struct {
	r       io.Reader
	w       *wire
	limited bool
	take    func(n int64) error
	begun   bool
}

func (t *tapeReader) Read(p []byte) (int, error) {
	if !t.begun {
		if err := t.take(int64(t.w.body.Cap())); err != nil {
			return 0, err
		}
		t.begun = true
	}
	n, err := t.r.Read(p)
	kept := p[:n]
	if t.limited && int64(n) > t.w.room {
		kept = p[:t.w.room]
	}
	t.w.room -= int64(len(kept))
	most := int64(0)
	if t.limited {
		most = int64(t.w.body.Len()) + t.w.room + int64(len(kept))
	}
	if err := makeRoom(t.w.body, len(kept), most, t.take); err != nil {
		return 0, err
	}
	t.w.body.Write(kept)
	t.w.whole = err == io.EOF && len(kept) == n
	return n, err
}
