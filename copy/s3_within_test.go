package copy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"pace/limiter"
)

// --checksum knows a copy that the store has made again, in either direction, though its checksum is that of other parts;
// and knows that it is one no more when either has changed.
func TestObjectCopyKnownByChecksum(t *testing.T) {
	g := newGateway(t)
	from, _ := dirs(t)
	for name, size := range map[string]int{"whole": 6*mib + 1, "parts": withinPart + mib} {
		t.Run(name, func(t *testing.T) {
			o := g.options(limiter.Async, write(t, filepath.Join(from, name+".html"), random(size)), "s3://bucket/"+name)
			o.ChunkSize = leastPart
			if err := os.Chtimes(o.Sources[0], longAgo, longAgo); err != nil {
				t.Fatal(err)
			}
			downloaded(t, o)
			src, dst := "s3://bucket/"+name, "s3://bucket/"+name+".copy"
			copied := func(src, dst string) bool {
				t.Helper()
				o := g.options(limiter.Async, src, dst)
				o.Checksum = true
				return downloaded(t, o).ItemsSkipped == 0
			}
			if !copied(src, dst) || copied(src, dst) || copied(dst, src) {
				t.Fatal("a copy is not known")
			}
			info, err := g.look.StatObject(t.Context(), bucket, name+".copy", minio.StatObjectOptions{})
			if at, ok := storedTime(info.UserMetadata); err != nil || !ok || !at.Equal(longAgo) {
				t.Errorf("%v, %+v", err, info.UserMetadata)
			}
			if !copied(dst, dst+".copy") || copied(dst, dst+".copy") {
				t.Fatal("a copy of a copy is not known")
			}
			data := random(size)
			data[0]++
			g.put(t, name, data)
			if !copied(src, dst) || copied(src, dst) {
				t.Fatal("a change is not known")
			}
			g.holds(t, name+".copy", data)
			g.put(t, name+".copy", random(size))
			if !copied(src, dst) {
				t.Fatal("a change of the copy is not known")
			}
		})
	}
}

// An unfinished upload of other bytes is not gone on with, whether they are compared at once or when they come by: it would
// also say of the object what was true of another file.
func TestObjectUploadOfOther(t *testing.T) {
	g := newGateway(t)
	data := random(12 * mib)
	web := newOrigin(t, data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, _ := dirs(t)
		src := write(t, filepath.Join(from, "src"), data)
		if err := os.Chtimes(src, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
		for i, from := range []string{src, web.URL + "/f"} {
			for _, bad := range []int{0, 1, 2} { // parts that are there: none, one of other bytes, one of these and one of others
				key := fmt.Sprintf("other-%v-%d-%d", m, i, bad)
				var parts []string
				for n := range bad {
					parts = append(parts, string(data[n*leastPart:(n+1)*leastPart]))
				}
				if bad > 0 {
					parts[bad-1] = "?" + parts[bad-1][1:]
				}
				g.begin(t, key, parts...)
				o := g.options(m, from, "s3://bucket/"+key)
				o.ChunkSize, o.Workers = leastPart, 1
				downloaded(t, o)
				g.holds(t, key, data)
				info, err := g.look.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
				if at, _ := storedTime(info.UserMetadata); err != nil || at.Unix() == 1 || info.ContentType == "image/png" {
					t.Errorf("%s: %v, %+v", key, err, info)
				}
			}
		}
	})
}

// begin leaves an upload that is not finished.
func (g *gateway) begin(t *testing.T, key string, parts ...string) {
	t.Helper()
	id, err := g.look.NewMultipartUpload(t.Context(), bucket, key,
		minio.PutObjectOptions{UserMetadata: map[string]string{"mtime": "1"}, ContentType: "image/png"})
	for i, p := range parts {
		if err == nil {
			_, err = g.look.PutObjectPart(t.Context(), bucket, key, id, i+1, strings.NewReader(p), int64(len(p)), minio.PutObjectPartOptions{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The parts of a copy within the store are not known to be of its source, so they are made again; what was left goes.
func TestObjectCopyBegunBefore(t *testing.T) {
	g := newGateway(t)
	data := random(withinPart + mib)
	g.put(t, "there", data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		key := "again-" + m.String()
		g.begin(t, key, string(random(leastPart)))
		downloaded(t, g.options(m, "s3://bucket/there", "s3://bucket/"+key))
		g.holds(t, key, data)
		info, err := g.look.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
		if err != nil || info.ContentType == "image/png" {
			t.Errorf("%v, %+v", err, info)
		}
	})
}

// An upload that was begun with small parts is gone on with, though the chunks now are so large that one would do.
func TestObjectUploadInLargerParts(t *testing.T) {
	g := newGateway(t)
	data := random(12 * mib)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, _ := dirs(t)
		src := write(t, filepath.Join(from, "src"), data)
		if err := os.Chtimes(src, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
		for name, chunk := range map[string]int64{"larger": 16 * mib, "default": 0} {
			key := name + "-" + m.String()
			g.begin(t, key, string(data[:leastPart]), string(data[leastPart:2*leastPart]))
			o := g.options(m, src, "s3://bucket/"+key)
			o.ChunkSize = chunk
			if report := downloaded(t, o); report.Bytes != 2*mib {
				t.Errorf("%+v", report)
			}
			g.holds(t, key, data)
		}
	})
}

// What is to be verified comes by, and is compared; it keeps what its source says of itself as any other copy.
func TestObjectCopyVerified(t *testing.T) {
	g := newGateway(t)
	from, _ := dirs(t)
	for i, size := range []int{1000, 12 * mib} {
		data := random(size)
		src := fmt.Sprintf("s3://bucket/from-%d.html", i)
		o := g.options(limiter.Async, write(t, filepath.Join(from, "f"), data), src)
		if err := os.Chtimes(o.Sources[0], longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
		downloaded(t, o)
		inModes(t, func(t *testing.T, m limiter.Mode) {
			m1 := newMeter(t, g.URL, 0)
			key := fmt.Sprintf("verified-%d-%v", i, m)
			o := g.options(m, src, "s3://bucket/"+key)
			o.Verify, o.S3.Endpoint = true, m1.url
			downloaded(t, o)
			g.holds(t, key, data)
			if m1.down.Load() < int64(2*size) {
				t.Errorf("%d bytes came by of a source and a copy of %d each", m1.down.Load(), size)
			}
			info, err := g.look.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
			if at, ok := storedTime(info.UserMetadata); err != nil || !ok || !at.Equal(longAgo) || !strings.HasPrefix(info.ContentType, "text/html") {
				t.Errorf("%v, %+v", err, info)
			}
		})
	}
}
