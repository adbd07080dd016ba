package report

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/refund"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// Reporter reports. New makes it, Run is called once; the rest is safe for
// concurrent use.
type Reporter struct {
	o              Options
	log            *slog.Logger
	check          *topics.Validator
	began          time.Time                    // by time.Now: the wall clock may be set meanwhile
	firstPublished atomic.Bool                  // a state was published since the start
	summaryDone    atomic.Bool                  // the own summary need not, or cannot, be read any more
	trace          atomic.Pointer[refund.Trace] // that could not be followed yet: the store was not open
	progress       atomic.Uint64
	refused        atomic.Int64
	acked          atomic.Pointer[time.Time] // the last acknowledgement
	problems       *problems
	host           *host
	commands       *commands
	wakeDrain      signal
	wakePresence   signal
	wakeCheckpoint signal
	logs           chan topics.LogLine
	logCap         *bucket
	refusals       *bucket // of answers and events about refused payloads

	mu      sync.Mutex // guards all below
	status  health.Broker
	current *session                    // nil: not connected
	links   map[string]topics.LinkState // whose state is retained at the broker, as last published
	echoes  map[string]chan struct{}    // pings that were asked for, by their id; closed when one comes
}

// signal wakes one goroutine; many signals are as good as one.
type signal chan struct{}

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// New makes a reporter. Errors: ErrOptions.
func New(o Options) (*Reporter, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	check, err := topics.NewValidator()
	if err != nil {
		return nil, err
	}
	now := o.Clock.Now
	r := &Reporter{o: o, log: o.Log, check: check, began: time.Now(), problems: newProblems(now), host: newHost(o.Clock),
		wakeDrain: make(signal, 1), wakePresence: make(signal, 1), wakeCheckpoint: make(signal, 1), logs: make(chan topics.LogLine, 32),
		logCap: newBucket(now, 20, 6*time.Second), refusals: newBucket(now, 20, 3*time.Second)}
	r.commands, r.links = newCommands(r), map[string]topics.LinkState{}
	r.status.Since = now()
	return r, nil
}

// Wake makes the reporter look at what has changed in the outbox or the state. It never
// blocks.
func (r *Reporter) Wake() {
	r.wakeDrain.set()
	r.wakePresence.set()
	r.wakeCheckpoint.set()
}

// Status returns the connection to the broker as it went so far.
func (r *Reporter) Status() health.Broker {
	r.mu.Lock()
	s := r.status
	r.mu.Unlock()
	s.Progress, s.Refused, s.Problems = r.progress.Load(), r.refused.Load(), r.problems.list()
	if at := r.acked.Load(); at != nil {
		s.LastAck = *at
	}
	if r.o.HostID != "" {
		s.Host = r.host.status()
	}
	return s
}

// Run connects, reports and reconnects until ctx ends; then it waits shortly for
// what is in flight, publishes offline and disconnects, within 4 s. It returns nil.
func (r *Reporter) Run(ctx context.Context) error {
	defer r.followLog()()
	defer r.commands.wait()
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.commands.begin(runCtx)
	wait, taken := backoff{rand: r.o.Rand}, takeovers{}
	for ctx.Err() == nil {
		conn, session, err := r.connect(ctx)
		if err != nil {
			r.failed(ctx, err)
			taken.failed()
		} else {
			if taken.connected(addressOf(conn), time.Now()) {
				r.duplicateClient()
			}
			began := time.Now()
			r.serve(ctx, conn, session)
			good := time.Since(began)
			wait.connected(good)
			if good >= takeoverAfter && lostByPeer(conn.Err()) {
				taken.closedByPeer(addressOf(conn))
			}
		}
		if !r.pause(ctx, wait.next()) {
			return nil
		}
	}
	return nil
}

// pause waits d in steps, so that the watchdog sees progress; false: ctx ended.
func (r *Reporter) pause(ctx context.Context, d time.Duration) bool {
	for {
		r.progress.Add(1)
		step := min(d, 5*time.Second)
		timer := time.NewTimer(step)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		if d -= step; d <= 0 {
			return true
		}
	}
}

