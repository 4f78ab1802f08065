package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// ask asks for leases, and returns the answer.
func ask(t *testing.T, j *Job) Answer {
	t.Helper()
	a, err := j.Lease(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestStates(t *testing.T) {
	url := redistest.Start(t).URL
	j := join(t, url, Options{Job: "states"})
	for i := range 5 {
		add(t, j, entry(j, fmt.Sprint(i%2), fmt.Sprint(i)))
	}
	boss, err := Look(t.Context(), Options{URL: url, Job: "states"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = boss.Leave() }()
	l := lease(t, j, 1, 1)[0]
	for _, state := range []string{Paused, Draining} {
		if err := boss.SetState(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		if a := ask(t, j); a.State != state || len(a.Leases) > 0 {
			t.Errorf("%s: %+v", state, a)
		}
		if a := ack(t, j, l.Lease, 1); a.Lost || len(a.More) > 0 {
			t.Errorf("%s: %+v", state, a)
		}
		if c := counts(t, boss); c.State != state || c.Pending() != 5 || c.Leased != 1 {
			t.Errorf("%s: %+v", state, c)
		}
	}
	if err := boss.SetState(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, j); a.State != "" || len(a.Leases) != 1 {
		t.Errorf("resumed: %+v", a)
	}
}

func TestWorkers(t *testing.T) {
	url := redistest.Start(t).URL
	a := join(t, url, Options{Job: "workers"})
	b, err := Open(t.Context(), Options{URL: url, Job: "workers"})
	if err != nil {
		t.Fatal(err)
	}
	add(t, a, entry(a, "key", "1"), entry(a, "key", "2"), entry(a, "other", "3"))
	var all []*Acked
	for _, l := range lease(t, a, 2, 2) {
		acked := &Acked{Lease: l.Lease, Bytes: 1 << 52}
		for _, item := range l.Items {
			acked.IDs = append(acked.IDs, item.ID)
		}
		if err := a.Ack(t.Context(), acked); err != nil {
			t.Fatal(err)
		}
		all = append(all, acked)
	}
	if err := a.renewBeat(t); err != nil {
		t.Fatal(err)
	}
	if a.Peers() != 2 {
		t.Errorf("%d workers", a.Peers())
	}
	workers, err := b.Workers(t.Context())
	if err != nil || len(workers) != 2 {
		t.Fatalf("%+v, %v", workers, err)
	}
	for _, w := range workers {
		if !w.Alive || w.PID == 0 || time.Since(w.Since) > time.Hour || w.Doing.Worker == a.Worker() && (w.Leases != 2 || w.Items != 3 || w.Bytes != 2<<52) {
			t.Errorf("%+v", w)
		}
	}
	// As after a reply that was lost.
	if err := a.Ack(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if c, err := b.Counts(t.Context()); err != nil || c.Done != 3 || c.Bytes != 2<<52 {
		t.Errorf("what was acknowledged twice: %+v, %v", c, err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if workers, err = a.Workers(t.Context()); err != nil || len(workers) != 1 || workers[0].Doing.Worker != a.Worker() {
		t.Errorf("after one left: %+v, %v", workers, err)
	}
}

// renewBeat says at once what the keeper says once a second.
func (j *Job) renewBeat(t *testing.T) error {
	j.die()
	return j.beat(t.Context())
}

func TestDeleteLeavesNothing(t *testing.T) {
	s := redistest.Start(t)
	j, other := join(t, s.URL, Options{Job: "one", Expect: 10_000}), join(t, s.URL, Options{Job: "two"})
	size := func() string {
		n, err := s.Do("DBSIZE")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	other.die()
	before, err := s.Do("KEYS", "*one*")
	if err != nil || before == "" {
		t.Fatalf("%q, %v", before, err)
	}
	for i := range 2500 {
		add(t, j, entry(j, fmt.Sprint(i%1500), fmt.Sprint(i)))
	}
	leases := lease(t, j, 100, 1)
	release(t, j, Released{Lease: leases[0].Lease, After: time.Hour, Gap: time.Second, Note: "x"})
	if err := j.OpenSource(t.Context(), "list"); err != nil {
		t.Fatal(err)
	}
	if err := j.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Do("KEYS", "*one*"); err != nil || keys != "" {
		t.Errorf("left: %q, %v", keys, err)
	}
	if size() == "0" {
		t.Error("the other job is gone too")
	}
	if _, err := j.Add(t.Context(), entry(j, "a", "1")); !errors.Is(err, ErrGone) {
		t.Errorf("add: %v", err)
	}
	if _, err := j.Lease(t.Context(), 1, 1); !errors.Is(err, ErrGone) {
		t.Errorf("lease: %v", err)
	}
	if _, err := j.Done(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("done: %v", err)
	}
	if _, err := Look(t.Context(), Options{URL: s.URL, Job: "one"}); !errors.Is(err, ErrNoJob) {
		t.Errorf("look: %v", err)
	}
	// Its name is free, and who was in the old one has no part in the new.
	again := join(t, s.URL, Options{Job: "one"})
	add(t, again, entry(again, "a", "1"))
	if _, err := j.Lease(t.Context(), 1, 1); !errors.Is(err, ErrGone) {
		t.Errorf("lease of the new one: %v", err)
	}
}

func TestFinishedJobExpires(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Job: "end", Expect: 5000, Keep: time.Hour})
	add(t, j, entry(j, "a", "1"))
	l := lease(t, j, 1, 1)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	release(t, j, Released{Lease: l.Lease, Gap: time.Second, Note: "x", After: time.Minute})
	if err := j.Fail(t.Context(), "a", errors.New("no such file")); err != nil {
		t.Fatal(err)
	}
	if err := j.Rate("bytes", 1000).Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	j.die()
	if !done(t, j) {
		t.Fatal("not done")
	}
	keys, err := s.Do("KEYS", "*")
	if err != nil || keys == "" {
		t.Fatal(keys, err)
	}
	for key := range strings.SplitSeq(keys, "\n") {
		if ttl, err := s.Do("PTTL", key); err != nil || ttl == "-1" {
			t.Errorf("%s stays: %s, %v", key, ttl, err)
		}
	}
	again := join(t, s.URL, Options{Job: "end"})
	if again.Record().Finished.IsZero() {
		t.Error("who comes later does not see that it is finished")
	}
}

// Who looks at a finished job ends what its finisher began before it was killed.
func TestFinisherDies(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Job: "end", Expect: 600_000}) // 2,400 shards
	for i := range 600 {
		add(t, j, entry(j, "a", fmt.Sprint(i)))
	}
	l := lease(t, j, 1, 1000)[0]
	ack(t, j, l.Lease, 0, l.Items...)
	release(t, j, Released{Lease: l.Lease, Gap: time.Second})
	late := join(t, s.URL, Options{Job: "end"})
	late.die()
	j.die()
	for _, step := range []struct {
		script script
		args   []any
	}{{finishScript, nil}, {tidyScript, []any{j.record.Shards, j.o.Keep.Milliseconds()}}} {
		if reply, err := j.eval(t.Context(), step.script, 0, step.args...); err != nil || number(reply) == 2 {
			t.Fatal(reply, err)
		}
	}
	staying := func() (n int) {
		keys, err := s.Do("KEYS", "*")
		if err != nil {
			t.Fatal(err)
		}
		for key := range strings.SplitSeq(keys, "\n") {
			if ttl, err := s.Do("PTTL", key); err != nil || ttl == "-1" {
				n++
			}
		}
		return n
	}
	if n := staying(); n == 0 || n > 400 {
		t.Fatalf("%d keys stay after the first step", n)
	}
	// A worker that was late adds nothing, and leases nothing.
	if got := add(t, late, entry(late, "b", "late"))[0]; got != Seen {
		t.Errorf("a finished job takes something: %v", got)
	}
	if l, err := late.Claim(t.Context(), "b"); err != nil || l != nil {
		t.Errorf("and leases it: %v, %v", l, err)
	}
	boss, err := Look(t.Context(), Options{URL: s.URL, Job: "end"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = boss.Leave() }()
	if n := staying(); n > 0 {
		t.Errorf("%d keys stay", n)
	}
}

func TestOptionsMustAgree(t *testing.T) {
	url := redistest.Start(t).URL
	o := Options{URL: url, Job: "options", Settings: map[string]string{"depth": "5", "rate": "2/s"}}
	first := join(t, url, o)
	join(t, url, o)
	o.Settings = nil
	if j := join(t, url, o); j.Record().Settings["depth"] != "5" {
		t.Errorf("settings %v", j.Record().Settings)
	}
	o.Settings = map[string]string{"depth": "6", "scope": "any"}
	_, err := Open(t.Context(), o)
	e := wantError[*OptionsError](t, err)
	want := "depth is 6, the job has 5; rate is not given, the job has 2/s; scope is any, the job has none"
	if got := strings.Join(e.Differences, "; "); got != want {
		t.Errorf("got %s", got)
	}
	// What fixes where things are is the first worker's.
	o.Settings, o.Expect, o.Partitions = nil, 1, 7
	if j := join(t, url, o); j.Record().Partitions != first.Record().Partitions || j.Record().Shards != first.Record().Shards {
		t.Errorf("%+v", j.Record())
	}
}

func TestServersThatAreRefused(t *testing.T) {
	t.Run("evicting", func(t *testing.T) {
		s := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
		_, err := Open(t.Context(), Options{URL: s.URL, Job: "job"})
		if e := wantError[*EvictingError](t, err); e.Policy != "allkeys-lru" || e.Addr != s.Addr {
			t.Errorf("%v", e)
		}
	})
	t.Run("password", func(t *testing.T) {
		s := redistest.Start(t, "--requirepass", "secret")
		for _, c := range []struct {
			url, password string
			ok            bool
		}{
			{s.URL, "", false},
			{strings.Replace(s.URL, "://", "://:wrong@", 1), "", false},
			{strings.Replace(s.URL, "://", "://:secret@", 1), "", true},
			{s.URL, "secret", true},
		} {
			j, err := Open(t.Context(), Options{URL: c.url, Password: c.password, Job: "job"})
			if (err == nil) != c.ok {
				t.Errorf("%s: %v", c.url, err)
			}
			if err != nil && (strings.Contains(err.Error(), "wrong@") || errors.As(err, new(*UnreachableError))) {
				t.Errorf("says %v", err)
			}
			if err == nil {
				_ = j.Close(t.Context())
			}
		}
	})
	t.Run("TLS", func(t *testing.T) {
		s := redistest.Start(t)
		_, err := Open(t.Context(), Options{URL: strings.Replace(s.URL, "redis:", "rediss:", 1), Job: "job", Patience: time.Nanosecond})
		if err == nil {
			t.Error("TLS with a server that has none")
		}
	})
	t.Run("nobody", func(t *testing.T) {
		s := redistest.Start(t)
		s.Kill(t)
		_, err := Open(t.Context(), Options{URL: s.URL, Job: "job", Patience: 100 * time.Millisecond})
		if e := wantError[*UnreachableError](t, err); e.Addr != s.Addr || e.For < 100*time.Millisecond {
			t.Errorf("%v", e)
		}
	})
}

// A Cluster's server that is taken for a single one is not waited for: it will never have the job's keys.
func TestClusterIsNamed(t *testing.T) {
	servers := redistest.StartCluster(t)
	refused := 0
	for _, s := range servers {
		j, err := Open(t.Context(), Options{URL: s.URL, Job: "job"})
		if err == nil {
			_ = j.Delete(t.Context())
			_ = j.Close(t.Context())
			continue
		}
		refused++
		if !strings.Contains(err.Error(), "cluster=true") || errors.As(err, new(*UnreachableError)) {
			t.Errorf("%v", err)
		}
	}
	if refused != len(servers)-1 {
		t.Errorf("%d of %d servers refused the job, whose keys one has", refused, len(servers))
	}
}

// A server without room is waited for, and then named; nothing is half done.
func TestFullServer(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Patience: 200 * time.Millisecond})
	add(t, j, entry(j, "a", "1"))
	l := lease(t, j, 1, 1)[0]
	if _, err := s.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	_, err := j.Add(t.Context(), entry(j, "a", "2"))
	_ = wantError[*FullError](t, err)
	if a := ack(t, j, l.Lease, 0, l.Items...); a.Lost { // what makes room is let through
		t.Error("the ack is refused")
	}
	if _, err := s.Do("CONFIG", "SET", "maxmemory", "0"); err != nil {
		t.Fatal(err)
	}
	if got := add(t, j, entry(j, "a", "2")); got[0] != Added {
		t.Errorf("with room again: %v", got)
	}
	if c := counts(t, j); c.Added != 2 || c.Done != 1 {
		t.Errorf("%+v", c)
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{})
	s.Kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := j.Lease(ctx, 1, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.Restart(t)
}

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		url, addrs, prefix, user string
		db                       int
		cluster, tls, ok         bool
	}{
		{"redis://a:1", "a:1", "pace", "", 0, false, false, true},
		{"redis://a", "a:6379", "pace", "", 0, false, false, true},
		{"rediss://u:p%40w@a:1/3?prefix=x", "a:1", "x", "u:p@w", 3, false, true, true},
		{"redis://:p@a:1,b:2,[::1]:3", "a:1,b:2,[::1]:3", "pace", ":p", 0, true, false, true},
		{"redis://a:1?cluster=true&prefix=y", "a:1", "y", "", 0, true, false, true},
		{"redis://a:1?prefix={x}", "", "", "", 0, false, false, false},
		{"redis://a:1?prefix=", "", "", "", 0, false, false, false},
		{"redis://a:1?cluster=false", "a:1", "pace", "", 0, false, false, true},
		{"redis://a:1?cluster=yes", "", "", "", 0, false, false, false},
		{"redis://a:1,b:2?cluster=false", "", "", "", 0, false, false, false},
		{"redis://a:1?colour=red", "", "", "", 0, false, false, false},
		{"redis://a:1?read_timeout=1s", "", "", "", 0, false, false, false},
		{"http://a:1", "", "", "", 0, false, false, false},
		{"redis://a:1,,b:2", "", "", "", 0, false, false, false},
		{"a:1", "", "", "", 0, false, false, false},
	} {
		p, err := parseURL(c.url)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.url, err)
		}
		if err != nil || !c.ok {
			continue
		}
		user := p.options.Username
		if p.options.Password != "" {
			user += ":" + p.options.Password
		}
		if got := strings.Join(p.options.Addrs, ","); got != c.addrs || p.prefix != c.prefix || user != c.user ||
			p.options.DB != c.db || p.cluster != c.cluster || (p.options.TLSConfig != nil) != c.tls {
			t.Errorf("%s: %+v %+v", c.url, p, p.options)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"news": true, "a-b_c.9": true, "": false, "a b": false, "a{b}": false, "a:b": false, "é": false,
		strings.Repeat("a", 100): true, strings.Repeat("a", 101): false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
