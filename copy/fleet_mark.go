package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"pace/limiter/progress"
)

// A worker whose file system is not mounted would copy into an empty folder of its own machine, and say that all is done.
// So the first worker leaves a mark in the folder that all lands in, and every other has to find it: the job's id, and in a
// line of its own what stood for a job of the same name in the names of its parts, if that was deleted, or lost by Redis,
// before its end. What that has left goes with the strays of this one.
func (g *localGround) markName() string { return ".pace-fleet-" + g.job }

var errNoMark = errors.New("is not there")

func (g *localGround) mark(_ context.Context, job string) error {
	name := g.markName()
	shown := g.shown(name)
	_ = g.base.remove(name) // of a job of the same name that was deleted
	m, err := g.base.create(name, 0o644)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", shown, because(err))
	}
	_, err = m.WriteString(job + "\n" + g.former)
	if err == nil {
		err = m.Sync()
	}
	if e := m.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = g.base.sync(shown)
	}
	if err != nil {
		err = fmt.Errorf("cannot write %s: %w", shown, because(err))
	}
	return err
}

func (g *localGround) marked(_ context.Context, job string) error {
	shown := g.shown(g.markName())
	id, _, err := g.readMark()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s, which the first worker of the job has made, %w", shown, errNoMark)
	case err != nil:
		return fmt.Errorf("cannot read %s: %w", shown, because(err))
	case id != job:
		return fmt.Errorf("%s, as this job has it, %w", shown, errNoMark)
	case g.base.readOnly():
		return fmt.Errorf("cannot write to %s: %w", g.path, syscall.EROFS)
	}
	return nil
}

func (g *localGround) readMark() (id, former string, err error) {
	m, err := g.base.open(g.markName())
	if err != nil {
		return "", "", err
	}
	defer func() { _ = m.Close() }()
	text, err := io.ReadAll(io.LimitReader(m, 1000))
	id, former, _ = strings.Cut(string(text), "\n")
	return id, former, err
}

// succeed notes what stands for the job that this one follows, if the mark is that of another.
func (g *localGround) succeed(job string) {
	switch id, former, err := g.readMark(); {
	case err != nil || id == "":
	case id == job:
		g.former = former
	default:
		g.former = shortHash(id)
	}
}

func (g *localGround) unmark(context.Context) error {
	if err := g.removeStrays(g.base, ""); err != nil {
		return err
	}
	err := g.base.remove(g.markName())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w", g.shown(g.markName()), because(err))
	}
	return nil
}

func (g *localGround) sync(ctx context.Context) error {
	op := g.Progress.Begin()
	err := syncAll(g.base.f)
	op.EndAs(ctx, progress.Did{Kind: "sync", Item: g.path, Err: err})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("cannot sync %s: %w", g.path, because(err))
	}
	return nil
}
