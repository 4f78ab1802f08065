package redistest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

const slots = 16384

// StartCluster starts a Cluster of three masters, with more options than that takes.
func StartCluster(tb testing.TB, options ...string) []*Server {
	tb.Helper()
	const n = 3
	var servers []*Server
	for i := range n {
		s := Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "5000"}, options...)...)
		args := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * slots / n; slot < (i+1)*slots/n; slot++ {
			args = append(args, strconv.Itoa(slot))
		}
		must(tb, s, args...)
		must(tb, s, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		servers = append(servers, s)
	}
	for _, s := range servers[1:] {
		host, port, _ := strings.Cut(s.Addr, ":")
		must(tb, servers[0], "CLUSTER", "MEET", host, port)
	}
	deadline := time.Now().Add(60 * time.Second)
	for _, s := range servers {
		for {
			info, err := s.Do("CLUSTER", "INFO")
			if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") {
				break
			}
			if time.Now().After(deadline) {
				tb.Fatalf("the cluster does not form: %v\n%s", err, info)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	return servers
}

func must(tb testing.TB, s *Server, args ...string) {
	tb.Helper()
	if reply, err := s.Do(args...); err != nil || reply != "OK" {
		tb.Fatalf("%s %s: %q, %v", args[0], args[1], reply, err)
	}
}
