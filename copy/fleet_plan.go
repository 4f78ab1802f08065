package copy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"pace/limiter/fleet"
)

// fleetPlan says where everything lands. The first worker finds it and all others go by it, because the same command may
// mean something else once the destination is there.
type fleetPlan struct {
	Base    []byte // the folder that all lands in: a path need not be UTF-8
	Sources []plannedSource
	Former  string `json:",omitempty"` // what stands for the job that this one follows, in the names of its parts
}

// plannedSource is one source of a plan.
type plannedSource struct {
	Lands  []byte // its path in the base; empty for a tree whose contents land there
	Single bool   // it is no tree
	Type   uint32 // of it, as an fs.FileMode
	Inode  uint64 // other file systems of the same name have another one, or another time
	Time   int64  // when it was last modified, in nanoseconds since 1970
}

// planFleet says where everything lands as it is now, and looks whether it can.
func (f *fleetRun) planFleet(ctx context.Context) (fleetPlan, error) {
	items, err := plan(&f.Options)
	if err != nil {
		return fleetPlan{}, err
	}
	into, err := intoDir(&f.Options)
	if err != nil {
		return fleetPlan{}, err
	}
	p := fleetPlan{Base: []byte(f.Dest)}
	if mergesAny(&f.Options, items) {
		return fleetPlan{}, usagef("a fleet does not mix the contents of several sources: it has no order")
	}
	landings := map[string]bool{}
	for _, it := range items {
		if it.err != nil {
			return p, fmt.Errorf("cannot read %s: %w", it.src, because(it.err))
		}
		if it.from != nil {
			if err := f.findObject(ctx, &it); err != nil {
				return p, err
			}
		}
		if err := f.aimFleet(&it); err != nil {
			return p, err
		}
		if it.to != nil {
			p.Base = []byte(object{bucket: it.to.bucket}.String())
		} else if !into {
			p.Base = []byte(filepath.Dir(trimSlashes(it.dst)))
		}
		s, err := f.planSource(it, string(p.Base))
		if err != nil {
			return p, err
		}
		if s.Single && landings[string(s.Lands)] {
			return p, usagef("two sources would become %s", it.dst)
		}
		landings[string(s.Lands)] = s.Single
		p.Sources = append(p.Sources, s)
	}
	if IsS3(f.Dest) {
		return p, nil
	}
	d, err := openDir(string(p.Base)) // before there is a job that could not be begun otherwise
	if err != nil {
		return p, fmt.Errorf("cannot write to %s: %w", p.Base, because(err))
	}
	return p, d.close()
}

// aimFleet looks at what is in the way of a source that is no tree. Where its destination is a link, that is resolved.
func (f *fleetRun) aimFleet(it *item) error {
	if it.isTree(&f.Options) || it.to != nil {
		return f.checkUp(it)
	}
	t, err := f.target(*it)
	switch {
	case err != nil:
		return err
	case t.inPlace != 0:
		return usagef("%s is a %s: a fleet copies to files", it.dst, kind(t.inPlace))
	case t.path != "":
		it.dst = t.path
	}
	return nil
}

func (f *fleetRun) planSource(it item, base string) (plannedSource, error) {
	if it.from != nil || it.to != nil {
		return f.planObject(it, base)
	}
	tree := it.isTree(&f.Options)
	lands, err := filepath.Rel(base, trimSlashes(it.dst))
	if err != nil {
		return plannedSource{}, err
	}
	if lands == "." {
		lands = ""
	}
	m := metaOfInfo(it.info)
	if tree {
		if err := outsideSource(it, base); err != nil {
			return plannedSource{}, err
		}
	}
	return plannedSource{
		Lands: []byte(filepath.ToSlash(lands)), Single: !tree, Type: uint32(it.info.Mode().Type()),
		Inode: m.ino, Time: m.mtime.UnixNano(),
	}, nil
}

// outsideSource returns an error if a tree would land in itself.
func outsideSource(it item, base string) error {
	src, err := openDir(it.src)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", it.src, because(err))
	}
	defer func() { _ = src.close() }()
	to, err := openDir(base)
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", base, because(err))
	}
	defer func() { _ = to.close() }()
	there, err := statPath(it.dst, true)
	us, ourErr := src.meta()
	switch {
	case src.holds(to):
		return usagef("cannot copy the directory %s into itself, %s", it.src, it.dst)
	case err == nil && ourErr == nil && sameFile(there, us):
		return usagef("%s and %s are the same directory", it.src, it.dst)
	}
	return nil
}

// Names of what the workers of a job tell one another.
const (
	sharedPlan    = "plan"
	sharedSettled = "settled"
	planKey       = "0/plan" // whoever leases it makes the plan
)

const markPatience = 90 * time.Second // NFS remembers for a minute that there was no such file

