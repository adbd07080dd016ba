package control

import (
	"encoding/json"
	"errors"
	"time"
)

const (
	maxRequest  = 64 << 10         // bytes of a request line
	maxAnswer   = 4 << 20          // bytes of an answer line
	maxClients  = 16               // at a time
	readWithin  = 5 * time.Second  // a request must be here
	writeWithin = 5 * time.Second  // an answer line must be taken
	dialWithin  = 2 * time.Second  // the daemon must accept
	quietWithin = 30 * time.Second // the first answer must be here
	aliveWithin = 2 * time.Second  // else it is looked whether the daemon lives
	busyWithin  = 8 * time.Second  // a daemon that runs must answer something
)

// Request is what a client asks.
type Request struct {
	Verb string          `json:"verb"`
	Args json.RawMessage `json:"args,omitempty"`
}

// answer is one line of what it gets.
type answer struct {
	Data  json.RawMessage `json:"data,omitempty"`
	Error *Error          `json:"error,omitempty"`
	End   bool            `json:"end,omitempty"`
}

// Error is a refusal, as the client sees it. Code is stable.
type Error struct {
	Code    string `json:"code"` // bad_request, unknown_verb, busy, not_found, unavailable, internal
	Message string `json:"message"`
	About   string `json:"about,omitempty"` // the argument that is wrong
}

// aboutClients is what a refusal is about when too many clients ask.
const aboutClients = "clients"

// codeStopped is the code of a request that the end of the daemon, or of one run of its agent, cut short.
const codeStopped = "stopped"

// Error returns code and message.
func (e *Error) Error() string { return "control: " + e.Code + ": " + e.Message }

// Is reports whether target is ErrBusy or ErrStopping and the error is that refusal.
func (e *Error) Is(target error) bool {
	return target == ErrBusy && e.Code == "busy" && e.About == aboutClients || target == ErrStopping && e.Code == codeStopped
}

var (
	// ErrNotRunning: there is no listener, so the daemon is not running.
	ErrNotRunning = errors.New("the daemon is not running")
	// ErrPermission: the socket belongs to somebody else.
	ErrPermission = errors.New("not permitted to talk to the daemon")
	// ErrBusy: the daemon serves as many clients as it can; it is answered again as
	// soon as one of them has gone.
	ErrBusy = errors.New("the daemon serves as many clients as it can")
	// ErrStopping: the daemon ended, or began another run, while it worked on the request:
	// the answer so far is not whole, and what was asked for may not have been done.
	ErrStopping = errors.New("the daemon is stopping")
	// ErrProtocol: the other side does not speak as it should.
	ErrProtocol = errors.New("control: unexpected answer")
)
