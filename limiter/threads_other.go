//go:build !linux

package limiter

// checkThreads knows only the Go runtime's own limit here.
func checkThreads(n int) error {
	if most := runtimeThreads - spareThreads; n > most {
		return &ThreadLimitError{Workers: n, Most: most, Limit: "the Go runtime's limit"}
	}
	return nil
}
