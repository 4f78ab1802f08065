package main

import (
	"net/url"
	"strings"
	"testing"
)

// A value that is wrong is named without what is secret in it.
func TestSecretValues(t *testing.T) {
	for value, want := range map[string]string{
		"--proxy=ftp://ann:secret@h:1":         `pace copy: --proxy "ftp://...@h:1": not a proxy; `,
		"--proxy=http://an n:secret%zz@h:1":    `pace copy: --proxy "http://...@h:1": not a proxy; `,
		"--proxy=ann:secret%zz@h:1":            `pace copy: --proxy "...@h:1": not a proxy; `,
		"--header=Authorization Bearer secret": `pace copy: --header "Authorization ...": not a header; `,
		"--header=Range: secret":               `pace copy: --header "Range: ...": each request sets this itself; `,
		"--header=X-Key: sec\x01ret":           `pace copy: --header "X-Key: ...": no header can hold this value; `,
		"--header=Authorization":               `pace copy: --header "Authorization": not a header; `,
	} {
		code, _, stderr := runPace(t, "copy", value, "http://h/f", "x")
		if code != exitUsage || !strings.HasPrefix(stderr, want) || strings.Contains(stderr, "secret") {
			t.Errorf("%s: exit %d, %s", value, code, stderr)
		}
	}
}

// What the environment says of a proxy is followed or an error, and never left aside.
func TestEnvironmentProxy(t *testing.T) {
	u, _ := url.Parse("http://files.example/f")
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		t.Setenv(name, "")
	}
	if environmentProxy() != nil {
		t.Error("there is a proxy")
	}
	t.Setenv("http_proxy", "http://ann:secret%zz@127.0.0.1:1")
	if _, err := environmentProxy()(u); err == nil || err.Error() != "http_proxy is not the URL of a proxy" {
		t.Errorf("got %v", err)
	}
	t.Setenv("http_proxy", "127.0.0.1:3128")
	if proxy, err := environmentProxy()(u); err != nil || proxy.String() != "http://127.0.0.1:3128" {
		t.Errorf("got %v, %v", proxy, err)
	}
	t.Setenv("no_proxy", "files.example")
	if proxy, err := environmentProxy()(u); err != nil || proxy != nil {
		t.Errorf("got %v, %v", proxy, err)
	}
}
