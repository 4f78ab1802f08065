package copy

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

func partIDOf(f *os.File) (partID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return partID{}, err
	}
	return partID{dev: uint64(st.Dev), ino: st.Ino, born: st.Btim.Nano()}, nil
}

// bootID names this boot of the machine; "" if it is not known.
func bootID() string { return readBootID() }

var readBootID = sync.OnceValue(func() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
})
