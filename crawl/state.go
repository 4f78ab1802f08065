package crawl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	stateFile   = "pace-state.json" // what makes a folder a state
	stateFormat = 2
	stateDB     = "frontier" // the folder of the database, which holds the lock too
	stateLinks  = "links"    // what --check-links has seen
)

// state is a folder that keeps a crawl.
type state struct {
	dir     string
	lock    *pebble.Lock
	resumed bool              // it was there before
	was     map[string]string // the settings of the run before
}

// stateHeader is what stateFile holds.
type stateHeader struct {
	Format   int               `json:"format"`
	Settings map[string]string `json:"settings"`
}

// errNoState says that a folder holds no state.
var errNoState = errors.New("not a state")

// StateSettings returns [Options.Settings] of the latest run with the state in a folder, and false if there is no state.
func StateSettings(dir string) (settings map[string]string, ok bool, err error) {
	header, err := readHeader(dir)
	if errors.Is(err, errNoState) {
		return nil, false, nil
	}
	return header.Settings, err == nil, err
}

// readHeader reads what makes a folder a state; errNoState says that it is none.
func readHeader(dir string) (stateHeader, error) {
	var header stateHeader
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return header, errNoState
	}
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	switch {
	case err == nil && header.Format < stateFormat:
		err = fmt.Errorf("its format %d is that of an earlier version, which can finish it; this one knows %d: "+
			"begin anew in another folder", header.Format, stateFormat)
	case err == nil && header.Format > stateFormat:
		err = fmt.Errorf("its format %d is that of a later version; this one knows %d", header.Format, stateFormat)
	}
	if err != nil {
		return header, fmt.Errorf("cannot read the state %s: %w", dir, err)
	}
	return header, nil
}

// openState locks a state, and makes it if the folder is missing or empty.
func openState(dir string) (*state, error) {
	s := &state{dir: dir}
	if _, err := readHeader(dir); errors.Is(err, errNoState) {
		if err := checkEmpty(dir); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	db := filepath.Join(dir, stateDB)
	err := os.MkdirAll(db, 0o700)
	if err != nil {
		return nil, fmt.Errorf("cannot make the state: %w", err)
	}
	if s.lock, err = pebble.LockDirectory(db, vfs.Default); err != nil {
		if stateInUse(err) {
			return nil, fmt.Errorf("the state %s is in use by another process", dir)
		}
		return nil, fmt.Errorf("cannot lock the state %s: %w", dir, err)
	}
	// Only now is it known that no other run is making it.
	header, err := readHeader(dir)
	if err != nil && !errors.Is(err, errNoState) {
		_ = s.lock.Close()
		return nil, err
	}
	s.resumed, s.was = err == nil, header.Settings
	return s, nil
}

// checkEmpty returns an error if a folder holds anything that is not the beginning of a state.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot make the state: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != stateDB && name != stateFile+".new" && name != stateLinks {
			return fmt.Errorf("%s is no state and not empty: it has %s", dir, name)
		}
	}
	return nil
}

// keep writes the settings of this run, by which the folder becomes a state.
func (s *state) keep(settings map[string]string) error {
	text, err := json.MarshalIndent(stateHeader{Format: stateFormat, Settings: settings}, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, stateFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot make the state: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	// Before the name is there, so that a power cut leaves no empty file under it.
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("cannot make the state: %w", err)
	}
	return nil
}

// store opens the state's database.
func (s *state) store(fsync bool) (*store, error) {
	var files vfs.FS = unsynced{vfs.Default}
	if fsync {
		files = vfs.Default
	}
	db, err := openStore(filepath.Join(s.dir, stateDB), s.lock, files)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state %s: %w", s.dir, err)
	}
	return db, nil
}

// differences names the settings that are not those of the run before.
func (s *state) differences(settings map[string]string) string {
	names := map[string]bool{}
	for name := range maps.Keys(settings) {
		names[name] = settings[name] != s.was[name]
	}
	for name := range maps.Keys(s.was) {
		names[name] = settings[name] != s.was[name]
	}
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !names[name] {
			continue
		}
		differ = append(differ, fmt.Sprintf("%s is %s, was %s", name, shown(settings, name), shown(s.was, name)))
	}
	return strings.Join(differ, "; ")
}

// shown returns a setting as a message shows it.
func shown(settings map[string]string, name string) string {
	if value, ok := settings[name]; ok {
		return strings.ReplaceAll(value, "\n", " ")
	}
	return "not given"
}
