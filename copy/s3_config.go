package copy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// S3 says which object store s3:// is, and who asks it. The zero value is AWS, without credentials.
type S3 struct {
	// Endpoint is the URL of a store that is not AWS, without a bucket.
	Endpoint string
	// Region is where the buckets are; empty asks the store.
	Region string
	// AccessKeyID, SecretAccessKey and SessionToken are the credentials.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Process is a command that prints credentials, for use without an AccessKeyID: credential_process of the AWS tools.
	Process string
	// Profile is where credentials are looked for without either: that of the AWS tools' files which gets them by single
	// sign-on. Empty is none.
	Profile string
	// Machine asks for the credentials that a machine or a container in a cloud has itself, if there are no others.
	Machine bool
	// Metadata is the URL of the service that gives those; empty is where AWS has it.
	Metadata string
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
	}
	ignore := either(getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), files.get("ignore_configured_endpoint_urls"))
	if strings.EqualFold(ignore, "true") {
		s.Endpoint = ""
	}
	if err := s.findCredentials(getenv, files); err != nil {
		return S3{}, err
	}
	err = s.trust(either(getenv("AWS_CA_BUNDLE"), files.get("ca_bundle")))
	return s, err
}

// findCredentials decides who asks. The first place that has credentials counts, as the AWS tools have it.
//
//	https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func (s *S3) findCredentials(getenv func(string) string, files *awsFiles) error {
	id, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	switch {
	case (id == "") != (secret == ""):
		return errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together, and one is missing")
	case id != "":
		s.AccessKeyID, s.SecretAccessKey, s.SessionToken = id, secret, getenv("AWS_SESSION_TOKEN")
		return nil
	case getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		s.Machine, s.Metadata = true, either(getenv("AWS_ENDPOINT_URL_STS"), getenv("AWS_ENDPOINT_URL"))
		return nil
	}
	s.AccessKeyID, s.SecretAccessKey, s.SessionToken = files.keys()
	switch {
	case s.AccessKeyID != "":
	case files.any("sso_role_name") != "":
		s.Profile = files.profile
	case files.any("credential_process") != "":
		s.Process = files.any("credential_process")
	case files.any("role_arn") != "":
		return fmt.Errorf("the profile %q takes a role, which only the AWS tools can do: "+
			"a profile with credential_process = aws configure export-credentials --profile %s gets it from them",
			files.profile, files.profile)
	case getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "", getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		s.Machine = true
	case strings.EqualFold(getenv("AWS_EC2_METADATA_DISABLED"), "true"):
	default:
		// Of a store that is not AWS, what a machine of AWS is called says nothing, unless somebody offers it on purpose.
		s.Metadata = either(getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), files.get("ec2_metadata_service_endpoint"))
		s.Metadata = strings.TrimRight(s.Metadata, "/")
		s.Machine = s.Endpoint == "" || s.Metadata != ""
	}
	return nil
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
