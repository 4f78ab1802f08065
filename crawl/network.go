package crawl

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// specialNetworks are those that lead out of the public Internet, beyond what netip knows (IANA special-purpose address
// registries, RFC 6890).
var specialNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network
	netip.MustParsePrefix("100.64.0.0/10"),  // shared address space
	netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarking
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved, broadcast
	netip.MustParsePrefix("64:ff9b:1::/48"), // local translation
	netip.MustParsePrefix("fec0::/10"),      // site-local, deprecated
}

// translationNetworks carry an IPv4 address in their last 32 bits (RFC 6052, RFC 4291 section 2.5.5.1).
var translationNetworks = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("::/96"),
}

// isPrivate says whether an address is one that the public Internet does not lead to.
func isPrivate(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() {
		return true
	}
	for _, network := range specialNetworks {
		if network.Contains(addr) {
			return true
		}
	}
	for _, network := range translationNetworks {
		if network.Contains(addr) {
			b := addr.As16()
			return isPrivate(netip.AddrFrom4([4]byte(b[12:])))
		}
	}
	return false
}

// privateError says that a link leads into a network that links must not lead into.
type privateError struct {
	host string
	addr netip.Addr
}

func (e *privateError) Error() string {
	return fmt.Sprintf("%s is the private address %s, and links may not lead there (see --allow-private)", e.host, e.addr)
}

// lookup resolves a host, by --resolve first.
func (c *crawler) lookup(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	if addr, ok := c.o.Resolve[net.JoinHostPort(strings.ToLower(host), fmt.Sprint(port))]; ok {
		return []netip.AddrPort{addr}, nil
	}
	ips, err := c.dns.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, netip.AddrPortFrom(ip.Unmap(), port))
	}
	return addrs, nil
}

// addressOf returns what an item's host shares its pace with, for --per-ip: the first of its addresses, which is the one
// that is connected to unless that fails. A host without an address, or one that a proxy resolves, is its own.
func (c *crawler) addressOf(ctx context.Context, it *item) string {
	host := it.url.Host()
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	if c.o.Proxy != nil {
		return host
	}
	if c.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
	}
	addrs, err := c.lookup(ctx, host, it.url.Port())
	if err != nil || len(addrs) == 0 {
		return host
	}
	return addrs[0].Addr().Unmap().String()
}

// control refuses to connect to a private address for a host that only links speak of.
func (c *crawler) control(host string, addr netip.AddrPort, proxy bool) error {
	if proxy || c.o.AllowPrivate || c.isTrusted(host) || !isPrivate(addr.Addr()) {
		return nil
	}
	return &privateError{host: host, addr: addr.Addr()}
}
