package crawl

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// maxCheck is how much of a body is read for a check with GET: what is small keeps the connection.
const maxCheck = 64 << 10

// requestOf returns the request for an item: HEAD for a check, until the host says that it does not know it.
func (c *crawler) requestOf(ctx context.Context, it *item) *http.Request {
	req := c.request(ctx, it.url)
	if it.check && !it.get {
		req.Method = http.MethodHead
	}
	if v := c.condition(it); v != nil {
		v.ask(req)
	}
	return req
}

// lacksHEAD says whether a status may be about the method and not about the page.
func lacksHEAD(status int) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

// getInstead queues a check again, as a request of its own that waits for its host's turn.
func (c *crawler) getInstead(it *item) {
	it.get, it.attempts = true, 0
	c.frontier.retry(it, time.Now())
}

// checked closes a check, which has no record. A link into a private network is left out, as it would be if its host
// were an address.
func (c *crawler) checked(it *item, r *response) error {
	if private := (*privateError)(nil); errors.As(r.err, &private) {
		if err := c.ledger.close(&entry{change: change{item: it}}); err != nil {
			return err
		}
		c.skipCheck()
		return nil
	}
	return c.finish(&closing{item: it, response: r}, change{item: it, bytes: r.moved})
}

// skipCheck counts a check that is left out. Checks are no items, so it was not known as one.
func (c *crawler) skipCheck() {
	c.counter.Grow(1, 0)
	c.counter.ItemSkipped()
}

// failureOf returns why a response is a failed one, or nil. Where links are checked, so is one that says that nothing is
// there.
func (c *crawler) failureOf(r *response) error {
	if err := r.failure(); err != nil {
		return err
	}
	if c.o.CheckLinks && gone(r.status) {
		return statusError(r.status)
	}
	return nil
}

// gone says whether a status is one of a broken link, though not of a failed exchange.
func gone(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }
