package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserPage is a page in a headless Chromium that can resolve no name, and what it said and asked for.
type browserPage struct {
	context.Context

	mu    sync.Mutex
	asked []string // guarded by mu
	said  []string // guarded by mu
}

// openPage opens a file in a browser, or skips the test where there is none.
func openPage(t *testing.T, file string) *browserPage {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
			t.Fatal("chromium is missing, and PACE_REQUIRE_SERVERS is set: `make test` installs it")
		}
		t.Skip("chromium is missing: `make test` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	p := &browserPage{Context: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	call(t, p, network.Enable, network.EnableParams{})
	call(t, p, log.Enable, cdp.Empty{})
	call(t, p, runtime.Enable, cdp.Empty{})
	u := url.URL{Scheme: "file", Path: file}
	if err := chromedp.Do(p, chromedp.Navigate(u.String())); err != nil {
		t.Fatal(err)
	}
	return p
}

func call[P any](t *testing.T, p *browserPage, command cdp.Command[P, cdp.Empty], params P) {
	t.Helper()
	if _, err := chromedp.Call(p, command, params); err != nil {
		t.Fatal(err)
	}
}

func (p *browserPage) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	case *log.EventEntryAdded:
		p.said = append(p.said, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		p.said = append(p.said, fmt.Sprint(e.Type))
	case *runtime.EventExceptionThrown:
		p.said = append(p.said, e.ExceptionDetails.Text)
	}
}

// inPage returns what an expression is in the page.
func inPage[T any](t *testing.T, p *browserPage, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// view sets the width of the window, and which colours its user prefers.
func (p *browserPage) view(t *testing.T, width int64, colours, media string) {
	t.Helper()
	if err := chromedp.Do(p, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatal(err)
	}
	call(t, p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}},
	})
}

// TestHTMLReportInABrowser opens reports in a real browser: nothing runs, nothing is loaded, every picture is seen at every
// width and in the colours that were asked for. With PACE_SCREENSHOTS set to a folder, it leaves pictures there.
func TestHTMLReportInABrowser(t *testing.T) {
	text, err := htmlReport("pace compare", []comparison{sampleComparison(300, nil), sampleComparison(60, []string{"1", "4", "16"})})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := openPage(t, file)
	if title := inPage[string](t, p, `document.title`); title != "pace compare" {
		t.Errorf("the title is %q: something ran", title)
	}
	if n := inPage[int](t, p, `document.querySelectorAll("script, img").length`); n != 0 {
		t.Errorf("%d elements came from outside", n)
	}
	if shown := inPage[string](t, p, `document.querySelector("code").innerText`); !strings.Contains(shown, "<script>document.title=") {
		t.Errorf("the command is shown as %s", shown)
	}
	for _, width := range []int64{1200, 768, 360} {
		for _, colours := range []string{"light", "dark"} {
			p.view(t, width, colours, "screen")
			name := fmt.Sprintf("%d-%s", width, colours)
			checkSeen(t, p, name)
			dark := inPage[string](t, p, `getComputedStyle(document.body).backgroundColor`) != "rgb(255, 255, 255)"
			if dark != (colours == "dark") {
				t.Errorf("%s: the page is dark: %v", name, dark)
			}
			screenshot(t, p, name)
		}
	}
	p.view(t, 700, "dark", "print")
	checkSeen(t, p, "print")
	screenshot(t, p, "print")
	if ground := inPage[string](t, p, `getComputedStyle(document.body).backgroundColor`); ground != "rgb(255, 255, 255)" {
		t.Errorf("it is printed on %s", ground)
	}
	asked, said := p.heard()
	for _, url := range asked {
		if !strings.HasPrefix(url, "file://") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the report asks for %s", url)
		}
	}
	if len(asked) == 0 || len(said) > 0 {
		t.Errorf("the browser has asked for %q, and says: %q", asked, said)
	}
	// What would run after all may load nothing, and would have been heard of.
	inPage[bool](t, p, `fetch("data:,x").then(() => false, () => console.error("refused")), true`)
	for i := 0; ; i++ {
		if _, said := p.heard(); len(said) > 1 && strings.Contains(strings.Join(said, "\n"), "Content Security Policy") {
			break
		} else if i == 6000 {
			t.Fatalf("a script may load something, or is not heard: %q", said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// heard returns what the page has asked for, and what was said of it.
func (p *browserPage) heard() (asked, said []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked), slices.Clone(p.said)
}

// checkSeen checks that one picture of each chart is shown, with marks that have a size and a colour, and that nobody has
// to scroll sideways.
func checkSeen(t *testing.T, p *browserPage, name string) {
	t.Helper()
	if over := inPage[int](t, p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		t.Errorf("%s: the page is %d px too wide", name, over)
	}
	const bad = `[...document.querySelectorAll("figure")].filter(f => {
		const shown = [...f.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width > 0);
		if (shown.length !== 1) return true;
		const box = shown[0].getBoundingClientRect();
		const marks = [...shown[0].querySelectorAll(".m, .area, .wait, .curve")].filter(m => {
			const b = m.getBoundingClientRect(), style = getComputedStyle(m);
			return b.width + b.height > 0 && (style.fill !== "none" || style.stroke !== "none");
		});
		const cut = [...shown[0].querySelectorAll("text")].filter(e => {
			const b = e.getBoundingClientRect();
			return b.left < box.left - 2 || b.right > box.right + 2 || b.bottom > box.bottom + 2;
		});
		f.wrong = marks.length < 3 ? " has " + marks.length + " marks" : cut.length > 0 ? " cuts " + cut[0].textContent : "";
		return f.wrong !== "";
	}).map(f => f.id + (f.wrong || " is not one picture")).join(", ")`
	if ids := inPage[string](t, p, bad); ids != "" {
		t.Errorf("%s: %s", name, ids)
	}
	const small = `Math.min(...[...document.querySelectorAll("svg text")].filter(e => e.getBoundingClientRect().width > 0)
		.map(e => e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width *
			parseFloat(getComputedStyle(e).fontSize)))`
	if size := inPage[float64](t, p, small); size < 10 {
		t.Errorf("%s: a text of %.1f px", name, size)
	}
}

func screenshot(t *testing.T, p *browserPage, name string) {
	t.Helper()
	dir := os.Getenv("PACE_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
