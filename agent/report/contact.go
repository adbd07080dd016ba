package report

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
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
	// Ask is whether the back office is asked for a sign of life, with the keys that it signs
	// with (none: it need not sign).
	Ask  bool
	Keys []topics.Key
	// Dial makes a connection without a will; every call takes the next address.
	Dial func(ctx context.Context) (Broker, error)
	// Addresses returns how many addresses there are, as far as is known.
	Addresses func() int
}

// Contact connects, measures the way to the broker and back, and looks for the back
// office. Only while no reporter of the terminal is connected: a second client of the same
// name would end its connection. It publishes nothing, unless it asks the back office.
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
	pings := make(chan string, 16)
	found.Err = conn.Subscribe(ctx, found.Filter, func(topic string, payload []byte, retained bool) {
		if id := a.pingOf(topic, payload); id != "" && !retained {
			select {
			case pings <- id:
			default: // one that was not asked for
			}
		}
	})
	found.Took, found.Refused = time.Since(begin), found.Err != nil && conn.Err() == nil
	if found.Err == nil && a.HostID != "" {
		found.Host = lookForHost(ctx, conn, a.Names.HostState(a.HostID))
	}
	if found.Err == nil && a.Ask {
		found.Answer = a.ask(ctx, conn, pings)
	}
}

// ask is Reporter.AskBackOffice on a connection of its own.
func (a *Attempt) ask(ctx context.Context, conn Broker, pings <-chan string) *health.Answer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), health.EchoWithin)
	defer cancel()
	id, begin, result := rand.Text(), time.Now(), make(chan error, 1)
	err := conn.Send(ctx, mqtt.Outgoing{Topic: a.Names.Event(), QoS: 1, Payload: echoEvent(a.Names, id, "-", begin, true), Result: result})
	for err == nil {
		select {
		case got := <-pings:
			if got == "echo-"+id {
				return &health.Answer{Took: time.Since(begin)}
			}
		case <-conn.Done():
			err = errors.Join(ErrNotConnected, conn.Err())
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return &health.Answer{Err: err}
}

// pingOf returns the id of a ping, signed where that is wanted; "" for anything else.
func (a *Attempt) pingOf(topic string, payload []byte) string {
	if topic != a.Names.Cmd("ping") {
		return ""
	}
	if len(a.Keys) > 0 {
		check, err := topics.NewValidator()
		if err != nil {
			return ""
		}
		if _, payload, err = topics.Open(check, a.Keys, topic, a.Names.Terminal, payload); err != nil {
			return ""
		}
	} else {
		var wrapped topics.Signed
		var inner []byte
		if topics.Exact(payload, &wrapped) == nil && json.Unmarshal([]byte(`"`+wrapped.Body+`"`), &inner) == nil && len(inner) > 0 {
			payload = inner
		}
	}
	return idOf(payload)
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
