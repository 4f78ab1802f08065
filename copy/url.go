package copy

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// IsURL says whether a source is read over the network. A file of such a name can be given as ./http:….
func IsURL(source string) bool { return isHTTP(source) || IsS3(source) }

func isHTTP(source string) bool {
	scheme, _, ok := strings.Cut(source, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// parseURL reads a source that isHTTP. A fragment names a place in the file and is no part of the request.
func parseURL(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	var e *url.Error
	switch {
	case errors.As(err, &e) && strings.Contains(source, "@"): // the reason may quote a password
		return nil, usagef("%s is not a URL; in names and passwords, odd characters are written as %%XX", shownURL(source))
	case errors.As(err, &e):
		return nil, usagef("%s is not a URL: %v", shownURL(source), e.Err)
	case u.Hostname() == "":
		return nil, usagef("%s is not a URL with a host", shownURL(source))
	}
	u.Scheme = strings.ToLower(u.Scheme)
	return asRequested(u), nil
}

// asRequested returns a URL as a request can have it: without the fragment, and with a query of such characters only as
// browsers leave as they are (https://url.spec.whatwg.org/#query-percent-encode-set). A space would end the request's line.
func asRequested(u *url.URL) *url.URL {
	var query strings.Builder
	for i := range len(u.RawQuery) {
		if c := u.RawQuery[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>`, c) >= 0 {
			fmt.Fprintf(&query, "%%%02X", c)
		} else {
			query.WriteByte(c)
		}
	}
	at := *u
	at.Fragment, at.RawFragment, at.RawQuery = "", "", query.String()
	return &at
}

// shownURL returns a URL as messages may have it: who signed it, or may use it, is a secret.
func shownURL(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		scheme, rest, _ := strings.Cut(source, "://")
		rest, query, has := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "?")
		if has {
			rest += "?" + shownQuery(query)
		}
		return scheme + "://" + rest
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery = shownQuery(u.RawQuery)
	return u.String()
}

func shownQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if name, _, ok := strings.Cut(part, "="); ok && isSecret(name) {
			parts[i] = name + "=..."
		}
	}
	return strings.Join(parts, "&")
}

// isSecret says whether a query's parameter is a credential, as in the signed URLs of object stores.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, end := range []string{
		"signature", "credential", "token", "password", "passwd", "pwd", "pass", "secret", "auth", "jwt", "hmac",
		"api_key", "api-key", "apikey", "access_key", "access-key", "accesskey",
	} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return name == "sig" || name == "key"
}

// sameOrigin says whether what is meant for a may be told to b (RFC 6454).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

const (
	noName  = "index.html" // of a URL that ends with a slash, as wget has it
	longest = 240          // bytes of a name: its part file's has more
)

// nameOf returns what a downloaded file is called: as Content-Disposition says (RFC 6266), or by the last part of the
// URL's path.
func nameOf(u *url.URL, h http.Header) string {
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil {
		if name := cleanName(params["filename"]); name != "" {
			return name
		}
	}
	if strings.HasSuffix(u.Path, "/") {
		return noName
	}
	if name := cleanName(path.Base(u.Path)); name != "" {
		return name
	}
	return noName
}

// cleanName makes a file's name of what a server says: one that stays in its folder, is not hidden, looks like no option,
// and that every system can hold. It returns nothing if nothing is left.
func cleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if name == "" {
		return ""
	}
	base, _, _ := strings.Cut(name, ".")
	if name[0] == '.' || name[0] == '-' || isDevice(base) {
		name = "_" + strings.TrimLeft(name, ".-")
	}
	if len(name) > longest {
		end := path.Ext(name)
		if len(end) > 20 {
			end = ""
		}
		name = strings.TrimRight(strings.ToValidUTF8(name[:longest-len(end)], ""), ". ") + end
	}
	return name
}

// isDevice says whether Windows takes a name for a device's, as it does with spaces behind it and with the digits ¹, ² and ³
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func isDevice(base string) bool {
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, isPort := strings.CutPrefix(base, "COM")
	if !isPort {
		number, isPort = strings.CutPrefix(base, "LPT")
	}
	return isPort && utf8.RuneCountInString(number) == 1 && strings.ContainsAny(number, "0123456789¹²³")
}

// remoteInfo is what is known of a file that is not of this machine, as an fs.FileInfo.
type remoteInfo struct{ what found }

func (i remoteInfo) Name() string       { return i.what.name }
func (i remoteInfo) Size() int64        { return max(i.what.size, 0) }
func (i remoteInfo) Mode() fs.FileMode  { return i.what.mode }
func (i remoteInfo) ModTime() time.Time { return i.what.mtime }
func (i remoteInfo) IsDir() bool        { return false }
func (i remoteInfo) Sys() any           { return nil }

// StatusError says that a server does not give what it was asked for.
type StatusError struct {
	URL    string // without credentials
	Code   int    // RFC 9110 section 15
	Status string // the code and its reason, as the server has them
}

func (e *StatusError) Error() string {
	who := "server"
	if e.Code == http.StatusProxyAuthRequired {
		who = "proxy"
	}
	return fmt.Sprintf("the %s answers %s", who, e.Status)
}
