package crawl

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

func TestRewriteHTML(t *testing.T) {
	files := &mirrorFiles{
		names: map[string]string{
			"http://a.test/d/p.html": "a.test/d/p.html", "http://a.test/d/q": "a.test/d/q.html", "http://a.test/": "a.test/index.html",
			"http://a.test/s.css?v=1": "a.test/s.css@v=1.css", "http://b.test/i.png": "b.test/i.png",
			"http://a.test/d/x:y": "a.test/d/x%3Ay", "http://a.test/d/%C3%BC": "a.test/d/ü",
		},
		locations: map[string]string{"http://a.test/old": "http://a.test/d/q", "http://a.test/loop": "http://a.test/loop"},
	}
	for _, tt := range []struct{ in, want string }{
		{`<a href="q">`, `<a href="q.html">`},
		{`<A  HREF = 'q#top' title='<'>`, `<A  HREF = 'q.html#top' title='<'>`},
		{`<a href=q>`, `<a href="q.html">`},
		{`<a href=/>x`, `<a href="../index.html">x`},
		{`<a href="/old?#x">`, `<a href="q.html#x">`},
		{`<a href="/loop">`, `<a href="http://a.test/loop">`},
		{`<a href="missing?a=1&amp;b=2&copy=3">`, `<a href="http://a.test/d/missing?a=1&amp;b=2&amp;copy=3">`},
		{`<a href="#here"><a href=""><a href="mailto:x@y"><a href="javascript:void('q')">`, `<a href="#here"><a href=""><a href="mailto:x@y"><a href="javascript:void('q')">`},
		{`<a href="p.html">`, `<a href="p.html">`},
		{`<a href="p.html#x">`, `<a href="p.html#x">`},
		{`<a href="x:y">`, `<a href="x:y">`}, // another scheme
		{`<a href="./x:y">`, `<a href="x%253Ay">`},
		{`<a href="ü">`, "\xef\xbb\xbf" + `<a href="%C3%BC">`},
		{`<base href="/"><a href="d/q"><a href="#x">`, `<base href=""><a href="q.html"><a href="../index.html#x">`},
		{`<base href=/><a href=d/q>`, `<base href=""><a href="q.html">`},
		{`<link rel=stylesheet href="/s.css?v=1">`, `<link rel=stylesheet href="../s.css@v=1.css">`},
		{`<link rel=canonical href="q">`, `<link rel=canonical href="http://a.test/d/q">`},
		{`<link rel="next prev" href="q">`, `<link rel="next prev" href="q.html">`},
		{`<img src=//b.test/i.png srcset="//b.test/i.png 1x, /j.png 2x,//b.test/i.png">`,
			`<img src="../../b.test/i.png" srcset="../../b.test/i.png 1x, http://a.test/j.png 2x,../../b.test/i.png">`},
		{`<meta http-equiv=refresh content="5; URL='q'">`, `<meta http-equiv=refresh content="5; URL=&#39;q.html&#39;">`},
		{`<style>a{b:url(q)} @import "/s.css?v=1";</style>`, `<style>a{b:url("q.html")} @import "../s.css@v=1.css";</style>`},
		{`<p style="b:url('//b.test/i.png')">`, `<p style="b:url(&quot;../../b.test/i.png&quot;)">`},
		{`<p style=b:url(//b.test/i.png)>`, `<p style="b:url(&quot;../../b.test/i.png&quot;)">`},
		{`<script crossorigin="anonymous" integrity=x src="q"></script>`, `<script data-crossorigin="anonymous" data-integrity=x src="q.html"></script>`},
		{`<!-- <a href=q> --><script>"<a href=q>"</script><textarea><a href=q></textarea>`, `<!-- <a href=q> --><script>"<a href=q>"</script><textarea><a href=q></textarea>`},
		{`<a href=q`, `<a href=q`},
		{"<a href=\"q\">\xff\x00\r\n", "\xef\xbb\xbf<a href=\"q.html\">ÿ\x00\r\n"},
		{"<meta charset=utf-8>ü<a href=q>", "<meta charset=utf-8>ü<a href=\"q.html\">"},
		{"ü<a href=q>", "\xef\xbb\xbfü<a href=\"q.html\">"},
		{"\xef\xbb\xbf<a href=q>ü", "\xef\xbb\xbf<a href=\"q.html\">ü"},
	} {
		r := rewriter{files: files, page: mustURL(t, "http://a.test/d/p.html"), name: "a.test/d/p.html", canonical: new(Options).canonical}
		if got := string(r.html([]byte(tt.in), "text/html")); got != tt.want {
			t.Errorf("%q becomes\n%q, want\n%q", tt.in, got, tt.want)
		}
	}
}

