package copy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// objectsInFleet are objects of all sizes: what one worker sends at once, in parts, and what many send.
func objectsInFleet() map[string][]byte {
	all := map[string][]byte{
		"empty": {}, "small": random(1000), "a/b/c": random(2000), "a/b+ c%20": random(10), "a/large": random(11*mib + 777),
		"medium": random(900 * kib), "big": random(6 * mib),
	}
	for i := range 150 {
		all[fmt.Sprintf("many/%03d", i)] = random(i)
	}
	return all
}

func writeTree(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	for name, data := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
	}
}

// sameObjects fails the test if below a prefix there is anything but all, or an upload is left.
func (g *gateway) sameObjects(t testing.TB, prefix string, all map[string][]byte) {
	t.Helper()
	keys := g.keys(t, prefix)
	if len(keys) != len(all) {
		t.Errorf("%d objects of %d below %s", len(keys), len(all), prefix)
	}
	for name, data := range all {
		if got := g.get(t, prefix+name); string(got) != string(data) {
			t.Errorf("%s has %d other bytes of %d", name, len(got), len(data))
		}
	}
	if left := g.uploads(t); len(left) > 0 {
		t.Errorf("%d uploads are left", len(left))
	}
}

func sameTree(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil || n != len(all) {
		t.Errorf("%d files of %d, %v", n, len(all), err)
	}
	for name, data := range all {
		same(t, filepath.Join(dir, name), data)
	}
}

func TestFleetCopiesObjects(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	all := objectsInFleet()
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := filepath.Join(from, "src")
		writeTree(t, src, all)
		up, across := "s3://bucket/up-"+m.String(), "s3://bucket/across-"+m.String()+"/"
		for i, leg := range [][2]string{{src, up}, {up + "/", across}, {across, filepath.Join(to, "dst")}} {
			for _, verify := range []bool{false, true} {
				t.Run(fmt.Sprint(i, verify), func(t *testing.T) {
					o := g.options(m, leg[0], leg[1])
					o.Recursive, o.Verify = true, verify
					got := together(t, 3, inFleet(t, redis, o))
					if got.Items != int64(len(all)) {
						t.Errorf("%d items of %d", got.Items, len(all))
					}
				})
			}
		}
		g.sameObjects(t, "up-"+m.String()+"/", all)
		g.sameObjects(t, "across-"+m.String()+"/", all)
		sameTree(t, filepath.Join(to, "dst"), all)
		if info, err := os.Stat(filepath.Join(to, "dst", "a", "large")); err != nil {
			t.Error(err)
		} else if was, err := os.Stat(filepath.Join(src, "a", "large")); err != nil || !was.ModTime().Equal(info.ModTime()) {
			t.Errorf("modified at %v, %v", info.ModTime(), err)
		}
	})
}

// A single object, and what is refused.
func TestFleetCopiesOneObject(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	data := random(7*mib + 1)
	g.put(t, "one", data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		_, to := dirs(t)
		for i, c := range []struct{ src, dst, err string }{
			{"s3://bucket/one", filepath.Join(to, "file"), ""},
			{"s3://bucket/one", to, ""},
			{filepath.Join(to, "file"), "s3://bucket/" + m.String(), ""},
			{"s3://bucket/" + m.String(), "s3://bucket/again-" + m.String() + "/", ""},
			{"s3://bucket/one", "s3://bucket/one", "are the same object"},
			{"s3://bucket/none", to, "cannot read s3://bucket/none"},
			{"s3://bucket/", to, "-r not specified; omitting prefix"},
			{to, "s3://bucket/x", "-r not specified; omitting directory"},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				o := inFleet(t, redis, g.options(m, c.src, c.dst))
				report, err := Run(t.Context(), o)
				said := fmt.Sprint(err, report.Errors)
				if c.err == "" && (err != nil || report.Items != 1 || report.ItemsFailed > 0) || !strings.Contains(said, c.err) {
					t.Errorf("%s, %+v", said, report.Totals)
				}
			})
		}
		same(t, filepath.Join(to, "file"), data)
		same(t, filepath.Join(to, "one"), data)
		for _, key := range []string{m.String(), "again-" + m.String() + "/" + m.String()} {
			if string(g.get(t, key)) != string(data) {
				t.Errorf("%s has other bytes", key)
			}
		}
	})
}

