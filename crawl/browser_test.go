package crawl

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pace/limiter"
	"pace/limiter/nginxtest"
)

// browser is a headless Chromium that is spoken to over a pipe, in the DevTools protocol.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	id      int
}

// devtoolsMessage is what goes either way.
type devtoolsMessage struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     any             `json:"error,omitempty"`
}

// startBrowser starts a browser with one empty page, or skips the test where there is none.
func startBrowser(t *testing.T) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		nginxtest.Missing(t, "chromium")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
		"--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4, by the protocol
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	b := &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() {
		b.call("Browser.close", nil)
		_ = cmd.Wait()
		_, _ = in.Close(), out.Close()
	})
	var target struct{ TargetID string }
	b.result("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.result("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.result("Network.enable", nil, nil)
	b.result("Page.enable", nil, nil)
	return b
}

func (b *browser) call(method string, params any) {
	b.id++
	text, err := json.Marshal(devtoolsMessage{ID: b.id, Method: method, SessionID: b.session, Params: params})
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	if err != nil {
		b.t.Error(err)
	}
}

func (b *browser) read() (m devtoolsMessage) {
	text, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatal("the browser is gone:", err)
	}
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	return m
}

// result calls a method and waits for what it returns.
func (b *browser) result(method string, params, into any) {
	b.t.Helper()
	b.call(method, params)
	for m := b.read(); ; m = b.read() {
		if m.ID != b.id {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %v", method, m.Error)
		}
		if into != nil {
			if err := json.Unmarshal(m.Result, into); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// load opens a file, which is loaded after a number of pages, and returns what the browser asked for, and what of it
// failed.
func (b *browser) load(file string, loads int) (asked, failed []string) {
	b.t.Helper()
	u := url.URL{Scheme: "file", Path: file}
	b.call("Page.navigate", map[string]any{"url": u.String()})
	urls := map[string]string{}
	for loads > 0 {
		m := b.read()
		params, _ := m.Params.(map[string]any)
		id, _ := params["requestId"].(string)
		switch m.Method {
		case "Page.loadEventFired":
			loads--
		case "Network.requestWillBeSent":
			request, _ := params["request"].(map[string]any)
			urls[id], _ = request["url"].(string)
			asked = append(asked, urls[id])
		case "Network.loadingFailed":
			text, _ := params["errorText"].(string)
			failed = append(failed, urls[id]+" "+text)
		}
	}
	return asked, failed
}

// TestMirrorInABrowser opens mirrors from their files in a real browser that can resolve no name.
func TestMirrorInABrowser(t *testing.T) {
	b := startBrowser(t)
	open := func(t *testing.T, dir string, files []string, requests int) {
		n := 0
		for _, file := range files {
			loads := 1
			if file == "index.html" {
				loads = 2 // it leads on at once
			}
			asked, failed := b.load(filepath.Join(dir, filepath.FromSlash(file)), loads)
			n += len(asked)
			for _, url := range asked {
				if !strings.HasPrefix(url, "file://") && !strings.HasPrefix(url, "data:") {
					t.Errorf("%s asks for %s", file, url)
				}
			}
			if len(failed) > 0 {
				t.Errorf("%s: failed: %q", file, failed)
			}
		}
		if n < requests {
			t.Errorf("%d requests for %d files, want at least %d", n, len(files), requests)
		}
	}
	t.Run("a page of everything", func(t *testing.T) {
		const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/": htmlPage(`<base href="/x/"><link rel=stylesheet integrity="sha256-x" crossorigin href="s.php?v=1&amp;w=2">` +
				`<img src="//b.test/i%20%23.svg?a=b,c" srcset="j.svg?1 1x, j.svg?2,2 2x"><script src="s.cgi" crossorigin></script>` +
				`<p style="background:url(&quot;k'.svg&quot;)">x</p><style>b{background:url(l\).svg)}</style><b>x</b><iframe src="frame"></iframe>`),
			"a.test/x/s.php":    typed("text/css", `@import url(more.css); p{color:red;list-style:url("m.svg?;")}`),
			"a.test/x/more.css": typed("text/css", `body{background:url(/x/n.svg)}`),
			"a.test/x/s.cgi":    typed("text/javascript", `document.title = "ran"`),
			"a.test/x/frame":    htmlPage(`<img src="j.svg?1">`),
			"b.test/i #.svg":    typed("image/svg+xml", svg), "a.test/x/j.svg": typed("image/svg+xml", svg), "a.test/x/k'.svg": typed("image/svg+xml", svg),
			"a.test/x/l).svg": typed("image/svg+xml", svg), "a.test/x/m.svg": typed("image/svg+xml", svg), "a.test/x/n.svg": typed("image/svg+xml", svg),
		})
		o := w.options(limiter.Async, "http://a.test/")
		o.Mirror = t.TempDir()
		if _, report, err := crawl(t, o); err != nil || report.ItemsFailed > 0 {
			t.Fatal(err, report.Errors)
		}
		// The page, the style and its import, the script, the frame, and at least one image of each way to name one.
		open(t, o.Mirror, []string{"a.test/index.html"}, 5+6)
		var title struct{ Result struct{ Value string } }
		b.result("Runtime.evaluate", map[string]any{"expression": `document.title + getComputedStyle(document.querySelector("p")).color`}, &title)
		if title.Result.Value != "ranrgb(255, 0, 0)" {
			t.Errorf("script and style have made %q", title.Result.Value)
		}
	})
	t.Run("a real manual", func(t *testing.T) {
		server := nginxtest.Start(t, nginxtest.Config{Root: nginxtest.Docs(t)})
		o := Options{Seeds: []string{server.URL + "/index.html"}, Mode: limiter.Async, Depth: 1000, Workers: 8, Mirror: t.TempDir()}
		if _, report, err := crawl(t, o); err != nil || report.ItemsFailed > 0 {
			t.Fatal(err, report.Errors)
		}
		var pages []string
		for name := range tree(t, o.Mirror) {
			if strings.HasSuffix(name, ".html") {
				pages = append(pages, name)
			}
		}
		slices.Sort(pages)
		sample := []string{"index.html"}
		for i := 0; i < len(pages); i += 20 {
			sample = append(sample, pages[i])
		}
		open(t, o.Mirror, sample, 2*len(sample)) // each page has a style
	})
}
