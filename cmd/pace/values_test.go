package main

import (
	"net/netip"
	"net/url"
	"testing"
	"time"
)

func checkKind[T comparable](t *testing.T, name string, k kind[T], good map[string]T, bad ...string) {
	t.Helper()
	for text, want := range good {
		if got, err := k.parse(text); err != nil || got != want {
			t.Errorf("%s %q = %v, %v; want %v", name, text, got, err, want)
		}
	}
	for _, text := range bad {
		if got, err := k.parse(text); err == nil {
			t.Errorf("%s %q = %v, want an error", name, text, got)
		}
	}
}

// The command that joins a job again is what the user has typed, without the password.
func TestResumeWords(t *testing.T) {
	for url, want := range map[string]string{
		"redis://a:1":                             "redis://a:1",
		"redis://u:p@ss@a:1,b:2/3":                "'redis://a:1,b:2/3'",
		"rediss://:p@a:1?cluster=true":            "'rediss://a:1?cluster=true'",
		"redis://a:1?prefix=x@y":                  "'redis://a:1?prefix=x@y'",
		"redis://u:p@a:1?prefix=x@y&cluster=true": "'redis://a:1?prefix=x@y&cluster=true'",
	} {
		f := &fleetFlags{url: url, job: "it"}
		if got := f.resumeWords("copy"); got != "pace copy --fleet "+want+" --job it" {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestValues(t *testing.T) {
	checkKind(t, "size", sizeKind, map[string]int64{
		"0": 0, "4096": 4096, "64KiB": 64 << 10, "1MiB": 1 << 20, "1.5GiB": 3 << 29, "2GB": 2e9, "1 MiB": 1 << 20,
	}, "", "-1", "-1MiB", "MiB", "1XB", "1,000", "9EiB", "NaN")
	checkKind(t, "byte rate", byteRateKind, map[string]float64{
		"0": 0, "50MiB/s": 50 << 20, "50MiB": 50 << 20, "6MiB/m": (6 << 20) / 60.0, "1kB/s": 1000,
	}, "", "fast", "1MiB/x", "-1MiB/s", "/s")
	checkKind(t, "rate", rateKind, map[string]float64{
		"0": 0, "2/s": 2, "2": 2, "30/m": 0.5, "0.5/s": 0.5, "3600/h": 1,
	}, "", "/s", "2/x", "-2/s", "NaN", "Inf/s", "0x10/s", "1e9/s", "2 / s")
	checkKind(t, "duration", durationKind, map[string]time.Duration{
		"0": 0, "300ms": 300 * time.Millisecond, "1m30s": 90 * time.Second,
	}, "", "30", "-1s", "soon")
	checkKind(t, "count", countKind(1, 10, "5"), map[string]int{"1": 1, "10": 10}, "0", "11", "-1", "1.5", "x", "")
	checkKind(t, "share", shareKind, map[string]float64{"0": 0, "0.05": 0.05, "1": 1}, "1.1", "-0.1", "NaN", "x")
	checkKind(t, "header", headerKind, map[string]headerLine{
		"accept-language: en": {"Accept-Language", "en"}, "X-Empty:": {"X-Empty", ""}, "X: a:b": {"X", "a:b"},
	}, "no colon", ": value", "A b: c", "X: a\r\nY: b", "User-Agent: x", "Host: x")
	checkKind(t, "resolve", resolveKind, map[string]resolved{
		"WWW.test:80:127.0.0.1": {"www.test:80", netip.MustParseAddrPort("127.0.0.1:80")},
		"www.test:443:[::1]":    {"www.test:443", netip.MustParseAddrPort("[::1]:443")},
		"www.test:443:::1":      {"www.test:443", netip.MustParseAddrPort("[::1]:443")},
	}, "", "h", "h:80", "h:80:", "h:0:127.0.0.1", "h:99999:127.0.0.1", ":80:127.0.0.1", "*:80:127.0.0.1", "h:80:other")
	checkKind(t, "listen", listenKind, map[string]string{"127.0.0.1:0": "127.0.0.1:0", "[::1]:80": "[::1]:80"},
		"127.0.0.1", "127.0.0.1:http", ":99999")
}

func TestProxy(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:3128": "http://127.0.0.1:3128",
		"127.0.0.1:3128":        "http://127.0.0.1:3128",
		"socks5://[::1]:1080":   "socks5://[::1]:1080",
	} {
		proxy, err := parseProxy(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, _ := proxy(&url.URL{Scheme: "http", Host: "127.0.0.1"}); got.String() != want {
			t.Errorf("%q goes through %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "http://", "ftp://127.0.0.1", "://"} {
		if _, err := parseProxy(text); err == nil {
			t.Errorf("%q is a proxy", text)
		}
	}
}
