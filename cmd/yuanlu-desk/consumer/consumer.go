package consumer

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// Times and bounds of the consumer.
const (
	mostBatch   = 256              // messages of one commit
	backoffMost = 30 * time.Second // between two attempts to connect, with full jitter
	backoffGood = 30 * time.Second // a connection this old resets the back-off
	storePause  = 250 * time.Millisecond
	storeMost   = 5 * time.Second  // longest pause between two attempts to store
	storeTime   = 30 * time.Second // of one attempt
	storeAway   = 3 * time.Second  // without a store for so long, we are not there
	lastBatch   = 3 * time.Second  // for the batch in hand when we stop
	byeTime     = time.Second      // for publishing offline
)

// Broker is one connection; broker.Conn is one.
type Broker interface {
	Sender
	Subscribe(ctx context.Context, filter string, qos byte) error
	Next(ctx context.Context, most int) ([]broker.Message, error)
	Shed() map[string]int64
	Close()
}

// Sender is the half of a connection that sends.
type Sender interface {
	Send(topic string, retain bool, payload []byte) error
	Publish(ctx context.Context, topic string, retain bool, payload []byte) error
}

// Applier is where messages go; store.Store is one.
type Applier interface {
	Apply(ctx context.Context, messages []store.Message) (store.Answer, error)
}

// Hand is where acknowledgements wait that follow from what a person did; store.Store
// is one.
type Hand interface {
	UnsentAcks(ctx context.Context) (acks []store.Ack, upTo int64, err error)
	AcksSent(ctx context.Context, upTo int64) error
}

// Options are what a consumer works with. All but Hand, StoreID and Key are needed;
// Group may be empty.
type Options struct {
	Root  string // of the topics
	Host  string // whose presence we publish
	Group string // of the shared subscription; "": we are alone
	Dial  func(ctx context.Context, willTopic string, will []byte) (Broker, error)
	Store Applier
	Hand  Hand // nil: nothing is done by hand
	// StoreID names the store. Desks of one group must share one: each acknowledges
	// what the store has, and half of every stream goes to the other.
	StoreID string
	// Observe takes and stores everything, but acknowledges nothing and publishes no
	// presence: another back office does.
	Observe bool
	KeyID   string
	Key     ed25519.PrivateKey // nil: acknowledgements are not signed
	Leaves  Asker              // nil: checkpoints of terminals are not co-signed
	Days    *DayAsker          // nil: days that lack are not asked for
	Now     func() time.Time
	Log     *slog.Logger
}

// Consumer takes what terminals publish. Run runs it once; Status may be asked at any
// time.
type Consumer struct {
	o      Options
	decode *Decoder
	host   string  // topic of our presence
	refuse thinned // refusals
	gaps   thinned // gaps, likewise
	back   thinned // stores that were put back, likewise
	full   thinned // terminals without room, likewise
	alarms thinned // alarms about logs of terminals, likewise
	flood  thinned // terminals that send faster than they are stored, likewise

	mu        sync.Mutex
	status    Status // guarded by mu
	timestamp int64  // guarded by mu: of the presence published last
}

// Status is how the consumer is.
type Status struct {
	Connected  bool      `json:"connected"`
	Since      time.Time `json:"since,omitzero"`
	LastError  string    `json:"last_error,omitzero"`
	Reconnects int64     `json:"reconnects"`
	Messages   int64     `json:"messages"`
	Stored     int64     `json:"stored"`
	Repeats    int64     `json:"repeats"`
	Refused    int64     `json:"refused"`
	Full       int64     `json:"no_room"`              // batches with events that were neither stored nor acknowledged
	Shed       int64     `json:"shed"`                 // messages that found no room before the store: their terminals send more than is stored, and send them again
	StoreError string    `json:"store_error,omitzero"` // why nothing can be stored at the moment
}

// New makes a consumer.
func New(o Options) (*Consumer, error) {
	names, err := topics.NewNames(o.Root, "any")
	if err != nil {
		return nil, err
	}
	for _, part := range []string{o.Host, o.Group} {
		if part == "" && o.Group == "" && o.Host != "" {
			continue
		}
		if err := topics.CheckPart(part); err != nil {
			return nil, fmt.Errorf("host or group: %w", err)
		}
	}
	decode, err := NewDecoder(o.Root)
	if err != nil {
		return nil, err
	}
	return &Consumer{o: o, decode: decode, host: names.HostState(o.Host)}, nil
}

// Status returns a copy of how things are.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Consumer) note(do func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(&c.status)
}

