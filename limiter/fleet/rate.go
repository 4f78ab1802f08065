package fleet

import (
	"context"
	"errors"
	"strconv"
	"time"

	"pace/limiter"
)

// Rate returns a rate that all workers of the job share: what is granted of the same name, by all of them together, is
// perSecond tokens a second, which each of them must name alike. nil, which is unlimited, is what it returns if perSecond
// is not above zero.
//
// Tokens are drawn from the job some time ahead and used when they are due, or up to 50 ms later; a worker that stops or
// dies loses what it has drawn, which is not made up. Wait returns what an operation on the job returns: while the server
// does not answer, nothing is granted, and after Options.Patience there is an [*UnreachableError].
func (j *Job) Rate(name string, perSecond float64) *limiter.Rate {
	drawn := func(ctx context.Context, want, own int64) (grant, error) {
		g, err := j.draw(ctx, name, perSecond, want, own)
		if ctx.Err() != nil {
			err = errLeft
		}
		return g, err
	}
	t := newTap(perSecond, sinceBoot, j.background, drawn, func(ctx context.Context, back []grant) {
		j.giveBack(ctx, name, perSecond, back)
	})
	return limiter.NewSupplied(perSecond, t.take)
}

var errLeft = errors.New("this worker has left the job")

// grant is a piece of the schedule, as the answer to a worker that asked for it.
type grant struct {
	n          int64
	begin      time.Duration // of the first token's period, on the server's clock
	now        time.Duration // on the server's clock
	sent, came time.Duration // on this worker's
}

// draw asks the job for tokens: for as many as want, of which own is what the worker has used of late and may have,
// however many others ask.
func (j *Job) draw(ctx context.Context, name string, perSecond float64, want, own int64) (g grant, err error) {
	var reply any
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		g.sent = sinceBoot()
		reply, err = j.once(ctx, rateScript, 0, j.record.ID, name, j.worker, strconv.FormatFloat(perSecond, 'g', -1, 64),
			want, own, drawAhead.Microseconds(), drawLate.Microseconds())
		g.came = sinceBoot()
		return err
	})
	if err != nil {
		return g, err
	}
	values, err := list(reply, 3)
	if err != nil {
		return g, err
	}
	g.n, g.now = number(values[0]), time.Duration(number(values[2]))*time.Microsecond
	g.begin = g.now + time.Duration(number(values[1]))*time.Microsecond
	return g, nil
}

// giveBack returns pieces of the schedule. It is not repeated after a lost reply: others would have them twice.
func (j *Job) giveBack(ctx context.Context, name string, perSecond float64, back []grant) {
	args := []any{j.record.ID, name, j.worker, strconv.FormatFloat(perSecond, 'g', -1, 64), 0, 0,
		drawAhead.Microseconds(), drawLate.Microseconds()}
	for _, g := range back {
		// Rounded up to what the server counts in: never before its place.
		args = append(args, (g.begin + time.Microsecond - 1).Microseconds(), g.n)
	}
	_, _ = j.once(ctx, rateScript, 0, args...) // lost if it fails: that is all
}

// background runs do, whose context ends when the worker leaves the job.
func (j *Job) background(do func(context.Context)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running == nil || j.running.Err() != nil {
		return errLeft
	}
	ctx := j.running
	j.wg.Go(func() { do(ctx) })
	return nil
}
