package copy

const (
	otherDescriptors  = 64 // that a process has open for what is not a job: its own, and those of the folders above
	workerDescriptors = 10 // of a job: a part file with all that belongs to it
)

// fit makes a run that copies trees fit into the limit of open files: smaller batches, and, where these do not help, fewer
// workers.
func (r *run) fit(limit int) {
	r.perBatch = batchLen
	if limit == 0 {
		return
	}
	left := limit - otherDescriptors
	if most := max(left/workerDescriptors, 1); r.width > most {
		r.Log.Warn("fewer workers", "workers", most, "reason", "few files may be open at a time (ulimit -n)")
		r.width = most
	}
	// A file of a batch has two descriptors, source and destination.
	r.perBatch = max(min((left/r.width-workerDescriptors/2)/2, batchLen), 1)
}
