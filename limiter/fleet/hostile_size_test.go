package fleet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// One call can hand out, take, and give back more than Lua's stack holds.
func TestManyItemsAtOnce(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{Lease: time.Hour})
	const items = 20_000
	entries := make([]Entry, items)
	for i := range entries {
		entries[i] = Entry{Key: "a", Payload: []byte(strconv.Itoa(i))}
	}
	add(t, j, entries...)
	l := lease(t, j, 1, items)[0]
	if len(l.Items) != items {
		t.Fatalf("%d items", len(l.Items))
	}
	release(t, j, Released{Lease: l.Lease})
	l = lease(t, j, 1, items)[0]
	for i, item := range l.Items {
		if string(item.Payload) != strconv.Itoa(i) {
			t.Fatalf("item %d is %s", i, item.Payload)
		}
	}
	if a := ack(t, j, l.Lease, 0, l.Items...); a.Lost || counts(t, j).Done != items {
		t.Errorf("lost is %v, %+v", a.Lost, counts(t, j))
	}
}

func TestLargePayloads(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{Lease: time.Hour, MaxAttempts: 1})
	payload := bytes.Repeat([]byte("1 2 \n\x00\xff)("), 1<<20/9)
	for i := range 3 {
		add(t, j, Entry{Key: "a", Payload: append(payload, byte('0'+i))})
	}
	for i, item := range lease(t, j, 1, 3)[0].Items {
		if !bytes.Equal(item.Payload, append(payload, byte('0'+i))) {
			t.Errorf("item %d came back otherwise", i)
		}
	}
	for _, l := range j.held() {
		release(t, j, Released{Lease: l, Note: string(payload)})
	}
	l := lease(t, j, 1, 3)[0]
	if l.Note != string(payload) || len(l.Items) != 3 {
		t.Errorf("%d bytes of a note, %d items", len(l.Note), len(l.Items))
	}
}

// A job with very many keys is deleted as a whole, and no other with it, whatever the names have in common.
func TestNamesThatBeginAlike(t *testing.T) {
	s := redistest.Start(t)
	keys := 2000
	if os.Getenv("PACE_TEST_FULL") != "" {
		keys = 100_000
	}
	long := strings.Repeat("n", 100)
	var jobs []*Job
	for _, c := range []struct{ prefix, job string }{
		{"p", "a"}, {"p", "a.b"}, {"p", "a-0"}, {"p:a", "a"}, {"p:a:0", "a"}, {"p*", "a"}, {"p", long}, {long, long}, {"p", "0"},
	} {
		j := join(t, s.URL+"?prefix="+c.prefix, Options{Job: c.job, Expect: 500_000})
		j.die()
		for first := 0; first < keys; first += 500 {
			var entries []Entry
			for i := range 500 {
				entries = append(entries, entry(j, fmt.Sprintf("{%d}*[a-z] ?:%s", first+i, c.job), "1"))
			}
			add(t, j, entries...)
		}
		lease(t, j, keys/4, 1)
		jobs = append(jobs, j)
	}
	for i, j := range jobs {
		if err := j.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, other := range jobs[i+1:] {
			if c := counts(t, other); c.Added != int64(keys) || c.Keys != int64(keys) || c.Leased != int64(keys/4) {
				t.Fatalf("%s is deleted, and %s has %+v", j.key(0, ""), other.key(0, ""), c)
			}
		}
	}
	if n, err := s.Do("DBSIZE"); err != nil || n != "0" {
		t.Errorf("%s keys are left, %v", n, err)
	}
}

// Workers that come and go leave nothing open, here or there.
func TestWorkersComeAndGo(t *testing.T) {
	s := redistest.Start(t)
	first := join(t, s.URL, Options{Lease: time.Hour})
	for i := range 5 {
		add(t, first, entry(first, strconv.Itoa(i), "1"))
	}
	first.die()
	connections := func() string {
		info, err := s.Do("INFO", "clients")
		if err != nil {
			t.Fatal(err)
		}
		return infoFields(info)["connected_clients"]
	}
	size := func() string {
		n, _ := s.Do("MEMORY", "USAGE", first.key(0, "workers"))
		return n
	}
	before, bytesBefore := connections(), size()
	for range 100 {
		j, err := Open(t.Context(), Options{URL: s.URL, Job: first.o.Job, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(lease(t, j, 5, 1)); n != 5 {
			t.Fatalf("%d leases after the last worker gave all back", n)
		}
		if err := j.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for late := time.Now().Add(time.Minute); connections() != before; <-time.After(time.Millisecond) { // Redis notices a little later
		if time.Now().After(late) {
			t.Fatalf("%s connections after %s", connections(), before)
		}
	}
	if after := size(); after != bytesBefore {
		t.Errorf("what is known of workers takes %s bytes after %s", after, bytesBefore)
	}
}