// FuzzRewriteHTML wants a rewritten page to have the links that it should have, and no others, and the text as it was.
func FuzzRewriteHTML(f *testing.F) {
	for _, seed := range []string{
		`<base href=b/><a href=c>d</a><img srcset="a 1x,b" style='x:url("y")'><style>@import "z";</style>`,
		`<a href=&quot;a title=b><meta http-equiv=refresh content='0;url="a'><link rel="next icon" href=a integrity>`,
		"<p style='a:url(b)' STYLE=c><a href='a\r\nb'><a href=\x00>",
	} {
		f.Add([]byte(seed))
	}
	page := URL{}
	if u, err := ParseURL("http://a.test/d/p"); err == nil {
		page = u
	}
	r := rewriter{files: &mirrorFiles{names: map[string]string{"http://a.test/d/p": "a.test/d/p.html"}}, page: page, name: "a.test/d/p.html",
		canonical: new(Options).canonical}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = bytes.ToValidUTF8(append([]byte("<meta charset=utf-8>"), body...), []byte("?"))
		var before, after scanner
		o := scanOptions{Requisites: true, Styles: true}
		was := before.scan(body, o)
		out := r.html(body, "text/html; charset=utf-8")
		is := after.scan(out, o)
		if len(was.Links) != len(is.Links) {
			t.Fatalf("%q has %d links\n%q has %d", body, len(was.Links), out, len(is.Links))
		}
		base := was.base(page)
		for i, link := range was.Links {
			to, changed := r.target(base, link.URL, link.Kind)
			if !changed || link.URL == "" {
				to = link.URL
			}
			if is.Links[i].URL != to || is.Links[i].Kind != link.Kind {
				t.Fatalf("%q\n%q: link %d is %q, want %q", body, out, i, is.Links[i].URL, to)
			}
		}
		if was.Title != is.Title || is.Base != "" && was.Base != "" {
			t.Fatalf("%q\n%q: the title is %q, the base %q", body, out, is.Title, is.Base)
		}
	})
}

// tree returns the files of a folder and their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func typed(contentType, body string) http.HandlerFunc {
	return withHeader("Content-Type", contentType, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

func TestMirror(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"a.test/": htmlPage(`<link rel=stylesheet href=//b.test/s.css><a href="one">1</a><a href="/moved#x">2</a>` +
			`<a href="http://c.test/">off</a><a href="gone">gone</a><a href="case">c</a><a href="CASE">C</a>`),
		"a.test/one":   htmlPage(`<img src="img?1"><a href="two">2</a>`),
		"a.test/two":   htmlPage(`<img src="img?2"><a href="three">too deep</a><p style="b:url(/bg.png)">`),
		"a.test/moved": redirect("/target"), "a.test/target": htmlPage(`<a href=".">up</a><a href="moved">self</a>`),
		"a.test/img": typed("image/png", "PNG"), "a.test/bg.png": typed("image/png", "BG"),
		"a.test/case": htmlPage("small"), "a.test/CASE": htmlPage("large"),
		"b.test/s.css":      typed("text/css", `@import "more.css"; a{b:url(http://a.test/img?1)}`),
		"b.test/more.css":   typed("text/css", `@font-face{src:url("f.woff")} b{c:url(missing.png)}`),
		"b.test/f.woff":     typed("font/woff", "FONT"),
		"c.test/":           htmlPage("not fetched"),
		"a.test/three":      htmlPage("not fetched"),
		"a.test/robots.txt": typed("text/plain", ""),
	}
	head := `<!DOCTYPE html>` + "\n" + `<meta charset="utf-8">` + "\n"
	c := "a.test/case~" + nameHash("http://a.test/case", 8) + ".html"
	want := map[string]string{
		"index.html": head + `<meta http-equiv="refresh" content="0; url='a.test/index.html'">` + "\n<title>Mirror</title>\n<ul>\n" +
			`<li><a href="a.test/index.html">http://a.test/</a></li>` + "\n</ul>\n",
		"a.test/index.html": `<link rel=stylesheet href="../b.test/s.css"><a href="one.html">1</a><a href="target.html#x">2</a>` +
			`<a href="http://c.test/">off</a><a href="http://a.test/gone">gone</a><a href="` + c[len("a.test/"):] + `">c</a><a href="CASE.html">C</a>`,
		"a.test/one.html":    `<img src="img@1"><a href="two.html">2</a>`,
		"a.test/two.html":    `<img src="img@2"><a href="http://a.test/three">too deep</a><p style="b:url(&quot;bg.png&quot;)">`,
		"a.test/target.html": `<a href="index.html">up</a><a href="target.html">self</a>`,
		"a.test/img@1":       "PNG", "a.test/img@2": "PNG", "a.test/bg.png": "BG", "a.test/CASE.html": "large", c: "small",
		"b.test/s.css":    `@import "more.css"; a{b:url("../a.test/img@1")}`,
		"b.test/more.css": `@font-face{src:url("f.woff")} b{c:url("http://b.test/missing.png")}`,
		"b.test/f.woff":   "FONT",
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, pages)
		o := w.options(m, "http://a.test/")
		o.Mirror, o.Depth = filepath.Join(t.TempDir(), "m"), 2
		for range 2 { // the second time over the first
			if _, _, err := crawl(t, o); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, tree(t, o.Mirror)); d != "" {
				t.Fatalf("files (-want +got):\n%s", d)
			}
		}
		if w.hitsOf("c.test/")+w.hitsOf("a.test/three") > 0 {
			t.Error("fetched what no page needs")
		}
	})
}

