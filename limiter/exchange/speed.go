package exchange

import (
	"errors"
	"os"
	"time"
)

const defaultSpeedWindow = 10 * time.Second

var errTooSlow = errors.New("the answer comes too slowly")

// speed watches over how fast an answer arrives, in windows of time that follow one another from its first byte on.
type speed struct {
	least    int64 // bytes a window
	window   time.Duration
	deadline time.Time // of the exchange; zero for none

	got   int64     // in the present window
	end   time.Time // of the present window
	since time.Time // when the last read ended
}

// maxIdle is how long nobody may read before that counts: a peer is not slow because its answer is not wanted.
const maxIdle = 100 * time.Millisecond

// watchSpeed begins to watch the answer whose first byte has arrived, if that is asked for.
func (x *exchange) watchSpeed() error {
	o := &x.client.o
	if o.MinSpeed <= 0 {
		return nil
	}
	x.conn.speed = &speed{least: int64(o.MinSpeed * o.SpeedWindow.Seconds()), window: o.SpeedWindow, deadline: x.deadline}
	err := x.conn.speed.begin(x.conn, time.Now())
	x.conn.speed.got = int64(x.conn.br.Buffered())
	return err
}

// begin begins a window.
func (s *speed) begin(c *conn, now time.Time) error {
	s.got, s.end = 0, now.Add(s.window)
	return s.arm(c)
}

// arm makes reading wait until the window ends and no longer.
func (s *speed) arm(c *conn) error {
	deadline := s.end
	if !s.deadline.IsZero() && s.deadline.Before(deadline) {
		deadline = s.deadline
	}
	return c.sock.SetDeadline(deadline)
}

// read reads from the connection. At the end of a window in which too little arrived it fails.
func (s *speed) read(c *conn, p []byte) (int, error) {
	if idle := time.Since(s.since); !s.since.IsZero() && idle > maxIdle {
		s.end = s.end.Add(idle)
		if err := s.arm(c); err != nil {
			return 0, err
		}
	}
	defer func() { s.since = time.Now() }()
	for {
		n, err := c.nc.Read(p)
		s.got += int64(n)
		now := time.Now()
		expired := errors.Is(err, os.ErrDeadlineExceeded)
		if now.Before(s.end) || err != nil && !expired || expired && !s.deadline.IsZero() && !now.Before(s.deadline) {
			return n, err
		}
		if s.got < s.least {
			return n, errTooSlow
		}
		if err := s.begin(c, now); err != nil || !expired {
			return n, err
		}
	}
}
