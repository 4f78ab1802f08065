// Package limiter decides how fast work goes and how much of it goes at once.
//
// [Rate] spaces operations or bytes in time, [Hosts] keeps a rate and a concurrency for each of many keys, and [Each]
// drives jobs in one of three modes. Nothing here knows what a job is.
package limiter

import (
	"fmt"
	"strings"
)

// Mode is how operations are driven. It never changes what they produce.
//
// Mode implements flag.Value, encoding.TextMarshaler and encoding.TextUnmarshaler.
type Mode int

const (
	// Async keeps N operations in flight on few OS threads; events complete them. It is the zero value and the default.
	Async Mode = iota
	// Threads keeps N operations in flight, each blocking an OS thread of its own in the system call.
	Threads
	// Sequential does one operation at a time, in order.
	Sequential
)

// Modes lists all modes in the order in which comparisons show them.
var Modes = []Mode{Sequential, Threads, Async}

var modeNames = map[Mode]string{Async: "async", Threads: "threads", Sequential: "sequential"}

// String returns the mode's name as --mode takes it.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return fmt.Sprintf("Mode(%d)", int(m))
}

// Set parses a mode's name.
func (m *Mode) Set(s string) error {
	for mode, name := range modeNames {
		if strings.EqualFold(s, name) {
			*m = mode
			return nil
		}
	}
	return fmt.Errorf("%q is not a mode: use sequential, threads or async", s)
}

// MarshalText returns the mode's name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText parses a mode's name.
func (m *Mode) UnmarshalText(text []byte) error { return m.Set(string(text)) }
