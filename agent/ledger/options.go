package ledger

import (
	"errors"
	"log/slog"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/refund"
)

// Options are how a store is opened. Dir and Judge are needed; a zero value of
// the others means its default.
type Options struct {
	Dir         string // holds yuanlu.db, keys/, quarantine/, lock; made if its parent is there
	Judge       *refund.Judge
	MinSeverity refund.Severity // from which on a finding opens a case; default Medium
	Grace       time.Duration   // pending_grace; default 10 minutes; negative: none
	Retention   time.Duration   // how long records are kept; default 540 days
	Terminal    string          // id of the terminal, for the log
	// OutboxMaxBytes, OutboxMaxCount and OutboxMaxAge bound the outbox; defaults 64
	// MiB, 200 000 entries, 30 days. Age concerns events only: a case waits for ever.
	OutboxMaxBytes int64
	OutboxMaxCount int64
	OutboxMaxAge   time.Duration
	// Mount, if set, must be a mounted file system that Dir lies on; proved before
	// anything is created.
	Mount string
	// Level returns the guard's level of a link; nil: off.
	Level func(link string) ask.Level
	// HoldChanged is called when a new hold, or a change of one, is durable, with the writer: it
	// must not block. nil: not.
	HoldChanged func(ask.Held)
	Now         func() time.Time // default time.Now
	Log         *slog.Logger     // default: none
	// Synchronous is SQLite's setting of that name, "" FULL. Anything less than
	// FULL loses confirmed records in a power cut; it is here so that a test can
	// show that the tests notice.
	Synchronous string

	judge judge // in place of Judge, for tests
	// step, if set, is called before each named step of a commit, an opening and a
	// salvage, for tests that end the process there.
	step func(name string)
	// wholeCheck is the constant of that name, for tests; 0: the constant.
	wholeCheck int64
	// flushKeys is the constant of that name, for tests; 0: the constant.
	flushKeys int
}

const (
	day = 24 * time.Hour

	defaultGrace     = 10 * time.Minute
	defaultRetention = 540 * day
	defaultBytes     = 64 << 20
	defaultCount     = 200_000
	defaultAge       = 30 * day
)

func (o *Options) fill() error {
	if o.Dir == "" {
		return errors.New("ledger: Options.Dir is empty")
	}
	if o.judge == nil {
		if o.Judge == nil {
			return errors.New("ledger: Options.Judge is nil")
		}
		o.judge = o.Judge
	}
	o.MinSeverity = max(o.MinSeverity, 0)
	if o.MinSeverity == 0 {
		o.MinSeverity = refund.Medium
	}
	if o.Terminal == "" {
		o.Terminal = "unnamed"
	}
	setDefault(&o.Grace, defaultGrace)
	setDefault(&o.Retention, defaultRetention)
	setDefault(&o.OutboxMaxBytes, defaultBytes)
	setDefault(&o.OutboxMaxCount, defaultCount)
	setDefault(&o.OutboxMaxAge, defaultAge)
	setDefault(&o.wholeCheck, wholeCheck)
	setDefault(&o.flushKeys, flushKeys)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HoldChanged == nil {
		o.HoldChanged = func(ask.Held) {}
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	return nil
}

// level returns the guard's level of a link.
func (o *Options) level(link string) ask.Level {
	if o.Level == nil {
		return ask.Off
	}
	return o.Level(link)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
