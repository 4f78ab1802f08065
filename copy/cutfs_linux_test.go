package copy

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fuse "github.com/hanwen/go-fuse/v2/fs"
	proto "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// mount shows the disk as a file system, or skips the test. unmount may be called at any time, and is at the end.
func (d *cutDisk) mount(t *testing.T) (at string, unmount func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("this machine has no FUSE:", err)
	}
	at = t.TempDir()
	zero := time.Duration(0)
	server, err := fuse.Mount(at, &cutNode{disk: d, ino: 1}, &fuse.Options{
		MountOptions: proto.MountOptions{DirectMountStrict: true, FsName: "cut", Name: "cut"},
		EntryTimeout: &zero, AttrTimeout: &zero, NegativeTimeout: &zero,
		RootStableAttr: &fuse.StableAttr{Ino: 1, Gen: 1},
	})
	if err != nil {
		skipWithoutRight(t, err)
	}
	unmount = sync.OnceFunc(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
		server.Wait()
	})
	t.Cleanup(unmount)
	return at, unmount
}

// cutNode is an inode of the disk as the kernel asks for it.
type cutNode struct {
	fuse.Inode
	disk *cutDisk
	ino  uint64
}

// The interfaces that the methods below are found by.
var _ interface {
	fuse.NodeLookuper
	fuse.NodeGetattrer
	fuse.NodeSetattrer
	fuse.NodeCreater
	fuse.NodeTmpfiler
	fuse.NodeMkdirer
	fuse.NodeSymlinker
	fuse.NodeReadlinker
	fuse.NodeLinker
	fuse.NodeUnlinker
	fuse.NodeRmdirer
	fuse.NodeRenamer
	fuse.NodeReaddirer
	fuse.NodeOpener
	fuse.NodeReader
	fuse.NodeWriter
	fuse.NodeFsyncer
} = (*cutNode)(nil)

func (n *cutNode) here() *cutInode { return n.disk.nodes[n.ino] }

func (i *cutInode) attr(out *proto.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink = i.ino, i.now.mode, uint64(len(i.now.data)), 1
	out.Blocks, out.Uid, out.Gid = (out.Size+511)/512, i.now.uid, i.now.gid
	out.SetTimes(&i.now.atime, &i.now.mtime, &i.now.ctime)
}

func (n *cutNode) child(ctx context.Context, i *cutInode, out *proto.EntryOut) *fuse.Inode {
	i.attr(&out.Attr)
	return n.NewInode(ctx, &cutNode{disk: n.disk, ino: i.ino}, fuse.StableAttr{Mode: i.now.mode, Ino: i.ino, Gen: 1})
}

func (n *cutNode) Lookup(ctx context.Context, name string, out *proto.EntryOut) (*fuse.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	ino, ok := n.here().now.list[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	return n.child(ctx, n.disk.nodes[ino], out), 0
}

func (n *cutNode) Getattr(_ context.Context, _ fuse.FileHandle, out *proto.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.here().attr(&out.Attr)
	return 0
}

func (n *cutNode) Setattr(
	_ context.Context, _ fuse.FileHandle, in *proto.SetAttrIn, out *proto.AttrOut,
) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return errno
	}
	i := n.here()
	i.now.ctime = time.Now()
	if mode, ok := in.GetMode(); ok {
		i.now.mode = i.now.mode&syscall.S_IFMT | mode&0o7777
	}
	if uid, ok := in.GetUID(); ok {
		i.now.uid = uid
	}
	if gid, ok := in.GetGID(); ok {
		i.now.gid = gid
	}
	if size, ok := in.GetSize(); ok {
		i.resize(int64(size))
		i.now.mtime = time.Now()
	}
	if t, ok := in.GetMTime(); ok {
		i.now.mtime = t
	}
	if t, ok := in.GetATime(); ok {
		i.now.atime = t
	}
	i.attr(&out.Attr)
	return 0
}

// add makes an inode with a name, or without one if that is empty.
func (n *cutNode) add(
	ctx context.Context, name string, mode uint32, out *proto.EntryOut, fill func(*cutInode),
) (*fuse.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return nil, errno
	}
	if _, ok := n.here().now.list[name]; ok {
		return nil, syscall.EEXIST
	}
	i := n.disk.node(mode)
	if fill != nil {
		fill(i)
	}
	if name != "" {
		n.here().set(func(list map[string]uint64) { list[name] = i.ino })
	}
	return n.child(ctx, i, out), 0
}

