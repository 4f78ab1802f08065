package exchange

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// timeout is the deadline of one direction of a socket, kept by the kernel's timeout of a single call (SO_RCVTIMEO or
// SO_SNDTIMEO in socket(7)).
//
// The kernel's is never longer than what is left until the deadline. It may be shorter, which costs one early
// wake-up: so a socket that serves many exchanges in turn needs no setsockopt for each.
type timeout struct {
	option   int
	kernel   time.Duration // as last set; 0 is for ever
	deadline instant
}

// early is how much earlier than the deadline the kernel's timeout is set, as a fraction of what is left, so that later
// calls of the same exchange need no new one.
const early = 16

// exact is the time below which the kernel's timeout is what is left: it would be woken early ever more often.
const exact = 20 * time.Millisecond

// arm prepares the next system call; expired says that the last one ran into the kernel's timeout.
func (t *timeout) arm(fd int, expired bool) error {
	want, err := t.next(time.Now(), expired)
	if err != nil || want == t.kernel {
		return err
	}
	tv := unix.NsecToTimeval(int64(want))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, t.option, &tv); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	t.kernel = want
	return nil
}

// next returns what the kernel's timeout should be at now, or os.ErrDeadlineExceeded.
func (t *timeout) next(now time.Time, expired bool) (time.Duration, error) {
	deadline := t.deadline.get()
	if deadline.IsZero() {
		if expired {
			return 0, nil
		}
		return t.kernel, nil
	}
	left := deadline.Sub(now)
	switch {
	case left <= 0:
		return 0, os.ErrDeadlineExceeded
	case !expired && t.kernel > 0 && t.kernel <= left:
		return t.kernel, nil
	case left > exact:
		left -= left / early
	}
	return max(left, time.Microsecond), nil // 0 would be for ever
}

// instant is a time that one goroutine sets and another reads: nanoseconds since epoch, or 0 for none.
type instant struct{ ns atomic.Int64 }

var epoch = time.Now()

func (i *instant) get() time.Time {
	if ns := i.ns.Load(); ns != 0 {
		return epoch.Add(time.Duration(ns))
	}
	return time.Time{}
}

func (i *instant) set(t time.Time) {
	if t.IsZero() {
		i.ns.Store(0)
		return
	}
	i.ns.Store(max(int64(t.Sub(epoch)), 1)) // all that is past is equally past
}
