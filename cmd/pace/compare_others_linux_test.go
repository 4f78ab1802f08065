package main

import (
	"os"
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	for _, test := range []struct {
		stat string
		want time.Duration
		ok   bool
	}{
		{"cpu  100 20 300 5000 600 7 8 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0", 4440 * time.Millisecond, true}, // without 5000 and 600
		{"cpu  100 20 300 5000 600 7 8 9", 4440 * time.Millisecond, true},
		{"cpu  100 20 300 5000", 0, false}, // before Linux 2.6.11
		{"cpu  100 20 x 5000 600 7 8 9", 0, false},
		{"", 0, false},
	} {
		if got, ok := parseBusy(test.stat); got != test.want || ok != test.ok {
			t.Errorf("%q: %v, %v; want %v, %v", test.stat, got, ok, test.want, test.ok)
		}
	}
	before, ok := busyTime()
	if !ok || before <= 0 {
		t.Errorf("this system's: %v, %v", before, ok)
	}
}

// What this process itself uses is not another's: the demo's servers are in it.
func TestOthersAreOthers(t *testing.T) {
	run, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := run.Wait()
	if err != nil {
		t.Fatal(err)
	}
	const used = 300 * time.Millisecond
	var o others
	before, _ := busyTime()
	done := o.observe()
	for began := readUsage().user; readUsage().user-began < used; {
	}
	done(state)
	after, _ := busyTime()
	if o.wall <= 0 || after-before-o.cpu < used {
		t.Errorf("others used %v of %v in %v, and this process %v", o.cpu, after-before, o.wall, used)
	}
}

func TestOthersShare(t *testing.T) {
	for _, test := range []struct {
		o     others
		cores int
		want  float64
		warns bool
	}{
		{others{}, 2, 0, false},
		{others{wall: time.Second, cpu: time.Second}, 2, 0.5, true},
		{others{wall: time.Second, cpu: time.Second}, 8, 0.125, false},
		{others{wall: 100 * time.Millisecond, cpu: 200 * time.Millisecond}, 2, 0, false}, // too short to tell
		{others{wall: time.Second, cpu: -time.Millisecond}, 2, 0, false},                 // by the coarse clock
		{others{wall: time.Second, cpu: 3 * time.Second}, 2, 1, true},
	} {
		got := test.o.share(test.cores)
		if got != test.want || (othersWarning(got) != "") != test.warns {
			t.Errorf("%+v on %d cores: %v, %q", test.o, test.cores, got, othersWarning(got))
		}
	}
}
