package fleet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// A worker whose process was killed cannot give its leases back, and they would last on for nothing. Only who knows that
// the process is gone may end them: one that is stopped, or cut off from the server, still relies on them. So each worker
// holds a lock on a file of its name while it lives (flock(2)), which the system ends with the process and not before. A
// worker that finds another's lock free, which takes one of the same machine, and is its next life as a rule, ends its
// leases.

// silentFor is how long a worker has said nothing when others look whether it is dead.
const silentFor = 2 * beatEvery

// signOf returns the file of a worker. Its name is in no other use: it has a random part.
func signOf(worker string) string { return filepath.Join(os.TempDir(), "pace-fleet-"+worker+".lock") }

// sign makes the file that says that this worker lives. Without it its leases end with their time, if it is killed.
func (j *Job) sign() {
	sign := flock.New(signOf(j.worker), flock.SetFlag(os.O_CREATE|os.O_EXCL|os.O_RDWR), flock.SetPermissions(0o600))
	if locked, err := sign.TryLock(); err == nil && locked {
		j.alive = sign
	}
}

// unsign says that nothing here relies on a lease any more. Where some could not be given back, the file stays for those who
// can end them.
func (j *Job) unsign(released bool) {
	if j.alive == nil {
		return
	}
	_ = j.alive.Unlock()
	if released {
		_ = os.Remove(j.alive.Path())
	}
}

// buryAll ends the leases of those workers that are surely dead.
func (j *Job) buryAll(ctx context.Context, silent []any) {
	for _, worker := range silent {
		if name := text(worker); name != j.worker {
			j.bury(ctx, name)
		}
	}
}

// bury ends the leases of a worker if its process is gone. What fails is tried again with the next beat.
func (j *Job) bury(ctx context.Context, worker string) {
	path := signOf(worker)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return // of another machine
	}
	sign := flock.New(path, flock.SetFlag(os.O_RDWR))
	if locked, err := sign.TryLock(); err != nil || !locked {
		return
	}
	leases, err := j.endLeases(ctx, worker)
	_ = sign.Unlock()
	if err != nil {
		return
	}
	_ = os.Remove(path)
	j.log.Warn("a worker of this machine has died; what it held is free", "worker", worker, "leases", leases)
}

// endLeases ends the leases of a worker that is dead, and strikes it off the list. It returns how many they were.
func (j *Job) endLeases(ctx context.Context, worker string) (leases int64, err error) {
	for partition := range j.record.Partitions {
		reply, err := j.once(ctx, buryScript, partition, j.record.ID, worker, j.o.MaxAttempts, j.o.Gap.Milliseconds())
		if err != nil {
			return 0, err
		}
		values, err := list(reply, 1)
		if err != nil {
			return 0, err // in the quiet time
		}
		leases += number(values[0])
	}
	_, err = j.once(ctx, beatScript, 0, j.record.ID, worker, "", int64(0), int64(0))
	return leases, err
}
