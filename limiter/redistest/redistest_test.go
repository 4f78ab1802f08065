package redistest

import (
	"strings"
	"testing"
)

func TestKilledServerKeepsWhatItSaved(t *testing.T) {
	s := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	must(t, s, "SET", "a", "1")
	before, _ := s.Do("INFO", "server")
	s.Kill(t)
	if reply, err := s.Do("PING"); err == nil {
		t.Errorf("a killed server answers %q", reply)
	}
	s.Restart(t)
	if reply, err := s.Do("GET", "a"); err != nil || reply != "1" {
		t.Errorf("got %q, %v", reply, err)
	}
	if after, _ := s.Do("INFO", "server"); runID(after) == runID(before) || runID(after) == "" {
		t.Errorf("run_id %q after %q", runID(after), runID(before))
	}
}

func runID(info string) string {
	_, rest, _ := strings.Cut(info, "run_id:")
	id, _, _ := strings.Cut(rest, "\r")
	return id
}

func TestClusterRoutes(t *testing.T) {
	servers := StartCluster(t)
	moved := 0
	for _, s := range servers {
		reply, err := s.Do("SET", "a", "1")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(reply, "MOVED ") {
			moved++
		} else if reply != "OK" {
			t.Errorf("%s says %q", s.Addr, reply)
		}
	}
	if moved != 2 {
		t.Errorf("%d of three masters say that a key is elsewhere", moved)
	}
}
