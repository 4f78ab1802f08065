package copy

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// dir is an open directory. Everything in a tree is reached through the root of its directory and one name, which cannot
// lead out of it.
type dir struct {
	root *os.Root
	f    *os.File // the directory itself
}

// openDir opens the directory at path, to make entries in it.
func openDir(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return dirOf(root)
}

// openDirItself opens the directory at path, which must not be a link.
func openDirItself(path string) (*dir, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errNotDirectory
	}
	return openDir(path)
}

func dirOf(root *os.Root) (*dir, error) {
	f, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return &dir{root, f}, nil
}

// openParent opens the directory of path, and returns with it the name that path has there.
func openParent(path string) (place, error) {
	folder, name := filepath.Split(path)
	if folder == "" {
		folder = "."
	}
	d, err := openDir(folder)
	return place{dir: d, name: name, shown: path}, err
}

func (d *dir) close() error { return errors.Join(d.f.Close(), d.root.Close()) }

// sync leaves it to the file system, which writes names in order.
func (d *dir) sync(string) error { return nil }

func (d *dir) meta() (meta, error) { return statFile(d.f) }

// sub opens the directory name, which must not be a link.
func (d *dir) sub(name string) (*dir, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errNotDirectory
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return dirOf(root)
}

var errNotDirectory = errors.New("not a directory")

func notDirectory(err error) bool { return errors.Is(err, errNotDirectory) }

// up opens d once more.
func (d *dir) up(string) (*dir, error) {
	root, err := d.root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	return dirOf(root)
}

func (d *dir) mkdir(name string) error { return d.root.Mkdir(name, 0o700) }

func (d *dir) open(name string) (*os.File, error) { return d.root.Open(name) }

func (d *dir) create(name string, perm uint32) (*os.File, error) {
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, os.FileMode(perm))
}

// createNameless is not to be had here: files grow in part files.
func (d *dir) createNameless(uint32) (*os.File, error) { return nil, errors.ErrUnsupported }

func (d *dir) nameFile(*os.File, string) error { return errors.ErrUnsupported }

func (d *dir) lstat(name string) (meta, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return meta{}, err
	}
	return metaOfInfo(info), nil
}

func (d *dir) remove(name string) error { return d.root.Remove(name) }
func (d *dir) rmdir(name string) error  { return d.root.Remove(name) }

func (d *dir) symlink(to, name string) error        { return d.root.Symlink(to, name) }
func (d *dir) readlink(name string) (string, error) { return d.root.Readlink(name) }

// link makes name another name of the file from.
func (d *dir) link(from place, name string) error {
	return os.Link(from.dir.pathOf(from.name), d.pathOf(name))
}

func (d *dir) rename(from, to string, keep bool) error {
	if keep {
		if _, err := d.root.Lstat(to); err == nil {
			return os.ErrExist
		}
	}
	return d.root.Rename(from, to)
}

func (d *dir) times(name string, m meta) error { return d.root.Chtimes(name, m.atime, m.mtime) }

func (d *dir) lchown(string, int, int) error { return nil }

func (d *dir) chmod(name string, perm uint32) error { return d.root.Chmod(name, os.FileMode(perm)) }

func (d *dir) mknod(string, meta) error { return errors.ErrUnsupported }

// lock does not keep others from a directory here: part files do from each file.
func (d *dir) lock() (bool, error) { return true, nil }

// pathOf is a path that leads to an entry of d.
func (d *dir) pathOf(name string) string { return filepath.Join(d.root.Name(), name) }

func setTimes(f *os.File, m meta) error { return os.Chtimes(f.Name(), m.atime, m.mtime) }

func takeBack(*os.File, int, place) bool { return true }

func statFile(f *os.File) (meta, error) {
	info, err := f.Stat()
	if err != nil {
		return meta{}, err
	}
	return metaOfInfo(info), nil
}

func statPath(path string, follow bool) (meta, error) {
	stat := os.Lstat
	if follow {
		stat = os.Stat
	}
	info, err := stat(path)
	if err != nil {
		return meta{}, err
	}
	return metaOfInfo(info), nil
}

func metaOfInfo(info os.FileInfo) meta {
	return meta{
		mode: info.Mode(), size: info.Size(), blocks: -1, nlink: 1,
		mtime: info.ModTime(), atime: info.ModTime(), ctime: time.Time{}, info: info,
	}
}

func permBits(m os.FileMode) uint32 { return uint32(m.Perm()) }
