package copy

import (
	"os"

	"golang.org/x/sys/windows"
)

func partIDOf(f *os.File) (partID, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return partID{}, err
	}
	return partID{
		dev:  uint64(info.VolumeSerialNumber),
		ino:  uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow),
		born: info.CreationTime.Nanoseconds(),
	}, nil
}

// bootID is not known: nothing here is sure to change at each boot. So ranges are always hashed again.
func bootID() string { return "" }
