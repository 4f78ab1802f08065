package main

import (
	"time"

	"pace/limiter"
)

// bound is what a run spent most of its time on.
type bound string

const (
	boundIO      bound = "io"
	boundCPU     bound = "cpu"
	boundLimiter bound = "limiter"
)

// usableCPUs returns U, how many CPUs the run could keep busy: 1 in sequential mode, what the backend says where it has
// a bound of its own (1 a ring), otherwise one a worker; never more than the machine gives the process.
//
//	U = min(workers or rings, affinity, cgroup quota)
func usableCPUs(mode limiter.Mode, o outcome, machineCPUs float64) float64 {
	u := o.workers
	for _, s := range o.steps {
		u = max(u, s.Workers)
	}
	if o.cpus > 0 {
		u = min(u, o.cpus)
	}
	if mode == limiter.Sequential {
		u = 1
	}
	return min(float64(max(u, 1)), machineCPUs)
}

// waitShare returns which part of the time the CPUs stood idle while some worker held a job, whatever was waited for.
//
//	wait_share = clamp(1 - CPU / (U * T), 0, 1)
//
// CPU is the user and system time of the run. T is the wall time in which some worker held a job, waiting for a limit or
// executing. With T = 0 nothing was waited for: 0.
func waitShare(cpu time.Duration, u float64, t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	return min(max(1-cpu.Seconds()/(u*t.Seconds()), 0), 1)
}

// boundOf names what bounded the run.
//
//	"limiter" if limiter_wait / T > 0.5,
//	"cpu"     else if wait_share < 0.5,
//	"io"      else
//
// limiterWait is the wall time in which some worker stood idle only for a rate or a delay. A copy from page cache to page
// cache is honestly "cpu": the processor moves the bytes.
func boundOf(waitShare float64, limiterWait, t time.Duration) bound {
	switch {
	case t > 0 && limiterWait.Seconds()/t.Seconds() > 0.5:
		return boundLimiter
	case waitShare < 0.5:
		return boundCPU
	}
	return boundIO
}

// words says the bound in a sentence's words.
func (b bound) words() string {
	return map[bound]string{
		boundIO: "I/O-bound", boundCPU: "CPU-bound", boundLimiter: "held back by its rate limit",
	}[b]
}