// Run connects, works and connects again until ctx ends; it returns after thinned
// that we are offline. It never fails: what is wrong is in Status and in the log.
func (c *Consumer) Run(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		began := c.o.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.o.Now().Sub(began) > backoffGood {
			wait = 0
		}
		wait = min(max(2*wait, 250*time.Millisecond), backoffMost)
		help, _ := Remedy(err)
		c.o.Log.Warn("broker.away", "err", err, "remedy", help)
		c.note(func(s *Status) { s.Connected, s.LastError = false, err.Error() })
		pause(ctx, time.Duration(rand.Float64()*float64(wait)))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// presence makes our presence; its timestamp never goes back.
func (c *Consumer) presence(online bool, atLeast int64) ([]byte, error) {
	c.mu.Lock()
	c.timestamp = min(max(c.timestamp+1, c.o.Now().UnixMilli(), atLeast), topics.MaxTimestamp)
	state := hostState{topics.HostState{Online: online, Timestamp: c.timestamp}, c.o.StoreID}
	c.mu.Unlock()
	return json.Marshal(&state)
}

// hostState is our presence, with a member for other desks of our group.
type hostState struct {
	topics.HostState
	Store string `json:"store,omitzero"`
}

// session is one connection, from its beginning to its end.
func (c *Consumer) session(ctx context.Context) error {
	will, err := c.presence(false, 0)
	if err != nil {
		return err
	}
	topic := c.host
	if c.o.Observe {
		topic, will = "", nil
	}
	conn, err := c.o.Dial(ctx, topic, will)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.alone(ctx, conn); err != nil {
		return err
	}
	for _, f := range c.filters() {
		if err := conn.Subscribe(ctx, f.filter, f.qos); err != nil {
			return fmt.Errorf("subscribe %s: %w", f.filter, err)
		}
	}
	if err := c.publishPresence(ctx, conn, true, 0); err != nil {
		return err
	}
	c.o.Log.Info("broker.connected")
	c.note(func(s *Status) {
		if !s.Since.IsZero() {
			s.Reconnects++
		}
		s.Connected, s.Since, s.LastError = true, c.o.Now(), ""
	})
	var wg sync.WaitGroup
	handed, stop := context.WithCancel(ctx)
	wg.Go(func() { c.hand(handed, conn) })
	wg.Go(func() { c.ask(handed, conn) })
	wg.Go(func() { c.askDays(handed, conn) })
	err = c.work(ctx, conn)
	stop()
	wg.Wait()
	if ctx.Err() != nil { // a DISCONNECT discards the will
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTime)
		defer cancel()
		if err := c.publishPresence(bye, conn, false, 0); err != nil {
			c.o.Log.Warn("broker.offline_unsaid", "err", err)
		}
	}
	return err
}

func (c *Consumer) publishPresence(ctx context.Context, conn Broker, online bool, atLeast int64) error {
	if c.o.Observe {
		return nil
	}
	payload, err := c.presence(online, atLeast)
	if err != nil {
		return err
	}
	return conn.Publish(ctx, c.host, true, payload)
}

type filter struct {
	filter string
	qos    byte
}

// Filters are what a desk subscribes to, for the broker's access list.
func (o *Options) Filters() []string {
	var list []string
	for _, f := range (&Consumer{o: *o, host: topics.Names{Root: o.Root}.HostState(o.Host)}).filters() {
		list = append(list, f.filter)
	}
	return list
}

// filters are what we subscribe to. What is retained goes to every desk, with
// QoS 0: it is published again every minute, and none of it may wait at the broker and
// come late as if it were new. Events go to one desk of a group, with QoS 1.
func (c *Consumer) filters() []filter {
	up := c.o.Root + "/v1/+/up/"
	var list []filter
	if !c.o.Observe {
		list = append(list, filter{c.host, 0})
	}
	for _, name := range []string{"state", "health", "info", "config", "case-summary", "link/+/state"} {
		list = append(list, filter{up + name, 0})
	}
	share := ""
	if c.o.Group != "" {
		share = "$share/" + c.o.Group + "/"
	}
	if c.o.Leaves != nil {
		// What is retained, and what was asked for by one desk of a group: every desk gets both. A
		// checkpoint that comes twice is answered twice, and kept once.
		list = append(list, filter{up + "checkpoint", 1}, filter{up + rspEvidence, 1})
	}
	return append(append(list, c.dayAnswers(up)...), filter{share + up + "case", 1}, filter{share + up + "day", 1}, filter{share + up + "event", 1})
}

// work takes messages until the connection or ctx ends.
func (c *Consumer) work(ctx context.Context, conn Broker) error {
	for {
		batch, err := conn.Next(ctx, mostBatch)
		if err != nil {
			return err
		}
		list, err := c.sort(ctx, conn, batch)
		if err != nil {
			return err
		}
		answer, err := c.store(ctx, conn, list)
		if err != nil {
			return err
		}
		for _, m := range batch {
			m.Ack()
		}
		c.count(len(batch), list, &answer)
		c.countShed(conn.Shed())
		if err := c.answer(conn, answer.Acks); err != nil {
			return err
		}
		if err := c.cosign(conn, &answer); err != nil {
			return err
		}
		if err := c.echo(conn, list); err != nil {
			return err
		}
	}
}

