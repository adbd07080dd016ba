package report

import (
	"cmp"
	"context"
	"errors"
	"time"

	"yuanlu/agent/health"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// hostPatience is how long the retained presence of the back office may take.
const hostPatience = 2 * time.Second

// mostTried is how many addresses of a broker are tried, one after the other.
const mostTried = 8

// Attempt is a connection for an examination, made as the terminal itself.
type Attempt struct {
	Names topics.Names
	// HostID is the back office whose presence is looked for; "": none.
	HostID string
	Within time.Duration // of one connection
	URL    string        // the address where a connection does not show its own
	// Dial makes a connection without a will; every call takes the next address.
	Dial func(ctx context.Context) (Broker, error)
	// Addresses returns how many addresses there are, as far as is known.
	Addresses func() int
}

// Contact connects, measures the way to the broker and back, and looks for the back
// office. Only while no reporter of the terminal is connected: a second client of the same
// name would end its connection. It publishes nothing.
func Contact(ctx context.Context, a Attempt) *health.Contact {
	found := &health.Contact{}
	for tried := 1; ; tried++ {
		attempt, cancel := context.WithTimeout(ctx, a.Within+hostPatience)
		conn, err := a.Dial(attempt)
		if err == nil {
			found.Connected = true
			a.use(attempt, conn, found)
			found.CloseErr = conn.Close(attempt)
			cancel()
			return found
		}
		cancel()
		failed, here := health.Attempt{Text: err.Error()}, true
		if why, ok := errors.AsType[*mqtt.DialError](err); ok {
			failed = health.Attempt{Text: why.Stage + ": " + why.What, Remedy: why.Remedy}
			here = why.Stage == "options" || why.Stage == "files" // so it is with every address
		}
		found.Failed = append(found.Failed, failed)
		if here || tried >= min(a.Addresses(), mostTried) || ctx.Err() != nil {
			return found
		}
	}
}

// use subscribes to what comes down, as a session would: the answer is the echo, and shows
// whether the access list allows it.
func (a *Attempt) use(ctx context.Context, conn Broker, found *health.Contact) {
	found.Address, found.Filter = cmp.Or(addressOf(conn), a.URL), a.Names.DownFilter()
	begin := time.Now()
	found.Err = conn.Subscribe(ctx, found.Filter, func(string, []byte, bool) {})
	found.Took, found.Refused = time.Since(begin), found.Err != nil && conn.Err() == nil
	if found.Err == nil && a.HostID != "" {
		found.Host = lookForHost(ctx, conn, a.Names.HostState(a.HostID))
	}
}

// lookForHost waits for the retained presence of the back office.
func lookForHost(ctx context.Context, conn Broker, topic string) *health.HostSeen {
	states := make(chan topics.HostState, 1)
	err := conn.Subscribe(ctx, topic, func(_ string, payload []byte, _ bool) {
		var s topics.HostState
		if topics.Exact(payload, &s) == nil {
			select {
			case states <- s:
			default:
			}
		}
	})
	if err != nil {
		return &health.HostSeen{Err: err}
	}
	timer := time.NewTimer(hostPatience)
	defer timer.Stop()
	select {
	case s := <-states:
		return &health.HostSeen{Host: health.Host{Known: true, Online: s.Online, At: time.UnixMilli(s.Timestamp)}}
	case <-timer.C:
		return &health.HostSeen{}
	case <-ctx.Done():
		return &health.HostSeen{Err: ctx.Err()}
	}
}
