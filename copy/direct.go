package copy

import (
	"context"
	"os"
)

// directAlign is what offsets and lengths are multiples of when data moves past the page cache. Devices may ask for
// less, but with less, the end of a file that is written through the cache would share a page with what is not.
const directAlign = 4 * kib

// direct are second descriptors of both ends, which move data past the page cache.
type direct struct{ in, out *os.File }

func (d *direct) close() {
	_ = d.in.Close()
	_ = d.out.Close()
}

// openDirect opens both ends once more. It returns nil where a file system cannot, and says so.
func (f *file) openDirect() *direct {
	in, err := openPastCache(f.in, os.O_RDONLY)
	if err == nil {
		var out *os.File
		if out, err = openPastCache(f.out, os.O_RDWR); err == nil {
			return &direct{in, out}
		}
		_ = in.Close()
	}
	if _, told := f.warned.LoadOrStore("direct", true); !told {
		f.Log.Warn("copying through the page cache", "item", f.from.shown, "reason", because(err))
	}
	return nil
}

// moveDirect moves the aligned part of c past the page cache, and the rest through it. A chunk that begins in the middle
// of a block is one that another run has left.
func (f *file) moveDirect(ctx context.Context, buf []byte, c chunk) error {
	whole := chunk{c.off, c.n / directAlign * directAlign}
	if c.off%directAlign != 0 || whole.n == 0 {
		return f.moveBetween(ctx, f.in, f.out, buf, c)
	}
	if err := f.moveBetween(ctx, f.direct.in, f.direct.out, buf, whole); err != nil {
		return err
	}
	if whole.n == c.n {
		return nil
	}
	return f.moveBetween(ctx, f.in, f.out, buf[whole.n:], chunk{c.off + whole.n, c.n - whole.n})
}
