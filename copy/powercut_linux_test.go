package copy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// powerCuts is a copy to a disk whose power is cut again and again.
type powerCuts struct {
	t     *testing.T
	rnd   *rand.Rand
	disk  *cutDisk
	boots int
	saved bool // a run has gone on with what an earlier one had brought to the disk
}

// run copies until the disk has done so many operations more, or to the end if that is below zero. It mounts the disk
// anew, in another boot of the machine.
func (p *powerCuts) run(o Options, ops int) (Report, error) {
	p.t.Helper()
	p.boots++
	boot := fmt.Sprint("boot", p.boots)
	readBootID = func() string { return boot }
	if p.disk.cutAt = -1; ops >= 0 {
		p.disk.cutAt = p.disk.ops + ops
	}
	at, unmount := p.disk.mount(p.t)
	defer unmount()
	o.Dest = filepath.Join(at, o.Dest)
	r := newRun(o)
	r.syncEvery = 2 * o.ChunkSize
	var log logs
	r.Log = log.logger()
	report, err := r.run(p.t.Context())
	for _, line := range log.lines(slog.LevelWarn) {
		p.saved = p.saved || strings.Contains(line, "resuming")
	}
	if report.ItemsFailed > 0 && err == nil {
		err = errors.New(report.Errors[0].Error)
	}
	return report, err
}

// cut lets the disk forget: all that it may, or by chance.
func (p *powerCuts) cut() {
	if p.rnd.IntN(3) == 0 {
		p.disk = p.disk.survivors(nil)
		return
	}
	p.disk = p.disk.survivors(p.rnd)
}

// want fails the test if there is anything at path but one of the contents, or nothing where that is not one of them.
func (p *powerCuts) want(path string, contents ...[]byte) {
	p.t.Helper()
	state, err := p.disk.find(path)
	for _, c := range contents {
		if c == nil && errors.Is(err, fs.ErrNotExist) || c != nil && err == nil && bytes.Equal(state.data, c) {
			return
		}
	}
	p.t.Fatalf("after boot %d and %d operations: %s has %d bytes that nobody wrote (%v)", p.boots, p.disk.ops, path, len(state.data), err)
}

// put brings a file to the disk, safely.
func (p *powerCuts) put(path string, data []byte) {
	d, names := p.disk, splitPath(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.nodes[1]
	for i, name := range names {
		next := d.nodes[at.now.list[name]]
		if next == nil {
			mode := uint32(0o100644)
			if i < len(names)-1 {
				mode = 0o40755
			}
			next = d.node(mode)
			at.now.list[name] = next.ino
			at.sync()
		}
		at = next
	}
	at.now.data = data
	at.sync()
}

// cuts runs a test in each mode with many series of power cuts.
func cuts(t *testing.T, series int, test func(t *testing.T, p *powerCuts, m limiter.Mode)) {
	real := readBootID
	defer func() { readBootID = real }()
	inModes(t, func(t *testing.T, m limiter.Mode) {
		saved := 0
		for seed := range series {
			p := &powerCuts{t: t, rnd: rand.New(rand.NewPCG(uint64(seed), uint64(m))), disk: newCutDisk()}
			if test(t, p, m); p.saved {
				saved++
			}
		}
		if t.Logf("%d of %d series went on with what was safe", saved, series); saved == 0 {
			t.Error("nothing was ever saved")
		}
	})
}

// With Fsync, whenever the power is cut and whatever of the rest the disk forgets, a file is absent, as it was, or whole;
// and the next run makes it whole, trusting nothing that was lost.
func TestPowerCutFile(t *testing.T) {
	data, old := random(1_000_000), random(1000)
	src := write(t, filepath.Join(t.TempDir(), "f"), data)
	cuts(t, 12, func(t *testing.T, p *powerCuts, m limiter.Mode) {
		o := Options{Sources: []string{src}, Dest: "f", Mode: m, ChunkSize: 64 * kib, Workers: 4, Fsync: true}
		before := []byte(nil)
		if p.rnd.IntN(2) == 0 {
			before = old
			p.put("f", old)
		}
		for range 4 {
			_, err := p.run(o, p.rnd.IntN(60))
			p.cut()
			if p.want("f", before, data); err == nil {
				p.want("f", data) // a run that has ended has told that all is safe
				p.put("f", old)
				before = old
			}
			o.Mode = limiter.Modes[p.rnd.IntN(3)]
		}
		if _, err := p.run(o, -1); err != nil {
			t.Fatal(err)
		}
		p.disk = p.disk.survivors(nil)
		p.want("f", data)
		p.alone("f")
	})
}

// alone fails the test if the root has anything but names.
func (p *powerCuts) alone(names ...string) {
	p.t.Helper()
	root, err := p.disk.find("/")
	if err != nil || len(root.list) != len(names) {
		p.t.Fatalf("%v, %v, want %q", root.list, err, names)
	}
}

// The same holds for a tree: a new one is absent or whole, in one that is there each file is.
func TestPowerCutTree(t *testing.T) {
	files := map[string][]byte{"large": random(300_000), "sub/deep/large": random(200_001), "empty": {}}
	for i := range 20 {
		files[fmt.Sprintf("sub/%d", i)] = random(5000 + i)
	}
	src := filepath.Join(t.TempDir(), "tree")
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(src, name), data)
	}
	old := []byte("old")
	cuts(t, 10, func(t *testing.T, p *powerCuts, m limiter.Mode) {
		o := Options{Sources: []string{src}, Dest: "tree", NoTargetDir: true, Recursive: true, Mode: m, ChunkSize: 64 * kib, Workers: 4, Fsync: true}
		there := p.rnd.IntN(2) == 0
		if there {
			p.put("tree/sub/3", old)
			p.put("tree/large", old)
		}
		check := func(whole bool) {
			if _, err := p.disk.find("tree"); err != nil && !there && !whole {
				return
			}
			for name, data := range files {
				allowed := [][]byte{data}
				if there && !whole {
					allowed = append(allowed, nil, old)
				}
				p.want("tree/"+name, allowed...)
			}
		}
		for range 4 {
			_, err := p.run(o, p.rnd.IntN(250))
			p.cut()
			check(err == nil)
			o.Mode = limiter.Modes[p.rnd.IntN(3)]
		}
		if _, err := p.run(o, -1); err != nil {
			t.Fatal(err)
		}
		p.disk = p.disk.survivors(nil)
		check(true)
		p.alone("tree")
	})
}