// sentAll begins an upload as a worker of a fleet, and sends all its parts.
func sentAll(t *testing.T, r *run, ground *objectGround, key string, data []byte) (string, found) {
	t.Helper()
	from := localBytes(t, r, data)
	what, err := from.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := ground.large(key, from)
	token, chunk, err := u.begin(t.Context(), what, 0)
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < int64(len(data)); off += chunk {
		if err := u.write(t.Context(), data[off:min(off+chunk, int64(len(data)))], off); err != nil {
			t.Fatal(err)
		}
	}
	return token, what
}

func localBytes(t *testing.T, r *run, data []byte) *localSource {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "source"), data)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	from := &localSource{run: r, shown: path, file: f}
	t.Cleanup(from.close)
	return from
}

func inStore(t *testing.T, g *gateway, change func(*Options)) (*run, *objectGround) {
	t.Helper()
	o := g.options(limiter.Async, "unused", "s3://bucket/unused")
	change(&o)
	r := quickly(o)
	r.sized()
	r.web = r.openWeb()
	t.Cleanup(r.web.client.Close)
	var err error
	if r.store, err = r.web.openStore(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.store.close)
	r.driver = newPreadDriver(mib, true)
	t.Cleanup(func() { _ = r.driver.close() })
	return r, newObjectGround(r, object{bucket: bucket}, time.Now())
}

// The worker that ends an upload may die before it has said so: who does it again finds that it is done.
func TestFleetEndsAnUploadTwice(t *testing.T) {
	g := newGateway(t)
	for _, verify := range []bool{false, true} {
		r, ground := inStore(t, g, func(o *Options) { o.Verify = verify })
		key := fmt.Sprint("twice", verify)
		data := random(12 * mib)
		token, what := sentAll(t, r, ground, key, data)
		held := func() error { return nil }
		for range 3 {
			u := ground.large(key, localBytes(t, r, data))
			if _, err := u.attach(t.Context(), token, what); err != nil {
				t.Fatal(err)
			}
			if kept, err := u.commit(t.Context(), what, held); kept || err != nil {
				t.Fatalf("kept is %v, %v", kept, err)
			}
		}
		g.holds(t, key, data)

		// What is there is not what was to be there.
		g.put(t, key, random(12*mib + 1)[1:])
		u := ground.large(key, localBytes(t, r, data))
		if _, err := u.attach(t.Context(), token, what); err != nil {
			t.Fatal(err)
		}
		if _, err := u.commit(t.Context(), what, held); err == nil {
			t.Error("another object counts as the copy")
		}
	}
}

// An upload does not end whose worker has lost its lease, nor one that lacks a part; what workers have left of others ends
// with it.
func TestFleetEndsNoUploadTooEarly(t *testing.T) {
	g := newGateway(t)
	r, ground := inStore(t, g, func(*Options) {})
	data := random(12 * mib)
	_, _ = sentAll(t, r, ground, "key", data[:6*mib]) // begun by one who was killed before anybody knew of it
	token, what := sentAll(t, r, ground, "key", data)
	u := ground.large("key", localBytes(t, r, data))
	if _, err := u.attach(t.Context(), token, what); err != nil {
		t.Fatal(err)
	}
	if _, err := u.commit(t.Context(), what, func() error { return fleet.ErrLost }); !errors.Is(err, fleet.ErrLost) {
		t.Errorf("got %v", err)
	}
	longer := what
	longer.size += 5 * mib
	v := ground.large("key", localBytes(t, r, data))
	if _, err := v.attach(t.Context(), token, longer); err != nil {
		t.Fatal(err)
	}
	if _, err := v.commit(t.Context(), longer, func() error { return nil }); err == nil || !strings.Contains(err.Error(), "lost part") {
		t.Errorf("got %v", err)
	}
	if keys := g.keys(t, "key"); len(keys) > 0 {
		t.Errorf("there is %v", keys)
	}
	if _, err := u.commit(t.Context(), what, func() error { return nil }); err != nil {
		t.Error(err)
	}
	g.holds(t, "key", data)
}

