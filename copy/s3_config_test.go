package copy

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestS3FromEnvironment(t *testing.T) {
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "config"), []byte(`
[default]
region = eu-west-1
s3 =
  addressing_style = path
  max_concurrent_requests = 20

[profile work]
region=eu-central-1
endpoint_url = https://all.example
services = mine
aws_access_key_id = in-config
aws_secret_access_key = in/config#and;more=

[services mine]
s3 =
  endpoint_url = https://s3.example

[profile program]
credential_process = /bin/false x

[profile half]
aws_access_key_id = alone

[profile role]
role_arn = arn:aws:iam::123456789012:role/some
source_profile = default

[profile metadata]
ec2_metadata_service_endpoint = http://127.0.0.1:1/
`))
	shared := write(t, filepath.Join(dir, "credentials"), []byte(`
[default]
aws_access_key_id = id
aws_secret_access_key = secret
aws_session_token = token

[work]
aws_access_key_id = half of a pair
`))
	bad := write(t, filepath.Join(dir, "bad"), []byte("aws_secret_access_key = hidden\n[unclosed\n"))
	for _, c := range []struct {
		name string
		env  string // with spaces in between
		want S3
		err  string
	}{
		{"files", "", S3{Region: "eu-west-1", Style: "path", AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"}, ""},
		{"a pair in the environment is no mix with a file's token", "AWS_ACCESS_KEY_ID=e AWS_SECRET_ACCESS_KEY=f",
			S3{Region: "eu-west-1", Style: "path", AccessKeyID: "e", SecretAccessKey: "f"}, ""},
		{"half of a pair", "AWS_ACCESS_KEY_ID=e", S3{}, "one is missing"},
		{"regions", "AWS_DEFAULT_REGION=second",
			S3{Region: "second", Style: "path", AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"}, ""},
		{"a profile: its pair is whole in one file only, and S3 has an endpoint of its own", "AWS_PROFILE=work AWS_REGION=first AWS_DEFAULT_REGION=second",
			S3{Region: "first", Endpoint: "https://s3.example", AccessKeyID: "in-config", SecretAccessKey: "in/config#and;more="}, ""},
		{"an endpoint for all", "AWS_PROFILE=work AWS_ENDPOINT_URL=http://e",
			S3{Region: "eu-central-1", Endpoint: "http://e", AccessKeyID: "in-config", SecretAccessKey: "in/config#and;more="}, ""},
		{"one for S3", "AWS_PROFILE=work AWS_ENDPOINT_URL=http://e AWS_ENDPOINT_URL_S3=http://f",
			S3{Region: "eu-central-1", Endpoint: "http://f", AccessKeyID: "in-config", SecretAccessKey: "in/config#and;more="}, ""},
		{"none", "AWS_PROFILE=work AWS_ENDPOINT_URL=http://e AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
			S3{Region: "eu-central-1", AccessKeyID: "in-config", SecretAccessKey: "in/config#and;more="}, ""},
		{"a program", "AWS_PROFILE=program", S3{Process: "/bin/false x"}, ""},
		{"a profile with half of a pair", "AWS_PROFILE=half", S3{Machine: true}, ""},
		{"a role", "AWS_PROFILE=role", S3{}, "aws configure export-credentials --profile role"},
		{"a machine is asked for no other store than that of AWS", "AWS_PROFILE=half AWS_ENDPOINT_URL=http://e", S3{Endpoint: "http://e"}, ""},
		{"but where it is said who offers them", "AWS_PROFILE=half AWS_ENDPOINT_URL=http://e AWS_EC2_METADATA_SERVICE_ENDPOINT=http://m/",
			S3{Endpoint: "http://e", Machine: true, Metadata: "http://m"}, ""},
		{"in the files too", "AWS_PROFILE=metadata", S3{Machine: true, Metadata: "http://127.0.0.1:1"}, ""},
		{"a container", "AWS_PROFILE=half AWS_ENDPOINT_URL=http://e AWS_EC2_METADATA_DISABLED=true AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/c",
			S3{Endpoint: "http://e", Machine: true}, ""},
		{"a web identity", "AWS_ENDPOINT_URL=http://e AWS_WEB_IDENTITY_TOKEN_FILE=/token",
			S3{Endpoint: "http://e", Region: "eu-west-1", Style: "path", Machine: true, Metadata: "http://e"}, ""},
		{"a profile that is not there", "AWS_PROFILE=missing", S3{}, `no profile "missing"`},
		{"a machine's own are not wanted", "AWS_PROFILE=half AWS_EC2_METADATA_DISABLED=true", S3{}, ""},
		{"no files", "AWS_CONFIG_FILE=/missing/a AWS_SHARED_CREDENTIALS_FILE=/missing/b", S3{Machine: true}, ""},
		{"a file that is none", "AWS_CONFIG_FILE=" + bad, S3{}, "no file of sections"},
		{"a bundle that is not there", "AWS_CA_BUNDLE=/missing/ca", S3{}, "AWS_CA_BUNDLE"},
		{"a bundle without certificates", "AWS_CA_BUNDLE=" + config, S3{}, "no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": shared}
			for _, v := range strings.Fields(c.env) {
				name, value, _ := strings.Cut(v, "=")
				env[name] = value
			}
			got, err := S3FromEnvironment(func(name string) string { return env[name] })
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "hidden") {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPartSize(t *testing.T) {
	for _, c := range []struct {
		size, chunk, want int64
	}{
		{0, 0, 5 * mib},
		{2560 * mib, 0, 5 * mib},
		{2560*mib + 1, 0, 8 * mib},
		{80_000 * mib, 0, 8 * mib},
		{80_000*mib + 1, 0, 9 * mib}, // 10,000 parts of 8 MiB hold one byte less
		{5 << 40, 0, 525 * mib},
		{1 << 30, mib, 5 * mib}, // stores take no smaller ones
		{1 << 30, 100 * mib, 100 * mib},
		{-1, 0, 16 * mib},
	} {
		o := &Options{ChunkSize: c.chunk}
		got := o.partSize(c.size)
		if got != c.want || (c.size-1)/got >= maxParts {
			t.Errorf("a part of %d bytes, with chunks of %d, is %d MiB, not %d", c.size, c.chunk, got/mib, c.want/mib)
		}
	}
}

func TestStoredMeta(t *testing.T) {
	what := found{mtime: longAgo.Add(1020), mode: 0o640}
	kept := storedMeta(what)
	if kept["mtime"] != "981173106.000001020" || kept["mode"] != "100640" {
		t.Errorf("%v", kept)
	}
	for text, want := range map[string]int64{
		"981173106": 981173106e9, "981173106.5": 981173106.5e9, "981173106.000001020": 981173106000001020,
		"981173106.0000010209": 981173106000001020, // rclone had more digits once
	} {
		got, ok := storedTime(map[string]string{"Mtime": text})
		if !ok || got.UnixNano() != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "yesterday", "1.-5", "1.x", "1e9"} {
		if got, ok := storedTime(map[string]string{"Mtime": text}); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
	if mode, ok := storedMode(map[string]string{"Mode": "104755"}); !ok || mode != 0o755 {
		t.Errorf("%v: setuid bits are nobody's to give away", mode)
	}
}
