package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/ingest"
)

// Setting is how a line is set to listen; the zero value is USB, which has no line. One
// stop bit always: a receiver of one understands a terminal that sends two.
type Setting struct {
	Baud     int    `json:"baud,omitempty"`
	DataBits int    `json:"data_bits,omitempty"`
	Parity   string `json:"parity,omitempty"` // none, even, odd
}

// Framing returns the usual short form, "8N1" or "8E1"; "" for USB.
func (s Setting) Framing() string {
	if s.Parity == "" {
		return ""
	}
	return fmt.Sprintf("%d%s1", s.DataBits, strings.ToUpper(s.Parity[:1]))
}

// Result is what was found, or what came where nothing fits.
type Result struct {
	Port string `json:"port"`
	Wire string `json:"wire,omitempty"` // "" none fits
	Setting
	Framing string    `json:"framing,omitempty"` // "8N1"
	Came    []Traffic `json:"heard"`             // at each setting of the line
	// Sees are wires whose frames were right, but no message was understood.
	Sees []string `json:"sees,omitempty"`
	// SevenBit is the parity of a line of seven data bits, which no wire fits in.
	SevenBit string `json:"seven_bit,omitempty"`
	// First is the first record that came, nil where the message that was understood holds
	// none.
	First *First `json:"first,omitempty"`
}

// First is what may be shown of a record: nothing of whose it is.
type First struct {
	Kind     string `json:"kind"`
	Outcome  string `json:"outcome"`
	Amount   int64  `json:"amount"` // in minor units
	Currency string `json:"currency"`
	At       string `json:"at"` // RFC 3339
}

// Traffic is what came at one setting.
type Traffic struct {
	Setting
	Framing string `json:"framing,omitempty"`
	Bytes   int64  `json:"bytes"`
	Frames  uint64 `json:"frames"`
}

// Bytes returns the bytes that came at all settings.
func (r *Result) Bytes() int64 {
	total := int64(0)
	for _, t := range r.Came {
		total += t.Bytes
	}
	return total
}

const (
	turnTime  = 4 * time.Second        // at each setting; a smart terminal shakes hands every two
	stayTime  = 5 * turnTime           // at one whose frames are right: a message must come
	quietTime = 500 * time.Millisecond // after bytes: the terminal has ended
)

// plan is the order in which settings of a line are tried: the usual speeds with
// eight bits and no parity, round and round. Where bytes came but no frame, the same
// speed is tried with parity before the next one. Seven bits need no try of their
// own (listener.sevenBits).
type plan struct {
	speeds []int
	turn   int
	next   []Setting
}

// newPlan returns the plan of a serial line, or of a port that is none.
func newPlan(line bool) *plan {
	if !line {
		return &plan{}
	}
	return &plan{speeds: []int{9600, 115200, 19200, 38400, 57600, 4800, 2400, 1200}}
}

// Settings returns the setting of a link's line, and the others at which a terminal may send,
// the likely ones first.
func Settings(baud int, parity string) []ingest.LineSetting {
	all := []ingest.LineSetting{{Baud: baud, Parity: parity}}
	add := func(baud int, parity string) {
		if s := (ingest.LineSetting{Baud: baud, Parity: parity}); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	speeds := newPlan(true).speeds
	for _, baud := range speeds[:2] {
		add(baud, "none")
	}
	for _, parity := range []string{"none", "even", "odd"} {
		add(baud, parity)
	}
	for _, baud := range speeds {
		add(baud, "none")
	}
	return all
}

// take returns the next setting; after is what came at the one before it.
func (p *plan) take(after *Traffic) Setting {
	if len(p.speeds) == 0 {
		return Setting{}
	}
	if after != nil && after.Bytes > 0 && after.Frames == 0 && after.Parity == "none" {
		p.next = []Setting{{after.Baud, 8, "even"}, {after.Baud, 8, "odd"}}
	}
	if len(p.next) > 0 {
		t := p.next[0]
		p.next = p.next[1:]
		return t
	}
	t := Setting{p.speeds[p.turn%len(p.speeds)], 8, "none"}
	p.turn++
	return t
}

// Options say where to listen; all but Progress are needed.
type Options struct {
	Port string
	Line bool // it is a serial line, which has settings
	// Open opens the port with a setting, and refuses one that another process has open.
	Open func(ctx context.Context, s Setting) (ingest.Port, error)
	// Unsupported reports whether an error of Open means that the line does not have the
	// setting.
	Unsupported func(error) bool
	Progress    func(r *Result, s Setting) // called before each turn; nil: it is not
}

// Run listens until a message is understood or ctx ends: then Result.Wire is "". Errors
// are those of Open and of the port.
func Run(ctx context.Context, o Options) (*Result, error) {
	found := &Result{Port: o.Port, Came: []Traffic{}}
	plan := newPlan(o.Line)
	for last := (*Traffic)(nil); found.Wire == "" && ctx.Err() == nil; {
		s := plan.take(last)
		if o.Progress != nil {
			o.Progress(found, s)
		}
		now := Traffic{Setting: s, Framing: s.Framing()}
		err := try(ctx, o, found, &now)
		if err != nil && o.Unsupported(err) && s.Parity != "none" {
			last = nil // this line has no parity, a pseudo terminal for one
			continue
		}
		if err != nil {
			return found, err
		}
		found.add(now)
		last = &now
	}
	return found, nil
}

// add puts what came to what came at the same setting before.
func (r *Result) add(now Traffic) {
	for i := range r.Came {
		if r.Came[i].Setting == now.Setting {
			r.Came[i].Bytes += now.Bytes
			r.Came[i].Frames += now.Frames
			return
		}
	}
	if now.Bytes > 0 || now.Baud == 0 {
		r.Came = append(r.Came, now)
	}
}

// try listens at one setting for one turn, or until the terminal has ended.
func try(ctx context.Context, o Options, found *Result, now *Traffic) error {
	port, err := o.Open(ctx, now.Setting)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // the time is up
	case err != nil:
		return err
	}
	l, err := newListener()
	if err != nil {
		return errors.Join(err, port.Close())
	}
	err = listen(ctx, port, l, found, now)
	found.First = l.first
	found.Sees = l.sees(found.Sees)
	if found.Wire != "" {
		found.Setting, found.Framing = now.Setting, now.Framing
	} else if now.Frames == 0 && now.Parity == "none" {
		if parity := l.sevenBits(); parity != "" {
			found.SevenBit = parity
		}
	}
	return errors.Join(err, port.Close())
}

// listen reads until a message is understood, or nothing more is to be expected: a
// port that sends and sends without a frame is left when its turn is over.
func listen(ctx context.Context, port ingest.Port, l *listener, found *Result, now *Traffic) error {
	buf := make([]byte, 4096)
	begin := time.Now()
	end, quiet := begin.Add(turnTime), time.Time{} // quiet: when the terminal has ended
	over := func(t time.Time) bool { return t.After(end) || !quiet.IsZero() && t.After(quiet) }
	for t := begin; found.Wire == "" && ctx.Err() == nil && !over(t); t = time.Now() {
		if err := port.SetReadDeadline(t.Add(quietTime / 5)); err != nil {
			return err
		}
		n, err := port.Read(buf)
		if n > 0 {
			now.Bytes += int64(n)
			found.Wire = l.take(buf[:n], time.Now())
			now.Frames += l.frames()
			if quiet = time.Now().Add(quietTime); now.Frames > 0 { // the setting is right: stay
				end, quiet = begin.Add(stayTime), time.Time{}
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}
