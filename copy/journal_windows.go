package copy

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// openOwn opens the journal at path, made if it is not there. Nobody else can open it until it is closed. It refuses
// what someone else may have put in its place. shown is the path for messages.
func openOwn(path, shown string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", shown, err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", shown, err)
	}
	f := os.NewFile(uintptr(h), path)
	if err := checkOwn(f, shown); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func checkOwn(f *os.File, shown string) error {
	const notPlain = windows.FILE_ATTRIBUTE_REPARSE_POINT | windows.FILE_ATTRIBUTE_DIRECTORY
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return fmt.Errorf("cannot open %s: %w", shown, err)
	}
	if info.FileAttributes&notPlain != 0 || info.NumberOfLinks != 1 {
		return fmt.Errorf("%s is not a journal of this user; remove it", shown)
	}
	return nil
}
