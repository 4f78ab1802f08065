package copy

import "context"

// Run copies what o says.
func Run(ctx context.Context, o Options) (Report, error) { return Report{}, ctx.Err() }