// A worker whose lease ends while the store begins an upload for it ends that upload: others are done with the object, and do
// not look for it any more.
func TestFleetBeginsAnUploadTooLate(t *testing.T) {
	g := newGateway(t)
	data := random(6 * mib)
	for name, lost := range map[string]bool{"the answer arrives": false, "the answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancelCause(t.Context())
			begun := 0
			front := g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !documents["create"](r) {
					return false
				}
				answer := httptest.NewRecorder()
				forward(t, answer, r, g.URL)
				begun++
				end(fleet.ErrLost)
				select { // a client that does not wait has gone by then
				case <-r.Context().Done():
				case <-time.After(200 * time.Millisecond):
				}
				if lost {
					abort()
				}
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
				return true
			})
			r, ground := inStore(t, g, func(o *Options) { o.S3.Endpoint = front })
			from := localBytes(t, r, data)
			what, err := from.open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			large := ground.large("late", from)
			token, _, err := large.begin(ctx, what, 0)
			if lost != (err != nil) {
				t.Errorf("got %v", err)
			}
			large.repair()
			large.abort(t.Context(), token)
			if left := g.uploads(t); begun != 1 || len(left) > 0 {
				t.Errorf("%d uploads were begun, %d are left", begun, len(left))
			}
		})
	}
}

// So does one that would have sent the object alone.
func TestFleetBeginsAnObjectTooLate(t *testing.T) {
	g := newGateway(t)
	ctx, end := context.WithCancelCause(t.Context())
	front := g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
		if documents["create"](r) {
			end(fleet.ErrLost)
			select {
			case <-r.Context().Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		return false
	})
	r, ground := inStore(t, g, func(o *Options) { o.S3.Endpoint = front })
	from := localBytes(t, r, random(6*mib))
	what, err := from.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	one := ground.small("late", from, func() error { return context.Cause(ctx) })
	if _, err := one.begin(ctx, what); err != nil {
		t.Errorf("got %v", err)
	}
	if len(g.uploads(t)) != 1 {
		t.Error("no upload was begun")
	}
	if err := one.write(ctx, random(5*mib), 0); !errors.Is(err, fleet.ErrLost) {
		t.Errorf("got %v", err)
	}
	one.abort(true)
	if left := g.uploads(t); len(left) > 0 {
		t.Errorf("%d uploads are left", len(left))
	}
}

// A source that changes in the middle fails, whichever way it goes, and nothing has its name.
func TestFleetObjectsThatChange(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		_, to := dirs(t)
		for _, dst := range []string{filepath.Join(to, "dst"), "s3://bucket/to-" + m.String()} {
			g.put(t, "from", random(8*mib))
			o := inFleet(t, redis, g.options(m, "s3://bucket/from", dst))
			o.Fleet.Job += filepath.Base(dst)
			o.Rate = limiter.NewRate(2 * mib) // it takes 4 s, and is changed as soon as it has begun
			o.Verify = true                   // so that its bytes come by
			ended, changed := make(chan struct{}), make(chan bool)
			go func() {
				for {
					parts, _ := filepath.Glob(filepath.Join(to, ".*"+partSuffix))
					if len(parts)+len(g.uploads(t)) > 0 {
						g.put(t, "from", random(8*mib + 1)[1:])
						changed <- true
						return
					}
					select {
					case <-ended:
						changed <- false
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			}()
			report, err := Run(t.Context(), o)
			close(ended)
			if !<-changed {
				t.Error("nobody has seen it begin")
			}
			if err != nil || report.ItemsFailed != 1 || !strings.Contains(fmt.Sprint(report.Errors), "changed") {
				t.Errorf("%s: %v, %+v, %v", dst, err, report.Totals, report.Errors)
			}
		}
		if names, err := os.ReadDir(to); err != nil || len(names) > 0 {
			t.Errorf("there is %v, %v", names, err)
		}
		if keys := g.keys(t, "to-"); len(keys) > 0 || len(g.uploads(t)) > 0 {
			t.Errorf("there is %v, and %d uploads", keys, len(g.uploads(t)))
		}
	})
}

// levelStore lists keys as a store does that knows folders, in pages.
type levelStore struct {
	fakeStore
	page int
}