func (n *cutNode) Create(
	ctx context.Context, name string, _ uint32, mode uint32, out *proto.EntryOut,
) (*fuse.Inode, fuse.FileHandle, uint32, syscall.Errno) {
	i, errno := n.add(ctx, name, syscall.S_IFREG|mode, out, nil)
	return i, nil, 0, errno
}

func (n *cutNode) Tmpfile(
	ctx context.Context, _ uint32, mode uint32, out *proto.EntryOut,
) (*fuse.Inode, fuse.FileHandle, uint32, syscall.Errno) {
	i, errno := n.add(ctx, "", syscall.S_IFREG|mode, out, nil)
	return i, nil, 0, errno
}

func (n *cutNode) Mkdir(ctx context.Context, name string, mode uint32, out *proto.EntryOut) (*fuse.Inode, syscall.Errno) {
	return n.add(ctx, name, syscall.S_IFDIR|mode, out, nil)
}

func (n *cutNode) Symlink(ctx context.Context, target, name string, out *proto.EntryOut) (*fuse.Inode, syscall.Errno) {
	return n.add(ctx, name, syscall.S_IFLNK|0o777, out, func(i *cutInode) {
		i.now.data = []byte(target)
		i.safe = i.now.clone() // journaled with its name
	})
}

func (n *cutNode) Readlink(context.Context) ([]byte, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return slices.Clone(n.here().now.data), 0
}

func (n *cutNode) Link(
	ctx context.Context, target fuse.InodeEmbedder, name string, out *proto.EntryOut,
) (*fuse.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return nil, errno
	}
	i := target.(*cutNode).here()
	n.here().set(func(list map[string]uint64) { list[name] = i.ino })
	return n.child(ctx, i, out), 0
}

func (n *cutNode) Unlink(_ context.Context, name string) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return errno
	}
	n.here().set(func(list map[string]uint64) { delete(list, name) })
	return 0
}

func (n *cutNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	n.disk.mu.Lock()
	full := len(n.disk.nodes[n.here().now.list[name]].now.list) > 0
	n.disk.mu.Unlock()
	if full {
		return syscall.ENOTEMPTY
	}
	return n.Unlink(ctx, name)
}

func (n *cutNode) Rename(_ context.Context, name string, to fuse.InodeEmbedder, as string, flags uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if to.(*cutNode).ino != n.ino {
		return syscall.EXDEV // the copier does not move from folder to folder
	}
	list := n.here().now.list
	if _, ok := list[as]; ok && flags&unix.RENAME_NOREPLACE != 0 {
		return syscall.EEXIST
	}
	if errno := n.disk.change(); errno != 0 {
		return errno
	}
	n.here().set(func(list map[string]uint64) {
		list[as] = list[name]
		delete(list, name)
	})
	return 0
}

func (n *cutNode) Readdir(context.Context) (fuse.DirStream, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	var entries []proto.DirEntry
	list := n.here().now.list
	for _, name := range slices.Sorted(maps.Keys(list)) {
		entries = append(entries, proto.DirEntry{Name: name, Ino: list[name], Mode: n.disk.nodes[list[name]].now.mode})
	}
	return fuse.NewListDirStream(entries), 0
}

func (n *cutNode) Open(context.Context, uint32) (fuse.FileHandle, uint32, syscall.Errno) {
	return nil, 0, 0
}

func (n *cutNode) Read(_ context.Context, _ fuse.FileHandle, p []byte, off int64) (proto.ReadResult, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	data := n.here().now.data
	if off < int64(len(data)) {
		p = p[:copy(p, data[off:])]
		return proto.ReadResultData(p), 0
	}
	return proto.ReadResultData(nil), 0
}

func (n *cutNode) Write(_ context.Context, _ fuse.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return 0, errno
	}
	n.here().write(p, off)
	return uint32(len(p)), 0
}

func (n *cutNode) Fsync(context.Context, fuse.FileHandle, uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.change(); errno != 0 {
		return errno
	}
	n.here().sync()
	return 0
}