// connect makes one connection whose will is lost for a session of its own:
// a will of an earlier connection, published late, must not count for this one.
func (r *Reporter) connect(ctx context.Context) (Broker, string, error) {
	session := rand.Text()
	will, err := json.Marshal(&topics.State{V: 1, State: topics.StateLost, Session: session})
	if err != nil {
		return nil, "", err
	}
	r.progress.Add(1)
	conn, err := r.o.Dial(ctx, r.o.Names.State(), will)
	r.progress.Add(1)
	return conn, session, err
}

func (r *Reporter) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	news := r.status.LastError != err.Error()
	r.status.LastError, r.status.Remedy = err.Error(), ""
	if why, ok := errors.AsType[*mqtt.DialError](err); ok {
		r.status.Remedy = why.Remedy
	}
	r.mu.Unlock()
	if news {
		r.log.Warn("mqtt.unreachable", "err", err)
	}
}

// serve is one connection from CONNACK to its end.
func (r *Reporter) serve(ctx context.Context, conn Broker, id string) {
	s := newSession(r, conn, id)
	r.mu.Lock()
	if r.status.Session != "" {
		r.status.Reconnects++
	}
	address := addressOf(conn)
	r.status.Connected, r.status.Since, r.status.Session, r.status.Address, r.current = true, r.o.Clock.Now(), id, address, s
	r.mu.Unlock()
	r.log.Info("mqtt.connected", "to", address)
	s.run(ctx)
	r.mu.Lock()
	r.current = nil
	r.status.Connected, r.status.Since, r.status.Address = false, r.o.Clock.Now(), ""
	err := conn.Err()
	if err != nil && ctx.Err() == nil {
		r.status.LastError, r.status.Remedy = strings.TrimPrefix(address+": "+err.Error(), ": "), ""
	}
	r.mu.Unlock()
	if ctx.Err() == nil {
		r.log.Warn("mqtt.lost", "at", address, "err", err)
	}
}

// addressOf returns the broker that a connection leads to, "" where that is not known.
func addressOf(conn Broker) string {
	if c, tells := conn.(interface{ Address() string }); tells {
		return c.Address()
	}
	return ""
}

// session returns the current session, nil while there is none.
func (r *Reporter) session() *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

func (r *Reporter) rememberLink(l *topics.LinkState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links[l.Name] = *l
}

func (r *Reporter) forgetLink(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.links, name)
}

// goneLinks returns the links that were published and are not there any more.
func (r *Reporter) goneLinks(there map[string]bool) []topics.LinkState {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []topics.LinkState
	for name, link := range r.links {
		if !there[name] {
			gone = append(gone, link)
		}
	}
	return gone
}

func (r *Reporter) duplicateClient() {
	r.problems.set("duplicate_client_id", "twice within two minutes the broker at one address ended a good connection and took the next one: another client may use this terminal's id", 10*time.Minute)
	r.log.Warn("duplicate_client_id")
	r.o.Terminal.Event("duplicate_client_id", "mqtt", slog.String("client_id", r.o.Names.Terminal))
}

// lostByPeer reports whether the broker closed a good connection: what it does
// when another client takes the client id.
func lostByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// payload marshals v and checks it as topics.md rule 6 asks: size and own schema.
func (r *Reporter) payload(schema string, v any) ([]byte, error) {
	return r.payloadOf(schema, v, topics.MaxMessage)
}

func (r *Reporter) payloadOf(schema string, v any, most int) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("report: %s: %w", schema, err)
	}
	return b, r.fit(schema, b, most)
}

// ErrTooLarge is a payload over topics.MaxMessage, or a page over topics.MaxPage.
var ErrTooLarge = errors.New("report: payload too large")

func (r *Reporter) fit(schema string, b []byte, most int) error {
	if len(b) > most {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, len(b), most)
	}
	return r.check.Check(schema, b)
}
