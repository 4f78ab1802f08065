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
	var other []string
	for part := range strings.SplitSeq(query, "&") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "prefix":
			p.prefix = value
		case "cluster":
			p.cluster = p.cluster || value == "true"
		case "":
		default:
			other = append(other, part)
		}
	}
	if strings.ContainsAny(p.prefix, "{}") || p.prefix == "" {
		return place{}, fmt.Errorf("the fleet's prefix %q is empty or has braces", p.prefix)
	}
	var addrs []string
	var one *redis.Options
	for host := range strings.SplitSeq(hosts, ",") {
		o, err := redis.ParseURL(scheme + "://" + user + host + "/" + db + "?" + strings.Join(other, "&"))
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
