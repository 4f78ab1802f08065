package copy

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataWithin returns where f has data within e. Others may look in f at the same moment: nobody relies on where it stands.
func dataWithin(f *os.File, m meta, e extent) ([]extent, error) {
	if m.blocks*512 >= m.size {
		return []extent{e}, nil
	}
	var extents []extent
	for e.off < e.end {
		data, err := f.Seek(e.off, unix.SEEK_DATA)
		switch {
		case errors.Is(err, unix.ENXIO):
			return extents, nil // nothing but a hole is left
		case errors.Is(err, unix.EINVAL), errors.Is(err, errors.ErrUnsupported):
			return []extent{e}, nil
		case err != nil:
			return nil, because(err)
		case data >= e.end:
			return extents, nil
		}
		hole, err := f.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return nil, because(err)
		}
		e.off = min(hole, e.end)
		extents = append(extents, extent{data, e.off})
	}
	return extents, nil
}
