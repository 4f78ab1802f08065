package main

import (
	"errors"
	"os"
	"syscall"
)

// errReaderGone says that whoever read our stdout wanted no more, as head does. It needs no word.
var errReaderGone = errors.New("the reader of stdout has gone")

// stdoutFile is stdout with that error, so that it is not taken for a broken connection to a peer.
type stdoutFile struct{ f *os.File }

func (s stdoutFile) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		err = errReaderGone
	}
	return n, err
}

func (s stdoutFile) Fd() uintptr { return s.f.Fd() }
