package fleet

import (
	"context"
	"maps"
)

// OpenSource keeps the job from looking finished while items are added from somewhere else than from items. Workers with
// the same source may open it each; whoever closes it first says that all of it was added. A finished job is
// [ErrFinished] if that was done before, and else [ErrUnread].
func (j *Job) OpenSource(ctx context.Context, name string) error {
	reply, err := j.eval(ctx, sourceScript, 0, name, j.worker)
	if err != nil {
		return err
	}
	switch number(reply) {
	case 0:
		return ErrUnread
	case 2:
		return ErrFinished
	}
	return nil
}

// CloseSource says that a source was read to its end. With a context of an era it is [ErrRestarted] if any part of the
// server may have lost what was added since.
func (j *Job) CloseSource(ctx context.Context, name string) error {
	if _, fenced := eraOf(ctx); fenced {
		for partition := 1; partition < j.record.Partitions; partition++ {
			if err := j.addTo(ctx, partition, nil, nil, nil); err != nil {
				return err
			}
		}
	}
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

// Share tells all workers, those that come later too, what has a name. It returns a version that rises with each change;
// who has to know something before it can do an item finds that version in what the item says.
func (j *Job) Share(ctx context.Context, values map[string]string) (version int64, err error) {
	var args []any
	for name, value := range values {
		args = append(args, name, value)
	}
	reply, err := j.eval(ctx, shareScript, 0, args...)
	return number(reply), err
}

// ShareOnce tells all workers what has a name, unless they know something by it. It returns what they know now.
func (j *Job) ShareOnce(ctx context.Context, name, value string) (known string, err error) {
	reply, err := j.eval(ctx, onceScript, 0, name, value)
	if err != nil {
		return "", err
	}
	values, err := list(reply, 1)
	if err != nil {
		return "", err
	}
	return text(values[0]), nil
}

// Shared returns all that was shared, and a version that it has at least.
func (j *Job) Shared(ctx context.Context) (values map[string]string, version int64, err error) {
	// The version first: what changes in between is then asked for once more.
	if version, err = j.Share(ctx, nil); err != nil {
		return nil, 0, err
	}
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		values, err = j.rdb.HGetAll(ctx, j.key(0, "shared")).Result()
		return err
	})
	return values, version, err
}
