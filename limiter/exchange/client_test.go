//go:build unix

package exchange_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// A Client is the transport of an http.Client: redirects, cookies and bodies that are sent again.
func TestHTTPClient(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		mux := http.NewServeMux()
		mux.HandleFunc("/from", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
			http.Redirect(w, r, "/to", http.StatusTemporaryRedirect)
		})
		mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			cookie, err := r.Cookie("seen")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(w, r.Method+" "+cookie.Value+" "+string(body)+" "+strings.Join(r.TransferEncoding, ","))
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: newClient(t, exchange.Options{Mode: mode}), Jar: jar, Timeout: 10 * time.Second}
		post := func(path string, body io.Reader, want string) {
			resp, err := client.Post(s.URL+path, "text/plain", body)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
				t.Errorf("body %q, error %v; want %q", got, err, want)
			}
		}
		inMode(t, mode, func() {
			post("/from", strings.NewReader("body"), "POST yes body ")
			post("/to", io.MultiReader(strings.NewReader("length unknown")), "POST yes length unknown chunked")
		})
	})
}

// closeCounter is a request body that counts how often it is closed.
type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

// A RoundTripper closes the request's body, whatever happens.
func TestRequestBodyIsClosed(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		c := newClient(t, exchange.Options{Mode: mode})
		for _, target := range []string{s.url, "http://" + closedAddr(t).String(), "ftp://x/"} {
			body := &closeCounter{Reader: strings.NewReader("x")}
			do(t, mode, c, request(t, http.MethodPut, target, body))
			if body.closed != 1 {
				t.Errorf("%s: body closed %d times", target, body.closed)
			}
		}
	})
}

func TestNginx(t *testing.T) {
	page := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	url := nginx(t, map[string][]byte{"page": page})
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		for i := range 5 {
			r := get(t, mode, c, url+"/page")
			r.want(t, string(page))
			if r.trace.Reused != (i > 0) {
				t.Errorf("request %d: reused %v", i, r.trace.Reused)
			}
		}
		for range 3 { // nginx says that it closes
			r := get(t, mode, c, url+"/once/page")
			r.want(t, string(page))
			if !r.resp.Close {
				t.Error("no Connection: close")
			}
		}
		get(t, mode, c, url+"/brief/page").want(t, string(page))
		time.Sleep(400 * time.Millisecond) // nginx closes without a word
		r := get(t, mode, c, url+"/brief/page")
		r.want(t, string(page))
		if r.trace.Reused || r.asked != 1 {
			t.Errorf("reused %v, BeforeWrite called %d times", r.trace.Reused, r.asked)
		}
		// nginx answers before it has read the body, and closes.
		r = do(t, mode, c, request(t, http.MethodPut, url+"/small", bytes.NewReader(make([]byte, 8<<20))))
		if r.err != nil || r.resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%v, %v; want 413", r.resp, r.err)
		}
		if r := get(t, mode, c, url+"/missing"); r.err != nil || r.resp.StatusCode != http.StatusNotFound {
			t.Errorf("%v, %v; want 404", r.resp, r.err)
		}
	})
}
