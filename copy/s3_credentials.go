package copy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// CredentialsError says that what should sign the requests to an object store could not be had.
type CredentialsError struct{ err error }

func (e *CredentialsError) Error() string { return fmt.Sprintf("cannot get credentials: %v", e.err) }
func (e *CredentialsError) Unwrap() error { return e.err }

// credentials returns what requests are signed with.
func (s *S3) credentials() *credentials.Credentials {
	switch {
	case s.AccessKeyID != "":
		return credentials.NewStaticV4(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
	case s.Process != "":
		return credentials.New(&processCredentials{command: s.Process})
	case s.Profile != "":
		return credentials.NewFileAWSCredentials("", s.Profile)
	case s.Machine:
		return credentials.New(&credentials.IAM{Endpoint: s.Metadata, Region: s.Region})
	}
	return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
}

// anonymous says whether requests are not signed.
func (s *S3) anonymous() bool {
	return s.AccessKeyID == "" && s.Process == "" && s.Profile == "" && !s.Machine
}

// machinePatience is how long a machine may take to say who it is. One that is in no cloud may not answer at all.
const machinePatience = 10 * time.Second

// signIn gets the credentials if there are none yet, or not for much longer. minio-go would get them too, but nothing could
// stop it, and its error would be one of the object.
func (s *store) signIn(ctx context.Context) error {
	own, cancel := ctx, context.CancelFunc(func() {})
	if s.Options.S3.Machine {
		own, cancel = context.WithTimeout(ctx, machinePatience)
	}
	defer cancel()
	_, err := s.creds.GetWithContext(&credentials.CredContext{Client: &http.Client{Transport: s}, Context: own})
	if err == nil || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err = withoutURL(err)
	if s.Options.S3.Machine {
		err = fmt.Errorf("%w: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", err)
	}
	return &CredentialsError{err}
}

// withoutURL takes from err what only says how it got here.
func withoutURL(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var lost *lostError
	if errors.As(err, &lost) {
		return lost.err
	}
	return err
}

// nearby makes a choice of proxies one that does not send there what is meant for the machine's own network: there the
// services are that give credentials to a machine of a cloud.
func nearby(proxy func(*url.URL) (*url.URL, error)) func(*url.URL) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(u *url.URL) (*url.URL, error) {
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLinkLocalUnicast() {
			return nil, nil
		}
		return proxy(u)
	}
}

// processCredentials are what a program prints, run by the system's shell.
//
//	https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
type processCredentials struct {
	credentials.Expiry
	command string
	forever bool // they do not expire
}

// RetrieveWithCredContext implements credentials.Provider.
func (p *processCredentials) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	ctx := context.Background()
	if cc != nil && cc.Context != nil {
		ctx = cc.Context
	}
	shell := []string{"sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd.exe", "/C"}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1], p.command) //nolint:gosec // the user's own, from a file of theirs
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return credentials.Value{}, fmt.Errorf("the credential_process of the profile failed: %w%s", err, lastWords(err))
	}
	var got struct {
		Version                                    int
		AccessKeyID, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
	// What the decoder says could show what was printed.
	if json.Unmarshal(out, &got) != nil || got.Version != 1 || got.AccessKeyID == "" || got.SecretAccessKey == "" {
		return credentials.Value{}, errors.New("the credential_process of the profile prints no credentials of version 1")
	}
	if p.forever = got.Expiration.IsZero(); !p.forever {
		p.SetExpiration(got.Expiration, credentials.DefaultExpiryWindow)
	}
	return credentials.Value{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken,
		Expiration: got.Expiration, SignerType: credentials.SignatureV4,
	}, nil
}

// Retrieve implements credentials.Provider.
func (p *processCredentials) Retrieve() (credentials.Value, error) {
	return p.RetrieveWithCredContext(nil)
}

// IsExpired implements credentials.Provider.
func (p *processCredentials) IsExpired() bool { return !p.forever && p.Expiry.IsExpired() }

// lastWords is the last line that a program has said, to be put behind its error.
func lastWords(err error) string {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return ""
	}
	said := strings.TrimSpace(string(exit.Stderr))
	said = said[strings.LastIndexByte(said, '\n')+1:]
	if said == "" {
		return ""
	}
	return ": " + said[:min(len(said), 200)]
}
