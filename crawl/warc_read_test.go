package crawl

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base32"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nlnwa/gowarc"
)

// warcRecord is a record as a reader sees it that shares nothing with the writer.
type warcRecord struct {
	file         string
	offset, size int64 // of the gzip member
	fields       map[string]string
	block        []byte
}

// readWARC reads a file member by member, and fails the test where the format does not hold.
func readWARC(t *testing.T, path string) (records []warcRecord) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for rest := bytes.NewReader(raw); rest.Len() > 0; {
		offset := int64(len(raw) - rest.Len())
		zr, err := gzip.NewReader(rest) // a bytes.Reader is an io.ByteReader: no byte behind the member is read
		if err != nil {
			t.Fatalf("%s at %d: %v", path, offset, err)
		}
		zr.Multistream(false)
		text, err := io.ReadAll(zr)
		if err != nil {
			t.Fatalf("%s at %d: %v", path, offset, err)
		}
		r := parseWARCRecord(t, text)
		r.file, r.offset = filepath.Base(path), offset
		r.size = int64(len(raw)-rest.Len()) - offset
		records = append(records, r)
	}
	return records
}

// parseWARCRecord reads one record, which must be the whole text, and recomputes its digests.
func parseWARCRecord(t *testing.T, text []byte) warcRecord {
	t.Helper()
	header, rest, ok := bytes.Cut(text, []byte("\r\n\r\n"))
	lines := strings.Split(string(header), "\r\n")
	if !ok || lines[0] != "WARC/1.1" {
		t.Fatalf("no record: %.100q", text)
	}
	r := warcRecord{fields: map[string]string{}}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("no field: %q", line)
		}
		r.fields[name] = value
	}
	n, err := strconv.Atoi(r.fields["Content-Length"])
	if err != nil || len(rest) != n+4 || string(rest[n:]) != "\r\n\r\n" {
		t.Fatalf("Content-Length %q of %d bytes, ended by %q", r.fields["Content-Length"], len(rest)-4, rest[max(0, len(rest)-4):])
	}
	r.block = rest[:n]
	digest := func(b []byte) string {
		sum := sha1.Sum(b)
		return "sha1:" + base32.StdEncoding.EncodeToString(sum[:])
	}
	if got := digest(r.block); r.fields["WARC-Block-Digest"] != got {
		t.Errorf("%s: block digest %s, of the block %s", r.fields["WARC-Target-URI"], r.fields["WARC-Block-Digest"], got)
	}
	if kind := r.fields["WARC-Type"]; kind == "response" || kind == "request" {
		if got := digest(payloadOf(r.block)); r.fields["WARC-Payload-Digest"] != got {
			t.Errorf("%s: payload digest %s, of the payload %s", r.fields["WARC-Target-URI"], r.fields["WARC-Payload-Digest"], got)
		}
	}
	return r
}

// endOfHeader is an empty line, whose line ends may be those of a careless server.
var endOfHeader = regexp.MustCompile(`\n\r?\n`)

// payloadOf returns what follows the header of an HTTP message.
func payloadOf(block []byte) []byte {
	if at := endOfHeader.FindIndex(block); at != nil {
		return block[at[1]:]
	}
	return nil
}

// readArchive reads all files of a prefix, first with gowarc's strict reader, and checks the index against them.
func readArchive(t *testing.T, prefix string) (records []warcRecord) {
	t.Helper()
	files, err := filepath.Glob(prefix + "-*.warc.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no file", err)
	}
	slices.Sort(files)
	for i, file := range files {
		if want := fmt.Sprintf("%s-%05d.warc.gz", prefix, i); file != want {
			t.Fatalf("%s, not %s", file, want)
		}
		own := readWARC(t, file)
		if n := readStrictly(t, file); n != len(own) {
			t.Errorf("gowarc reads %d records, the test %d", n, len(own))
		}
		if own[0].fields["WARC-Type"] != "warcinfo" || own[0].fields["WARC-Filename"] != filepath.Base(file) {
			t.Errorf("the first record is %v", own[0].fields)
		}
		records = append(records, own...)
	}
	checkIndex(t, prefix+".cdxj", records)
	return records
}

func readStrictly(t *testing.T, file string) (n int) {
	t.Helper()
	builders.Lock() // the library sets something global
	r, err := gowarc.NewWarcFileReader(file, 0, gowarc.WithStrictValidation())
	builders.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for {
		record, _, validation, err := r.Next()
		if err == io.EOF {
			return n
		}
		if err == nil {
			err = record.ValidateDigest(validation)
		}
		if err != nil || !validation.Valid() {
			t.Fatalf("%s, record %d: %v %v", file, n, err, validation)
		}
		n++
	}
}

// archived is what an archive has, a line a record, without what differs between runs.
func archived(records []warcRecord) []string {
	lines := []string{}
	for _, r := range records {
		line := r.fields["WARC-Type"] + " " + r.fields["WARC-Target-URI"]
		if to := r.fields["WARC-Truncated"]; to != "" {
			line += " truncated " + to
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
