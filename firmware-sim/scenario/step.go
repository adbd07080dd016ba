package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Step is one thing that happens at a terminal. Members that do not fit the deed are ignored.
type Step struct {
	// Do is the deed: sale, refund, void, preauth, preauth_void, completion, completion_void, adjust, reversal
	// (cup8583 only), settle, query (the final outcome of a wallet's sale or refund), reprint (the open batch), wait, train.
	Do string `json:"do"`
	As string `json:"as,omitempty"` // a name for this transaction, for later steps
	Of string `json:"of,omitempty"` // the name of the transaction it is about; for refunds also "nothing" (no
	// reference is given), "invented" (a sale that never was), "elsewhere" (a sale of another terminal) or "before"
	// (a sale made before the journal begins)
	By     string `json:"by,omitempty"`     // the customer; a seeded one if empty
	To     string `json:"to,omitempty"`     // refunds and voids: who gets the money; the payer if empty, "merchant" the shop itself
	Pay    string `json:"pay,omitempty"`    // chip swipe contactless fallback keyed phone wechat alipay huabei unionpay_qr jd baitiao ecny member
	Amount int64  `json:"amount,omitempty"` // fen; 0: a seeded one for sales, the rest of the original for refunds
	// Entry is how the card is read for a refund: chip, swipe, contactless or keyed; for wallet sales whether the
	// customer shows a code (qr_shown) or scans one (qr_scanned).
	Entry   string `json:"entry,omitempty"`
	Outcome string `json:"outcome,omitempty"` // approved if empty; declined, unknown, pending, abnormal (smart refunds)
	Ref     string `json:"ref,omitempty"`     // how the original is named: rrn, stan, order, both; by the channel's custom if empty
	Date    string `json:"date,omitempty"`    // the date given with the reference: "" the right one, "typo", "none"
	Form    string `json:"form,omitempty"`    // how an account is shown: clear, masked, four, tail; by the acquirer's custom if empty
	Route   string `json:"route,omitempty"`   // refund_route as the channel states it
	Account string `json:"account,omitempty"` // refunds of wallets: other_app (openid of another appid), logon, none
	For     string `json:"for,omitempty"`     // wait: how long, as in 36h or 90m
	On      bool   `json:"on,omitempty"`      // train: begin (true) or end
	Coupon  int64  `json:"coupon,omitempty"`  // smart wallets: fen that a coupon paid
	// Shape is the form in which channel or acquirer writes the message, empty for the usual one: wire.Shapes.
	Shape string `json:"shape,omitempty"`
	// Where the terminal asks a guard first: what the cashier does when it is held or to be confirmed (Cashiers; a seeded
	// one if empty), and who shows his code or card again at the counter.
	Cashier   string `json:"cashier,omitempty"`
	Presented string `json:"presented,omitempty"`
}

// Cashiers are the ways of a cashier with an answer hold or confirm.
func Cashiers() []string {
	return []string{
		"obey",     // corrects it, or cancels it where that cannot be done
		"cancel",   // cancels it
		"overrule", // makes a refund that is to be confirmed; cancels a held one
		"bypass",   // makes it although it is held
		"release",  // calls the supervisor, who releases it
		"mistype",  // likewise, and the supervisor mistypes his PIN once
		"leave",    // walks away: a hold stays until it expires
	}
}

// ErrScript is the class of errors in a script.
var ErrScript = errors.New("scenario")

func deeds() []string {
	return []string{"sale", "refund", "void", "preauth", "preauth_void", "completion", "completion_void", "adjust",
		"reversal", "settle", "query", "reprint", "wait", "train"}
}

func payments() []string {
	return []string{"", "chip", "swipe", "contactless", "fallback", "keyed", "phone", "wechat", "alipay", "huabei",
		"unionpay_qr", "jd", "baitiao", "ecny", "member"}
}

// Check returns what is wrong with a step by itself; names of other steps are checked when it is played.
func (s *Step) Check() error {
	switch {
	case !slices.Contains(deeds(), s.Do):
		return fmt.Errorf("%w: do: %q is none of %s", ErrScript, s.Do, strings.Join(deeds(), ", "))
	case !slices.Contains(payments(), s.Pay):
		return fmt.Errorf("%w: pay: %q is none of %s", ErrScript, s.Pay, strings.Join(payments()[1:], ", "))
	case !slices.Contains([]string{"", "approved", "declined", "unknown", "pending", "abnormal"}, s.Outcome):
		return fmt.Errorf("%w: outcome: %q is none of approved, declined, unknown, pending, abnormal", ErrScript, s.Outcome)
	case !slices.Contains([]string{"", "clear", "masked", "four", "tail"}, s.Form):
		return fmt.Errorf("%w: form: %q is none of clear, masked, four, tail", ErrScript, s.Form)
	case s.Cashier != "" && !slices.Contains(Cashiers(), s.Cashier):
		return fmt.Errorf("%w: cashier: %q is none of %s", ErrScript, s.Cashier, strings.Join(Cashiers(), ", "))
	case s.Amount < 0 || s.Coupon < 0:
		return fmt.Errorf("%w: amount: less than nothing", ErrScript)
	}
	if s.Do == "wait" {
		if d, err := time.ParseDuration(s.For); err != nil || d < 0 {
			return fmt.Errorf("%w: for: %q is no length of time such as 36h", ErrScript, s.For)
		}
	}
	if s.Of == "" && slices.Contains([]string{"refund", "void", "preauth_void", "completion", "completion_void", "adjust", "reversal", "query"}, s.Do) {
		return fmt.Errorf("%w: of: a %s is about an earlier transaction", ErrScript, s.Do)
	}
	return nil
}

// ReadScript reads a script; an error names its line, counted from 1, and wraps ErrScript.
func ReadScript(r io.Reader) ([]Step, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out []Step
	for n, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var s Step
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n+1, ErrScript, err)
		}
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}
