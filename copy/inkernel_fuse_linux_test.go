package copy

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	fuse "github.com/hanwen/go-fuse/v2/fs"
	proto "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pace/limiter"
)

// rangeNode counts the bytes that a FUSE file system is asked to copy by itself. After so many bytes it says that it
// cannot.
type rangeNode struct {
	*fuse.LoopbackNode
	copied *atomic.Int64
	most   int64
}

func (n *rangeNode) WrapChild(_ context.Context, child fuse.InodeEmbedder) fuse.InodeEmbedder {
	return &rangeNode{child.(*fuse.LoopbackNode), n.copied, n.most}
}

func (n *rangeNode) CopyFileRange(
	ctx context.Context, in fuse.FileHandle, offIn uint64, out *fuse.Inode, to fuse.FileHandle, offOut, size, flags uint64,
) (uint32, syscall.Errno) {
	if n.copied.Load() >= n.most {
		return 0, syscall.EIO
	}
	got, errno := n.LoopbackNode.CopyFileRange(ctx, in, offIn, out, to, offOut, (size+1)/2, flags) // always short
	n.copied.Add(int64(got))
	return got, errno
}

// Within a FUSE file system its server copies, and what that cannot do is read and written.
func TestCopyRangeOnFUSE(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("this machine has no FUSE:", err)
	}
	const size = 1_500_001
	for name, most := range map[string]int64{"all": size, "some": 400_000} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				var copied atomic.Int64
				root := &fuse.LoopbackRoot{Path: t.TempDir()}
				root.RootNode = &rangeNode{&fuse.LoopbackNode{RootData: root}, &copied, most}
				at := t.TempDir()
				server, err := fuse.Mount(at, root.RootNode, &fuse.Options{MountOptions: proto.MountOptions{DirectMountStrict: true}})
				if err != nil {
					skipWithoutRight(t, err)
				}
				defer func() {
					if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
						t.Error(err)
					}
					server.Wait()
				}()
				src := write(t, filepath.Join(at, "f"), random(size))
				r := mustRun(t, Options{Sources: []string{src}, Dest: filepath.Join(at, "g"), Mode: m, ChunkSize: 64 * kib, Workers: 3})
				if got := copied.Load(); r.Bytes != size || got < most || most == size && got > size {
					t.Errorf("%d bytes, of them %d by the server, want %d", r.Bytes, got, most)
				}
				same(t, filepath.Join(at, "g"), random(size))
				holds(t, at, "f", "g")
			})
		})
	}
}