// TestRequisiteChainEnds follows styles that import one another for ever.
func TestRequisiteChainEnds(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/": htmlPage(`<link rel=stylesheet href=/s?0>`),
		"/s": func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/css")
			_, _ = fmt.Fprintf(rw, `@import "/s?%sx";`, r.URL.RawQuery)
		},
	})
	o := w.options(limiter.Async, "http://a.test/")
	o.Requisites, o.Depth = true, 0
	records, _, err := crawl(t, o)
	if err != nil || len(records) != 1+maxRequisiteChain {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// TestMirrorKilled ends the writing of a mirror after each of its steps, and begins again as a resume does.
func TestMirrorKilled(t *testing.T) {
	build := func(t *testing.T, dir string) (output, Options) {
		o := Options{Mirror: dir, State: "s"}
		out, err := openMirror(&o, nil)
		if err != nil {
			t.Fatal(err)
		}
		for url, body := range map[string]string{
			"http://a.test/": `<a href="x/y">y</a><img src=i.png>`, "http://a.test/x/y": `<a href="/">up</a>`, "http://a.test/i.png": "PNG",
		} {
			p := mirrorable(t, url, body)
			write, err := out.render(p)
			if err == nil {
				err = write()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return out, o
	}
	dir := t.TempDir()
	out, _ := build(t, dir)
	if err := out.close(true); err != nil {
		t.Fatal(err)
	}
	want := tree(t, dir)
	if len(want) != 5 { // with the names for a later run
		t.Fatalf("files %v", slices.Sorted(maps.Keys(want)))
	}
	for steps := range len(want) - 1 {
		dir := t.TempDir()
		out, o := build(t, dir)
		marks := out.marks()
		m := out.(*mirror)
		// Behind the marks, a page that the frontier does not know as done.
		if write, err := out.render(mirrorable(t, "http://a.test/late", "late")); err != nil || write() != nil {
			t.Fatal(err)
		}
		m.index.size = marks[0].Size // as finish of an earlier run saw it
		if err := m.finishSome(steps); err != nil {
			t.Fatal(err)
		}
		_ = m.closeFiles()
		_ = m.root.Close()
		again, err := openMirror(&o, marks)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.close(true); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, tree(t, dir)); d != "" {
			t.Errorf("after %d steps (-want +got):\n%s", steps, d)
		}
		// Once finished, there is nothing left to do but to remove what a kill may have left.
		if err := os.WriteFile(filepath.Join(dir, mirrorBodies), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err = openMirror(&o, marks); err == nil {
			err = again.close(true)
		}
		if d := cmp.Diff(want, tree(t, dir)); d != "" || err != nil {
			t.Errorf("once more after %d steps: %v (-want +got):\n%s", steps, err, d)
		}
	}
}

// finishSome does the first steps of finish.
func (m *mirror) finishSome(steps int) error {
	lines, err := m.lines()
	if err != nil {
		return err
	}
	slices.SortFunc(lines, func(a, b mirrorLine) int { return strings.Compare(a.URL, b.URL) })
	files := &mirrorFiles{names: map[string]string{}, locations: map[string]string{}}
	assignNames(lines, files.names, m.isFolder)
	for _, l := range lines[:min(steps, len(lines))] {
		if err := m.write(l, files); err != nil {
			return err
		}
	}
	return nil
}

func mirrorable(t *testing.T, url, body string) *closing {
	u := mustURL(t, url)
	contentType := "text/html"
	if strings.HasSuffix(url, ".png") {
		contentType = "image/png"
	}
	return &closing{
		item: &item{url: u, first: url, seed: u.Path() == "/"}, record: &record{URL: url},
		response: &response{status: 200, body: []byte(body), contentType: contentType, hash: nameHash(body, 64)},
	}
}

// TestMirrorStaysInItsFolder has links on the way that lead out of it.
func TestMirrorStaysInItsFolder(t *testing.T) {
	for _, link := range []string{"a.test", ".pace-mirror", "index.html", "a.test/x.html"} {
		dir, outside := t.TempDir(), t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		target := outside
		if strings.HasSuffix(link, ".html") {
			target = filepath.Join(outside, "file")
			if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
		w := newWorld(t, map[string]http.HandlerFunc{"/x.html": htmlPage("x")})
		o := w.options(limiter.Async, "http://a.test/x.html")
		o.Mirror = dir
		_, _, _ = crawl(t, o) // it may well fail
		for name, body := range tree(t, outside) {
			if name != "file" || body != "precious" {
				t.Errorf("by the link %s, %s was written: %q", link, name, body)
			}
		}
	}
}
