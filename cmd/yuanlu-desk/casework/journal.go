package casework

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// DeskJournal is the case name of the desk's own journal (casework.md § 1).
const DeskJournal = "desk"

// noHash stands before the first event of a journal.
var noHash = strings.Repeat("0", 64)

// Who writes events besides people (casework.md § 1).
const (
	byTerminal = "terminal"
	bySystem   = "system"
)

// Event is one entry of a journal (casework.md § 1). Data is as the page writes it.
type Event struct {
	Case string          `json:"case"`
	Seq  int64           `json:"seq"`
	At   string          `json:"at"`
	By   string          `json:"by"`
	What string          `json:"what"`
	Data json.RawMessage `json:"data"`
	Key  string          `json:"key,omitempty"`
	Prev string          `json:"prev"`
	Hash string          `json:"hash,omitempty"`
}

// Bytes returns the event as the journal has it.
func (e *Event) Bytes() []byte { return encode(e) }

// seal hashes the event without its hash.
func (e *Event) seal() {
	e.Hash = ""
	sum := sha256.Sum256(e.Bytes())
	e.Hash = hex.EncodeToString(sum[:])
}

// sealed reports whether the bytes of an event have a hash: that of all before the member hash,
// which is the last.
func sealed(text []byte, hash string) bool {
	before, ok := bytes.CutSuffix(text, []byte(`,"hash":"`+hash+`"}`))
	if !ok {
		return false
	}
	h := sha256.New()
	h.Write(before)
	h.Write([]byte("}"))
	return hex.EncodeToString(h.Sum(nil)) == hash
}

// encode writes JSON as casework.md § 1 has it: in texts only what must be is escaped. The
// types of this package can always be encoded.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ErrJournal is the class of errors about a journal that cannot be replayed.
var ErrJournal = errors.New("casework: not a journal of this desk")

// Classes of the data of events; each is applied to a case by its method apply.
type change interface {
	apply(d *Desk, c *Case, e *Event)
}

// blank returns an empty data of a kind of event; nil for an unknown kind.
func blank(what string) change {
	switch what {
	case "opened":
		return &opened{}
	case "reported":
		return &reported{}
	case "suggested":
		return &suggested{}
	case "undone":
		return &undone{}
	case "void_closed":
		return &voidClosed{}
	case "payer_seen":
		return &payerSeen{}
	case "bill_link":
		return &Link{}
	case "claimed":
		return &claimed{}
	case "assigned":
		return &assigned{}
	case "noted":
		return &noted{}
	case "filed":
		return &filed{}
	case "contacted":
		return &contacted{}
	case "identified":
		return &identified{}
	case "waiting":
		return &waiting{}
	case "woke":
		return &woke{}
	case "counted":
		return &counted{}
	case "advised":
		return &advised{}
	case "overdue":
		return &overdue{}
	case "escalated":
		return &escalated{}
	case "answered":
		return &answered{}
	case "person_set":
		return &personSet{}
	}
	return blankOfTwo(what)
}

// blankOfTwo is blank for proposals, their ends, and both tracks.
func blankOfTwo(what string) change {
	switch what {
	case "requested":
		return &requested{}
	case "received":
		return &received{}
	case "refused":
		return &refused{}
	case "sent":
		return &sent{}
	case "settled":
		return &settled{}
	case "failed":
		return &failed{}
	case "declined":
		return &declined{}
	case "unreachable":
		return &unreachable{}
	case "proposed":
		return &proposed{}
	case "approved":
		return &approved{}
	case "rejected":
		return &rejected{}
	case "withdrawn":
		return &withdrawn{}
	case "lapsed":
		return &lapsed{}
	case "found":
		return &found{}
	case "reissue_approved":
		return &reissueApproved{}
	case "reissue_lapsed":
		return &reissueLapsed{}
	case "written_off":
		return &writtenOff{}
	case "closed":
		return &closed{}
	case "merged":
		return &merged{}
	case "reopened":
		return &reopened{}
	}
	return nil
}

