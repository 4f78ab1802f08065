package fleet

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// place is where a URL leads to.
type place struct {
	options *redis.UniversalOptions
	cluster bool
	prefix  string
}

const defaultPrefix = "pace"

// parseURL reads a URL. net/url refuses several hosts with ports, so they are taken out first.
func parseURL(text string) (place, error) {
	hidden := errors.New("the fleet's URL is not redis://[user:pass@]host:port[/db][?prefix=TEXT]")
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "redis" && scheme != "rediss" {
		return place{}, hidden // without the text: it may have a password
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, db, _ := strings.Cut(rest, "/")
	user, hosts := "", authority
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	p := place{prefix: defaultPrefix, cluster: strings.Contains(hosts, ",")}
	if err := p.setParameters(query); err != nil {
		return place{}, err
	}
	var addrs []string
	var one *redis.Options
	for host := range strings.SplitSeq(hosts, ",") {
		o, err := redis.ParseURL(scheme + "://" + user + host + "/" + db)
		if err != nil || host == "" {
			return place{}, hidden
		}
		one, addrs = o, append(addrs, o.Addr)
	}
	p.options = &redis.UniversalOptions{
		Addrs: addrs, DB: one.DB, Username: one.Username, Password: one.Password, TLSConfig: one.TLSConfig,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		// Retries are ours: they are bounded by time, and not every script may be repeated.
		MaxRetries:  -1,
		DialTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	return p, nil
}

// setParameters reads what stands behind the question mark.
func (p *place) setParameters(query string) error {
	for part := range strings.SplitSeq(query, "&") {
		switch name, value, _ := strings.Cut(part, "="); {
		case name == "prefix":
			if strings.ContainsAny(value, "{}") || value == "" {
				return fmt.Errorf("the fleet's prefix %q is empty or has braces", value)
			}
			p.prefix = value
		case name == "cluster" && value == "true":
			p.cluster = true
		case name == "cluster" && value == "false" && !p.cluster: // several hosts are one
		case part != "":
			return fmt.Errorf("the fleet's URL has %q: use prefix=TEXT, cluster=true", name)
		}
	}
	return nil
}
