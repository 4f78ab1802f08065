package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// traceEach runs each row once more with a trace. A trace costs a little, so these runs are measured by nobody.
func (c *child) traceEach(ctx context.Context, rows []setting, status *screen) ([]traceFile, error) {
	defer status.erase()
	var traces []traceFile
	for i, row := range rows {
		status.draw(fmt.Sprintf("trace %d/%d: %s", i+1, len(rows), row))
		t, err := c.traced(ctx, row)
		if err != nil {
			return nil, err
		}
		traces = append(traces, t)
	}
	return traces, nil
}

func (c *child) traced(ctx context.Context, s setting) (traceFile, error) {
	path := filepath.Join(c.dir, "trace.jsonl")
	c.trace = path
	defer func() { c.trace = "" }()
	if _, err := c.run(ctx, s); err != nil {
		return traceFile{}, err
	}
	return readTrace(path, mostListed)
}
