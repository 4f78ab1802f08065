package fleet

// A server that is restarted, or replaced, may have lost its last writes. A worker that goes on then has items in hand for
// which it has added others that are lost: if it acknowledged them, these would never come back. So each partition has an
// epoch, which the first script after such a change ends, and an acknowledgement says in which one the item was begun.

// Era is the time in which, as far as this worker knows, no server was restarted.
func (j *Job) Era() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.era
}

// learn notes the epoch of a partition, as the server tells it.
func (j *Job) learn(partition int, epoch string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	was, known := j.epochs[partition]
	j.epochs[partition] = epoch
	if known && was != epoch {
		j.era++
	}
}

// epochOf returns what the server is told of when the items of a were begun.
func (j *Job) epochOf(a *Acked, partition int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch a.Era {
	case 0:
		return "any"
	case j.era:
		return "=" + j.epochs[partition]
	}
	return "old"
}
