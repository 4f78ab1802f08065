package nginxtest

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Request is one line of the server's access log.
type Request struct {
	Start  time.Time // the arrival of its first byte, to about 2 ms: nginx's clock stands still while it works
	End    time.Time // the end of the response, to a millisecond
	Status int
	Host   string
	Method string
	URI    string // path and query
}

// Log returns the requests that have been answered so far, in order of their start. nginx writes a line when it has sent
// the response, so the line of the very last one may come a moment after its client has it.
func (s *Server) Log(tb testing.TB) []Request {
	tb.Helper()
	text, err := os.ReadFile(s.path("access.log"))
	if err != nil {
		tb.Fatal(err)
	}
	var requests []Request
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		r, err := parseLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			tb.Fatalf("log line %q: %v", line, err)
		}
		requests = append(requests, r)
	}
	slices.SortStableFunc(requests, func(a, b Request) int { return a.Start.Compare(b.Start) })
	return requests
}

func parseLine(line string) (Request, error) {
	f := strings.SplitN(line, " ", 6)
	if len(f) != 6 {
		return Request{}, fmt.Errorf("%d fields", len(f))
	}
	end, err := strconv.ParseFloat(f[0], 64)
	if err != nil {
		return Request{}, err
	}
	took, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		return Request{}, err
	}
	status, err := strconv.Atoi(f[2])
	if err != nil {
		return Request{}, err
	}
	at := time.UnixMilli(int64(math.Round(end * 1000)))
	return Request{
		Start:  at.Add(-time.Duration(math.Round(took*1000)) * time.Millisecond),
		End:    at,
		Status: status, Host: f[3], Method: f[4], URI: f[5],
	}, nil
}
