package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
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
	if reply := redis.Error(nil); errors.As(e.err, &reply) {
		return fmt.Sprintf("redis at %s was of no use for %v: %v (see to it, or name another in --fleet; "+
			"the job goes on where it was)", e.Addr, e.For.Round(time.Second), e.err)
	}
	return fmt.Sprintf("redis at %s did not answer for %v: %v (start it, or check --fleet: rediss:// is TLS, redis:// is not; "+
		"the job goes on where it was)", e.Addr, e.For.Round(time.Second), e.err)
}

// Unwrap returns what a connection, or the server, said last.
func (e *UnreachableError) Unwrap() error { return e.err }

// DeniedError says that a server does not let a user in, or not do what a job must.
type DeniedError struct {
	Addr string
	err  error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("redis at %s refuses: %v (--fleet, or PACE_FLEET_USERNAME and PACE_FLEET_PASSWORD, say who asks; "+
		"limiter/fleet/README.md has the rights that it needs)", e.Addr, e.err)
}

// Unwrap returns what the server said.
func (e *DeniedError) Unwrap() error { return e.err }

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
		case denied(err):
			return &DeniedError{Addr: j.addr, err: err}
		case foreign(err):
			return fmt.Errorf("what answers at %s is no redis: %w", j.addr, err)
		case j.astray(err):
			return fmt.Errorf("redis at %s is one of a Cluster: add ?cluster=true to --fleet, or name several of its hosts "+
				"(%w)", j.addr, err)
		case !passing(err):
			return fmt.Errorf("cannot %s redis at %s: %w", verb, j.addr, err)
		}
		if spent := time.Since(start); spent >= j.o.Patience {
			if full(err) {
				return &FullError{Addr: j.addr}
			}
			return &UnreachableError{Addr: j.addr, For: spent, err: err}
		}
		if pause == firstBackoff {
			j.log.Warn(waiting(err), "address", j.addr, "error", err)
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

func full(err error) bool { return saysAny(err, []string{"OOM"}) }

// waiting says what is waited for.
func waiting(err error) string {
	switch reply := redis.Error(nil); {
	case full(err):
		return "redis is full; waiting for room"
	case errors.As(err, &reply):
		return "redis is not ready; waiting for it"
	}
	return "redis does not answer; waiting for it"
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
	return saysAny(err, passingWords)
}

// denials begin the errors of a server that knows the user, or does not, and wants none of it. Those of a script's
// commands come as the script's.
var denials = []string{"NOAUTH", "WRONGPASS", "NOPERM", "The user executing the script can't", "ACL failure in script"}

func denied(err error) bool { return saysAny(err, denials) }

// saysAny says whether a server's error begins with one of the words. Before Redis 7 an error of a script's command stands
// within the script's: "Error running script (call to f_…): @user_script: 12: -OOM …".
func saysAny(err error, words []string) bool {
	reply := redis.Error(nil)
	return errors.As(err, &reply) && slices.ContainsFunc(words, func(word string) bool {
		return redis.HasErrorPrefix(err, word) || strings.Contains(reply.Error(), ": -"+word+" ")
	})
}

// foreign says whether a reply is of another protocol. The client has no type for that.
func foreign(err error) bool { return strings.HasPrefix(err.Error(), "redis: can't parse ") }

// astray says whether a server sent a client elsewhere that goes to none but that server.
func (j *Job) astray(err error) bool {
	_, alone := j.rdb.(*redis.Client)
	return alone && saysAny(err, []string{"MOVED", "ASK"})
}

// failedTLS says whether TLS itself failed: who does not speak it, or cannot prove who it is, will not later.
func failedTLS(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       *net.OpError
	)
	if errors.As(err, &alert) && alert.Op == "remote error" { // so crypto/tls calls what the other side complains of
		return true
	}
	return errors.As(err, &certificate) || errors.As(err, &record)
}
