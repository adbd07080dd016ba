package terminal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// Options describe a terminal.
type Options struct {
	Model      string    // e-sign, traditional or smart
	Wire       string    // mispos, cup8583 or smart; empty: mispos, for smart terminals smart
	Seed       uint64    // customers, amounts, everything
	MerchantID string    // 15 characters; 898000000000001 if empty
	TerminalID string    // 8 digits; 10000001 if empty
	Start      time.Time // virtual time of opening; its zone is the terminal's. 2026-08-01 09:00 +08:00 if zero
	FirstStan  int       // number of the first transaction, 1 to 999999; 1 if 0
	Wrong      float64   // share of wrong refunds among the seeded customers' refunds; 0 means 0.1, negative none
}

// Errors of New and Do.
var (
	ErrOptions = errors.New("terminal options")
	ErrStep    = errors.New("step cannot be played")
)

// Terminal is one device. Not safe for concurrent use.
type Terminal struct {
	o      Options
	rng    *rand.Rand
	now    time.Time
	stan   int
	batch  int
	orders int
	train  bool
	seq    int64
	book   *judge.Book
	people map[string]*Customer
	named  map[string]*deal
	recent []*deal // what customers may come back for
	open   []scenario.Entry
	totals wire.Totals
	used   map[string]bool
	facts  map[int]fact    // of refunds whose truth may change, by the seq of their verdict
	queue  []scenario.Step // steps the crowd has in mind
	opened time.Time       // this morning
	guard  *guardian       // nil: it does not ask before refunds
}

// fact is what is known of a refund whose truth may change.
type fact struct {
	seq   int64
	facts scenario.Facts
}

// deal is a transaction that later ones may be about.
type deal struct {
	entry    scenario.Entry
	customer *Customer
	left     int64 // what may still be returned
	returned int64 // alipay: what went back so far, as the platform counts it
	lost     int64 // of a refund whose answer was lost: its amount
	original *deal // of a refund
	voided   bool
	cleared  bool // it was settled
}

// New returns a terminal at the beginning of its first batch.
func New(o Options) (*Terminal, error) {
	if !slices.Contains([]string{"e-sign", "traditional", "smart"}, o.Model) {
		return nil, fmt.Errorf("%w: model %q is none of e-sign, traditional, smart", ErrOptions, o.Model)
	}
	if o.Wire == "" {
		o.Wire = "mispos"
		if o.Model == "smart" {
			o.Wire = "smart"
		}
	}
	if !slices.Contains([]string{"mispos", "cup8583", "smart"}, o.Wire) {
		return nil, fmt.Errorf("%w: wire %q is none of mispos, cup8583, smart", ErrOptions, o.Wire)
	}
	if o.MerchantID == "" {
		o.MerchantID = "898000000000001"
	}
	if o.TerminalID == "" {
		o.TerminalID = "10000001"
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 8, 1, 9, 0, 0, 0, time.FixedZone("", 8*3600))
	}
	if o.FirstStan == 0 {
		o.FirstStan = 1
	}
	if o.FirstStan < 1 || o.FirstStan > 999_999 {
		return nil, fmt.Errorf("%w: first STAN %d is not from 1 to 999999", ErrOptions, o.FirstStan)
	}
	if o.Wrong == 0 {
		o.Wrong = 0.1
	}
	return &Terminal{o: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), now: o.Start, opened: o.Start, stan: o.FirstStan - 1,
		batch: 1, book: judge.NewBook(), people: map[string]*Customer{}, named: map[string]*deal{},
		used: map[string]bool{}, facts: map[int]fact{}}, nil
}

// Now is the terminal's virtual time.
func (t *Terminal) Now() time.Time { return t.now }

// Wire is the wire it speaks.
func (t *Terminal) Wire() string { return t.o.Wire }

// Secrets lists every clear identifier that stands in a message of this terminal: card numbers, device numbers,
// PARs, openids, user ids, tokens. Sorted.
func (t *Terminal) Secrets() []string {
	var out []string
	for s := range t.used {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// Do plays one step. Waiting and the like make no entry. An error (wrapping ErrStep) leaves the terminal as it was.
func (t *Terminal) Do(s scenario.Step) ([]scenario.Entry, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStep, err)
	}
	if err := t.shapeFits(s); err != nil {
		return nil, err
	}
	if t.skips(s) {
		return nil, nil
	}
	switch s.Do {
	case "wait":
		d, err := time.ParseDuration(s.For)
		t.now = t.now.Add(d)
		return nil, err
	case "train":
		t.train = s.On
		return nil, nil
	case "reprint":
		return t.reprint(), nil
	case "settle":
		return t.one(t.settle(s), nil)
	case "sale", "preauth":
		if s.Shape == "combined" {
			return t.combined(s)
		}
		return t.one(t.sale(s))
	case "refund":
		return t.guarded(s, t.refund)
	case "void", "preauth_void", "completion_void":
		return t.guarded(s, t.void)
	case "completion", "adjust", "reversal", "query":
		return t.one(t.follow(s))
	}
	return nil, fmt.Errorf("%w: %s", ErrStep, s.Do)
}

