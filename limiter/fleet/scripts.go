package fleet

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script. Its text is put together, and hashed, when it first runs: who has no fleet pays nothing for it.
type script func() *redis.Script

// luaScript returns the script that these files are, one after another.
func luaScript(files ...string) script {
	return sync.OnceValue(func() *redis.Script {
		var text strings.Builder
		for _, name := range files {
			part, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
			if err != nil {
				panic(err) // it is none of those below
			}
			_, _ = text.Write(part) // never fails
		}
		return redis.NewScript(text.String())
	})
}

//go:embed scripts/*.lua
var scriptFiles embed.FS

var (
	addScript     = luaScript("common", "add")
	leaseScript   = luaScript("common", "lease")
	ackScript     = luaScript("common", "ack")
	renewScript   = luaScript("common", "renew")
	releaseScript = luaScript("common", "release")
	beatScript    = luaScript("common", "beat")
	buryScript    = luaScript("common", "bury")
	sourceScript  = luaScript("common", "source")
	finishScript  = luaScript("common", "finish")
	tidyScript    = luaScript("common", "tidy")
	shareScript   = luaScript("common", "share")
	onceScript    = luaScript("common", "once")
	rateScript    = luaScript("common", "rate")
	claimScript   = luaScript("common", "claim")
	groupScript   = luaScript("common", "group")
	childScript   = luaScript("common", "child")
	failScript    = luaScript("common", "fail")
	beginScript   = luaScript("begin")
	jobScript     = luaScript("job")
	stateScript   = luaScript("common", "state")
	doomScript    = luaScript("doom")
)

// key returns a key of a partition.
func (j *Job) key(partition int, name string) string {
	return fmt.Sprintf("{%s:%s:%d}:%s", j.prefix, j.o.Job, partition, name)
}

// once runs a script in a partition, by its hash where the server has it.
func (j *Job) once(ctx context.Context, s script, partition int, args ...any) (any, error) {
	reply, err := s().Run(ctx, j.rdb, []string{j.key(partition, "part")}, args...).Result()
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
func (j *Job) eval(ctx context.Context, s script, partition int, args ...any) (reply any, err error) {
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
