package crawl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// store is the database of a state.
type store struct {
	db     *pebble.DB
	merges *merges
	broken *broken
}

// openStore opens the database in dir, made if it is not there. It merges no files until merges.begin, so that whoever
// reads much at first has the disk and the processor for it.
func openStore(dir string, lock *pebble.Lock, fs vfs.FS) (*store, error) {
	s := &store{merges: &merges{}, broken: &broken{gone: make(chan struct{})}}
	o := &pebble.Options{
		FS: fs, Lock: lock, Logger: s.broken,
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          64 << 20, // the filters of ten million URLs take 13 MB of it
		MemTableSize:       16 << 20,
		// More of them smooth the work of writing them out.
		MemTableStopWritesThreshold: 4,
		// Keys come in no order, and most are read once or never: to merge files early, or into many levels, costs more than
		// it saves. Measured with 1.6 million URLs on two busy cores, 157,000 adds a second instead of 105,000. Commits wait
		// for merges only where a hundred files would have to be looked into.
		L0CompactionThreshold: 8, L0StopWritesThreshold: 100, LBaseMaxBytes: 512 << 20,
		MaxOpenFiles:  256,
		NoSyncOnClose: true,
	}
	o.Experimental.CompactionScheduler = s.merges
	for i := range o.Levels {
		// Most lookups are of URLs that are new.
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// A flush that fails is tried again for ever, and meanwhile commits wait for room in memory.
	o.EventListener = &pebble.EventListener{BackgroundError: func(err error) { s.broken.note(err) }}
	err := s.guard(func() (err error) {
		s.db, err = pebble.Open(dir, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// guard does what may never return because pebble calls Fatalf in it, and does not expect to come back.
func (s *store) guard(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-s.broken.gone:
		return s.broken.err
	}
}

// has says whether a key is there.
func (s *store) has(key []byte) (bool, error) {
	_, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

// get returns the value of a key, or nil if it is not there.
func (s *store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

// scan calls visit for the keys from first to before limit, in order, until it returns false. Key and value are valid
// until visit returns.
func (s *store) scan(first, limit []byte, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: limit})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := visit(it.Key(), value); !more || err != nil {
			return err
		}
	}
	return it.Error()
}

// batch returns an empty batch.
func (s *store) batch() *pebble.Batch { return s.db.NewBatch() }

// set commits one value.
func (s *store) set(key, value []byte) error {
	b := s.batch()
	if err := b.Set(key, value, nil); err != nil {
		return err
	}
	return s.commit(b)
}

// delete commits that a key is gone.
func (s *store) delete(key []byte) error {
	b := s.batch()
	if err := b.Delete(key, nil); err != nil {
		return err
	}
	return s.commit(b)
}

// commit returns when a batch is in the log by write(2), and on the device if the store's file system syncs. Without
// Sync, pebble would return before: its log is written behind, and a killed process loses what waits in its buffer.
func (s *store) commit(b *pebble.Batch) error {
	return s.guard(func() error { return errors.Join(b.Commit(pebble.Sync), b.Close()) })
}

// close ends the store; of a broken one the process's end does.
func (s *store) close() error {
	select {
	case <-s.broken.gone:
		return nil
	default:
		return s.guard(s.db.Close)
	}
}

// broken is where pebble logs to. It says nothing, but notes why pebble cannot go on: a full disk.
type broken struct {
	once sync.Once
	gone chan struct{}
	err  error // once gone is closed
}

// Infof implements pebble.Logger.
func (*broken) Infof(string, ...any) {}

// Errorf implements pebble.Logger. Pebble returns such errors too, or tries again.
func (*broken) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger. It does not return, as pebble expects of it, and leaves the process to whoever waits
// for a commit.
func (b *broken) Fatalf(format string, args ...any) {
	b.note(fmt.Errorf(format, args...))
	select {}
}

// note keeps why the store cannot go on.
func (b *broken) note(err error) {
	b.once.Do(func() {
		b.err = fmt.Errorf("cannot write the state: %w", err)
		close(b.gone)
	})
}

// unsynced is a file system whose files are never brought to the device. What was written is the kernel's: it survives
// the end of the process, though not that of the machine.
type unsynced struct{ vfs.FS }

// Create implements vfs.FS, as do the next three.
func (u unsynced) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsyncedFile(u.FS.Create(name, c))
}

// OpenReadWrite opens a file for both.
func (u unsynced) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return unsyncedFile(u.FS.OpenReadWrite(name, c, o...))
}

// ReuseForWrite renames a file and opens it.
func (u unsynced) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsyncedFile(u.FS.ReuseForWrite(from, to, c))
}

// OpenDir opens a folder, which is only ever synced.
func (u unsynced) OpenDir(name string) (vfs.File, error) { return unsyncedFile(u.FS.OpenDir(name)) }

// Unwrap returns the file system below.
func (u unsynced) Unwrap() vfs.FS { return u.FS }

type noSync struct{ vfs.File }

func unsyncedFile(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return noSync{f}, nil
}

// Sync does nothing, as do the next two.
func (noSync) Sync() error { return nil }

// SyncData does nothing.
func (noSync) SyncData() error { return nil }

// SyncTo does nothing, and says so.
func (noSync) SyncTo(int64) (bool, error) { return false, nil }

// seenKey returns the key of a fingerprint.
func seenKey(h uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), keySeen), h)
}

// hostKey returns the key of a kind for a host.
func hostKey(kind byte, host string) []byte { return append([]byte{kind}, host...) }

// queueKey returns the key of a host's page.
func queueKey(host string, seq uint64) []byte { return placeKey(keyQueue, host, seq) }

// visitKey returns the key of a page that was at a place of its host's queue.
func visitKey(host string, seq uint64) []byte { return placeKey(keyVisit, host, seq) }

func placeKey(kind byte, host string, seq uint64) []byte {
	key := append(make([]byte, 0, len(host)+10), kind)
	key = append(append(key, host...), 0)
	return binary.BigEndian.AppendUint64(key, seq)
}

// firstUvarint returns the number that b begins with, 0 if there is none.
func firstUvarint(b []byte) uint64 {
	v, _ := binary.Uvarint(b)
	return v
}