func (t *Terminal) one(e *scenario.Entry, err error) ([]scenario.Entry, error) {
	if err != nil || e == nil {
		return nil, err
	}
	return []scenario.Entry{*e}, nil
}

// customer returns the person of that name.
func (t *Terminal) customer(name string) *Customer {
	c := t.people[name]
	if c == nil {
		c = newCustomer(t.o.Seed, name)
		t.people[name] = c
	}
	return c
}

// record begins a record at the present moment, with the next number.
func (t *Terminal) record(kind, channel string) wire.Record {
	t.now = t.now.Add(time.Duration(5+t.rng.IntN(40)) * time.Second)
	t.stan = t.stan%999_999 + 1
	r := wire.Record{V: 1, Kind: kind, Outcome: "approved", ResponseCode: "00", Training: t.train,
		MerchantID: t.o.MerchantID, TerminalID: t.o.TerminalID, Operator: "01", Channel: channel, Currency: "CNY",
		At: t.now.Truncate(time.Second), Stan: fmt.Sprintf("%06d", t.stan), Batch: fmt.Sprintf("%06d", t.batch)}
	return r
}

// decide sets outcome and result code.
func decide(r *wire.Record, outcome string) {
	switch outcome {
	case "declined":
		r.Outcome, r.ResponseCode = outcome, "51"
	case "unknown":
		r.Outcome, r.ResponseCode = outcome, "98"
	case "pending":
		r.Outcome, r.ResponseCode = outcome, "P1"
	case "abnormal":
		r.Outcome, r.ResponseCode = outcome, ""
	}
}

// rrn is the host's reference of a card transaction: day and number.
func rrn(r *wire.Record) string { return r.At.Format("060102") + r.Stan }

// book writes an entry into the journal and the book, and returns refunds and voids their truth.
func (t *Terminal) enter(s scenario.Step, r wire.Record, payer, recipient string, facts *scenario.Facts) *scenario.Entry {
	t.seq++
	e := scenario.Entry{Seq: t.seq, Model: t.o.Model, Step: s, Record: r, Payer: payer, Recipient: recipient,
		Asked: t.o.Wire == "mispos" && r.Copy == "" && t.rng.IntN(4) == 0}
	t.note(&r)
	if v := t.book.Add(r); v != nil && facts != nil {
		facts.Payer, facts.Recipient = payer, recipient
		facts.Moved = r.Outcome != "declined" && r.Outcome != "closed"
		e.Truth = scenario.Label(*facts, v)
		t.facts[v.Seq] = fact{e.Seq, *facts}
	}
	for _, v := range t.book.Revised() {
		if f, ok := t.facts[v.Seq]; ok {
			f.facts.Moved = !v.Cancelled
			e.Revises = append(e.Revises, scenario.Revision{Seq: f.seq, Truth: scenario.Label(f.facts, v)})
		}
	}
	if r.Copy == "" && r.Kind != "settlement" && !r.Training {
		t.open = append(t.open, e)
		t.count(&r)
	}
	return &e
}

// note remembers which clear identifiers a message holds.
func (t *Terminal) note(r *wire.Record) {
	secret := func(scheme, id string) {
		switch scheme {
		case "pan", "dpan", "wechat_openid", "alipay_user_id", "alipay_open_id", "unionpay_token", "ecny_wallet", "account":
			if id != "" {
				t.used[id] = true
			}
		}
	}
	secret(r.Party.Scheme, r.Party.ID)
	if r.Party.PAR != "" {
		t.used[r.Party.PAR] = true
	}
	for _, a := range r.Party.Also {
		secret(a.Scheme, a.ID)
	}
}

// count adds an approved transaction to the totals of the batch.
func (t *Terminal) count(r *wire.Record) {
	if r.Outcome != "approved" || r.Training || r.Batch == "" {
		return
	}
	switch r.Kind {
	case "sale", "completion":
		t.totals.DebitAmount += r.Amount
		t.totals.DebitCount++
	case "refund", "void", "completion_void":
		t.totals.CreditAmount += r.Amount
		t.totals.CreditCount++
	}
}

// keep lets later steps speak of a transaction.
func (t *Terminal) keep(e *scenario.Entry, c *Customer) *deal {
	d := &deal{entry: *e, customer: c}
	if e.Record.Outcome == "approved" && (e.Record.Kind == "sale" || e.Record.Kind == "completion") {
		d.left = e.Record.Amount
	}
	if e.Step.As != "" {
		t.named[e.Step.As] = d
	}
	if e.Record.Training {
		return d
	}
	t.recent = append(t.recent, d)
	if len(t.recent) > remembered {
		for _, old := range t.recent[:len(t.recent)-remembered/2] {
			delete(t.named, old.entry.Step.As)
		}
		t.recent = slices.Clone(t.recent[len(t.recent)-remembered/2:])
	}
	return d
}

// remembered is how many transactions customers may come back for.
const remembered = 4000

func (t *Terminal) signature() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("signature %d of %d", t.stan, t.o.Seed)))
	return hex.EncodeToString(sum[:])
}
