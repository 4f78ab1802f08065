package copy

import (
	"sync/atomic"
	"time"
)

// stride is how much one request asks a server for. What it has sent for a request that is killed is lost, and on a fast
// network that is all of it; each request costs a round trip, and on a slow one a long request does not end in time.
type stride struct {
	done  atomic.Int64 // bytes that requests have brought
	first atomic.Int64 // nanoseconds: the shortest that an answer took to begin; 0 before there was one
	speed atomic.Int64 // bytes a second of the last request, its wait included
}

const (
	leastStride = 64 * kib
	// All requests in flight together ask for no more than this part of what was brought: a run that is killed loses
	// about as much at most.
	strideShare = 8
	// The wait for an answer takes no more than about this part of its time, though more of a run may be lost. A network
	// whose answers begin at once needs no such care.
	strideWait = 8
	atOnce     = 500 * time.Microsecond
	// What takes longer than this part of the timeout at the present speed is too long.
	strideTime = 4
)

// next returns how many of the bytes that are left the next request is for, when so many workers make requests.
func (s *stride) next(left int64, workers int, timeout time.Duration) int64 {
	n := max(s.done.Load()/(strideShare*int64(workers)), leastStride)
	speed := float64(s.speed.Load())
	if wait := time.Duration(s.first.Load()); wait > atOnce {
		n = max(n, int64(strideWait*speed*wait.Seconds()))
	}
	if timeout > 0 && speed > 0 {
		n = max(min(n, int64(speed*timeout.Seconds()/strideTime)), leastStride)
	}
	if left-n < n/2 { // what remains is not worth a request
		n = left
	}
	return min(n, left)
}

// answered is told how long an answer took to begin.
func (s *stride) answered(after time.Duration) {
	for {
		old := s.first.Load()
		if old != 0 && old <= int64(after) || s.first.CompareAndSwap(old, max(int64(after), 1)) {
			return
		}
	}
}

// brought is told what came of a request that was answered in full.
func (s *stride) brought(n int64, in time.Duration) {
	s.done.Add(n)
	s.speed.Store(int64(float64(n) / max(in, time.Microsecond).Seconds()))
}
