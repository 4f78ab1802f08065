package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pageSize  = 16 << 10
	pageLinks = 40
)

// crawls measures a crawl of a site that one nginx worker serves on loopback, with 16 requests at once.
func crawls(rounds int, work, pace string, pages int) error {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not in the PATH of ordinary users
	}
	if _, err := os.Stat(nginx); err != nil {
		fmt.Println("no crawl: nginx is not installed")
		return nil
	}
	root := filepath.Join(work, "site")
	if err := writeSite(root, pages); err != nil {
		return err
	}
	colly := filepath.Join(work, "colly")
	build := exec.Command("go", "build", "-o", colly, ".")
	build.Dir = filepath.Join("testdata", "bench", "colly")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("no colly: %s\n", bytes.TrimSpace(out))
	}
	addr, stop, err := serveSite(nginx, work, root)
	if err != nil {
		return err
	}
	defer stop()
	c := contest{
		title: fmt.Sprintf("a site of %d pages of %d KiB with %d links, 16 requests at once", pages, pageSize>>10, pageLinks),
		src:   "http://" + addr + "/p0.html", keep: true, pages: pages,
		served: func() (int, error) { return served("http://" + addr + "/served") },
		contenders: []contender{
			{name: "wget2", command: func(src, dst string) []string {
				return []string{"wget2", "-q", "-r", "-l", "20", "--delete-after", "--max-threads=16", "-P", dst, src}
			}},
			{name: "colly", command: func(src, _ string) []string { return []string{colly, src} }},
		},
	}
	for _, mode := range []string{"sequential", "threads", "async"} {
		c.contenders = append(c.contenders, contender{name: "pace " + mode, command: func(src, dst string) []string {
			return []string{pace, "crawl", "--quiet", "--mode", mode, "--rate", "0", "--workers", "16", "--per-host", "16",
				"--depth", "20", "--output", filepath.Join(dst, "pages.jsonl"), src}
		}})
	}
	return c.run(rounds, filepath.Join(work, "crawl"))
}

// writeSite makes pages of links and prose. Page n links to the 40 after 40n, so all are found in few steps.
func writeSite(root string, pages int) error {
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	const prose = "<p>It was a bright cold day in November, and the disks were waiting for &quot;thirteen&quot; writes.</p>\n"
	for n := range pages {
		var b bytes.Buffer
		fmt.Fprintf(&b, "<!DOCTYPE html>\n<html><head><title>Page %d</title></head><body>\n", n)
		for i := range pageLinks {
			fmt.Fprintf(&b, "<a href=\"/p%d.html\">page</a>\n", (n*pageLinks+1+i)%pages)
		}
		for b.Len() < pageSize-len(prose) {
			b.WriteString(prose)
		}
		b.WriteString("</body></html>\n")
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("p%d.html", n)), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// serveSite starts nginx.
func serveSite(nginx, work, root string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	_ = l.Close()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	config := filepath.Join(work, "nginx.conf")
	text := fmt.Sprintf(`daemon off; worker_processes 1; %s pid %s/nginx.pid; error_log %s/error.log;
events { worker_connections 4096; }
http {
	types { text/html html; }
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
	open_file_cache max=10000 inactive=600s;
	client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;
	uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
	server { listen %s; root %s; location = /served { stub_status; } }
}
`, user, work, work, work, work, work, work, work, addr, root)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return "", nil, err
	}
	cmd := exec.Command(nginx, "-c", config, "-e", filepath.Join(work, "error.log"))
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	for range 100 {
		if _, err = served("http://" + addr + "/served"); err == nil {
			return addr, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("nginx does not answer: %w", err)
}

// served returns how many requests nginx has answered (ngx_http_stub_status_module).
func served(url string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	// The third number behind the line of names: accepts handled requests.
	_, text, _ := strings.Cut(string(body), "requests")
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return 0, fmt.Errorf("nginx says %q", body)
	}
	return strconv.Atoi(fields[2])
}
