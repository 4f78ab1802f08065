package main

import (
	"runtime/pprof"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// readUsage has no context switches: Windows counts them for the whole system only.
func readUsage() usage {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return usage{}
	}
	return usage{user: span(user), system: span(kernel)}
}

// span reads a FILETIME as a length of time, in units of 100 ns; its Nanoseconds method is for dates.
func span(t windows.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

// threadCount returns how many threads the runtime has created: more than there are, once some have ended.
func threadCount() int64 { return int64(pprof.Lookup("threadcreate").Count()) }

var getProcessMemoryInfo = windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")

// rssPeak returns the PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS.
func rssPeak() int64 {
	counters := struct {
		size, pageFaults             uint32
		peakWorkingSet, workingSet   uintptr
		peakPaged, paged             uintptr
		peakNonPaged, nonPaged       uintptr
		pagefileUsage, peakPagefiles uintptr
	}{}
	counters.size = uint32(unsafe.Sizeof(counters))
	ok, _, _ := getProcessMemoryInfo.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&counters)),
		uintptr(counters.size))
	if ok == 0 {
		return 0
	}
	return int64(counters.peakWorkingSet)
}

var physicallyInstalledMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetPhysicallyInstalledSystemMemory")

// memoryBytes returns what the firmware says is installed.
func memoryBytes() int64 {
	var kib uint64
	if ok, _, _ := physicallyInstalledMemory.Call(uintptr(unsafe.Pointer(&kib))); ok == 0 {
		return 0
	}
	return int64(kib) * 1024
}
