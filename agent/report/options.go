package report

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// Outbox is what waits to be published; *ledger.DB is one. Its methods are safe for
// concurrent use. While the store cannot be used they return its error.
type Outbox interface {
	// Due returns up to limit entries to be sent now, in the order of topics.md rule 2,
	// without those whose Entry is in except. It returns them again until Sent, Acked or
	// Nacked is called. next is when something will be due, zero if nothing waits. The
	// memory of reuse, which an earlier call has returned, is used for due.
	Due(ctx context.Context, now time.Time, limit int, reuse []refund.Notice, except ...int64) (due []refund.Notice, next time.Time, err error)
	// Attempt notes that an entry is put on a connection, and returns which time that
	// is since the start, from 1.
	Attempt(stream string, entry int64) int
	// Sent notes that the broker has acknowledged these entries (Notice.Entry) of a
	// stream. A case is due again at retry unless it is Acked; an event is done.
	Sent(ctx context.Context, stream string, entries []int64, retry time.Time) error
	// Resend makes waiting cases from this sequence on due at once, and returns their
	// number.
	Resend(ctx context.Context, from int64) (int, error)
	// OutboxStat returns what waits.
	OutboxStat(ctx context.Context) (refund.OutboxStat, error)
	Listener
}

// Listener takes what the back office answers about entries of the outbox.
type Listener interface {
	// Acked notes a cumulative acknowledgement, never past what was sent, and
	// returns the newest acknowledged sequence. It may come before Sent, of something
	// that Due returned: then it counts from Sent on. Errors after which nothing was
	// done: refund.ErrOtherStream, refund.ErrBeyond.
	Acked(ctx context.Context, stream string, seq int64, kid string) (int64, error)
	// Nacked takes an entry into quarantine and queues an event about it. One that
	// was refused before changes nothing. Errors after which nothing was done:
	// refund.ErrOtherStream, ErrBeyond, ErrUnsent and ErrAcknowledged.
	Nacked(ctx context.Context, stream string, entry int64, code, message string) error
	// RolledBack begins a new stream, and queues an event, if a trace shows that the
	// store was put back from an old copy; it reports whether it did. How often a
	// forged one can make it do so is bounded.
	RolledBack(ctx context.Context, trace refund.Trace) (bool, error)
}

// Broker is one connection to a broker; mqtt.Conn is one. It is
// used until Done is closed or Close is called, and never again.
type Broker interface {
	// Send hands messages over; they leave in their order, and in the order of the calls.
	// The Result of each gets exactly one value: nil after the broker's PUBACK on this
	// very connection (QoS 0: once written), else why not. After an error of Send some
	// get none.
	Send(ctx context.Context, messages ...mqtt.Outgoing) error
	// Subscribe asks for a filter. An error while the connection goes on means
	// that the broker refused. handler is called by one goroutine, in order.
	Subscribe(ctx context.Context, filter string, handler func(topic string, payload []byte, retained bool)) error
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	// Err returns why it has ended, nil before.
	Err() error
	// Close ends it so that the broker forgets the will.
	Close(ctx context.Context) error
}

// AckMode is what makes a case delivered.
type AckMode string

// AckBackoffice: dn/ack does. AckBroker: the broker's PUBACK does, for back
// offices without an acknowledging consumer. topics.md rule 4.
const (
	AckBackoffice AckMode = "backoffice"
	AckBroker     AckMode = "broker"
)

// Terminal is the agent whose state is published. Its methods are safe for concurrent use
// and return soon.
type Terminal interface {
	// Outbox returns the outbox of the store. Before the store is open for the first
	// time it is one in which nothing waits and nothing can be noted.
	Outbox() Outbox
	// Glance returns the state; what the store knows may be half a second old.
	Glance(ctx context.Context) health.Snapshot
	// Evidence returns the evidence log, nil while the store was not open yet.
	Evidence() EvidenceLog
	// Event queues an up/event. The values of attrs are integers, truths and texts.
	Event(typ, subject string, attrs ...slog.Attr)
}

// Clock is the system's clock, and whether it is trusted; safe for concurrent use.
type Clock interface {
	Now() time.Time
	Synced() bool
}

// Configuration is what the back office may set from afar. Its methods are safe for
// concurrent use and return at once.
type Configuration interface {
	// Report returns what up/config publishes; ok is false while that is not decided.
	Report() (c topics.Config, ok bool)
	// Version is that of the back office's configuration that is in force, 0: none is.
	Version() int64
	// Take takes a desired configuration and the id of the key it was signed with, ""
	// without Options.Keys. What became of it is in Report.
	Take(d topics.DesiredConfig, signedBy string)
	// BrokerReached is called once on each connection on which the broker has granted
	// what comes down to this terminal and acknowledged the state. A broker may grant it
	// and let nothing through: BackOfficeReached shows more.
	BrokerReached()
	// BackOfficeReached is called when something has come from the back office: on each
	// connection for the first message to this terminal (signed, if there are Keys), and
	// whenever the host HostID publishes that it is online.
	BackOfficeReached()
}