// lapses reports whether a kind of event ends an open proposal (● in casework.md § 5).
// That of a report depends on what it says.
func lapses(what string) bool {
	switch what {
	case "counted", "requested", "received", "refused", "sent", "settled", "failed", "declined", "unreachable", "answered", "found",
		"reissue_approved", "reissue_lapsed", "written_off", "closed", "merged", "reopened":
		return true
	}
	return false
}

// Apply takes one event of a journal as it was stored (Event.Bytes), and checks that it stands
// behind the one before. All journals of a desk are applied in the order in which they were
// written. ErrJournal.
func (d *Desk) Apply(text []byte) error {
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	data := blank(e.What)
	at, ok := written(e.At)
	if data == nil || !ok || e.Case != DeskJournal && len(e.Case) < len("C-2026-000001") {
		return fmt.Errorf("%w: case %s, event %d: unknown kind or time", ErrJournal, e.Case, e.Seq)
	}
	if err := json.Unmarshal(e.Data, data); err != nil {
		return fmt.Errorf("%w: case %s, event %d: %w", ErrJournal, e.Case, e.Seq, err)
	}
	d.clock = max(d.clock, at)
	seq, hash := d.head(e.Case)
	if e.Seq != seq+1 || e.Prev != hash || !sealed(text, e.Hash) {
		return fmt.Errorf("%w: case %s, event %d does not continue event %d", ErrJournal, e.Case, e.Seq, seq)
	}
	d.begun = true
	d.apply(e, data)
	if r, ok := data.(*reported); ok {
		delete(d.waiting, r.ID) // what waited for it was taken in, and follows
	}
	return nil
}

// Remember takes an event of a terminal that was stored, at its place among the events of
// the journals; what it caused follows by Apply.
func (d *Desk) Remember(e *TerminalEvent) {
	switch d.begun = true; {
	case !d.note(e), e.kind == "":
	case e.tally != nil:
		d.count(e)
	case e.kind != typeFollowed, d.home[e.caseID] != nil:
	case e.report == nil || d.homeOf(e.report, e) == nil:
		d.waiting[e.caseID] = append(d.waiting[e.caseID], e)
	}
}

// head returns the version and the hash of a journal.
func (d *Desk) head(no string) (int64, string) {
	if no == DeskJournal {
		return d.version, d.hash
	}
	if c := d.cases[no]; c != nil {
		return c.version, c.hash
	}
	return 0, noHash
}

// write adds an event to a journal, and applies it; not while guards alone are looked at.
func (d *Desk) write(no, by, what string, data change) {
	if d.dry {
		return
	}
	seq, hash := d.head(no)
	e := Event{Case: no, Seq: seq + 1, At: d.cal.Format(d.clock), By: by, What: what, Data: encode(data), Key: d.key, Prev: hash}
	d.key = ""
	e.seal()
	d.events = append(d.events, e)
	d.apply(e, data)
	if no != DeskJournal {
		d.touch(no)
		link, billed := data.(*Link)
		if c := d.cases[no]; c.proposal != nil && (lapses(what) || billed && link.Fact != "") {
			c.changed = true
		}
	}
}

// apply makes an event's change and all that follows of it.
func (d *Desk) apply(e Event, data change) {
	if e.Case == DeskJournal {
		d.version, d.hash = e.Seq, e.Hash
		data.apply(d, nil, &e)
		return
	}
	c := d.cases[e.Case]
	if c == nil {
		c = newCase(e.Case)
		d.add(c)
	}
	c.take(d, &e, data)
	if !c.fresh {
		c.fresh = true
		d.fresh = append(d.fresh, c)
	}
}

// take applies an event to a case, in the desk or a copy, and computes what follows.
func (c *Case) take(d *Desk, e *Event, data change) {
	c.version, c.hash = e.Seq, e.Hash
	if e.What != "overdue" {
		c.lastSeen = e.Seq
	}
	if e.Key != "" {
		c.keys = append(c.keys, personKey{e.By, e.Key})
	}
	data.apply(d, c, e)
	c.recompute(d, e)
}
