package crawl

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pace/crawl/internal/cookies"
)

// openJar reads the cookie jar, if one is asked for.
func (c *crawler) openJar() error {
	if c.o.CookieJar == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(c.o.CookieJar)); err != nil {
		return fmt.Errorf("cannot write the cookie jar: %w", err) // better now than after hours
	}
	jar, bad, err := cookies.Open(c.o.CookieJar, time.Now())
	if err != nil {
		return fmt.Errorf("cannot read the cookie jar: %w", err)
	}
	if bad > 0 {
		c.log.Warn(fmt.Sprintf("%s: lines that are no cookies, and will be gone: %d", c.o.CookieJar, bad))
	}
	c.jar = jar
	c.jarEdits = jar.Edits()
	return nil
}

// jarEvery is how far apart writes of the cookie jar are at least, while a crawl runs that can be gone on with.
const jarEvery = time.Second

// keepingJar crawls, and writes the cookie jar meanwhile where a state lets another run go on with the crawl: the pages
// that come after a kill -9 are then asked for in the same session. A cookie is written with the page that sets it, or at
// most about a second later.
func (c *crawler) keepingJar(ctx context.Context, crawl func() error) error {
	if c.jar == nil || c.state == nil {
		return crawl()
	}
	var keeping sync.WaitGroup
	defer keeping.Wait()
	until, stop := context.WithCancel(ctx)
	defer stop()
	keeping.Go(func() {
		tick := time.NewTicker(jarEvery)
		defer tick.Stop()
		for {
			select {
			case <-until.Done():
				return
			case <-tick.C:
				if err := c.jarBefore(); err != nil {
					// The next page or the end of the run tries again, and returns the error.
					c.log.Info("the cookie jar is not written", "error", err)
				}
			}
		}
	})
	return crawl()
}

// jarBefore writes the cookie jar, if it has changed and was not written in the last second, before pages count as done.
func (c *crawler) jarBefore() error {
	c.jarSaving.Lock()
	defer c.jarSaving.Unlock()
	edits := c.jar.Edits()
	if edits == c.jarEdits || time.Since(c.jarSaved) < jarEvery {
		return nil
	}
	if err := c.saveJar(); err != nil {
		return err
	}
	// From the end of the write on, so that a slow disk has time for other things.
	c.jarEdits, c.jarSaved = edits, time.Now()
	return nil
}

// saveJar writes the cookie jar back.
func (c *crawler) saveJar() error {
	if c.jar == nil {
		return nil
	}
	if err := c.jar.Save(c.o.CookieJar, time.Now()); err != nil {
		return fmt.Errorf("cannot write the cookie jar: %w", err)
	}
	return nil
}

// takeCookies keeps what a response to a request for u sets, whatever its status.
func (c *crawler) takeCookies(u URL, h http.Header) {
	if lines := h.Values("Set-Cookie"); c.jar != nil && len(lines) > 0 {
		c.jar.Set(cookieRequest(u), lines, time.Now())
	}
}

// withCookies returns the header of a request for u with the jar's cookies, behind those of --header. header itself is
// shared by all requests and stays as it is.
func (c *crawler) withCookies(u URL, header http.Header) http.Header {
	if c.jar == nil {
		return header
	}
	value := c.jar.Header(cookieRequest(u), time.Now())
	if value == "" {
		return header
	}
	if own := header.Get("Cookie"); own != "" {
		value = own + "; " + value
	}
	header = header.Clone()
	header.Set("Cookie", value)
	return header
}

func cookieRequest(u URL) cookies.Request {
	return cookies.Request{Secure: u.Scheme() == "https", Host: u.Host(), Path: u.Path()}
}
