package fleet

import (
	"context"
	"maps"
)

// OpenSource keeps the job from looking finished while items are added from somewhere else than from items. Workers with
// the same source may open it each; whoever closes it first says that all of it was added. A finished job is
// [ErrFinished].
func (j *Job) OpenSource(ctx context.Context, name string) error {
	reply, err := j.eval(ctx, sourceScript, 0, name, j.worker)
	if err == nil && number(reply) == 0 {
		err = ErrFinished
	}
	return err
}

// CloseSource says that a source was read to its end.
func (j *Job) CloseSource(ctx context.Context, name string) error {
	_, err := j.eval(ctx, sourceScript, 0, name, "")
	return err
}

// Orphans returns the sources whose worker is gone, by their names, with that worker. Until a worker with the same
// source comes, the job cannot end.
func (j *Job) Orphans(ctx context.Context) (map[string]string, error) {
	var sources map[string]string
	alive := map[string]bool{}
	err := j.retry(ctx, "use", func(ctx context.Context) (err error) {
		sources, err = j.rdb.HGetAll(ctx, j.key(0, "sources")).Result()
		return err
	})
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	workers, err := j.Workers(ctx)
	for _, w := range workers {
		alive[w.Worker] = alive[w.Worker] || w.Alive
	}
	maps.DeleteFunc(sources, func(_, worker string) bool { return alive[worker] })
	return sources, err
}
