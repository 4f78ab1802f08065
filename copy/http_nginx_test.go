//go:build unix

package copy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
)

const nginxConfig = `
daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 2048; }
http {
	access_log off;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3;
	uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	limit_conn_zone $server_name zone=all:1m;
	server {
		listen 127.0.0.1:%[2]d;
		server_name localhost;
		root %[1]s/root;
		location /whole/ { alias %[1]s/root/; max_ranges 0; }
		location /noetag/ { alias %[1]s/root/; etag off; }
		location /three/ { alias %[1]s/root/; limit_conn all 3; limit_rate 4m; }
		location /once/ { alias %[1]s/root/; keepalive_requests 1; }
		location /gzip/ { alias %[1]s/root/; gzip on; gzip_types *; gzip_proxied any; }
		location /moved/ { rewrite ^/moved/(.*) /$1 redirect; }
		location /secret/ { alias %[1]s/root/; if ($http_authorization = "") { return 401; } }
	}
}
`

// startNginx serves root and returns its URL. Without nginx the test is skipped, but for PACE_REQUIRE_SERVERS.
func startNginx(t *testing.T, files map[string][]byte) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // not in the PATH of ordinary users
	}
	if !exists(path) {
		if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
			t.Fatal("nginx is missing: make test installs it")
		}
		t.Skip("nginx is missing: make test installs it")
	}
	dir := t.TempDir()
	// nginx's workers run as nobody when the tests run as root, and must read the files.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755)
	}
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		write(t, filepath.Join(dir, "root", name), data)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	socket, err := l.(*net.TCPListener).File()
	_ = l.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	config := write(t, filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxConfig, dir, addr.Port))
	cmd := exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", config)
	cmd.Stderr = os.Stderr
	// It takes over a listening socket as when its binary is upgraded: no other process can take the port meanwhile.
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(os.Environ(), "NGINX=3;")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr.String())
		if err == nil {
			_ = c.Close()
			return "http://" + addr.String()
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// A server that nobody here wrote gives the same bytes in each mode, however it is set up.
func TestHTTPNginx(t *testing.T) {
	data := random(5_000_000)
	base := startNginx(t, map[string][]byte{"file.bin": data, "empty": nil})
	for _, place := range []string{"", "whole/", "noetag/", "three/", "once/", "gzip/", "moved/", "secret/"} {
		t.Run("/"+place, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				_, to := dirs(t)
				o := fetch(to, base+"/"+place+"file.bin", m)
				o.Workers, o.ChunkSize, o.Verify = 8, 0, true
				o.Network.Header = map[string][]string{"Authorization": {"Bearer x"}}
				downloaded(t, o)
				same(t, filepath.Join(to, "file.bin"), data)
				holds(t, to, "file.bin")
				o.Sources[0] = base + "/" + place + "empty"
				downloaded(t, o)
				same(t, filepath.Join(to, "empty"), nil)
			})
		})
	}
}
