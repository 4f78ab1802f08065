package crawl

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// What a job bounds is what links add. A seed that is left out nobody would tell of again, and the job would end as if all
// were done.
func TestFleetQueuesAllSeeds(t *testing.T) {
	resolve, roots := fleetSite(t, http.NotFound, "a.test", "b.test")
	var seeds []string
	for i := range 30 {
		seeds = append(seeds, fmt.Sprint(roots[i%2], "seed", i))
	}
	for name, bound := range map[string]fleet.Options{"all": {MaxPending: 5}, "host": {MaxPendingPerKey: 5}} {
		bound.URL, bound.Job = redistest.Start(t).URL, name
		text := runFleet(t, 1, Options{
			Workers: 4, Seeds: seeds, Resolve: resolve, Timeout: time.Minute, Fleet: &bound,
		})[0]
		if n := strings.Count(text, `"status":200`); n != len(seeds) {
			t.Errorf("%s: %d of %d seeds", name, n, len(seeds))
		}
	}
}
