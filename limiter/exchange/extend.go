package exchange

import (
	"io"
	"time"
)

// Extend gives an exchange more time, whose answer's body Do returned: for a caller that could not read for d. Neither
// Timeout nor MinSpeed counts that time then; the deadline of the request's context stays. It is called by the goroutine
// that reads the body, and does nothing to an exchange that is over.
func Extend(body io.ReadCloser, d time.Duration) {
	x, ok := body.(*exchange)
	if !ok {
		return // an answer without a body
	}
	x.body.Lock()
	defer x.body.Unlock()
	if x.over != nil || d <= 0 {
		return
	}
	if !x.deadline.IsZero() && !x.ctxFirst {
		x.deadline = x.deadline.Add(d)
		if at, ok := x.ctx.Deadline(); ok && at.Before(x.deadline) {
			x.deadline, x.ctxFirst = at, true
		}
	}
	if s := x.conn.speed; s != nil {
		s.deadline, s.end = x.deadline, s.end.Add(d)
		s.since = time.Now() // what came before is allowed for
		_ = s.arm(x.conn)
		return
	}
	_ = x.conn.sock.SetDeadline(x.deadline) // it fails where the next read will
}
