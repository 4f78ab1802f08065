package cookies

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	fileHeader     = "# Netscape HTTP Cookie File\n"
	httpOnlyPrefix = "#HttpOnly_" // of the domain, as curl writes it
	maxLine        = 16 << 10
)

// Open returns the jar that a file holds, an empty one if there is no such file. bad is how many of its lines are no
// cookies; they are lost when the jar is saved to the same file. os.DevNull is an empty jar, too.
func Open(path string, now time.Time) (j *Jar, bad int, err error) {
	j = &Jar{}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || path == os.DevNull:
		return j, 0, nil
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	bad, err = j.Read(f, now)
	return j, bad, err
}

// Read adds the cookies of a file in Netscape's format: domain, whether hosts below it count, path, whether it needs https,
// seconds since 1970 or 0, name and value, with tabs between them. bad is how many lines are no cookies.
func (j *Jar) Read(r io.Reader, now time.Time) (bad int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			long = true
			_, err = lines.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return bad, err
		}
		domain, httpOnly := strings.CutPrefix(text, httpOnlyPrefix)
		switch {
		case !httpOnly && (strings.HasPrefix(text, "#") || strings.TrimSpace(text) == ""):
		case long:
			bad++
		default:
			if c, ok := parseLine(domain); !ok {
				bad++
			} else if c.httpOnly = httpOnly; !c.expired(now) {
				j.put(c, now)
			}
		}
		if err == io.EOF {
			return bad, nil
		}
	}
}

// parseLine reads a line without the mark of HttpOnly.
func parseLine(line string) (*cookie, bool) {
	fields := strings.Split(line, "\t")
	if len(fields) == 6 {
		fields = append(fields, "") // curl writes an empty value so
	}
	if len(fields) != 7 || !httpguts.ValidHeaderFieldValue(line) {
		return nil, false
	}
	c := &cookie{value: trim(fields[6])}
	c.hostOnly, c.secure = !strings.EqualFold(fields[1], "TRUE"), strings.EqualFold(fields[3], "TRUE")
	c.domain = strings.ToLower(strings.TrimPrefix(fields[0], "."))
	c.path, c.name = fields[2], trim(fields[5])
	c.hostOnly = c.hostOnly || isAddress(c.domain)
	if !strings.HasPrefix(c.path, "/") {
		c.path = "/"
	}
	seconds, err := strconv.ParseInt(fields[4], 10, 64)
	const most = 1 << 37 // beyond the year 6000, and far below what a Time can hold
	if seconds = min(max(seconds, -1), most); seconds != 0 {
		c.expires = time.Unix(seconds, 0)
	}
	bad := err != nil || c.domain == "" || c.domain[0] == '.' || strings.ContainsAny(c.domain, " /#") || c.name+c.value == "" ||
		strings.ContainsAny(c.name, ";=") || strings.Contains(c.value, ";") || len(c.name)+len(c.value) > maxCookie
	return c, !bad
}

// Write writes all cookies that have not expired, those of sessions too, as curl does.
func (j *Jar) Write(w io.Writer, now time.Time) error {
	j.mu.Lock()
	var all []*cookie
	for _, held := range j.sites {
		for _, c := range held {
			if !c.expired(now) {
				all = append(all, c)
			}
		}
	}
	j.mu.Unlock()
	// In the order of creation, which decides about the order in requests.
	slices.SortFunc(all, func(a, b *cookie) int { return cmp.Compare(a.born, b.born) })
	var b bytes.Buffer
	b.WriteString(fileHeader)
	for _, c := range all {
		b.WriteString(c.line())
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (c *cookie) line() string {
	domain, below, secure := c.domain, "FALSE", "FALSE"
	if !c.hostOnly {
		domain, below = "."+domain, "TRUE"
	}
	if c.httpOnly {
		domain = httpOnlyPrefix + domain
	}
	if c.secure {
		secure = "TRUE"
	}
	expires := int64(0)
	if !c.expires.IsZero() {
		expires = c.expires.Unix()
	}
	return strings.Join([]string{domain, below, c.path, secure, strconv.FormatInt(expires, 10), c.name, c.value}, "\t") + "\n"
}

// Save replaces a file by the jar at once, readable by its owner only: a crash leaves the old file or the new one.
func (j *Jar) Save(path string, now time.Time) error {
	if path == os.DevNull {
		return nil
	}
	// Where the name is a link, the file that it leads to is the jar.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".pace-cookies-*") // mode 0600
	if err != nil {
		return err
	}
	err = j.Write(f, now)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
