package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// rights are those that the operators' page names.
var rights = []string{"~{pace:*", "+@read", "+@write", "+@connection", "+eval", "+evalsha", "+info", "+time", "+cluster|slots"}

// user makes a user with a password, and returns a URL with both.
func user(t *testing.T, s *redistest.Server, name string, rights ...string) string {
	t.Helper()
	args := append([]string{"ACL", "SETUSER", name, "reset", "on", ">secret"}, rights...)
	if reply, err := s.Do(args...); err != nil || reply != "OK" {
		t.Fatalf("%q, %v", reply, err)
	}
	return strings.Replace(s.URL, "://", "://"+name+":secret@", 1)
}

func TestRightsThatAreEnough(t *testing.T) {
	for name, servers := range map[string][]*redistest.Server{
		"one": {redistest.Start(t)}, "cluster": redistest.StartCluster(t),
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range servers {
				user(t, s, "u", rights...)
			}
			url := strings.Replace(clusterURL(servers), "://", "://u:secret@", 1)
			j := join(t, url, Options{Job: "job"})
			testItemsOfAKeyGoInOrder(t, url)
			if err := j.OpenSource(t.Context(), "list"); err != nil {
				t.Error(err)
			}
			if _, err := j.Orphans(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := j.Share(t.Context(), map[string]string{"a": "b"}); err != nil {
				t.Error(err)
			}
			if _, err := j.PerShard(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := j.Dead(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if _, err := j.Claim(t.Context(), "x"); err != nil {
				t.Error(err)
			}
			if err := j.SetState(t.Context(), Paused); err != nil {
				t.Error(err)
			}
			if err := j.Delete(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A user that lacks a right is told so at once, also where only a command within a script is refused.
func TestRightsThatAreNot(t *testing.T) {
	s := redistest.Start(t)
	for name, lacks := range map[string][]string{
		"info": {"-info"}, "keys": {"resetkeys", "~other:*"}, "write": {"-@write"}, "time": {"-time"}, "evalsha": {"-evalsha"}, "nothing": {"-@all"},
	} {
		url := user(t, s, name, append(rights[:len(rights):len(rights)], lacks...)...)
		start := time.Now()
		_, err := Open(t.Context(), Options{URL: url, Job: "job"})
		if e := wantError[*DeniedError](t, err); e.Addr != s.Addr || time.Since(start) > startPatience || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
	}
}

// certificate makes one for a host or address that is its own authority, and returns the files of it and of its key.
func certificate(t *testing.T, host string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{host}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: keyBytes},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// startTLS starts a server that also listens for TLS, and returns where.
func startTLS(t *testing.T, args ...string) string {
	t.Helper()
	cert, key := certificate(t, "redis.test")
	for {
		port := strconv.Itoa(10_000 + mathrand.N(9000)) // below those that systems give to clients
		addr := net.JoinHostPort("127.0.0.1", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		_ = l.Close()
		redistest.Start(t, append([]string{
			"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
		}, args...)...)
		return addr
	}
}

func TestTLSThatFails(t *testing.T) {
	t.Run("unknown authority", func(t *testing.T) {
		addr := startTLS(t, "--tls-auth-clients", "no")
		_, err := Open(t.Context(), Options{URL: "rediss://" + addr, Job: "job"})
		if e := (*UnreachableError)(nil); err == nil || errors.As(err, &e) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v", err)
		}
	})
	t.Run("plain", func(t *testing.T) {
		addr := startTLS(t, "--tls-auth-clients", "no")
		_, err := Open(t.Context(), Options{URL: "redis://" + addr, Job: "job", Patience: time.Millisecond})
		if e := wantError[*UnreachableError](t, err); !strings.Contains(e.Error(), "rediss:// is TLS") {
			t.Errorf("%v", err)
		}
	})
}

func TestNoRedisAtAll(t *testing.T) {
	t.Run("HTTP", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		addr := s.Listener.Addr().String()
		_, err := Open(t.Context(), Options{URL: "redis://" + addr, Job: "job"})
		if e := (*UnreachableError)(nil); err == nil || errors.As(err, &e) || !strings.Contains(err.Error(), "what answers at "+addr+" is no redis") {
			t.Errorf("%v", err)
		}
	})
	t.Run("replica", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(redistest.Start(t).Addr)
		replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+port)
		_, err := Open(t.Context(), Options{URL: replica.URL, Job: "job", Patience: time.Millisecond})
		if e := wantError[*UnreachableError](t, err); !strings.Contains(e.Error(), "was of no use") {
			t.Errorf("%v", err)
		}
	})
}

// Leases are renewed and given back on a server that takes nothing more.
func TestFullServerKeepsLeases(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{Lease: time.Hour})
	j.die()
	add(t, j, entry(j, "a", "1"), entry(j, "b", "1"))
	leases := lease(t, j, 2, 1)
	if _, err := s.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	if err := j.renew(t.Context()); err != nil || leases[0].Check() != nil {
		t.Errorf("renewal: %v, %v", err, leases[0].Check())
	}
	if err := j.beatOnce(t.Context()); err != nil {
		t.Error(err)
	}
	release(t, j, Released{Lease: leases[0].Lease, After: time.Minute, Gap: time.Second, Note: "x"})
	ack(t, j, leases[1].Lease, 0, leases[1].Items...)
	if c := counts(t, j); c.Leased != 1 || c.Done != 1 || c.Keys != 2 {
		t.Errorf("%+v", c)
	}
}

// What Redis 6.2 says of a command within a script is known as what Redis 7 says.
func TestErrorsWithinScripts(t *testing.T) {
	old := scriptError("ERR Error running script (call to f_9b2e): @user_script:116: @user_script: 116: -OOM command not allowed when used memory > 'maxmemory'.")
	if !passing(old) || !full(old) || denied(old) {
		t.Error("OOM within a script")
	}
	if err := scriptError("ERR wrong number of arguments"); passing(err) || full(err) || denied(err) {
		t.Error("another error")
	}
}

type scriptError string

func (e scriptError) Error() string { return string(e) }
func (scriptError) RedisError()     {}
