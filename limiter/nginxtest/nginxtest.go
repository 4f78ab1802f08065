// Package nginxtest gives tests a server and a site that nobody here wrote: nginx on loopback, and the PostgreSQL
// documentation as Debian packages it.
//
// A test whose part is missing on this machine is skipped, or fails if the environment variable PACE_REQUIRE_SERVERS is
// set; `make test` installs the parts.
package nginxtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Config says what nginx serves. The zero value of each field is its default.
type Config struct {
	// Root is the folder that is served; empty means none.
	Root string
	// Location is more directives for the location of all paths, such as "limit_rate 10k;" or "return 503;".
	Location string
	// Server is more directives for the server, such as other locations.
	Server string
	// HTTP is more directives for all servers, such as zones of limits.
	HTTP string
}

// Server is a running nginx with one worker.
type Server struct {
	// Addr is its host and port, on loopback.
	Addr string
	// URL is http:// and Addr, without a slash at the end.
	URL string

	prefix string
}

// Start starts nginx, and stops it when the test ends.
func Start(tb testing.TB, c Config) *Server {
	tb.Helper()
	nginx, err := findNginx()
	if err != nil {
		Missing(tb, "nginx (Debian package nginx-light)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), URL: "http://" + l.Addr().String(), prefix: tb.TempDir()}
	socket, err := l.(*net.TCPListener).File()
	_ = l.Close()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = socket.Close() }()

	cmd := exec.Command(nginx, "-p", s.prefix, "-c", s.writeConfig(tb, c), "-e", s.path("error.log"))
	// nginx takes over a listening socket as it does when its binary is upgraded: no other process can take the port
	// between its choice and its use. (1.22 crashes if it does so with master_process off.)
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(os.Environ(), "NGINX=3;")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ended by stop, or reported by ready
		close(gone)
	}()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // not SIGKILL: the master ends its worker
		<-gone
	}
	tb.Cleanup(stop)
	if err := s.ready(tb.Context(), gone); err != nil {
		stop()
		log, _ := os.ReadFile(s.path("error.log"))
		tb.Fatalf("nginx does not answer: %v\n%s%s", err, output.Bytes(), log)
	}
	return s
}

// Files makes a folder with files, by their paths in it, for [Config].Root.
func Files(tb testing.TB, files map[string][]byte) string {
	tb.Helper()
	root := tb.TempDir()
	for name, data := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

func findNginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/nginx") // not in the PATH of ordinary users
}

// Missing skips the test for want of what, or fails it where everything has to be there.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
		tb.Fatalf("%s is missing, and PACE_REQUIRE_SERVERS is set: `make test` installs it", what)
	}
	tb.Skipf("%s is missing: `make test` installs it", what)
}

func (s *Server) path(name string) string { return filepath.Join(s.prefix, name) }

var config = template.Must(template.New("").Parse(`
daemon off;
worker_processes 1;
{{if .AsRoot}}user root;{{end}}
pid {{.Prefix}}/nginx.pid;
events { worker_connections 20000; }
http {
	types {
		text/html html;
		text/css css;
		text/javascript js;
		image/png png;
		image/svg+xml svg;
		application/xml xml;
		text/plain txt;
	}
	default_type application/octet-stream;
	log_format pace '$msec $request_time $status $host $request_method $request_uri';
	access_log {{.Prefix}}/access.log pace;
	client_body_temp_path {{.Prefix}}/body;
	proxy_temp_path {{.Prefix}}/proxy;
	fastcgi_temp_path {{.Prefix}}/fastcgi;
	uwsgi_temp_path {{.Prefix}}/uwsgi;
	scgi_temp_path {{.Prefix}}/scgi;
	sendfile on;
	tcp_nopush on;
	{{.HTTP}}
	server {
		listen {{.Addr}};
		{{with .Root}}root {{.}};{{end}}
		{{.Server}}
		location / {
			{{.Location}}
		}
		location = {{.Ping}} {
			access_log off;
			return 204;
		}
	}
}
`))

// ping is a path that answers without a trace in the log.
const ping = "/.nginxtest-ping"

func (s *Server) writeConfig(tb testing.TB, c Config) string {
	tb.Helper()
	var text bytes.Buffer
	if err := config.Execute(&text, map[string]any{
		"Prefix": s.prefix, "Addr": s.Addr, "Ping": ping,
		"Root": c.Root, "Location": c.Location, "Server": c.Server, "HTTP": c.HTTP,
		"AsRoot": os.Geteuid() == 0, // a worker of another user could not read a test's folders
	}); err != nil {
		tb.Fatal(err)
	}
	path := s.path("nginx.conf")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// ready waits for the first answer. The socket listens already, so one request is enough.
func (s *Server) ready(ctx context.Context, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	go func() {
		select {
		case <-gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+ping, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
