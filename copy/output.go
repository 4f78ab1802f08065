package copy

import (
	"context"
	"fmt"
)

// outputName is what messages call Options.Output.
const outputName = "-"

func checkOutput(o *Options) error {
	switch {
	case len(o.Sources) > 1:
		return usagef("%d sources cannot all go to the output", len(o.Sources))
	case o.Recursive:
		return usagef("a tree cannot go to the output")
	case o.Verify:
		return usagef("what went to the output cannot be read back to verify it")
	case o.TargetDir, o.NoTargetDir:
		return usagef("the output is neither a file nor a folder")
	case o.Reflink == ReflinkAlways:
		return usagef("the output cannot share data")
	}
	return checkRemote(o)
}

// copyOut is the job that writes a file of this machine to the output.
func (r *run) copyOut(ctx context.Context, it item) error {
	switch {
	case it.err != nil:
		return r.failed(ctx, it.src, fmt.Errorf("cannot read %s: %w", it.src, because(it.err)), false)
	case it.info.IsDir():
		return r.failed(ctx, it.src, fmt.Errorf("-r not specified; omitting directory %s", it.src), false)
	case !it.info.Mode().IsRegular():
		err := fmt.Errorf("%s is a %s: only regular files can be copied", it.src, kind(it.info.Mode()))
		return r.failed(ctx, it.src, err, false)
	case r.DryRun:
		r.tell(it.src, it.dst)
		return nil
	}
	from := &localSource{run: r, shown: it.src}
	y := &relay{run: r, src: it.src, dst: it.dst, from: from, to: newOrdered(r, it.src, r.chunk, r.Output)}
	y.counted = it.size()
	return y.openAndStart(ctx)
}