// sort returns what of a batch is to be stored. It takes the rest: our own presence, and what belongs
// to evidence.
func (c *Consumer) sort(ctx context.Context, conn Broker, batch []broker.Message) (list []store.Message, err error) {
	list = make([]store.Message, 0, len(batch))
	now := c.o.Now()
	for _, m := range batch {
		if m.Topic == c.host {
			err = errors.Join(err, c.hostState(ctx, conn, m.Payload))
			continue
		}
		if c.leaves(m.Topic, m.Payload) || c.days(m.Topic, m.Payload) {
			continue
		}
		if one, ok := c.decode.Decode(m.Topic, m.Payload, m.Retained, now); ok {
			list = append(list, one)
		}
	}
	return list, err
}

// hostState looks at our own presence: another desk's will, or an old one of ours,
// may publish that we are offline, or anything. The truth comes after it, whatever its
// timestamp is: who has taken that one takes only what is newer.
func (c *Consumer) hostState(ctx context.Context, conn Broker, payload []byte) error {
	var state hostState
	err := c.decode.check.Decode("host-state.v1", payload, &state)
	if err == nil && state.Online {
		return c.sameStore(&state)
	}
	if c.Status().StoreError != "" {
		return nil
	}
	c.mu.Lock()
	own := err == nil && state.Timestamp == c.timestamp && c.timestamp < topics.MaxTimestamp
	c.mu.Unlock()
	if own {
		return nil
	}
	after := int64(0)
	if err == nil { // else there is no owner to take it; but it lies where our presence is retained
		after = state.Timestamp + 1
	}
	return c.publishPresence(ctx, conn, true, after)
}

// count notes and logs what became of a batch.
func (c *Consumer) count(messages int, list []store.Message, a *store.Answer) {
	c.note(func(s *Status) {
		s.Messages += int64(messages)
		s.Stored += int64(a.New)
		s.Repeats += int64(a.Repeats)
		s.Refused += int64(a.Refused)
		s.Full += int64(len(a.Full))
	})
	for i := range list {
		if r := list[i].Refusal; r != nil && c.refuse.worth() {
			c.o.Log.Warn("message.refused", "terminal", r.Terminal, "topic", plain(r.Topic, 128), "sequence", r.Seq, "code", r.Code,
				"why", r.Message, "refused", c.refuse.n)
		}
	}
	if a.Unworked > 0 {
		c.o.Log.Warn("case.unworked", "events", a.Unworked, "remedy", "these case events are stored, and the case desk does not understand them: they lack what casework.md wants")
	}
	for _, terminal := range a.Full {
		if c.full.worth() {
			c.o.Log.Error("terminal.no_room", "terminal", terminal, "times", c.full.n,
				"remedy", "its events are neither stored nor acknowledged: find out why it sends so much, or give it more with --terminal-mb")
		}
	}
	for _, g := range a.GapBegun {
		if c.gaps.worth() {
			c.o.Log.Warn("gap.begun", "terminal", g.Terminal, "stream", g.Stream, "missing_from", g.Seq, "times", c.gaps.n)
		}
	}
	for _, g := range a.GapEnded {
		if c.gaps.worth() {
			c.o.Log.Info("gap.ended", "terminal", g.Terminal, "stream", g.Stream, "complete_to", g.Seq, "times", c.gaps.n)
		}
	}
	c.countPutBack(a)
	c.countLogs(a)
}

// countPutBack logs what shows that a terminal's store was put back from an old copy.
func (c *Consumer) countPutBack(a *store.Answer) {
	for _, r := range a.Reused {
		if c.back.worth() {
			c.o.Log.Error("sequence.reused", "terminal", r.Terminal, "stream", r.Stream, "sequence", r.Seq, "times", c.back.n,
				"remedy", "both events are stored; the terminal's store was put back from an old copy: ask who did it, and look for cases that it has lost")
		}
	}
	for _, r := range a.PutBack {
		if c.back.worth() {
			c.o.Log.Error("terminal.put_back", "terminal", r.Terminal, "stream", r.Stream, "settled", r.Seq, "times", c.back.n,
				"remedy", "it knows less of this stream than it was acknowledged here: its store was put back from an old copy; it begins a new stream when it hears that")
		}
	}
}

// countShed notes and logs whose messages found no room.
func (c *Consumer) countShed(shed map[string]int64) {
	for terminal, n := range shed {
		c.note(func(s *Status) { s.Shed += n })
		if c.flood.worth() {
			c.o.Log.Warn("terminal.flood", "terminal", plain(terminal, 64), "messages", n, "times", c.flood.n,
				"remedy", "it sends more than is stored, its room is full, and it must send these again; other terminals are not delayed")
		}
	}
}

// Lane returns the terminal that a topic under root belongs to, as Lane of
// broker.Options wants it; "" for other topics.
func Lane(root string) func(topic string) string {
	prefix := root + "/v1/"
	return func(topic string) string {
		rest, ours := strings.CutPrefix(topic, prefix)
		terminal, _, more := strings.Cut(rest, "/")
		if !ours || !more {
			return ""
		}
		return terminal
	}
}
