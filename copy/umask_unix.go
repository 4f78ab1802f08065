//go:build unix

package copy

import (
	"bytes"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// asking is held while the umask is another one: of two who changed it at once, one would take the other's for the user's.
var asking sync.Mutex

// umask returns what new files are not allowed. Where the system does not tell it, as Linux does since 4.7 (proc(5),
// /proc/pid/status), it can only be read by changing it: a file that someone makes meanwhile is open to nobody else.
func umask() fs.FileMode {
	asking.Lock()
	defer asking.Unlock()
	if mask, ok := toldUmask(); ok {
		return mask
	}
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return fs.FileMode(mask) & fs.ModePerm
}

func toldUmask() (fs.FileMode, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, rest, ok := bytes.Cut(status, []byte("\nUmask:"))
	if !ok {
		return 0, false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(strings.TrimSpace(string(line)), 8, 32)
	return fs.FileMode(mask) & fs.ModePerm, err == nil
}
