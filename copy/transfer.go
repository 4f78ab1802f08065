package copy

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// movesBy moves all by single operations.
func movesBy(ctx context.Context, d driver, all []transfer) {
	for i := range all {
		t := &all[i]
		if t.read, t.err = d.pread(ctx, t.in, t.p, t.off); t.err == nil && t.read == len(t.p) && t.out != nil {
			t.written, t.err = d.pwrite(ctx, t.out, t.p, t.off)
		}
	}
}

// readFull reads until p is full or the file ends, and returns how much it read.
func readFull(ctx context.Context, d driver, f *os.File, p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := d.pread(ctx, f, p[done:], off+int64(done))
		done += n
		if err != nil && !again(ctx, err) {
			return done, err
		}
		if err == nil && n == 0 {
			break
		}
	}
	return done, nil
}

// writeFull writes all of p.
func writeFull(ctx context.Context, d driver, f *os.File, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := d.pwrite(ctx, f, p, off)
		p, off = p[n:], off+int64(n)
		if err != nil && !again(ctx, err) {
			return err
		}
		if err == nil && n == 0 {
			return io.ErrShortWrite // nothing written and no reason given: asking on would not end
		}
	}
	return nil
}

// again says whether an operation that failed with err is to be repeated: it was interrupted, or the kernel had no
// means for it at that moment.
func again(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch {
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ECANCELED):
		return true
	case errors.Is(err, syscall.EAGAIN):
		return pause(ctx, time.Millisecond)
	}
	return false
}

// pause returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