func (s *levelStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("list-type") != "2" {
		s.fakeStore.ServeHTTP(w, r)
		return
	}
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	var contents, folders []string
	var last string
	more := false
	for _, key := range slices.Sorted(slices.Values(s.keys)) {
		rest, ok := strings.CutPrefix(key, q.Get("prefix"))
		if !ok || key <= after {
			continue
		}
		folder := ""
		if i := strings.IndexByte(rest, '/'); i >= 0 && q.Get("delimiter") == "/" {
			folder = q.Get("prefix") + rest[:i+1]
		}
		if folder != "" && slices.Contains(folders, folder) {
			last = key
			continue
		}
		if more = len(contents)+len(folders) == s.page; more {
			break
		}
		if last = key; folder != "" {
			folders = append(folders, folder)
		} else {
			contents = append(contents, key)
		}
	}
	_, _ = fmt.Fprintf(w, `<ListBucketResult><IsTruncated>%t</IsTruncated><EncodingType>url</EncodingType>`, more)
	if more {
		_, _ = fmt.Fprintf(w, `<NextContinuationToken>%s</NextContinuationToken>`, last)
	}
	for _, key := range contents {
		_, _ = fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"v1"</ETag>`+
			`<LastModified>2001-02-03T04:05:06.000Z</LastModified></Contents>`, url.QueryEscape(key), len(key))
	}
	for _, key := range folders {
		_, _ = fmt.Fprintf(w, `<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>`, url.QueryEscape(key))
	}
	_, _ = fmt.Fprint(w, `</ListBucketResult>`)
}

var oddKeys = []string{"p/good", "p/a/b", "p/a/", "p/a//x", "p/a//y/z", "p/../up", "p/z/", "p/"}

// Each key is listed once, in the folder that it is in, however many there are.
func TestObjectShelf(t *testing.T) {
	store := &levelStore{page: 1000, fakeStore: fakeStore{keys: oddKeys}}
	want := map[string]string{ // as key, but for what becomes no file
		"good": "good", "a/b": "a/b", "a/": "a/", "a//x": "a//x", "a//y/z": "a//y/z", "../up": "../up", "z/": "z/",
	}
	for i := range 3500 {
		key := fmt.Sprintf("m%d/f%04d", i%3, i)
		if i%7 == 0 {
			key = fmt.Sprintf("m0/d%04d/f", i)
		}
		store.keys = append(store.keys, "p/"+key)
		want[key] = key
	}
	server := httptest.NewServer(store)
	defer server.Close()
	r := quickly(Options{Sources: []string{"s3://bucket/p"}, Dest: "s3://bucket/q", S3: storeAt(server.URL)})
	r.web = r.openWeb()
	defer r.web.client.Close()
	var err error
	if r.store, err = r.web.openStore(); err != nil {
		t.Fatal(err)
	}
	defer r.store.close()
	for _, at := range []object{{bucket, "p"}, {bucket, "p/"}} {
		s := &objectShelf{run: r, at: at}
		got := map[string]string{}
		var walk func(rel string)
		walk = func(rel string) {
			err := s.list(t.Context(), rel, func(what shelved) error {
				path := join(rel, what.name)
				switch {
				case what.mode.IsDir():
					walk(path)
					return nil
				case what.rel != "":
					path = what.rel
				}
				if above(path) != rel || got[path] != "" {
					t.Errorf("%q is listed in %q, and before as %q", path, rel, got[path])
				}
				got[path] = strings.TrimPrefix(s.place(path).key, "p/")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		walk("")
		if !maps.Equal(got, want) {
			t.Errorf("%v: %d keys of %d", at, len(got), len(want))
		}
	}
}

// What cannot be a file fails by itself, and nothing is written outside.
func TestFleetKeysThatAreNoFiles(t *testing.T) {
	server := httptest.NewServer(&levelStore{page: 1000, fakeStore: fakeStore{keys: oddKeys}})
	defer server.Close()
	redis := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		_, to := dirs(t)
		o := inFleet(t, redis, Options{
			Sources: []string{"s3://bucket/p"}, Dest: filepath.Join(to, "dst"), Mode: m, Recursive: true, S3: storeAt(server.URL),
		})
		report, err := Run(t.Context(), o)
		if err != nil || report.ItemsFailed != 3 || report.Items != 5 || !strings.Contains(fmt.Sprint(report.Errors), "is no name for a file here") {
			t.Errorf("%v, %+v, %v", err, report.Totals, report.Errors)
		}
		if got := filesBelow(t, to); fmt.Sprint(got) != "[dst/a/b dst/good]" {
			t.Errorf("there is %v", got)
		}
	})
}

// objectCargo takes a while at a few MiB/s: large objects, and many small ones.
func objectCargo() map[string][]byte {
	all := map[string][]byte{"a/one": random(13*mib + 1), "a/two": random(11 * mib), "three": random(2*mib + 5)}
	for i := range 80 {
		all[fmt.Sprintf("many/%02d", i)] = random(1000 * i)
	}
	return all
}

// A worker whose credentials are good for nothing ends, and no item has failed for that: others copy them.
func TestFleetWorkerThatIsDenied(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	denying := g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
		return true
	})
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, _ := dirs(t)
		all := map[string][]byte{"a": random(10), "b/c": random(6 * mib), "d": random(1000)}
		writeTree(t, from, all)
		o := g.options(m, from, "s3://bucket/denied-"+m.String())
		o.Recursive = true
		denied := inFleet(t, redis, o)
		denied.S3 = storeAt(denying)
		report, err := Run(t.Context(), denied)
		var e *StoreError
		if !errors.As(err, &e) || e.Status != http.StatusForbidden || report.ItemsFailed > 0 {
			t.Errorf("%v, %+v", err, report.Totals)
		}
		together(t, 2, inFleet(t, redis, o))
		g.sameObjects(t, "denied-"+m.String()+"/", all)
	})
}

// A store that goes away ends the workers, and when it is there again the same command goes on.
func TestFleetStoreGoesAway(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	all := objectCargo()
	from, to := dirs(t)
	writeTree(t, from, all)
	for name, data := range all {
		g.put(t, "src/"+name, data)
	}
	for _, leg := range [][2]string{{from, "s3://bucket/away"}, {"s3://bucket/src", filepath.Join(to, "dst")}} {
		o := inFleet(t, redis, g.options(limiter.Async, leg[0], leg[1]))
		o.Recursive, o.Fleet.Job = true, o.Fleet.Job+filepath.Base(leg[1])
		slow := o
		slow.Rate, slow.Network.Retries = limiter.NewRate(5*mib), -1
		gone := make(chan struct{})
		time.AfterFunc(time.Second, func() {
			g.Kill()
			close(gone)
		})
		report, err := Run(t.Context(), slow)
		<-gone
		if err == nil || report.ItemsFailed > 0 {
			t.Errorf("%v, %+v", err, report)
		}
		if err := g.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		together(t, 2, o)
	}
	g.sameObjects(t, "away/", all)
	sameTree(t, filepath.Join(to, "dst"), all)
}

// What is there is left as it is, as a single process does.
func TestFleetSkipsObjects(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	from, to := dirs(t)
	all := map[string][]byte{"a": random(10), "b/large": random(7 * mib), "c": {}}
	writeTree(t, from, all)
	legs := [][2]string{{from, "s3://bucket/up"}, {"s3://bucket/up", "s3://bucket/across"}, {"s3://bucket/up", filepath.Join(to, "dst")}}
	choices := map[string]func(*Options){
		"update": func(o *Options) { o.Update = true }, "no-clobber": func(o *Options) { o.NoClobber = true },
		"checksum": func(o *Options) { o.Checksum = true },
	}
	run := func(t *testing.T, m limiter.Mode, leg [2]string, choice string) Report {
		o := g.options(m, leg[0], leg[1])
		o.Recursive = true
		choices[choice](&o)
		o = inFleet(t, redis, o)
		o.Fleet.Job += fmt.Sprint(time.Now().UnixNano())
		return together(t, 2, o)
	}
	for _, leg := range legs {
		run(t, limiter.Async, leg, "update")
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, leg := range legs {
			for choice := range choices {
				if got := run(t, m, leg, choice); got.ItemsSkipped != int64(len(all)) || got.Bytes > 0 {
					t.Errorf("%v, %s: %d skipped, %d bytes", leg, choice, got.ItemsSkipped, got.Bytes)
				}
			}
		}
	})
}

// Within a store a large object is copied by the store in parts, which several workers ask for.
func TestFleetCopiesWithinInParts(t *testing.T) {
	g := newGateway(t)
	redis := redistest.Start(t).URL
	data := random(withinPart + 5*mib + 3)
	g.put(t, "large", data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		key := "parts-" + m.String()
		got := together(t, 2, inFleet(t, redis, g.options(m, "s3://bucket/large", "s3://bucket/"+key)))
		g.holds(t, key, data)
		info, err := g.look.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
		if err != nil || partsOf(info.ETag) != 2 || got.Bytes != int64(len(data)) {
			t.Errorf("etag %s, %d bytes, %v", info.ETag, got.Bytes, err)
		}
	})
}
