package main

import (
	"fmt"
	"os"
	"time"
)

// others is what other programs used of the CPUs while runs were measured.
type others struct {
	wall, cpu time.Duration // cpu is that of all processors together
}

const (
	// Below that, the hundredths of a second in which the kernel counts say little.
	leastObserved = 200 * time.Millisecond
	notableOthers = 0.25
)

// observe returns a function that is called when a run has ended, and adds what others used meanwhile. Where the system
// does not say what is used in all, nothing is added.
func (o *others) observe() func(run *os.ProcessState) {
	began, own := time.Now(), readUsage()
	before, ok := busyTime()
	return func(run *os.ProcessState) {
		after, stillOK := busyTime()
		if !ok || !stillOK || run == nil {
			return
		}
		now := readUsage() // the servers of the demo are in this process
		self := now.user + now.system - own.user - own.system
		o.cpu += after - before - self - run.UserTime() - run.SystemTime()
		o.wall += time.Since(began)
	}
}

// share returns which share of the CPUs others used, and 0 if that is not known.
func (o *others) share(cores int) float64 {
	if o.wall < leastObserved {
		return 0
	}
	return min(max(o.cpu.Seconds()/(o.wall.Seconds()*float64(cores)), 0), 1)
}

// othersWarning says that the machine was busy with something else, if it was.
func othersWarning(share float64) string {
	if share < notableOthers {
		return ""
	}
	return fmt.Sprintf("other programs used %s of the CPUs meanwhile: if they are no part of what is measured, they slow it "+
		"and look like waiting", percentText(share))
}
