package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"pace/limiter/progress"
)

const (
	drawEvery  = 100 * time.Millisecond
	rateWindow = 3 * time.Second
)

// unit is what a tool's progress is counted in.
type unit int

const (
	inBytes unit = iota
	inPages
)

// bar draws a Counter on a screen ten times a second. It only reads the Counter, so it costs the workers nothing.
type bar struct {
	screen  *screen
	counter *progress.Counter
	unit    unit
	window  window
	stopped chan struct{}
	wg      sync.WaitGroup
}

// startBar starts drawing; stop ends it.
func startBar(s *screen, c *progress.Counter, u unit) *bar {
	b := &bar{screen: s, counter: c, unit: u, stopped: make(chan struct{})}
	b.wg.Go(func() {
		tick := time.NewTicker(drawEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.draw()
			case <-b.stopped:
				return
			}
		}
	})
	return b
}

// stop draws the last state and leaves it on the screen. A nil bar does nothing.
func (b *bar) stop() {
	if b == nil {
		return
	}
	close(b.stopped)
	b.wg.Wait()
	b.draw()
	b.screen.finish()
}

func (b *bar) draw() {
	s := b.counter.Snapshot()
	b.window.add(s.Elapsed, b.unit.done(s))
	b.screen.draw(barLine(b.screen.width()-1, b.unit, s, b.window.rate()))
}

func (u unit) done(s progress.Snapshot) int64 {
	if u == inBytes {
		return s.Bytes
	}
	return s.Items + s.ItemsSkipped
}

func (u unit) total(s progress.Snapshot) int64 {
	if u == inBytes {
		return s.BytesTotal
	}
	return s.ItemsTotal
}

func (u unit) amount(n int64) string {
	if u == inBytes {
		return bytesText(float64(n))
	}
	return humanize.Comma(n)
}

func (u unit) perSecond(rate float64) string {
	if u == inBytes {
		return bytesText(rate) + "/s"
	}
	return countText(rate) + " pages/s"
}

// barLine returns the line for a snapshot, at most width columns wide. What matters least is left out first, and a bar
// fills what is left over.
func barLine(width int, u unit, s progress.Snapshot, rate float64) string {
	done, total := u.done(s), max(u.total(s), u.done(s))
	known := u.amount(total)
	if !s.TotalKnown {
		known += "+" // it grows, so there is no honest ETA
	}
	counts := u.amount(done) + "/" + known
	if u == inPages {
		counts += " pages"
	}
	parts := []part{{1, counts}, {2, u.perSecond(rate)}}
	if s.TotalKnown && rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		parts = append(parts, part{3, "ETA " + etaText(left)})
	}
	switch {
	case s.InFlight > 0 && s.Workers > 0:
		parts = append(parts, part{5, fmt.Sprintf("%d of %d in flight", s.InFlight, s.Workers)})
	case s.InFlight > 0:
		parts = append(parts, part{5, fmt.Sprintf("%d in flight", s.InFlight)})
	}
	if s.ItemsFailed > 0 {
		parts = append(parts, part{4, fmt.Sprintf("%d failed", s.ItemsFailed)})
	}
	const percent = len("100% ")
	text := fit(parts, width-percent)
	if left := width - percent - len("[] ") - len(text); left >= 10 {
		return drawn(done, total, min(left, 40), text)
	}
	return clip(fmt.Sprintf("%3d%% %s", percentOf(done, total), text), width)
}

// part is a piece of the line; those with a higher rank go first when space is short.
type part struct {
	rank int
	text string
}

// fit joins as many parts as width allows, lowest ranks first, in their given order.
func fit(parts []part, width int) string {
	for rank := 5; ; rank-- {
		var kept []string
		for _, p := range parts {
			if p.rank <= rank {
				kept = append(kept, p.text)
			}
		}
		if text := strings.Join(kept, "  "); len(text) <= width || rank == 1 {
			return text
		}
	}
}

// drawn returns " 45% [====>.....] text". progressbar renders it here into a string: its own printing would mix with the
// log lines, and its rate is an average over all of the run.
func drawn(done, total int64, width int, text string) string {
	p := progressbar.NewOptions64(max(total, 1),
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetRenderBlankState(true),
	)
	_ = p.Set64(done) // fails only on a count above the total
	return strings.TrimRight(strings.TrimPrefix(p.String(), "\r "), " ") + " " + text
}

func percentOf(done, total int64) int64 {
	if total == 0 {
		return 0
	}
	return int64(float64(done) / float64(total) * 100)
}

func clip(s string, width int) string { return s[:max(min(len(s), width), 0)] }

// window keeps the last seconds of a growing number to tell how fast it grows now.
type window struct{ samples []sample }

type sample struct {
	at   time.Duration
	done int64
}

func (w *window) add(at time.Duration, done int64) {
	w.samples = append(w.samples, sample{at, done})
	// One sample from before the window stays, so that the window is spanned whole.
	for len(w.samples) > 2 && w.samples[1].at <= at-rateWindow {
		w.samples = w.samples[1:]
	}
}

// rate returns the growth a second between the oldest and the newest sample. A single one is measured from zero.
func (w *window) rate() float64 {
	if len(w.samples) == 0 {
		return 0
	}
	first, last := w.samples[0], w.samples[len(w.samples)-1]
	if len(w.samples) == 1 || first.at > last.at-drawEvery {
		first = sample{}
	}
	if last.at <= first.at {
		return 0
	}
	return float64(last.done-first.done) / (last.at - first.at).Seconds()
}

// etaText rounds a time left to what can be known of it: 9s, 4m10s, 3h20m, 2d.
func etaText(d time.Duration) string {
	switch {
	case d > 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d > time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// bytesText writes a number of bytes as people read it: 512 MiB, 1.2 GiB.
func bytesText(n float64) string { return humanize.IBytes(uint64(max(n, 0))) }

// countText writes a number with three digits that matter: 0.25, 4.9, 318, 12,400.
func countText(n float64) string {
	switch {
	case n >= 100:
		return humanize.Comma(int64(n + 0.5))
	case n >= 10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}