// Commands are what the back office may order beyond what a reporter does itself; safe
// for concurrent use.
type Commands interface {
	// Names lists them; others do not reach Do.
	Names() []string
	// Do does one, in a goroutine of its own; ctx ends with the reporter. The result
	// marshals to an object, or is a Last or a Paged. Errors: *CommandError, ErrUnknownCommand, any
	// other is published as "failed".
	Do(ctx context.Context, c Command) (any, error)
}

// ErrUnknownCommand is what Commands.Do returns for a command it does not have.
var ErrUnknownCommand = errors.New("report: unknown command")

// Command is one command that has passed all checks.
type Command struct {
	Name string // "log-level"
	ID   string
	Args json.RawMessage // an object; where topics.CommandOf knows Name, as its ArgsSchema wants it
	// Progress sends an answer of status progress; data marshals to an object, for
	// our own commands as topics.ProgressSchema wants it.
	Progress func(data any)
}

// Last is what Commands.Do returns where the process ends with the command. Then is
// called once the broker has acknowledged the answer; if it does not in time, Undelivered is
// called (nil: no call) and the answer is an error: nothing was done.
type Last struct {
	Data              any
	Then, Undelivered func()
}

// Paged is what Commands.Do returns where the answer is too long for one message. Each page is published as
// progress, behind the broker's acknowledgement of the one before; Data is the answer ok. Where the
// broker does not take a page in time, the answer is an error.
type Paged struct {
	Pages []any // each marshals to an object, of at most topics.MaxPage with its envelope
	Data  any
}

// CommandError is why a command was not done, as the back office shall read it.
type CommandError struct {
	Code     string // stable, snake_case
	Message  string // for people; no secrets
	Rejected bool   // status rejected instead of error: nothing was tried

	expired bool // status expired, whatever Rejected
	unbegun bool // the id stands for nothing that was begun: the answer is not remembered
}

// Error returns the message.
func (e *CommandError) Error() string { return e.Message }

// Options are what a Reporter works with. Terminal, Dial and Names are needed.
type Options struct {
	Terminal Terminal
	// Dial makes one connection with this will (QoS 1, retained), within a time
	// of its own. It is called again and again.
	Dial  func(ctx context.Context, willTopic string, will []byte) (Broker, error)
	Names topics.Names
	// Info is what up/info publishes that does not change while the agent runs: all but
	// TS, Session, Stream, Clock, Config, Schemas and Commands.
	Info topics.Info

	AckMode AckMode // "": AckBackoffice
	// AckTimeout is how long the first attempt waits for its acknowledgement before
	// it is sent again (topics.md rule 5); default 30 s.
	AckTimeout time.Duration
	// Cosigner is the only key whose co-signature is believed; nil: any is (evidence.md § 2).
	Cosigner *evidence.Key
	HostID   string       // whose presence the cases wait for (topics.md rule 7); "": they wait for none
	Keys     []topics.Key // of the back office; none: unsigned payloads are taken

	Commands Commands // nil: none
	// Memory keeps which commands were taken, so that none with an effect is done
	// again by a later process; nil: they are known in this one, and a command from before
	// it is refused.
	Memory Memory
	Config Configuration // nil: dn/config is refused, and up/config not published

	HealthEvery time.Duration  // of up/health; default 60 s, ± 10 %
	Clock       Clock          // nil: time.Now, trusted
	ClockFrom   string         // who vouches for Clock, as up/health names it; "": "kernel"
	Rand        func() float64 // in [0, 1); nil: math/rand/v2
	Log         *slog.Logger   // nil: silent
	// Book is the log whose lines of level warn and above go on up/log; nil: none do.
	Book *logbook.Book
}

// ErrOptions is the class of errors of New.
var ErrOptions = errors.New("report: options")

func (o Options) withDefaults() (Options, error) {
	if o.Terminal == nil || o.Dial == nil || o.Names.Terminal == "" {
		return o, errors.Join(ErrOptions, errors.New("report: Terminal, Dial and Names are needed"))
	}
	if o.AckMode == "" {
		o.AckMode = AckBackoffice
	}
	if o.AckMode != AckBackoffice && o.AckMode != AckBroker {
		return o, errors.Join(ErrOptions, errors.New("report: AckMode is neither backoffice nor broker"))
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = retryFirst
	}
	if o.HealthEvery <= 0 {
		o.HealthEvery = time.Minute
	}
	if o.Commands == nil {
		o.Commands = none{}
	}
	if o.Config == nil {
		o.Config = none{}
	}
	if o.Clock == nil {
		o.Clock = plainClock{}
	}
	if o.ClockFrom == "" {
		o.ClockFrom = "kernel"
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// none is no configuration from afar and no command.
type none struct{}

func (none) Report() (c topics.Config, ok bool)       { return c, false }
func (none) Version() int64                           { return 0 }
func (none) Take(topics.DesiredConfig, string)        {}
func (none) BrokerReached()                           {}
func (none) BackOfficeReached()                       {}
func (none) Names() []string                          { return nil }
func (none) Do(context.Context, Command) (any, error) { return nil, ErrUnknownCommand }

// plainClock is the system's clock, trusted.
type plainClock struct{}

func (plainClock) Now() time.Time { return time.Now() }
func (plainClock) Synced() bool   { return true }
