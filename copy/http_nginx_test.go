//go:build unix

package copy

import (
	"fmt"
	"path/filepath"
	"testing"

	"pace/limiter"
	"pace/limiter/nginxtest"
)

// Locations of one folder, each with its way of serving ranges.
const nginxZones, nginxLocations = `limit_conn_zone $server_name zone=all:1m;`, `
	location /whole/ { alias %[1]s/; max_ranges 0; }
	location /noetag/ { alias %[1]s/; etag off; }
	location /three/ { alias %[1]s/; limit_conn all 3; limit_rate 4m; }
	location /once/ { alias %[1]s/; keepalive_requests 1; }
	location /gzip/ { alias %[1]s/; gzip on; gzip_types *; gzip_proxied any; }
	location /moved/ { rewrite ^/moved/(.*) /$1 redirect; }
	location /secret/ { alias %[1]s/; if ($http_authorization = "") { return 401; } }
`

// A server that nobody here wrote gives the same bytes in each mode, however it is set up.
func TestHTTPNginx(t *testing.T) {
	data := random(5_000_000)
	root := nginxtest.Files(t, map[string][]byte{"file.bin": data, "empty": nil})
	base := nginxtest.Start(t, nginxtest.Config{Root: root, Server: fmt.Sprintf(nginxLocations, root), HTTP: nginxZones}).URL
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
