package main

import (
	"sync"
	"time"

	"pace/limiter"
)

// usage is what the process has used so far.
type usage struct {
	user, system           time.Duration // CPU time of all threads
	voluntary, involuntary int64         // context switches of all threads
}

// measured is what the process used during a run.
type measured struct {
	started time.Time
	wall    time.Duration
	usage
	threadsPeak int64         // OS threads of the process; 0 where they cannot be counted
	delay       time.Duration // see cpuDelay
	rssPeak     int64         // bytes of memory that were resident at most, since the process began; 0 likewise
}

// meter measures a run from startMeter to stop.
type meter struct {
	started time.Time
	before  usage
	delayed time.Duration // cpuDelay before the run
	peak    int64         // written by the sampler only, read after it has left
	stopped chan struct{}
	wg      sync.WaitGroup
}

func startMeter() *meter {
	m := &meter{started: time.Now(), before: readUsage(), delayed: cpuDelay(), peak: threadCount(), stopped: make(chan struct{})}
	m.wg.Go(m.sample)
	return m
}

func (m *meter) stop() measured {
	last := threadCount()
	now := readUsage()
	wall := time.Since(m.started)
	close(m.stopped)
	m.wg.Wait()
	return measured{
		started: m.started,
		wall:    wall,
		usage: usage{
			user:        now.user - m.before.user,
			system:      now.system - m.before.system,
			voluntary:   now.voluntary - m.before.voluntary,
			involuntary: now.involuntary - m.before.involuntary,
		},
		threadsPeak: max(m.peak, last),
		delay:       max(cpuDelay()-m.delayed, 0),
		rssPeak:     rssPeak(),
	}
}

// sample counts threads often at first, when a short run has its only workers, and seldom later: each sample wakes a
// thread, and its context switch is counted with those of the run.
func (m *meter) sample() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.stopped:
			return
		case <-timer.C:
			m.peak = max(m.peak, threadCount())
			timer.Reset(sampleAfter(time.Since(m.started)))
		}
	}
}

func sampleAfter(elapsed time.Duration) time.Duration {
	switch {
	case elapsed < 20*time.Millisecond:
		return time.Millisecond
	case elapsed < time.Second:
		return 10 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// knownDelay returns cpuDelay's figure, but 0 for threads mode: its threads have left when they could be asked.
func knownDelay(mode limiter.Mode, delay time.Duration) time.Duration {
	if mode == limiter.Threads {
		return 0
	}
	return delay
}
