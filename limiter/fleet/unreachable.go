package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// UnreachableError says that a server did not answer for as long as was waited.
type UnreachableError struct {
	Addr string
	For  time.Duration
	err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("redis at %s did not answer for %v: %v (start it, or check --fleet; the job goes on where it was)",
		e.Addr, e.For.Round(time.Second), e.err)
}

// FullError says that a server has no room left for what a job must write.
type FullError struct{ Addr string }

func (e *FullError) Error() string {
	return fmt.Sprintf("redis at %s is full: raise its maxmemory or see to --max-pending, and start again: "+
		"the job goes on where it was", e.Addr)
}

// silent keeps the client from writing to stderr: what it would say is in the errors.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }

const (
	firstBackoff = 50 * time.Millisecond
	mostBackoff  = 2 * time.Second
)

// retry calls do until it succeeds, fails for a reason that time does not change, or the job's patience is over.
func (j *Job) retry(ctx context.Context, verb string, do func(context.Context) error) error {
	start := time.Now()
	var last finalError
	for pause := firstBackoff; ; pause = min(2*pause, mostBackoff) {
		err := do(ctx)
		switch {
		case err == nil, errors.Is(err, ErrGone):
			return err
		case errors.As(err, &last):
			return last.error
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !passing(err):
			return fmt.Errorf("cannot %s redis at %s: %w", verb, j.addr, err)
		}
		if spent := time.Since(start); spent >= j.o.Patience {
			if redis.HasErrorPrefix(err, "OOM") {
				return &FullError{Addr: j.addr}
			}
			return &UnreachableError{Addr: j.addr, For: spent, err: err}
		}
		if pause == firstBackoff {
			j.log.Warn("redis does not answer; waiting for it", "address", j.addr, "error", err)
		}
		// Half of it is by chance, so that a fleet does not come back in step.
		t := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// finalError is what do found by itself, so that to ask again is of no use.
type finalError struct{ error }

// passingWords begin the errors of a server that is about to be, or to have, something else: it loads its data, moves a
// slot, elects a master, or waits for someone to free memory.
var passingWords = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "OOM", "MISCONF", "UNBLOCKED",
}

// passing says whether time may heal an error.
func passing(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		// Not the server's word: the connection's. But a certificate stays as it is.
		return !failedTLS(err)
	}
	for _, word := range passingWords {
		if redis.HasErrorPrefix(err, word) {
			return true
		}
	}
	return false
}

// failedTLS says whether TLS itself failed: who does not speak it, or cannot prove who it is, will not later.
func failedTLS(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
	)
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
}
