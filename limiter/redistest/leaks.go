package redistest

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyTestMain runs a package's tests, and fails if they leave goroutines. A go-redis that does not reach its server has
// one that tries again each second and, when it was closed, ends only then.
func VerifyTestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}
