package site

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// Fault is one way in which requests fail.
type Fault struct {
	// Status is what the request is answered with; 0 breaks the connection instead: without an answer, by a reset, or
	// with Cut within the body of a good answer, by an end that comes too early.
	Status int
	Cut    bool
	// Weight is how often this happens, relative to the other faults' weights.
	Weight float64
}

// DefaultFaultMix is [DefaultFaults] as [ParseFaults] reads it.
const DefaultFaultMix = "status:8,cut:1,reset:1"

// DefaultFaults returns what fails as most sites do: four times of five with status 500, 502, 503 or 504, else with a body
// that is cut or a connection that is reset, each as often.
func DefaultFaults() []Fault {
	faults, err := ParseFaults(DefaultFaultMix)
	if err != nil {
		panic(err)
	}
	return faults
}

// ParseFaults reads a list such as "status:8,cut:1,reset". A fault is "cut", "reset", a status from 400 to 599, or
// "status", which is 500, 502, 503 and 504 together; a weight that is not given is 1.
func ParseFaults(text string) ([]Fault, error) {
	var faults []Fault
	for part := range strings.SplitSeq(text, ",") {
		name, weightText, weighed := strings.Cut(part, ":")
		weight := 1.0
		if weighed {
			var err error
			weight, err = strconv.ParseFloat(weightText, 64)
			if err != nil || !(weight > 0) || weight > 1e9 {
				return nil, fmt.Errorf("%q is no weight", weightText)
			}
		}
		switch name {
		case "cut":
			faults = append(faults, Fault{Cut: true, Weight: weight})
		case "reset":
			faults = append(faults, Fault{Weight: weight})
		case "status":
			for _, code := range faultStatus {
				faults = append(faults, Fault{Status: code, Weight: weight / float64(len(faultStatus))})
			}
		case "":
			return nil, errors.New("a fault has no name")
		default:
			code, err := strconv.Atoi(name)
			if err != nil || len(name) != 3 || code < 400 || code > 599 {
				return nil, fmt.Errorf("%q is no fault", name)
			}
			faults = append(faults, Fault{Status: code, Weight: weight})
		}
	}
	return faults, nil
}

var faultStatus = [...]int{
	http.StatusInternalServerError, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// faults decides which requests fail, and how.
type faults struct {
	rate  float64
	kinds []Fault
	total float64 // of their weights
	// asked counts the requests of each URL, by a hash of it: a retry meets the next decision, not the same again.
	asked []atomic.Uint32
}

// maxAsked bounds the memory of that. Above it two URLs share a count, and which of their requests fail depends on the
// order in which they come; how many fail does not.
const maxAsked = 1 << 20

func newFaults(o Options) faults {
	if o.ErrorRate <= 0 || len(o.Faults) == 0 {
		return faults{}
	}
	f := faults{rate: o.ErrorRate, kinds: o.Faults, asked: make([]atomic.Uint32, min(o.Pages, maxAsked))}
	for _, kind := range f.kinds {
		f.total += kind.Weight
	}
	return f
}

// next returns with what the next request for the URL of this key fails, or nil if it does not, and a number from 0 to 1
// that says where in the body.
func (f *faults) next(seed, key uint64) (fault *Fault, where float64) {
	if f.rate <= 0 {
		return nil, 0
	}
	nth := f.asked[key%uint64(len(f.asked))].Add(1)
	z := mix(seed, forFault, key, uint64(nth))
	if unit(z) >= f.rate {
		return nil, 0
	}
	z = mix1(z)
	at, last := unit(z)*f.total, len(f.kinds)-1
	for i := range f.kinds[:last] {
		if at -= f.kinds[i].Weight; at < 0 {
			return &f.kinds[i], unit(mix1(z))
		}
	}
	return &f.kinds[last], unit(mix1(z))
}

// fail does to the request what its fault is, and tells whether it has been answered by that. A body that is to be cut is
// yet to be written.
func (s *Site) fail(w http.ResponseWriter, key uint64) bool {
	fault, where := s.faults.next(s.o.Seed, key)
	switch {
	case fault == nil:
		return false
	case fault.Status != 0:
		http.Error(w, strconv.Itoa(fault.Status)+" "+http.StatusText(fault.Status), fault.Status)
		return true
	}
	e := w.(*exchange)
	if !fault.Cut {
		e.fault = "reset"
		e.connection.reset()
	}
	e.fault, e.cut, e.where = "cut", true, where
	return false
}
