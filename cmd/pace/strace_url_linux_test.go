package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/crawl/site"
)

// TestStraceDownload looks from outside at how the answers to requests for chunks are waited for in each mode.
func TestStraceDownload(t *testing.T) {
	server := newSiteServer(t, site.Options{RatePerConn: 1 << 20})
	for mode, c := range map[string]struct {
		least, most int // threads that read from sockets
		polled      bool
	}{
		"sequential": {least: 1, most: 1},
		// A worker that is slow to start finds its chunk taken: not all need be seen.
		"threads": {least: 3, most: 7},
		"async":   {least: 1, most: 64, polled: true},
	} {
		t.Run(mode, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "dst")
			calls, _ := strace(t, "recvfrom,read,epoll_ctl", nil, "copy", "--mode", mode, "--workers", "6",
				"--chunk-size", "256KiB", "--progress", "never", server+"/blob/1536KiB", dst)
			readers, polled := map[string]bool{}, false
			for _, call := range calls {
				tcp := strings.Contains(call.args, "<TCP")
				switch call.name {
				case "epoll_ctl":
					polled = polled || tcp
				default:
					if tcp && !strings.Contains(call.args, "MSG_DONTWAIT") {
						readers[call.thread] = true
					}
				}
			}
			if len(readers) < c.least || len(readers) > c.most || polled != c.polled {
				t.Errorf("%d threads read from sockets, want %d to %d; epoll was used: %t", len(readers), c.least, c.most, polled)
			}
			if info, err := os.Stat(dst); err != nil || info.Size() != 1536<<10 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}
