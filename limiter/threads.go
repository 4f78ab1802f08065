package limiter

import "fmt"

const (
	runtimeThreads = 10_000 // what debug.SetMaxThreads starts with; the process ends above it
	spareThreads   = 64     // for the runtime, the ring's kernel workers and the rest of the program
)

// ThreadLimitError says that a run asks for more threads than the machine lets this process start.
type ThreadLimitError struct {
	Workers int    // how many were asked for
	Most    int    // how many can be had
	Limit   string // which limit says so
}

func (e *ThreadLimitError) Error() string {
	return fmt.Sprintf("%d workers are %d threads, and %s leaves room for %d: use at most %d workers, or mode async",
		e.Workers, e.Workers, e.Limit, e.Most, e.Most)
}
