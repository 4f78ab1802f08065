package fleet

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed scripts/common.lua
	common string
	//go:embed scripts/add.lua
	addText string
	//go:embed scripts/lease.lua
	leaseText string
	//go:embed scripts/ack.lua
	ackText string
	//go:embed scripts/renew.lua
	renewText string
	//go:embed scripts/release.lua
	releaseText string
	//go:embed scripts/beat.lua
	beatText string
	//go:embed scripts/bury.lua
	buryText string
	//go:embed scripts/source.lua
	sourceText string
	//go:embed scripts/finish.lua
	finishText string
	//go:embed scripts/tidy.lua
	tidyText string
	//go:embed scripts/share.lua
	shareText string
	//go:embed scripts/once.lua
	onceText string
	//go:embed scripts/rate.lua
	rateText string
	//go:embed scripts/claim.lua
	claimText string
	//go:embed scripts/group.lua
	groupText string
	//go:embed scripts/child.lua
	childText string
	//go:embed scripts/fail.lua
	failText string
	//go:embed scripts/begin.lua
	beginText string
	//go:embed scripts/job.lua
	jobText string
	//go:embed scripts/state.lua
	stateText string
	//go:embed scripts/doom.lua
	doomText string
)

var (
	addScript     = redis.NewScript(common + addText)
	leaseScript   = redis.NewScript(common + leaseText)
	ackScript     = redis.NewScript(common + ackText)
	renewScript   = redis.NewScript(common + renewText)
	releaseScript = redis.NewScript(common + releaseText)
	beatScript    = redis.NewScript(common + beatText)
	buryScript    = redis.NewScript(common + buryText)
	sourceScript  = redis.NewScript(common + sourceText)
	finishScript  = redis.NewScript(common + finishText)
	tidyScript    = redis.NewScript(common + tidyText)
	shareScript   = redis.NewScript(common + shareText)
	onceScript    = redis.NewScript(common + onceText)
	rateScript    = redis.NewScript(common + rateText)
	claimScript   = redis.NewScript(common + claimText)
	groupScript   = redis.NewScript(common + groupText)
	childScript   = redis.NewScript(common + childText)
	failScript    = redis.NewScript(common + failText)
	beginScript   = redis.NewScript(beginText)
	jobScript     = redis.NewScript(jobText)
	stateScript   = redis.NewScript(common + stateText)
	doomScript    = redis.NewScript(doomText)
)

// key returns a key of a partition.
func (j *Job) key(partition int, name string) string {
	return fmt.Sprintf("{%s:%s:%d}:%s", j.prefix, j.o.Job, partition, name)
}

// once runs a script in a partition, by its hash where the server has it.
func (j *Job) once(ctx context.Context, s *redis.Script, partition int, args ...any) (any, error) {
	reply, err := s.Run(ctx, j.rdb, []string{j.key(partition, "part")}, args...).Result()
	if err != nil {
		return nil, err
	}
	if n, ok := reply.(int64); ok && n < 0 {
		return nil, ErrGone
	}
	return reply, nil
}

// eval runs a script that begins as common does, again and again while the server cannot be reached, and the era that ctx
// is of lasts.
func (j *Job) eval(ctx context.Context, s *redis.Script, partition int, args ...any) (reply any, err error) {
	all := append([]any{j.record.ID}, args...)
	era, fenced := eraOf(ctx)
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		if fenced {
			all[0] = j.record.ID + " " + j.epochIn(era, partition)
		}
		reply, err = j.once(ctx, s, partition, all...)
		if epoch, refused := reply.(string); refused && err == nil {
			j.learn(partition, epoch)
			err = finalError{ErrRestarted}
		}
		return err
	})
	return reply, err
}

// list returns a reply as a list of at least n values.
func list(reply any, n int) ([]any, error) {
	values, ok := reply.([]any)
	if !ok || len(values) < n {
		return nil, fmt.Errorf("the server's reply makes no sense: %T with %d values instead of %d", reply, len(values), n)
	}
	return values, nil
}

// number returns a value of a reply, or 0 for what is none.
func number(value any) int64 {
	n, _ := value.(int64)
	return n
}

// text returns a value of a reply, or "" for what is none.
func text(value any) string {
	s, _ := value.(string)
	return s
}
