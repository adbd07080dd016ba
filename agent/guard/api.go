package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/refund"
)

// Request is one ask with the circumstances in which it came.
type Request struct {
	// Link it is about, by name; "" the first one of the configuration. The ask's own
	// Link is not looked at.
	Link string
	Ask  refund.Ask // as parsed; it is sealed here
	// Received is when its last byte came, with the monotonic clock.
	Received time.Time
	// InTurn: all that came before it on its link is durable (the wire's asks, which
	// ingest has let wait); else that is waited for here.
	InTurn bool
}

// Reply is what an ask is answered now.
type Reply struct {
	Answer ask.Answer
	// Hold is the hold as it is now, nil where nothing is held. It may be an earlier one:
	// a repeated ask shows what became of it.
	Hold  *ask.Held
	Left  time.Duration // until the hold expires, in running time; 0 unless it is open
	Until time.Time     // the same by the agent's clock; zero unless it is open
}

// Release is the order to release a hold (guard.md § 3).
type Release struct {
	By     string // the supervisor's id; for the back office the desk's person
	PIN    PIN    // empty for the back office
	Reason string // one of the ask.Reason constants, or "1" to "5"
	Text   string
}

// PIN is a supervisor's PIN. It cannot print, log or marshal itself.
type PIN = refund.Secret

// Service is what the wire, the local API and the control socket ask of a guard; *Guard is
// one. It is safe for concurrent use. Errors are *Refusal or of the context.
type Service interface {
	// Ask answers an ask. Where the judgement is not done in time the reply is
	// Answer.Unchecked; a hold is durable before it is returned.
	Ask(ctx context.Context, r Request) (Reply, error)
	// Release releases a hold for a supervisor on site.
	Release(ctx context.Context, k ask.Key, r Release) (ask.Held, error)
	// Cancel ends a hold, or an ask without one; by is the cashier's number. The state of an
	// ask without a hold is ask.Cancelled.
	Cancel(ctx context.Context, k ask.Key, by string) (ask.Held, error)
	// Look returns what a remembered ask was answered and its hold as it is now. A hold that
	// has ended within wait (0: not waited) is waited for.
	Look(ctx context.Context, k ask.Key, wait time.Duration) (Reply, error)
	// Arrived notes that the answer to an ask has reached who asked (guard.md § 3,
	// hold_bypassed).
	Arrived(k ask.Key)
}

// Office is what the back office orders; *Guard is one. by is the desk's person.
type Office interface {
	OfficeRelease(ctx context.Context, k ask.Key, r Release) (ask.Held, error)
	OfficeCancel(ctx context.Context, k ask.Key, by string) (ask.Held, error)
}

// PINs compares supervisors' PINs and counts wrong ones (guard.md § 3, Guessing). One PIN is
// compared at a time. Errors: ErrLocked, ErrWrongPIN, or that the count could not be made
// durable.
type PINs interface {
	Compare(ctx context.Context, supervisor string, pin PIN) error
}

// Errors of PINs.
var (
	ErrLocked   = errors.New("the supervisor is locked")
	ErrWrongPIN = errors.New("the PIN is wrong")
)

// Codes of refusals (guard.md § 3, guard.md § 5).
const (
	CodeForm       = "form"
	CodeOff        = "guard_off"
	CodeReused     = "id_reused"
	CodeUnknown    = "unknown_ask"
	CodeEnded      = "ended"
	CodeNoOperator = "no_operator"
	CodeOffice     = "office_first"
	CodeLocked     = "locked"
	CodeWrongPIN   = "wrong_pin"
	CodeSamePerson = "same_person"
	CodeStore      = "store"
	CodeTooMany    = "too_many" // the local API's 429
)

// Refusal is why something was not done.
type Refusal struct {
	Code  string    // one of the Code constants
	Field string    // of CodeForm: the member that is wrong
	State ask.State // of CodeEnded: the hold's
	Err   error     // what lies behind it, nil: nothing
}

// Error returns code and field.
func (r *Refusal) Error() string {
	switch {
	case r.Field != "":
		return fmt.Sprintf("refused: %s: %s", r.Code, r.Field)
	case r.Err != nil:
		return fmt.Sprintf("refused: %s: %v", r.Code, r.Err)
	}
	return "refused: " + r.Code
}

// Unwrap returns what lies behind the refusal.
func (r *Refusal) Unwrap() error { return r.Err }

// Form returns the refusal of an ask that refund.ParseAsk could not read.
func Form(err error) *Refusal {
	r := &Refusal{Code: CodeForm, Err: err}
	var wrong *refund.InputError
	if errors.As(err, &wrong) {
		r.Field = wrong.Member
	}
	return r
}
