package copy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/ini.v1"
)

// awsFiles are the files of the AWS tools: the profile in them, and what it refers to.
type awsFiles struct {
	profile     string
	config      *ini.File
	section     *ini.Section // of the profile in the file config; it may be empty
	credentials *ini.Section // of the profile in the file credentials; it may be empty
}

// readAWSFiles reads both files as far as they exist. A profile that was named must be in one of them; none is "default".
//
//	https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
func readAWSFiles(getenv func(string) string, profile string) (*awsFiles, error) {
	a := &awsFiles{profile: either(profile, "default")}
	home, _ := os.UserHomeDir() // without one there are no files
	path := func(variable, name string) string {
		if p := getenv(variable); p != "" || home == "" {
			return p
		}
		return filepath.Join(home, ".aws", name)
	}
	name := "profile " + a.profile
	if a.profile == "default" {
		name = a.profile
	}
	var inConfig, inCredentials bool
	var err error
	if a.config, a.section, inConfig, err = readAWSFile(path("AWS_CONFIG_FILE", "config"), name); err != nil {
		return nil, err
	}
	_, a.credentials, inCredentials, err = readAWSFile(path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), a.profile)
	if err != nil {
		return nil, err
	}
	if profile != "" && !inConfig && !inCredentials {
		return nil, fmt.Errorf("there is no profile %q in the files of the AWS tools", profile)
	}
	return a, nil
}

func readAWSFile(path, section string) (f *ini.File, s *ini.Section, found bool, err error) {
	var source any = []byte{}
	if _, statErr := os.Stat(path); path != "" && statErr == nil {
		source = path
	}
	// Values may be base64, whose characters are no comment.
	f, err = ini.LoadSources(ini.LoadOptions{AllowNestedValues: true, IgnoreInlineComment: true}, source)
	if err != nil {
		// What the reader says may show a line, and that may be a secret.
		return nil, nil, false, fmt.Errorf("cannot read %s: it is no file of sections and settings", path)
	}
	found = f.HasSection(section)
	s = f.Section(section) // made if it is not there
	return f, s, found, nil
}

// get returns a setting of the profile.
func (a *awsFiles) get(name string) string { return a.section.Key(name).String() }

// s3 returns a setting of the profile that is for S3 alone, on a line below "s3 =".
func (a *awsFiles) s3(name string) string { return nested(a.section.Key("s3"), name) }

// endpoint returns the URL of the store: that of S3 in the profile's services counts more than that of all services.
func (a *awsFiles) endpoint() string {
	own := ""
	if services := a.get("services"); services != "" {
		own = nested(a.config.Section("services "+services).Key("s3"), "endpoint_url")
	}
	return either(own, a.get("endpoint_url"))
}

func nested(k *ini.Key, name string) string {
	for _, line := range k.NestedValues() {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// keys returns the credentials of the profile, if both halves are in one file.
func (a *awsFiles) keys() (id, secret, token string) {
	for _, s := range []*ini.Section{a.credentials, a.section} {
		id, secret = s.Key("aws_access_key_id").String(), s.Key("aws_secret_access_key").String()
		if id != "" && secret != "" {
			return id, secret, s.Key("aws_session_token").String()
		}
	}
	return "", "", ""
}

// any returns a setting of the profile that may be in either file.
func (a *awsFiles) any(name string) string {
	return either(a.credentials.Key(name).String(), a.section.Key(name).String())
}
