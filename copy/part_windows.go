package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lockPart opens the part file of to, made if it is not there. Nobody else can open it until it is closed; it can be
// renamed and removed meanwhile.
func lockPart(_ context.Context, to place, part string) (*os.File, error) {
	path, dst := to.dir.pathOf(part), to.shown
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("cannot create %s: %w", dst, err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return nil, &LockedError{Dest: dst, Part: path}
	case err != nil:
		return nil, fmt.Errorf("cannot create %s: %w", dst, err)
	}
	return os.NewFile(uintptr(h), path), nil
}

// commit gives the part file its final name, and keeps it open. With keep set it fails with an error that matches
// fs.ErrExist if there is a file of that name.
func (p *part) commit(dst place, keep bool) error {
	from, err := windows.UTF16PtrFromString(p.dir.pathOf(p.name))
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", dst.shown, err)
	}
	to, err := windows.UTF16PtrFromString(dst.dir.pathOf(dst.name))
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", dst.shown, err)
	}
	flags := uint32(windows.MOVEFILE_REPLACE_EXISTING)
	if keep {
		flags = 0
	}
	if err := windows.MoveFileEx(from, to, flags); err != nil {
		return fmt.Errorf("cannot create %s: %w", dst.shown, err)
	}
	return nil
}

// named is true here: its name stays with the part as long as it is open.
func (p *part) named() bool { return true }

// beside returns the path of name in the directory of path.
func beside(path, name string) string {
	folder, _ := filepath.Split(path)
	return folder + name
}

// lockFree is true here: a file that is locked cannot even be opened.
func lockFree(*os.File) bool { return true }

func isNameTooLong(err error) bool { return errors.Is(err, windows.ERROR_FILENAME_EXCED_RANGE) }
