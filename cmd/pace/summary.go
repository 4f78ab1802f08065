package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// summary returns the lines that a person wants at the end of a run. err is what ended it, if anything did;
// resume is the command that goes on then, if there is a special one.
func summary(r report, u unit, err error, resume string) string {
	interrupted := errors.Is(err, context.Canceled)
	nothing := r.Items == r.ItemsFailed && r.Bytes == 0
	if nothing && err != nil && !interrupted {
		return "" // the error says why
	}
	var b strings.Builder
	b.WriteString(doneText(r, u) + "\n")
	if !nothing {
		fmt.Fprintf(&b, "%s (%s), %s; %s, %s waiting\n",
			r.Mode, r.Backend, workersText(r), r.Bound.words(), percentText(r.WaitShare))
	}
	if left := leftText(r); left != "" {
		b.WriteString(left + "\n")
	}
	b.WriteString(brokenText(r.BrokenLinks))
	if interrupted {
		if resume != "" {
			resume = "interrupted: resume with: " + escape(resume)
		} else {
			resume = interruptedText(r)
		}
		b.WriteString(resume + "\n")
	}
	return b.String()
}

func workersText(r report) string {
	text := countOf(int64(r.Workers), "worker")
	if r.WorkersAuto {
		text += " found best"
	}
	return text
}

func doneText(r report, u unit) string {
	good := r.Items - r.ItemsFailed
	wall := secondsText(r.WallSeconds)
	if u == inBytes {
		done := map[string]string{"copy": "copied", "verify": "verified"}[r.Tool]
		return fmt.Sprintf("%s %s, %s in %s: %s",
			done, countOf(good, "file"), bytesText(float64(r.Bytes)), wall, u.perSecond(r.BytesPerSecond))
	}
	return fmt.Sprintf("fetched %s, %s in %s: %s",
		countOf(good, "page"), bytesText(float64(r.Bytes)), wall, u.perSecond(r.ItemsPerSecond))
}

// leftText names what was not done, if anything was not, and what was done beside the pages.
func leftText(r report) string {
	var parts []string
	if r.ItemsFailed > 0 {
		parts = append(parts, humanize.Comma(r.ItemsFailed)+" failed")
	}
	if r.ItemsSkipped > 0 {
		parts = append(parts, humanize.Comma(r.ItemsSkipped)+" skipped")
	}
	if r.LinksChecked != nil {
		parts = append(parts, countOf(*r.LinksChecked, "link")+" checked")
	}
	return strings.Join(parts, ", ")
}

func interruptedText(r report) string {
	switch r.Tool {
	case "copy":
		if r.toOutput {
			return "interrupted: the output is not whole"
		}
		return "interrupted: nothing unfinished has its final name; run the same command again to go on"
	case "crawl":
		return "interrupted: the records of all finished pages are written"
	}
	return "interrupted: run the same command again"
}

func countOf(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}

func percentText(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// secondsText writes a run's length with about three digits: 0.052 s, 5.02 s, 1m40s.
func secondsText(s float64) string {
	switch {
	case s < 0.1:
		return fmt.Sprintf("%.3f s", s)
	case s < 100:
		return fmt.Sprintf("%.2f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
