package copy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/copy/gwtest"
	"pace/limiter"
)

// s3From reads an environment, with files that are not there unless it says so.
func s3From(t *testing.T, env map[string]string) S3 {
	t.Helper()
	all := map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_REGION": gwtest.Region,
	}
	for k, v := range env {
		all[k] = v
	}
	s, err := S3FromEnvironment(func(name string) string { return all[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func withKeys(env map[string]string) map[string]string {
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = gwtest.Access, gwtest.Secret
	return env
}

// thereAndBack copies a tree into the store, within it, and out of it.
func thereAndBack(t *testing.T, m limiter.Mode, name string, change func(*Options)) {
	t.Helper()
	from, to := dirs(t)
	data := [][]byte{random(1000), random(9 * mib)}
	write(t, filepath.Join(from, "small"), data[0])
	write(t, filepath.Join(from, "la rge+"), data[1])
	up, across := "s3://bucket/up-"+name, "s3://bucket/across-"+name
	for _, leg := range [][2]string{{from, up}, {up, across}, {across, filepath.Join(to, "dst")}} {
		o := Options{Sources: leg[:1], Dest: leg[1], Mode: m, Workers: 4, Recursive: true}
		change(&o)
		if report := downloaded(t, o); report.Items != 2 {
			t.Errorf("%+v", report)
		}
	}
	same(t, filepath.Join(to, "dst", "small"), data[0])
	same(t, filepath.Join(to, "dst", "la rge+"), data[1])
}

// A store behind TLS, whose certificate nobody has signed, is trusted if the bundle of the AWS tools has it, and else not.
func TestObjectStoreOverTLS(t *testing.T) {
	dir := t.TempDir()
	lender := httptest.NewUnstartedServer(nil)
	lender.StartTLS()
	pair := lender.TLS.Certificates[0]
	lender.Close()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	key := write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	g := gwtest.StartWith(t, []string{"--cert", cert, "--key", key}, bucket)
	env := withKeys(map[string]string{"AWS_ENDPOINT_URL": g.URL})
	inModes(t, func(t *testing.T, m limiter.Mode) {
		with := s3From(t, withKeys(map[string]string{"AWS_ENDPOINT_URL": g.URL, "AWS_CA_BUNDLE": cert}))
		thereAndBack(t, m, m.String(), func(o *Options) { o.S3 = with })

		from, _ := dirs(t)
		for _, o := range []Options{
			{Sources: []string{from}, Dest: "s3://bucket/k", Recursive: true},
			{Sources: []string{"s3://bucket/up-" + m.String() + "/small"}, Dest: filepath.Join(from, "dst")},
		} {
			write(t, filepath.Join(from, "f"), random(100))
			o.Mode, o.S3 = m, s3From(t, env)
			o.Network.Retries = -1
			report, err := quickly(o).run(t.Context())
			if !errors.As(err, new(*NoStoreError)) || !strings.Contains(err.Error(), "certificate") || report.ItemsFailed != 1 {
				t.Errorf("%v, %+v", err, report)
			}
		}
	})
}

// The bucket is in the host's name if the AWS tools' configuration says so, and in the path otherwise.
func TestObjectVirtualHost(t *testing.T) {
	const domain = "store.test"
	g := gwtest.StartWith(t, []string{"--virtual-domain", domain}, bucket)
	// It stands for the name service, which knows no such domain.
	var mu sync.Mutex
	hosts := map[string]int{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hosts[r.Host]++
		mu.Unlock()
		forward(t, w, r, g.URL)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, filepath.Join(t.TempDir(), "config"), []byte("[default]\ns3 =\n  addressing_style = virtual\n"))
	for style, file := range map[string]string{"virtual": config, "path": ""} {
		inModes(t, func(t *testing.T, m limiter.Mode) {
			mu.Lock()
			clear(hosts)
			mu.Unlock()
			env := withKeys(map[string]string{"AWS_ENDPOINT_URL": "http://" + domain})
			if file != "" {
				env["AWS_CONFIG_FILE"] = file
			}
			thereAndBack(t, m, m.String()+style, func(o *Options) {
				o.S3 = s3From(t, env)
				o.Network.Proxy = func(*url.URL) (*url.URL, error) { return at, nil }
			})
			want := domain
			if style == "virtual" {
				want = bucket + "." + domain
			}
			mu.Lock()
			if len(hosts) != 1 || hosts[want] == 0 {
				t.Errorf("%s: %v", style, hosts)
			}
			mu.Unlock()
			// Below an address there are no names.
			env["AWS_ENDPOINT_URL"] = g.URL
			thereAndBack(t, m, m.String()+style, func(o *Options) { o.S3 = s3From(t, env) })
		})
	}
}

// granter gives credentials as the services of a cloud do.
func granter(t *testing.T, badly bool) string {
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	object := fmt.Sprintf(`{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":%q,"Token":"","Expiration":%q}`,
		gwtest.Access, gwtest.Secret, soon)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "session")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/"):
			_, _ = fmt.Fprint(w, "role")
		default:
			_, _ = fmt.Fprint(w, object)
		}
	})
	mux.HandleFunc("GET /container", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, object) })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("WebIdentityToken") != "identity" || r.FormValue("RoleArn") != "arn:role" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`+
			`<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>`+
			`<Expiration>%s</Expiration><SessionToken></SessionToken></Credentials></AssumeRoleWithWebIdentityResult>`+
			`</AssumeRoleWithWebIdentityResponse>`, gwtest.Access, gwtest.Secret, soon)
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if badly {
			http.Error(w, "go away", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Credentials come from where the AWS tools have them from, and what goes wrong there ends the run with one line.
func TestObjectCredentials(t *testing.T) {
	g := newGateway(t)
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	printing := fmt.Sprintf(`echo x >>%s; echo '{"Version": 1, "AccessKeyId": %q, "SecretAccessKey": %q}'`,
		asked, gwtest.Access, gwtest.Secret)
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), []byte(text)) }
	config := file("config", "[profile mine]\nendpoint_url = http://127.0.0.1:1\nservices = here\ncredential_process = "+printing+
		"\n[profile broken]\ncredential_process = echo hint >&2; exit 3\n[profile babble]\ncredential_process = echo "+gwtest.Secret+
		"\n[services here]\ns3 =\n  endpoint_url = "+g.URL+"\n")
	shared := file("credentials", "[other]\naws_access_key_id = "+gwtest.Access+"\naws_secret_access_key = "+gwtest.Secret+"\n")
	token := file("token", "identity")
	good, bad := granter(t, false), granter(t, true)
	for _, c := range []struct {
		name string
		env  map[string]string
		err  string
	}{
		{"file", map[string]string{"AWS_PROFILE": "other", "AWS_ENDPOINT_URL": g.URL}, ""},
		{"process", map[string]string{"AWS_PROFILE": "mine"}, ""},
		{"endpoint for S3", map[string]string{"AWS_PROFILE": "other", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": g.URL}, ""},
		{"machine", map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": good + "/", "AWS_ENDPOINT_URL": g.URL}, ""},
		{"container", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": good + "/container", "AWS_ENDPOINT_URL": g.URL}, ""},
		{"web identity", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:role",
			"AWS_ENDPOINT_URL_STS": good, "AWS_ENDPOINT_URL": g.URL}, ""},

		{"none", map[string]string{"AWS_ENDPOINT_URL": g.URL}, "there are no credentials: set AWS_ACCESS_KEY_ID"},
		{"process fails", map[string]string{"AWS_PROFILE": "broken", "AWS_ENDPOINT_URL": g.URL}, "cannot get credentials: .*exit status 3: hint"},
		{"process prints something else", map[string]string{"AWS_PROFILE": "babble", "AWS_ENDPOINT_URL": g.URL}, "prints no credentials"},
		{"machine refuses", map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": bad, "AWS_ENDPOINT_URL": g.URL}, "cannot get credentials: 403"},
		{"container refuses", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": bad + "/container", "AWS_ENDPOINT_URL": g.URL}, "cannot get credentials: 403"},
		{"web identity refused", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:role",
			"AWS_ENDPOINT_URL_STS": bad, "AWS_ENDPOINT_URL": g.URL}, "cannot get credentials: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.HasPrefix(c.name, "process") {
				t.Skip("the commands are those of another shell")
			}
			c.env["AWS_CONFIG_FILE"], c.env["AWS_SHARED_CREDENTIALS_FILE"] = config, shared
			for k, v := range c.env {
				t.Setenv(k, v) // some are read by minio-go
			}
			inModes(t, func(t *testing.T, m limiter.Mode) { testCredentials(t, m, s3From(t, c.env), c.err) })
		})
	}
	if said, err := os.ReadFile(asked); err == nil && len(said) != 3*3*2 {
		t.Errorf("a program whose credentials do not expire was asked %d times by 9 runs", len(said)/2)
	}
}

func testCredentials(t *testing.T, m limiter.Mode, s S3, want string) {
	t.Helper()
	if want == "" {
		thereAndBack(t, m, m.String(), func(o *Options) { o.S3 = s })
		return
	}
	from, _ := dirs(t)
	write(t, filepath.Join(from, "a"), random(10))
	write(t, filepath.Join(from, "b"), random(10))
	o := Options{Sources: []string{from}, Dest: "s3://bucket/refused", Mode: m, Workers: 1, S3: s, Recursive: true}
	o.Network.Retries = 1
	var l logs
	o.Log = l.logger()
	report, err := quickly(o).run(t.Context())
	if strings.HasPrefix(want, "there are no") { // each object may have a policy of its own
		err = errors.New(report.Errors[0].Error)
	}
	if err == nil || !matches(want, err.Error()) || strings.Contains(err.Error(), gwtest.Secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, %+v", err, report)
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// A session's token goes with every request, under its signature, and nowhere else.
func TestObjectSessionToken(t *testing.T) {
	store := &fakeStore{keys: []string{"p/a"}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != "some-token" || !strings.Contains(r.Header.Get("Authorization"), "x-amz-security-token") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		store.ServeHTTP(w, r)
	}))
	defer front.Close()
	shared := write(t, filepath.Join(t.TempDir(), "credentials"),
		[]byte("[default]\naws_access_key_id = k\naws_secret_access_key = s\naws_session_token = some-token\n"))
	for _, env := range []map[string]string{
		{"AWS_SESSION_TOKEN": "some-token", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"},
		{"AWS_SHARED_CREDENTIALS_FILE": shared},
	} {
		inModes(t, func(t *testing.T, m limiter.Mode) {
			env["AWS_ENDPOINT_URL"] = front.URL
			o := Options{Sources: []string{"s3://bucket/p"}, Dest: filepath.Join(t.TempDir(), "dst"), Mode: m, Recursive: true, S3: s3From(t, env)}
			var l logs
			o.Log = l.logger()
			downloaded(t, o)
			for _, line := range l.lines(slog.LevelDebug) {
				if strings.Contains(fmt.Sprint(line), "some-token") {
					t.Error(line)
				}
			}
		})
	}
}