// agree takes the plan of the job, or makes mine that of the job, and makes sure that this worker sees what the others do.
func (f *fleetRun) agree(ctx context.Context, mine fleetPlan) error {
	for {
		settled, err := f.takePlan(ctx)
		switch {
		case err != nil:
			return err
		case settled:
			return f.comeLate(ctx)
		case f.plan.Base != nil:
			if err := f.openPlaces(); err != nil {
				return err
			}
			return f.findMark(ctx)
		}
		l, err := f.job.Claim(ctx, planKey)
		if err != nil {
			return err
		}
		if l != nil {
			led, err := f.lead(ctx, mine, l)
			if releaseErr := f.release(ctx, fleet.Released{Lease: l}); err == nil {
				err = releaseErr
			}
			if led || err != nil {
				return err
			}
			continue // another one leads
		}
		// Nobody but who asks for leases takes back those of the dead.
		switch a, err := f.job.Lease(ctx, 0, 0); {
		case err != nil:
			return err
		case a.State == fleet.Draining:
			return errDrained
		}
		if !pause(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// comeLate is for a worker that joins when only the end of the job is left, and its mark may be gone. One that was stopped
// while it led may have put the mark there again since.
func (f *fleetRun) comeLate(ctx context.Context) error {
	err := f.openPlaces()
	if err == nil && f.hasMarked {
		err = f.ground.unmark(ctx)
	}
	return err
}

var errDrained = errors.New("the job is drained: what is left of it waits for pace fleet resume")

// takePlan reads the plan if there is one.
func (f *fleetRun) takePlan(ctx context.Context) (settled bool, err error) {
	shared, _, err := f.job.Shared(ctx)
	if err != nil || shared[sharedPlan] == "" {
		return false, err
	}
	if err := json.Unmarshal([]byte(shared[sharedPlan]), &f.plan); err != nil {
		return false, fmt.Errorf("the plan of the job makes no sense: %w", err)
	}
	if len(f.plan.Sources) != len(f.Sources) {
		return false, errors.New("the plan of the job has other sources")
	}
	return shared[sharedSettled] != "", nil
}

// lead makes mine the plan, or returns false if there is another one. The mark stands before anyone can know the plan, and
// so before the job has any item.
func (f *fleetRun) lead(ctx context.Context, mine fleetPlan, l *fleet.Lease) (bool, error) {
	f.plan = mine
	err := f.openPlaces()
	if err == nil {
		err = l.Check()
	}
	if g, ok := f.ground.(*localGround); ok && err == nil {
		g.succeed(f.job.Record().ID)
		f.plan.Former = g.former
	}
	if err == nil {
		f.hasMarked = true
		err = f.ground.mark(ctx, f.job.Record().ID)
	}
	if err == nil {
		err = f.sharePlan(ctx)
	}
	if errors.Is(err, errOtherPlan) || errors.Is(err, fleet.ErrLost) {
		f.plan = fleetPlan{}
		return false, nil
	}
	return err == nil, err
}

var errOtherPlan = errors.New("redis has lost the plan of the job, and another worker has begun the job again by another one")

// sharePlan tells all workers the plan. An error is errOtherPlan if they know another one.
func (f *fleetRun) sharePlan(ctx context.Context) error {
	text, err := json.Marshal(f.plan)
	if err != nil {
		return err
	}
	known, err := f.job.ShareOnce(ctx, sharedPlan, string(text))
	if err == nil && known != string(text) {
		err = errOtherPlan
	}
	return err
}

// openPlaces opens the sources and the destination, once for all that follows.
func (f *fleetRun) openPlaces() error {
	f.closePlaces()
	for i, s := range f.plan.Sources {
		shelf, err := f.openShelf(f.Sources[i], s)
		if err != nil {
			return err
		}
		f.shelves = append(f.shelves, shelf)
		if IsS3(f.Sources[i]) {
			continue
		}
		if err := f.looksSame(f.Sources[i], s); err != nil {
			return err
		}
	}
	ground, err := f.openGround(string(f.plan.Base), f.job.Record().Created)
	if err != nil {
		return err
	}
	if g, ok := ground.(*localGround); ok {
		g.former = f.plan.Former
	}
	f.ground = ground
	return nil
}

func notMounted(err error) error { return fmt.Errorf("%w: is it mounted here?", err) }

// looksSame returns an error if a source is surely not what the others see. Not all file systems have inode numbers that are
// the same everywhere, and a time can change.
func (f *fleetRun) looksSame(src string, s plannedSource) error {
	info, err := look(src, f.Recursive)
	if err != nil {
		return notMounted(fmt.Errorf("cannot read %s: %w", src, because(err)))
	}
	m := metaOfInfo(info)
	if uint32(info.Mode().Type()) != s.Type || m.ino != s.Inode && m.mtime.UnixNano() != s.Time {
		return notMounted(fmt.Errorf("%s is not what the other workers of the job have there", src))
	}
	return nil
}

// findMark waits until the mark of the job is seen.
func (f *fleetRun) findMark(ctx context.Context) error {
	for start := time.Now(); ; {
		err := f.ground.marked(ctx, f.job.Record().ID)
		if err == nil || !errors.Is(err, errNoMark) {
			return err
		}
		switch settled, e := f.takePlan(ctx); {
		case e != nil:
			return e
		case settled:
			return nil
		case time.Since(start) > f.markWait():
			return notMounted(err)
		}
		if !pause(ctx, 100*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func (f *fleetRun) markWait() time.Duration {
	if f.markPatience > 0 {
		return f.markPatience
	}
	return markPatience
}

// lands returns where the path rel of a source goes.
func (f *fleetRun) lands(source int, rel string) string {
	return join(string(f.plan.Sources[source].Lands), rel)
}

// parent returns the group that waits for rel of a source.
func (f *fleetRun) parent(source int, rel string) string {
	if rel == "" || f.plan.Sources[source].Single {
		return groupTop
	}
	return folderGroup(source, above(rel))
}

// leftOut says whether the filter leaves rel out.
func (f *fleetRun) leftOut(rel string, dir bool) bool {
	return f.Filter != nil && f.Filter.Excludes(strings.TrimPrefix(rel, "/"), dir)
}
