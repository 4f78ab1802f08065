// Command colly crawls a site with colly, 16 requests at once, as its own documentation does. It is a module of its own,
// so that only the benchmark needs its packages.
package main

import (
	"log"
	"os"

	"github.com/gocolly/colly/v2"
)

func main() {
	c := colly.NewCollector(colly.Async(true))
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: 16}); err != nil {
		log.Fatal(err)
	}
	c.OnHTML("a[href]", func(e *colly.HTMLElement) {
		// A page that was visited already is an error of colly's.
		_ = e.Request.Visit(e.Attr("href"))
	})
	if err := c.Visit(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	c.Wait()
}
