package main

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Two threads that may use one CPU only wait for each other.
func TestCPUDelay(t *testing.T) {
	if readLine("/proc/self/schedstat") == "" {
		t.Skip("this kernel does not keep it")
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Skip(err)
	}
	var one unix.CPUSet
	for cpu := range 1024 {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	const spin = 200 * time.Millisecond
	before := cpuDelays()
	var ready, spun, measured sync.WaitGroup
	ready.Add(2)
	spun.Add(2)
	measured.Add(1)
	var threads sync.WaitGroup
	for range 2 {
		threads.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends, and its affinity with it
			if err := unix.SchedSetaffinity(0, &one); err != nil {
				t.Error(err)
			}
			ready.Done()
			ready.Wait()
			for used := threadTime(t); threadTime(t)-used < spin; {
			}
			spun.Done()
			measured.Wait() // a thread that has ended says nothing
		})
	}
	spun.Wait()
	delay := longestDelay(before, cpuDelays())
	measured.Done()
	threads.Wait()
	if delay < spin/4 {
		t.Errorf("of two threads that each need %v of one CPU, one waited %v", spin, delay)
	}
}

// threadTime returns the CPU time of the calling thread.
func threadTime(t *testing.T) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
