package exchange

// Wire is one exchange as bytes, for those who archive it.
type Wire struct {
	// Request is what was written: the request line, the header, the empty line and the body.
	Request []byte
	// Response is the header of the answer as it came, from the status line to the empty line. Interim answers (1xx)
	// are not in it, and neither is the body.
	Response []byte

	skipped int // how much of Response belongs to interim answers
}

// taken returns where the answer's header ends in what was read: the buffer is empty when an exchange begins, so what it
// holds now came after the header.
func (c *conn) taken() int { return len(c.tape.Response) - c.br.Buffered() }

// skipTape leaves out the interim answer that was just parsed.
func (c *conn) skipTape() {
	if c.tape != nil {
		c.tape.skipped = c.taken()
	}
}

// endTape ends the recording behind the header that was just parsed.
func (c *conn) endTape() {
	if w := c.tape; w != nil {
		w.Response = w.Response[w.skipped:c.taken()]
		c.tape = nil
	}
}
