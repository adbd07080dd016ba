package refund

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// Limits of an ask's members (guard.md § 1).
const (
	DefaultDeadline = 300 * time.Millisecond
	MinDeadline     = 50 * time.Millisecond
	MaxDeadline     = 5 * time.Second
	maxAskID        = 64
)

// Ask is the question about a refund or void that is about to be made (guard.md § 1).
type Ask struct {
	// Record is what would be made: approved, with the ask's members. Its own Ask is empty.
	Record    Record
	ID        string
	Replaces  string        // the id of the ask that this one corrects, "" none
	Deadline  time.Duration // MinDeadline to MaxDeadline
	Look      bool          // nothing is behind it (member find)
	Presented *Party        // what the customer has just shown, nil: nothing
	Link      string        // the member link, where AskForm.Link takes it; "" not stated
	// Digest is the keyed hash of all members as they were sent, link apart, newest key
	// first; nil before SealAsk. Two asks are the same if they share one.
	Digest  []string
	members Secret // those members in one form, until SealAsk
}

// AskForm is what differs between the sources of asks.
type AskForm struct {
	Version bool // v must be stated (`yuanlu check`); else it may be
	Link    bool // a member link is taken (the local API)
	// What an envelope states counts where the ask has no such member.
	MerchantID, TerminalID, Operator string
	Training                         bool
}

// askTakes are the members of records.md that an ask may have, as bits.
const askTakes = uint64(1<<memberV | 1<<memberKind | 1<<memberTraining | 1<<memberMerchantID | 1<<memberTerminalID |
	1<<memberOperator | 1<<memberChannel | 1<<memberEntry | 1<<memberAmount | 1<<memberPayerAmount | 1<<memberCurrency |
	1<<memberAt | 1<<memberStan | 1<<memberBatch | 1<<memberOrderNo | 1<<memberRefundNo | 1<<memberOriginal |
	1<<memberParty | 1<<memberAsk)

// What an ask may have: two members more than a record.
var (
	askNames     = append(append([]string(nil), recordMembers...), "presented", "link")
	askPresented = len(recordMembers)
	askLink      = askPresented + 1
	aboutNames   = []string{"id", "replaces", "deadline_ms", "find"}
)

// ParseAsk reads one ask from one JSON object. Its clear identifiers go to Secrets: it must
// be sealed (SealAsk) before anything is done with it. Values that are well-formed but
// impossible, such as an amount of 0 or no `at`, are left to the judge (verdicts.md § 1.2).
//
// What is not to the form of guard.md § 1 is an *InputError of class ErrInput, without its
// Line; its Member names the field.
func ParseAsk(text []byte, form AskForm) (Ask, error) {
	d := newReader(text, false)
	a := Ask{Record: Record{Outcome: Approved}, Deadline: DefaultDeadline}
	if !d.ask(&a, &form) {
		return Ask{}, d.inputError(text)
	}
	members, err := askMembers(text, &form)
	if err != nil {
		return Ask{}, &InputError{Column: 1, Got: "another text", Want: "an ask"}
	}
	a.members = members
	return a, nil
}

// ask reads the whole text as one ask.
func (d *reader) ask(a *Ask, form *AskForm) bool {
	r := &a.Record
	seen, ok := d.object(askNames, func(i int) bool { return d.askMember(a, i, form) })
	if !ok {
		return false
	}
	needed := uint64(1<<memberKind | 1<<memberAsk)
	if form.Version {
		needed |= 1 << memberV
	}
	if missing := needed &^ seen; missing != 0 {
		return d.lacks(askNames[bits.TrailingZeros64(missing)])
	}
	if r.MerchantID == "" {
		r.MerchantID = form.MerchantID
	}
	if r.TerminalID == "" {
		r.TerminalID = form.TerminalID
	}
	if r.Operator == "" {
		r.Operator = form.Operator
	}
	if seen&(1<<memberTraining) == 0 {
		r.Training = form.Training
	}
	if r.Currency == "RMB" {
		r.Currency = "CNY"
	}
	switch {
	case r.MerchantID == "":
		return d.lacks("merchant_id")
	case r.TerminalID == "":
		return d.lacks("terminal_id")
	}
	return d.End("the end of the text after the ask")
}

