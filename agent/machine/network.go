package machine

import (
	"context"
	"net"
	"net/url"
)

// Interface is one network interface. Its hardware address is left out: it names the
// machine.
type Interface struct {
	Name      string   `json:"name"`
	Flags     string   `json:"flags"`
	MTU       int      `json:"mtu"`
	Addresses []string `json:"addresses"`
}

// Lookup is a host and what its name resolves to.
type Lookup struct {
	Host      string   `json:"host"`
	Addresses []string `json:"addresses,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// Network is what the way to the broker depends on.
type Network struct {
	Interfaces []Interface `json:"interfaces"`
	Error      string      `json:"error,omitempty"` // why there are none
	Routes     []string    `json:"routes"`          // /proc/net/route
	Routes6    []string    `json:"routes6"`
	Resolver   []string    `json:"resolv_conf"`
	Brokers    []Lookup    `json:"brokers"`
}

// NetworkFacts looks at interfaces, routes and name servers, and resolves the hosts of the
// brokers' URLs. Nothing is connected to. It ends with ctx.
func NetworkFacts(ctx context.Context, urls []string) Network {
	n := Network{Interfaces: []Interface{}, Brokers: []Lookup{},
		Routes: firstLines("/proc/net/route", 50), Routes6: firstLines("/proc/net/ipv6_route", 50), Resolver: firstLines("/etc/resolv.conf", 20)}
	all, err := net.Interfaces()
	if err != nil {
		n.Error = err.Error()
	}
	for _, i := range all {
		one := Interface{Name: i.Name, Flags: i.Flags.String(), MTU: i.MTU, Addresses: []string{}}
		addresses, err := i.Addrs()
		if err != nil {
			one.Flags += ": " + err.Error()
		}
		for _, a := range addresses {
			one.Addresses = append(one.Addresses, a.String())
		}
		n.Interfaces = append(n.Interfaces, one)
	}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue // the configuration was checked
		}
		l := Lookup{Host: u.Hostname()}
		if l.Addresses, err = net.DefaultResolver.LookupHost(ctx, l.Host); err != nil {
			l.Error = err.Error()
		}
		n.Brokers = append(n.Brokers, l)
	}
	return n
}
