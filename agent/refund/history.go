package refund

import "iter"

// Event is one thing that happened, as completed by every copy of it seen so far
// (verdicts.md § 1.3). Seq is the number of the first sighting. Its Record is sealed.
type Event struct {
	Seq    int64
	Record Record
	// UndoneBy is the seq of the approved reversal or void_refund that undid it
	// (verdicts.md § 1.5), 0 if none.
	UndoneBy int64
	// Observed, only of settlements: the sums of the batch as known when the
	// settlement was first seen (verdicts.md § 6); a credit amount of -1: one of the credits states
	// no amount, so nothing is compared. A store that does not keep it makes the
	// judge add them up again when a later copy completes the settlement.
	Observed *Totals
}

// KeyKind names an index by which records find each other. An entry of kind
// channel_txn, order_no, rrn or stan is either the record's own value or one
// that it points at (Wants): both lie side by side, so that one lookup finds
// the events that have the value and those that wait for it.
type KeyKind uint8

const (
	KeyInvalid KeyKind = iota
	KeyChannelTxn
	KeyOrderNo
	KeyRRN
	KeyStan          // terminal, stan, batch: numbers that grow, so entries are appended
	KeyRefundNo      // own, of refunds and voids; wanted by void_refunds
	KeyChannelRefund // own, of refunds and voids; wanted by void_refunds
	KeyParty         // wanted, by refunds without any other key: token of recipient or PAR
	// KeyRefundsOf is wanted by the refunds and voids whose original is the given seq and is
	// not named by them with a number that the sale owns as a key.
	KeyRefundsOf
	// KeyBatch is owned by the first event and by the settlements of merchant, terminal, batch.
	KeyBatch
	// KeyUnfound is owned by refunds and voids whose verdict has no original (their
	// verdicts depend on the coverage of the journal). Its value is empty.
	KeyUnfound
)

// Key is one entry of that index, or what to look for. Value is made of parts that
// each end with the byte 0x1f, so that a Key made of the first parts alone finds
// every longer one (Find looks up prefixes). When looked for, Wants is ignored.
type Key struct {
	Kind  KeyKind
	Value string
	Wants bool
}

// History is what the judge may ask of the events before it: a read view that
// stays the same during one Judge.Apply. Events come in Seq order, each once.
// An error of the store ends the iteration as its last element.
type History interface {
	// Find returns the events that own or want a key of k.Kind whose value begins
	// with k.Value, for any of the keys; the caller compares again.
	Find(keys ...Key) iter.Seq2[*Event, error]
	// Payers returns the sales, completions and preauths that any of these tokens (of an
	// identifier or a PAR) is a party of. It may return more events than asked:
	// the caller compares again.
	Payers(tokens []string) iter.Seq2[*Event, error]
	// Range returns the events with from <= Seq <= to. Range(n, n) is a lookup.
	Range(from, to int64) iter.Seq2[*Event, error]
	// Verdict returns what is stored about the refund with this seq: its verdict
	// (Rev 0 and Unreleased true while it waits for pending_grace), ok false if none.
	Verdict(seq int64) (j Judged, ok bool, err error)
	// Bounds returns what is known about the journal as a whole.
	Bounds() (Bounds, error)
}

// Bounds is what is known about the journal as a whole (verdicts.md § 2, The journal).
type Bounds struct {
	From      string   // earliest `from` of the journal records, "" none
	Terminals []string // union of theirs, sorted; meaningless if AllTerminals
	// AllTerminals: no journal record yet, or one of them without a list. The
	// zero Bounds, too, cover all terminals (see Covers).
	AllTerminals bool
	FirstAt      string // `at` of the first usable, non-training record by seq, "" none
	FirstSeq     int64  // its seq
	// RemovedDay is the local date (YYYY-MM-DD) of the newest record that
	// retention has removed, "" none: the journal begins the day after at the earliest.
	RemovedDay string
}

// Judged is a verdict as the store keeps it.
type Judged struct {
	Verdict Verdict
	// Unreleased: the verdict is stored but not released; it waits for pending_grace because a
	// sale that arrives meanwhile would change it (verdicts.md § 2, lines 1 and 3–7).
	// Its Rev is 0 until it is released.
	Unreleased bool
	// Explain is printed by `cases show` and published in up/case beside the verdict.
	Explain Explain
}

// Explain lists which rules ran, which could not and why, and what would change
// the answer.
type Explain struct {
	Rules       []RuleRun `json:"rules"`
	WouldChange []Text    `json:"would_change"`
	RuleSet     string    `json:"rule_set"` // version of the rules
	Settings    string    `json:"settings"` // digest of the settings used
}

// RuleRun is one rule's result for one refund.
type RuleRun struct {
	Rule   string `json:"rule"`
	Result string `json:"result"` // "hit", "no_hit", "cannot_tell"
	Why    string `json:"why,omitempty"`
}

// Changes is what one record does to the history. The store writes all of it in
// one transaction, in this order.
type Changes struct {
	Seq    int64  // of the record
	CopyOf int64  // seq of the event it is a copy of, 0: it is a new event
	Note   string // why the record takes no part ("training", "unusable: …"), ""
	// Events to insert or replace, each with all its keys.
	Events []Stored
	// Verdicts that are new or changed, in seq order. Rev is already counted.
	Verdicts  []Judged
	Integrity *Integrity
	Bounds    *Bounds // new bounds, nil: unchanged
}

// Stored is an event with the keys it has from now on (they replace the keys it
// had) and the tokens its party is found by with History.Payers (only of sales,
// completions and preauths; nil for others).
type Stored struct {
	Event *Event
	Keys  []Key
	Payer []string
	New   bool // first sighting
}
