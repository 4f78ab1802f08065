package copy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 says which object store s3:// is, and who asks it. The zero value is AWS, without credentials.
type S3 struct {
	// Endpoint is the URL of a store that is not AWS, without a bucket.
	Endpoint string
	// Region is where the buckets are; empty asks the store.
	Region string
	// AccessKeyID, SecretAccessKey and SessionToken are the credentials.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Profile is where credentials are looked for without an AccessKeyID: that of the AWS tools' files which gets them from
	// another program or by single sign-on. Empty is none.
	Profile string
	// Machine looks for the credentials that a machine in a cloud has itself, if there are no others.
	Machine bool
	// Style says where the bucket is in a URL: "path", "virtual" (in the host's name), or anything else for what the
	// endpoint is known to want.
	Style string
	// TLS is the configuration of TLS connections to the store; nil means the default.
	TLS *tls.Config
}

// S3FromEnvironment reads what the AWS tools read: variables by getenv, and the files that these name, or ~/.aws/config
// and ~/.aws/credentials. Variables count more than files.
//
//	https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func S3FromEnvironment(getenv func(string) string) (S3, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := getenv(name); v != "" {
				return v
			}
		}
		return ""
	}
	profile := first("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	files, err := readAWSFiles(getenv, profile)
	if err != nil {
		return S3{}, err
	}
	s := S3{
		Endpoint: either(first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), files.endpoint()),
		Region:   either(first("AWS_REGION", "AWS_DEFAULT_REGION"), files.get("region")),
		Style:    files.s3("addressing_style"),
		Machine:  !strings.EqualFold(getenv("AWS_EC2_METADATA_DISABLED"), "true"),
	}
	ignore := either(getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), files.get("ignore_configured_endpoint_urls"))
	if strings.EqualFold(ignore, "true") {
		s.Endpoint = ""
	}
	id, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	switch {
	case (id == "") != (secret == ""):
		return S3{}, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together, and one is missing")
	case id != "":
		s.AccessKeyID, s.SecretAccessKey, s.SessionToken = id, secret, getenv("AWS_SESSION_TOKEN")
	default:
		s.AccessKeyID, s.SecretAccessKey, s.SessionToken = files.keys()
		if s.AccessKeyID == "" && files.asksOthers() {
			s.Profile = files.profile
		}
	}
	err = s.trust(either(getenv("AWS_CA_BUNDLE"), files.get("ca_bundle")))
	return s, err
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// trust makes the certificates of a file those that are trusted.
func (s *S3) trust(bundle string) error {
	if bundle == "" {
		return nil
	}
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return fmt.Errorf("cannot read the certificates of AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("there is no certificate in %s, the file of AWS_CA_BUNDLE", bundle)
	}
	s.TLS = &tls.Config{RootCAs: roots}
	return nil
}

// credentials returns what requests are signed with.
func (s *S3) credentials() *credentials.Credentials {
	switch {
	case s.AccessKeyID != "":
		return credentials.NewStaticV4(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
	case s.Profile != "":
		return credentials.NewFileAWSCredentials("", s.Profile)
	case s.Machine && s.Endpoint == "":
		return credentials.NewIAM("")
	}
	return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
}
