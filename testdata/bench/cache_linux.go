package main

import (
	"log"
	"os"

	"golang.org/x/sys/unix"
)

// freeMemory empties the page cache, if this user may: when it fills the memory, whoever copies has to make room first, and
// that takes longer than the copy.
func freeMemory() {
	unix.Sync()
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0)
}

// dropCache drops a file's pages from the page cache.
func dropCache(path string) {
	f, err := os.Open(path)
	if err == nil {
		defer func() { _ = f.Close() }()
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	if err != nil {
		log.Fatal(err)
	}
}
