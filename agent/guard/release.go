package guard

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/protocol/cardnumber"
)

// practicePIN is the one right PIN of practice, for every supervisor. Source: guard.md § 7.
const practicePIN = "000000"

// mostText is how many characters the text of a release may have. Source: guard.md § 3.
const mostText = 500

// Release implements Service. What is checked, and in which order: guard.md § 3, Release.
func (g *Guard) Release(ctx context.Context, k ask.Key, r Release) (h ask.Held, err error) {
	defer func() { g.o.Tally.refusal(err) }()
	if err := r.check(); err != nil {
		return ask.Held{}, err
	}
	h, err = g.held(ctx, k)
	if err != nil {
		return h, err
	}
	switch {
	case h.Operator == "":
		return h, &Refusal{Code: CodeNoOperator}
	case h.Level == ask.Office && g.age(k) < g.o.OfficeWait && g.officeThere():
		return h, &Refusal{Code: CodeOffice}
	}
	if err := g.comparePIN(ctx, &h, r.By, r.PIN); err != nil {
		return h, err
	}
	if samePerson(g.o.Supervisors, r.By, h.Operator) {
		return h, &Refusal{Code: CodeSamePerson}
	}
	return g.end(ctx, k, ask.Ending{State: ask.Released, By: r.By, Reason: r.Reason, Text: r.Text, At: g.o.Now()})
}

// OfficeRelease implements Office.
func (g *Guard) OfficeRelease(ctx context.Context, k ask.Key, r Release) (h ask.Held, err error) {
	defer func() { g.o.Tally.refusal(err) }()
	if err := r.check(); err != nil {
		return ask.Held{}, err
	}
	h, err = g.held(ctx, k)
	if err != nil {
		return h, err
	}
	if sameOperator(r.By, h.Operator) {
		return h, &Refusal{Code: CodeSamePerson}
	}
	return g.end(ctx, k, ask.Ending{State: ask.Released, By: officePrefix + r.By, Reason: r.Reason, Text: r.Text, At: g.o.Now()})
}

// officePrefix stands before the name of a person of the back office. Source: guard.md § 6.
const officePrefix = "office/"

// Cancel implements Service. A name of the back office is refused.
func (g *Guard) Cancel(ctx context.Context, k ask.Key, by string) (h ask.Held, err error) {
	defer func() { g.o.Tally.refusal(err) }()
	if !isName(by) || strings.HasPrefix(by, officePrefix) {
		return ask.Held{}, &Refusal{Code: CodeForm, Field: "by"}
	}
	return g.end(ctx, k, ask.Ending{State: ask.Cancelled, By: by, At: g.o.Now()})
}

// OfficeCancel implements Office.
func (g *Guard) OfficeCancel(ctx context.Context, k ask.Key, by string) (h ask.Held, err error) {
	defer func() { g.o.Tally.refusal(err) }()
	if by == "" || !isName(by) {
		return ask.Held{}, &Refusal{Code: CodeForm, Field: "by"}
	}
	return g.end(ctx, k, ask.Ending{State: ask.Cancelled, By: officePrefix + by, At: g.o.Now()})
}

// maxName is how many characters the name of who releases or cancels may have.
const maxName = 64

// isName reports whether s may be one; it is stored, logged and reported, and no card number.
func isName(s string) bool {
	return plainText(s) && utf8.RuneCountInString(s) <= maxName && !holdsCardNumber(s)
}

// check looks at the form of a release and writes its reason out.
func (r *Release) check() error {
	reasons := []string{ask.ReasonConsent, ask.ReasonReissuedCard, ask.ReasonOwnAccount, ask.ReasonOurError, ask.ReasonOther}
	if len(r.Reason) == 1 && r.Reason[0] >= '1' && r.Reason[0] <= '5' {
		r.Reason = reasons[r.Reason[0]-'1']
	}
	switch {
	case r.By == "" || !isName(r.By):
		return &Refusal{Code: CodeForm, Field: "by"}
	case !slices.Contains(reasons, r.Reason):
		return &Refusal{Code: CodeForm, Field: "reason"}
	case utf8.RuneCountInString(r.Text) > mostText, !plainText(r.Text), holdsCardNumber(r.Text), r.Reason == ask.ReasonOther && r.Text == "":
		return &Refusal{Code: CodeForm, Field: "text"}
	}
	return nil
}