// lacks notes that a member is missing or empty.
func (d *reader) lacks(name string) bool {
	d.Fail(d.Pos()-1, "no such member", "every ask to have it")
	return d.Within(name)
}

// askMember reads the value of the i-th of askNames.
func (d *reader) askMember(a *Ask, i int, form *AskForm) bool {
	at := d.At()
	switch {
	case i == memberAsk:
		return d.aboutAsk(a)
	case i == memberParty:
		a.Record.Party = new(Party)
		return d.party(a.Record.Party, partyMembers)
	case i == askPresented:
		a.Presented = new(Party)
		return d.party(a.Presented, partyMembers)
	case i == askLink && form.Link:
		return d.text(&a.Link)
	case i >= len(recordMembers) || askTakes&(1<<i) == 0:
		return d.Fail(at, "a member that no ask has", "a member that guard.md § 1 names")
	case !d.member(&a.Record, i, wordOptional):
		return false
	}
	if i == memberKind && !a.Record.Kind.Judged() {
		return d.Fail(at, "another kind", "refund, void or completion_void")
	}
	return true
}

// aboutAsk reads the object `ask`.
func (d *reader) aboutAsk(a *Ask) bool {
	at := d.At()
	seen, ok := d.object(aboutNames, func(i int) bool {
		switch i {
		case 0:
			return d.askID(&a.ID)
		case 1:
			return d.askID(&a.Replaces)
		case 2:
			at := d.At()
			var ms int64
			if !d.Integer(&ms, true) {
				return false
			}
			a.Deadline = time.Duration(ms) * time.Millisecond
			return ms >= MinDeadline.Milliseconds() && ms <= MaxDeadline.Milliseconds() || d.Fail(at, "another number", "50 to 5000")
		}
		return d.Bool(&a.Look)
	})
	switch {
	case !ok:
		return false
	case seen&1 == 0:
		d.Fail(at, "no such member", "every ask to have it")
		return d.Within("id")
	case a.Replaces == a.ID:
		d.Fail(at, "its own id", "the id of an earlier ask")
		return d.Within("replaces")
	}
	return true
}

// askID reads the id of an ask.
func (d *reader) askID(v *string) bool {
	at := d.At()
	if !d.text(v) {
		return false
	}
	return ValidAskID(*v) || d.Fail(at, "another text", "1 to 64 of A-Z a-z 0-9 . _ : -")
}

// ValidAskID reports whether a text may be the id of an ask (guard.md § 1).
func ValidAskID(id string) bool {
	if id == "" || len(id) > maxAskID {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != ':' && c != '-' {
			return false
		}
	}
	return true
}

// askMembers returns what was sent in one form, whatever the order and spaces of the text.
func askMembers(text []byte, form *AskForm) (Secret, error) {
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		return Secret{}, fmt.Errorf("members of an ask: %w", ErrInput)
	}
	delete(all, "link")
	delete(all, "v")
	for name, value := range map[string]string{"merchant_id": form.MerchantID, "terminal_id": form.TerminalID, "operator": form.Operator} {
		if stated, ok := all[name]; value != "" && (!ok || stated == "") {
			all[name] = value
		}
	}
	if _, ok := all["training"]; !ok && form.Training {
		all["training"] = true
	}
	b, err := json.Marshal(all)
	if err != nil {
		return Secret{}, fmt.Errorf("members of an ask: %w", ErrInput)
	}
	return NewSecret(string(b)), nil
}

// labelAsk keeps the digests of asks apart from the tokens of identifiers.
const labelAsk = "ask"

// SealAsk returns an ask in the form that may be kept: its parties are sealed (Seal), and of
// its members there is the keyed Digest alone. Nothing of a is changed.
func SealAsk(a Ask, t Tokenizer) Ask {
	a.Record = Seal(a.Record, t)
	if a.Presented != nil {
		a.Presented = Seal(Record{Party: a.Presented}, t).Party
	}
	if !a.members.Empty() {
		a.Digest = t.Tokens(labelAsk, a.members.Reveal())
		a.members = Secret{}
	}
	return a
}

// SameAs reports whether two sealed asks have all members equal, as sent (guard.md § 1).
func (a *Ask) SameAs(b *Ask) bool { return share(a.Digest, b.Digest) }
