package redistest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

const tempPrefix = "pace-test-"

// Main runs a package's tests, and fails if they leave goroutines. Temporary files are in a folder that it removes, which
// the test's child processes share: a worker whose server is killed leaves one for those who come after it.
func Main(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.TempDir()), tempPrefix) {
		goleak.VerifyTestMain(m, dialing)
		return
	}
	dir, err := os.MkdirTemp("", tempPrefix)
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Setenv("TMPDIR", dir)) // some tests run as another user
	}
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(within{m, dir}, dialing)
}

// within is tests whose temporary files are in a folder.
type within struct {
	m   *testing.M
	dir string
}

func (w within) Run() int {
	defer func() { _ = os.RemoveAll(w.dir) }()
	return w.m.Run()
}

// A go-redis that does not reach its server has a goroutine that tries again each second and, when it was closed, ends only
// then.
var dialing = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
