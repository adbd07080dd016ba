package casework

import (
	"cmp"
	"regexp"
	"strings"
)

const (
	fromHand     = "hand"
	fromTerminal = "terminal"
	roleRefund   = "refund"
	roleReissue  = "reissue"
	noAnswer     = "no_answer"

	// largest is the greatest amount of a record, in minor units (records.md).
	largest = 999_999_999_999
)

// The types of the terminals' events that mean something here (casework.md § 4).
const (
	typeOpened   = "opened"
	typeRevised  = "revised"
	typeCleared  = "cleared"
	typeFollowed = "followed"
	typeTally    = "tally"
)

// Side is the refund or the original of a report (casework.md § 4).
type Side struct {
	Kind          string `json:"kind"`
	Outcome       string `json:"outcome"`
	MerchantID    string `json:"merchant_id"`
	TerminalID    string `json:"terminal_id"`
	Operator      string `json:"operator"`
	Channel       string `json:"channel"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	At            string `json:"at"`
	STAN          string `json:"stan"`
	Batch         string `json:"batch"`
	RRN           string `json:"rrn"`
	OrderNo       string `json:"order_no"`
	ChannelTxn    string `json:"channel_txn"`
	RefundNo      string `json:"refund_no"`
	ChannelRefund string `json:"channel_refund"`
	Shown         string `json:"shown"`
	Token         string `json:"token"`
}

// pointer is what a refund says of its original.
type pointer struct {
	ChannelTxn string `json:"channel_txn,omitempty"`
	OrderNo    string `json:"order_no,omitempty"`
	RRN        string `json:"rrn,omitempty"`
}

// RefundSide is the refund of a report (casework.md § 4).
type RefundSide struct {
	Side
	Approver string  `json:"approver"`
	Releaser string  `json:"releaser"`
	PointsTo pointer `json:"points_to"`
}

// Points is the first number by which a refund names its original; "" if it names none.
func (s *RefundSide) Points() string {
	return cmp.Or(s.PointsTo.ChannelTxn, s.PointsTo.OrderNo, s.PointsTo.RRN)
}

// reported is what a terminal, or a person by hand, reports of one refund.
type reported struct {
	ID        string     `json:"id"`
	Terminal  string     `json:"terminal"`
	Event     string     `json:"event"`
	Stream    string     `json:"stream"`
	Sequence  string     `json:"sequence"`
	Type      string     `json:"type"`
	Role      string     `json:"role"`
	Decision  string     `json:"decision"`
	Recipient string     `json:"recipient"`
	Evidence  string     `json:"evidence"`
	Severity  string     `json:"severity"`
	Cancelled bool       `json:"cancelled"`
	Codes     []string   `json:"codes"`
	Refund    RefundSide `json:"refund"`
	Original  *Side      `json:"original"`
}

// order is what decides which of two reports is newer (casework.md § 4, Order).
type order struct {
	stream   int // in order of the first event of a source
	sequence string
	seq, rev int64
}

// newer reports whether o is newer than p, both of one source.
func (o order) newer(p order) bool {
	switch {
	case o.stream != p.stream:
		return o.stream > p.stream
	case o.seq == p.seq && o.seq > 0 && o.rev != p.rev:
		return o.rev > p.rev
	}
	return o.sequence > p.sequence
}

// TerminalEvent is one event of up/case, decoded (casework.md § 4).
type TerminalEvent struct {
	ID, Source, Stream, Sequence string
	kind                         string // of its type; "" means nothing here
	caseID                       string // followed: the case that it follows
	what                         string // followed
	report                       *reported
	seq, rev                     int64
	addition                     change // undone, settled, payer_seen
	tally                        *tally
	raw                          []byte // where it must be kept whole
}

// tally is how many refunds each operator of a terminal made on a date (casework.md § 12).
type tally struct {
	date, merchant, terminal string
	operators                []tallied
	order                    order
}

type tallied struct {
	operator string
	refunds  int64
}

const terminalURN = "urn:yuanlu:terminal:"

var sequenceForm = regexp.MustCompile(`^[0-9]{20}$`)

// terminalEvent decodes an event. What a terminal says is not strict: members that are not
// used may hold anything.
func terminalEvent(v value) (*TerminalEvent, bool) {
	f := object(v)
	e := &TerminalEvent{ID: f.text("id", 1, 128), Source: f.text("source", 1, 128), Stream: f.text("stream", 1, 128), Sequence: f.text("sequence", 20, 20)}
	f.check(sequenceForm.MatchString(e.Sequence) && strings.HasPrefix(e.Source, terminalURN) && e.Source != terminalURN)
	name, data := f.text("type", 1, 256), f.get("data")
	if f.bad {
		return nil, false
	}
	for _, known := range []string{typeOpened, typeRevised, typeCleared, typeFollowed, typeTally} {
		if name == "yuanlu.case."+known+".v1" {
			e.kind = known
		}
	}
	d := object(data)
	switch e.kind {
	case "":
		return e, true
	case typeTally:
		e.readTally(d)
	case typeFollowed:
		e.readFollowed(d)
	default:
		e.caseID = d.caseID("case_id")
		e.readReport(d, e.caseID)
	}
	return e, !d.bad
}

// caseID reads the id of a terminal's case.
func (f *form) caseID(name string) string {
	id := f.text(name, 1, 64)
	f.check(!strings.HasPrefix(id, "H-"))
	return id
}

// note reads a string of a terminal that may be absent.
func (f *form) note(name string) string { return f.optional(name, 256) }

func (e *TerminalEvent) readReport(d *form, id string) {
	r := &reported{ID: id, Terminal: strings.TrimPrefix(e.Source, terminalURN), Event: e.ID, Stream: e.Stream, Sequence: e.Sequence, Type: e.kind,
		Severity: d.text("severity", 0, 256), Decision: d.one("decision", "alarm", "review", "pass"), Codes: []string{}}
	if r.Severity == "" {
		r.Severity = none
	}
	d.check(rank(r.Severity) >= 0)
	v := object(d.get("verdict"))
	r.Recipient = v.one("recipient", "same", "equivalent", "different", "doubtful", "unverifiable", "none")
	r.Evidence = v.note("evidence")
	if c, ok := v.maybe("cancelled"); ok {
		r.Cancelled = v.truth(c)
	}
	e.seq, e.rev = v.count("seq"), v.count("rev")
	if _, ok := v.v.member("findings"); ok {
		v.list("findings", func(one value) {
			f := object(one)
			r.Codes = append(r.Codes, f.note("code"))
			v.check(!f.bad)
		})
	}
	refund := object(d.get("refund"))
	r.Refund = RefundSide{Side: refund.side(), Approver: refund.note("approver"), Releaser: refund.note("releaser")}
	if p, ok := refund.maybe("points_to"); ok {
		to := object(p)
		r.Refund.PointsTo = pointer{to.note("channel_txn"), to.note("order_no"), to.note("rrn")}
		refund.check(!to.bad)
	}
	d.check(!v.bad && !refund.bad)
	if o, ok := d.maybe("original"); ok && o.kind != 'n' {
		original := object(o)
		side := original.side()
		r.Original = &side
		d.check(!original.bad)
	}
	e.report = r
}

// count reads a number that may be absent.
func (f *form) count(name string) int64 {
	v, ok := f.maybe(name)
	if !ok {
		return 0
	}
	return f.within(v, 0, most)
}

// side reads a record. Impossible values are no reason to refuse it (casework.md § 4).
func (f *form) side() Side {
	s := Side{Kind: f.text("kind", 1, 256), Outcome: f.text("outcome", 1, 256), MerchantID: f.text("merchant_id", 1, 256),
		TerminalID: f.note("terminal_id"), Operator: f.note("operator"), Channel: f.note("channel"), Currency: f.note("currency"), At: f.note("at"),
		STAN: f.note("stan"), Batch: f.note("batch"), RRN: f.note("rrn"), OrderNo: f.note("order_no"), ChannelTxn: f.note("channel_txn"),
		RefundNo: f.note("refund_no"), ChannelRefund: f.note("channel_refund")}
	if a, ok := f.maybe("amount"); ok {
		if n, ok := a.integer(); ok && n >= 0 && n <= largest {
			s.Amount = n
		}
	}
	if p, ok := f.maybe("payer_amount"); ok {
		if n, ok := p.integer(); ok && n >= 0 && n <= s.Amount {
			s.Amount = n
		}
	}
	s.Shown, s.Token = f.party()
	return s
}

// party reads what is shown of an account, and its token.
func (f *form) party() (shown, token string) {
	p, ok := f.maybe("party")
	if !ok || p.kind == 'n' {
		return "", ""
	}
	o := object(p)
	shown, token = o.note("shown"), o.note("token")
	f.check(!o.bad)
	return shown, token
}

func (e *TerminalEvent) readFollowed(d *form) {
	switch e.what = d.note("what"); e.what {
	case "refund_after":
		e.caseID = d.caseID("case_id")
		e.readReport(d, d.caseID("refund_case"))
		return
	case "undone", "settled", "payer_seen":
	default:
		e.kind = ""
		return
	}
	e.caseID = d.caseID("case_id")
	r := object(d.get("record"))
	switch at := r.note("at"); e.what {
	case "undone":
		x := &undone{ID: e.caseID, Kind: r.note("kind"), At: at}
		for _, name := range []string{"stan", "rrn", "channel_refund", "refund_no"} {
			if n := r.note(name); n != "" {
				x.Number = n
			}
		}
		e.addition = x
	case "settled":
		e.addition = &voidClosed{ID: e.caseID, Batch: r.note("batch"), At: at}
	case "payer_seen":
		shown, _ := r.party()
		e.addition = &payerSeen{ID: e.caseID, Channel: r.note("channel"), Shown: shown, At: at}
	}
	d.check(!r.bad)
}

func (e *TerminalEvent) readTally(d *form) {
	t := &tally{date: d.text("date", 10, 10), merchant: d.text("merchant_id", 1, 256), terminal: d.text("terminal_id", 0, 256)}
	_, good := date(t.date)
	d.check(good)
	d.list("operators", func(v value) {
		o := object(v)
		one := tallied{operator: o.text("operator", 0, 256), refunds: o.integer("refunds", 0, most)}
		o.integer("sales", 0, most)
		d.check(!o.bad)
		t.operators = append(t.operators, one)
	})
	e.tally = t
}

// day returns the date part of a record's time as written; "" if it is no time.
func (s *Side) day() string {
	if _, ok := moment(s.At); !ok {
		return ""
	}
	return s.At[:10]
}

// sameSale reports whether two originals are one sale (casework.md § 4).
func sameSale(a, b *Side) bool {
	if a == nil || b == nil || a.MerchantID != b.MerchantID {
		return false
	}
	both := func(x, y string) bool { return x != "" && y != "" }
	sameDay := func() bool { return a.day() != "" && a.day() == b.day() }
	switch {
	case both(a.ChannelTxn, b.ChannelTxn):
		return a.ChannelTxn == b.ChannelTxn && a.Channel == b.Channel
	case both(a.OrderNo, b.OrderNo):
		return a.OrderNo == b.OrderNo
	case both(a.TerminalID, b.TerminalID) && both(a.RRN, b.RRN):
		return a.TerminalID == b.TerminalID && a.RRN == b.RRN && sameDay()
	case both(a.TerminalID, b.TerminalID) && both(a.Batch, b.Batch) && both(a.STAN, b.STAN):
		return a.TerminalID == b.TerminalID && a.Batch == b.Batch && a.STAN == b.STAN && sameDay()
	}
	return false
}

// corrected reports whether a report is about a refund that was made right
// (casework.md § 4, Corrected refund).
func (r *reported) corrected() bool {
	if r.Recipient != "same" && r.Recipient != "equivalent" {
		return false
	}
	return r.Type == typeFollowed || among("reissue_observed", r.Codes)
}
