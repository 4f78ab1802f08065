package crawl

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

var scopeNames = map[Scope]string{ScopeHost: "host", ScopeDomain: "domain", ScopeAny: "any"}

// String returns the scope's name as --scope takes it.
func (s Scope) String() string { return scopeNames[s] }

// Set parses a scope's name.
func (s *Scope) Set(text string) error {
	for scope, name := range scopeNames {
		if strings.EqualFold(text, name) {
			*s = scope
			return nil
		}
	}
	return fmt.Errorf("%q is not a scope: use host, domain or any", text)
}

// key returns what two hosts have in common when one is in the other's scope.
func (s Scope) key(host string) string {
	switch s {
	case ScopeAny:
		return ""
	case ScopeDomain:
		if _, err := netip.ParseAddr(host); err == nil {
			return host
		}
		// A host that is a public suffix itself, as localhost is, stands for itself.
		if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
			return domain
		}
	}
	return host
}
