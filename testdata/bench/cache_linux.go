package main

import (
	"log"
	"os"

	"golang.org/x/sys/unix"
)

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
