package fleet

import (
	"context"
	"strconv"
)

// mostFailed is how many failures a job remembers. Of more it knows the number.
const mostFailed = 1000

// Fail notes for all workers that something failed for good. What is said again counts once, among the first thousand.
func (j *Job) Fail(ctx context.Context, what string, why error) error {
	_, err := j.eval(ctx, failScript, 0, what, why.Error(), mostFailed)
	return err
}

// Failed returns how many things failed for good in all, and why, by what they are called, of the first thousand.
func (j *Job) Failed(ctx context.Context) (n int64, why map[string]string, err error) {
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		why, err = j.rdb.HGetAll(ctx, j.key(0, "failed")).Result()
		return err
	})
	if err != nil || len(why) == 0 {
		return 0, nil, err
	}
	var text string
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		text, err = j.rdb.HGet(ctx, j.key(0, "job"), "failed").Result()
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	n, err = strconv.ParseInt(text, 10, 64)
	return n, why, err
}
