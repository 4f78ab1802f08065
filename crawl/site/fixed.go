package site

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	maxWait      = 24 * time.Hour
	maxRedirects = 1_000_000
)

// wait answers /wait/DURATION.
func wait(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.PathValue("duration"))
	if err != nil || d < 0 || d > maxWait {
		badRequest(w, "/wait/ takes a duration such as 1s or 150ms, up to 24h")
		return
	}
	sleep(r.Context(), d)
	writeText(w, http.StatusOK, fmt.Sprintf("waited %s\n", d))
}

// status answers /status/CODE.
func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		badRequest(w, "/status/ takes a code from 200 to 599")
		return
	}
	if after := r.URL.Query().Get("retry-after"); after != "" {
		if !isRetryAfter(after) {
			badRequest(w, "retry-after= takes a number of seconds or an HTTP date")
			return
		}
		w.Header().Set("Retry-After", after)
	}
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code) // these have no body
		return
	}
	writeText(w, code, fmt.Sprintf("%d %s\n", code, http.StatusText(code)))
}

// isRetryAfter reports whether the text has one of the two forms of RFC 9110, section 10.2.3.
func isRetryAfter(text string) bool {
	if _, err := strconv.ParseUint(text, 10, 63); err == nil {
		return true
	}
	_, err := http.ParseTime(text)
	return err == nil
}

// redirect answers /redirect/N: N redirects, the last of them to /redirect/0, which is a page.
func redirect(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	switch {
	case err != nil || n < 0 || n > maxRedirects:
		badRequest(w, "/redirect/ takes a number from 0 to", strconv.Itoa(maxRedirects))
	case n == 0:
		writeText(w, http.StatusOK, "no more redirects\n")
	default:
		http.Redirect(w, r, "/redirect/"+strconv.Itoa(n-1), http.StatusFound)
	}
}

func writeText(w http.ResponseWriter, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // an error means that the client has left
}
