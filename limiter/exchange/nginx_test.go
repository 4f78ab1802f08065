//go:build unix

package exchange_test

import (
	"fmt"
	"testing"

	"pace/limiter/nginxtest"
)

const nginxServer = `
	access_log off;
	keepalive_requests 1000000000;
	location /once/ { alias %[1]s/; keepalive_requests 1; }
	location /brief/ { alias %[1]s/; keepalive_timeout 200ms; }
	location /small { client_max_body_size 1k; return 413; }
`

// nginx serves files and returns its URL.
func nginx(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root := nginxtest.Files(t, files)
	return nginxtest.Start(t, nginxtest.Config{Root: root, Server: fmt.Sprintf(nginxServer, root)}).URL
}
