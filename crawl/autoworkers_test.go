package crawl

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pace/crawl/site"
	"pace/limiter"
)

// crawlAuto crawls a site of 300 pages that answers so many requests at a time, each in so long.
func crawlAuto(t *testing.T, m limiter.Mode, places int, service time.Duration, o Options) Report {
	t.Helper()
	pages := site.New(site.Options{Pages: 300, PageSize: 2 << 10}).Handler()
	busy := make(chan struct{}, places)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		busy <- struct{}{}
		timer := time.NewTimer(service)
		defer timer.Stop()
		<-timer.C
		<-busy
		pages.ServeHTTP(w, r)
	}))
	defer server.Close()
	var out lineCounter
	o.Seeds, o.Mode, o.Depth, o.AutoWorkers = []string{server.URL}, m, 1000, true
	o.Output = &out
	report, err := Run(t.Context(), o)
	if err != nil || report.Items != 300 || report.ItemsFailed > 0 || out.lines != 300 {
		t.Fatalf("%d records of %d pages, %d failed: %v", out.lines, report.Items, report.ItemsFailed, err)
	}
	return report
}

func TestAutoWorkers(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		report := crawlAuto(t, m, 100, 5*time.Millisecond, Options{MaxWorkers: 20})
		if m == limiter.Sequential {
			if report.Workers != 1 || report.WorkerSteps != nil {
				t.Errorf("%d workers, %v", report.Workers, report.WorkerSteps)
			}
			return
		}
		if len(report.WorkerSteps) == 0 || report.InFlightPeak > 20 {
			t.Errorf("%d in flight, %v", report.InFlightPeak, report.WorkerSteps)
		}
		for _, s := range report.WorkerSteps {
			if s.Workers < 1 || s.Workers > 20 {
				t.Errorf("%d workers after %v", s.Workers, s.After)
			}
		}
	})
}

// Politeness bounds what is in flight, and more workers than have something to do are not asked for.
func TestAutoWorkersAreBoundByPoliteness(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		report := crawlAuto(t, m, 100, time.Millisecond, Options{PerHost: 2})
		for _, s := range report.WorkerSteps {
			if s.Workers > 8 {
				t.Errorf("%d workers after %v, and two may ask at a time", s.Workers, s.After)
			}
		}
	})
}
