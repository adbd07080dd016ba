package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxRound is how many addresses of all URLs together are tried in turn.
const maxRound = 64

// Route is the way to a broker that has several addresses: several URLs, each of whose
// names may have several. Every attempt takes the next one, so that one which accepts
// and sends nothing is not tried for ever; after the last one the names are looked up
// again. It is safe for concurrent use.
type Route struct {
	urls []string
	// lookup returns the addresses of a name; nil: the system's resolver.
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	mu    sync.Mutex // guards all below
	round []hop
	next  int // into round
}

// hop is one address.
type hop struct {
	url     string
	address string // ip:port; "": that of the URL, whose name was not looked up
	err     error  // why the name has no address
}

// NewRoute makes a Route of URLs as Options.URL has them; they are tried in this order.
func NewRoute(urls []string) *Route { return &Route{urls: urls} }

// Addresses is how many addresses there are, by the last look-up; at least one for
// each URL.
func (r *Route) Addresses() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(len(r.round), len(r.urls))
}

// Dial is Dial to the next address. While addresses cannot be reached at all (refused,
// no way there) it goes on to the next ones, each once, within o.ConnectTimeout; one
// that takes the connection and fails then ends the attempt. Any error is a *DialError,
// that of the last address.
func (r *Route) Dial(ctx context.Context, o Options) (*Conn, error) {
	o = o.withDefaults()
	if err := r.check(o); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	for tried := 1; ; tried++ {
		one, of := r.take(ctx, &o)
		conn, err := one.dial(ctx, o, of)
		if err == nil {
			return conn, nil
		}
		if _, away := errors.AsType[*unreached](err); !away || tried >= of || ctx.Err() != nil {
			return nil, err
		}
	}
}

// check looks at all URLs before one of them is tried.
func (r *Route) check(o Options) error {
	if len(r.urls) == 0 {
		return o.Check()
	}
	for _, o.URL = range r.urls {
		if err := o.Check(); err != nil {
			return err
		}
	}
	return nil
}

// take returns the next address, and how many there are.
func (r *Route) take(ctx context.Context, o *Options) (hop, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next >= len(r.round) {
		r.round, r.next = r.resolve(ctx, o), 0
	}
	r.next++
	return r.round[r.next-1], len(r.round)
}

// resolve looks all names up; at least one hop for each URL.
func (r *Route) resolve(ctx context.Context, o *Options) []hop {
	var round []hop
	for _, u := range r.urls {
		one := *o
		one.URL = u
		e, err := one.endpoint()
		if err != nil || len(round) >= maxRound {
			continue // checked before
		}
		_, port, _ := net.SplitHostPort(e.address)
		if _, err := netip.ParseAddr(e.host); err == nil || o.DialContext != nil {
			round = append(round, hop{url: u})
			continue
		}
		found, err := r.addresses(ctx, e.host, o.ConnectTimeout/3)
		if err != nil {
			round = append(round, hop{url: u, err: explain(&unreached{err}, e, &one)})
		}
		for _, ip := range found[:min(len(found), maxRound-len(round))] {
			round = append(round, hop{url: u, address: net.JoinHostPort(ip.Unmap().String(), port)})
		}
	}
	return round
}

func (r *Route) addresses(ctx context.Context, host string, within time.Duration) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if r.lookup != nil {
		return r.lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// dial tries one of so many addresses.
func (h hop) dial(ctx context.Context, o Options, of int) (*Conn, error) {
	if h.err != nil {
		return nil, h.err
	}
	o.URL, o.address = h.url, h.address
	if of > 1 {
		o.reach = o.ConnectTimeout / 3
	}
	return Dial(ctx, o)
}

// unreached is an error from before the broker took the connection.
type unreached struct{ err error }

func (u *unreached) Error() string { return u.err.Error() }

func (u *unreached) Unwrap() error { return u.err }

// withAddress names the address beside the name that it was found for.
func (e endpoint) withAddress(address string) endpoint {
	e.dial = address
	if ip, _, err := net.SplitHostPort(address); err == nil && ip != e.host {
		e.address = fmt.Sprintf("%s (%s)", e.address, ip)
	}
	return e
}
