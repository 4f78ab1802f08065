package main

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// dropFile drops a file's pages from the page cache (posix_fadvise(2)), which keeps those that are not yet on the device.
func dropFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_ = f.Sync() // a file system that cannot has nothing to write back
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return &fs.PathError{Op: "drop", Path: path, Err: err}
	}
	return nil
}

// dropEverything drops pages, directory entries and inodes (proc_sys_vm(5)).
func dropEverything() error {
	unix.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}