// plainText reports whether a text has only the characters of casework.md § 10.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x20 && c != '\n' || c == '\u2028' || c == '\u2029' || c == utf8.RuneError
	})
}

// holdsCardNumber reports whether a text holds 13 to 19 digits in a row with a right check
// digit (casework.md § 5).
func holdsCardNumber(s string) bool {
	for _, run := range strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' }) {
		if len(run) >= 13 && len(run) <= 19 && cardnumber.Luhn(run) == 0 {
			return true
		}
	}
	return false
}

// held returns a hold that is open.
func (g *Guard) held(ctx context.Context, k ask.Key) (ask.Held, error) {
	a, err := g.find(ctx, k)
	switch {
	case err != nil:
		return ask.Held{}, err
	case a.Entry.Held == nil:
		return ask.Held{}, &Refusal{Code: CodeUnknown}
	case a.Entry.Held.State != ask.Open:
		return *a.Entry.Held, &Refusal{Code: CodeEnded, State: a.Entry.Held.State}
	}
	return *a.Entry.Held, nil
}

func (g *Guard) officeThere() bool { return g.o.OfficeThere != nil && g.o.OfficeThere() }

// comparePIN compares the PIN; a wrong one is counted with its hold. In practice no real PIN
// is compared and no wrong one counted.
func (g *Guard) comparePIN(ctx context.Context, h *ask.Held, by string, pin PIN) error {
	if h.Practice {
		known := slices.ContainsFunc(g.o.Supervisors, func(s Supervisor) bool { return s.ID == by })
		if right := subtle.ConstantTimeCompare([]byte(pin.Reveal()), []byte(practicePIN)) == 1; !right || !known {
			return &Refusal{Code: CodeWrongPIN}
		}
		return nil
	}
	err := g.o.PINs.Compare(ctx, by, pin)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrLocked):
		return &Refusal{Code: CodeLocked}
	case errors.Is(err, ErrWrongPIN):
		if e := g.o.Store.NoteWrongPIN(ctx, h.Key); e != nil {
			return &Refusal{Code: CodeStore, Err: e}
		}
		g.o.Log.Warn("guard.wrong_pin", "terminal", h.Key.Terminal, "ask", h.Key.ID)
		return &Refusal{Code: CodeWrongPIN}
	}
	return &Refusal{Code: CodeStore, Err: err}
}

// samePerson reports whether a supervisor has asked himself.
func samePerson(all []Supervisor, supervisor, operator string) bool {
	if sameOperator(supervisor, operator) {
		return true
	}
	for _, s := range all {
		if s.ID == supervisor && slices.ContainsFunc(s.Operators, func(o string) bool { return sameOperator(o, operator) }) {
			return true
		}
	}
	return false
}

// sameOperator compares cashier numbers: those of digits without leading zeros.
func sameOperator(a, b string) bool {
	return digits(a) == digits(b) && plainNumber(a) == plainNumber(b)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// end ends a hold, or with Cancelled an ask without one.
func (g *Guard) end(ctx context.Context, k ask.Key, by ask.Ending) (ask.Held, error) {
	a, ended, err := g.o.Store.EndHold(ctx, k, by)
	e := &a.Entry
	switch {
	case errors.Is(err, ledger.ErrAskUnknown):
		return ask.Held{}, &Refusal{Code: CodeUnknown}
	case err != nil:
		return ask.Held{}, &Refusal{Code: CodeStore, Err: err}
	case e.Held == nil:
		return ask.Held{Key: k, Seq: e.Answer.Seq, Practice: e.Answer.Practice, Operator: e.Ask.Record.Operator, Link: e.Link, Level: e.Level, State: ask.Cancelled, By: by.By}, nil
	case !ended:
		return *e.Held, &Refusal{Code: CodeEnded, State: e.Held.State}
	}
	return *e.Held, nil
}

// flood queues the event of a terminal that had too many holds.
func (g *Guard) flood(k ask.Key, open, lastHour int) {
	g.o.Event("guard.flood", "terminal/"+k.Terminal, slog.String("merchant_id", k.Merchant), slog.String("terminal_id", k.Terminal),
		slog.Int("open", open), slog.Int("last_hour", lastHour))
}
