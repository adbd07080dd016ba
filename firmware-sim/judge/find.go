package judge

import (
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// judge works out the verdict on a refund or void, and its original.
func (b *Book) judge(r *event) (*Verdict, *event) {
	v := &Verdict{Seq: r.seq, Kind: r.Kind}
	defer v.seal()
	if noMoney(r.Outcome) || b.undone[r] {
		v.Recipient, v.Reason, v.Cancelled = "none", "cancelled", true
		return v, nil
	}
	switch r.Outcome {
	case "unknown", "pending":
		v.find("outcome_unknown", Low)
	case "abnormal":
		v.find("refund_failed", Medium)
	}
	date := dateOf(&r.Record)
	if date.bad {
		v.find("data_error", Medium)
	}
	orig := b.original(r, v, date)
	switch {
	case orig == nil:
		withoutOriginal(r, v)
		return v, nil
	case isVoid(r.Kind):
		b.void(r, orig, v)
	default:
		b.money(r, orig, v)
	}
	v.Original = orig.seq
	return v, orig
}

// lookup is one key that a refund or void may state of its original.
type lookup struct {
	name  string
	value string // "": not stated
	hit   func(s *wire.Record) bool
	dated bool
}

func lookups(r *wire.Record) []lookup {
	o := &r.Original
	terminal := r.TerminalID
	if given(o.TerminalID) {
		terminal = o.TerminalID
	}
	list := []lookup{
		{"channel_txn", o.ChannelTxn, func(s *wire.Record) bool { return s.ChannelTxn == o.ChannelTxn }, false},
		{"order_no", o.OrderNo, func(s *wire.Record) bool { return s.OrderNo == o.OrderNo }, false},
		{"rrn", o.RRN, func(s *wire.Record) bool { return s.RRN == o.RRN }, true},
		{"stan", o.Stan, func(s *wire.Record) bool {
			return s.Stan == o.Stan && s.TerminalID == terminal && (!given(o.Batch) || s.Batch == o.Batch)
		}, true},
	}
	for i := range list {
		if !given(list[i].value) {
			list[i].value = ""
		}
	}
	return list
}

// candidate reports whether a record may be the original of a refund or void by its kind.
func candidate(r, s *wire.Record) bool {
	return s.Kind == "completion" || s.Kind == "sale" && r.Kind != "completion_void"
}

// under returns the candidates with a key, of r's merchant or of the others.
func (b *Book) under(r *event, k lookup, ours bool) (hits []*event) {
	if k.value == "" {
		return nil
	}
	for _, s := range b.index[k.name+" "+k.value] {
		if candidate(&r.Record, &s.Record) && (s.MerchantID == r.MerchantID) == ours && k.hit(&s.Record) {
			hits = append(hits, s)
		}
	}
	return hits
}

// original finds the sale (verdicts.md § 2), or notes why there is none.
func (b *Book) original(r *event, v *Verdict, d date) *event {
	anyKey := false
	var offDate []*event
	for _, k := range lookups(&r.Record) {
		anyKey = anyKey || k.value != ""
		var hits []*event
		for _, s := range b.under(r, k, true) {
			if k.dated && d.given && !d.near(&s.Record, 1) && !compare(&s.Party, &r.Party).match() {
				offDate = append(offDate, s)
				continue
			}
			hits = append(hits, s)
		}
		if len(hits) > 0 {
			v.FoundBy = k.name
			return b.narrow(r, v, d, hits)
		}
	}
	if anyKey {
		return b.noHit(r, v, d, offDate)
	}
	var hits []*event
	for _, s := range b.events {
		if candidate(&r.Record, &s.Record) && s.MerchantID == r.MerchantID && compare(&s.Party, &r.Party).strongMatch() &&
			b.effective(s, r) && b.amountOf(s) >= r.Amount {
			hits = append(hits, s)
		}
	}
	if len(hits) > 0 {
		v.FoundBy = "party"
		v.find("unreferenced_refund", Medium)
		return b.narrow(r, v, d, hits)
	}
	v.unverifiable("no_reference")
	v.find("unreferenced_refund", High)
	return nil
}

// effective reports whether a sale was paid (perhaps) and not taken back before r.
func (b *Book) effective(s, r *event) bool {
	return movesMoney(s.Outcome) && !b.undone[s] && len(b.voidsBefore(s, r)) == 0
}

// fits is step (f): the sale is large enough; a sale that is found by its payer alone must
// also leave no finding about money.
func (b *Book) fits(r, s *event, by string) bool {
	if by != "party" {
		return b.amountOf(s) >= r.Amount
	}
	supposed := &Verdict{FoundBy: by}
	if isVoid(r.Kind) {
		b.void(r, s, supposed)
	} else {
		b.money(r, s, supposed)
	}
	return !slices.ContainsFunc([]string{"over_refund", "duplicate_refund", "currency_mismatch", "void_anomaly"}, supposed.has)
}

// narrow takes steps (a) to (g), and settles on one sale or on none.
func (b *Book) narrow(r *event, v *Verdict, d date, hits []*event) *event {
	keep := func(is func(*event) bool) (dropped []*event) {
		var kept []*event
		for _, s := range hits {
			if is(s) {
				kept = append(kept, s)
			} else {
				dropped = append(dropped, s)
			}
		}
		if len(kept) == 0 {
			return nil
		}
		hits = kept
		return dropped
	}
	if d.given && len(keep(func(s *event) bool { return d.near(&s.Record, 0) })) == 0 {
		keep(func(s *event) bool { return d.near(&s.Record, 1) })
	}
	if t := r.Original.TerminalID; given(t) {
		keep(func(s *event) bool { return s.TerminalID == t })
	}
	if known(r.Channel) {
		keep(func(s *event) bool { return s.Channel == r.Channel })
	}
	keep(func(s *event) bool { return !s.At.After(r.At.Add(5 * time.Minute)) })
	keep(func(s *event) bool { return b.effective(s, r) })
	left := keep(func(s *event) bool { return b.fits(r, s, v.FoundBy) }) // by steps f and g
	if len(hits) > 1 && (v.FoundBy == "party" || v.FoundBy == "stan" && !d.given) {
		l := latest(hits)
		left = append(left, keep(func(s *event) bool { return s == l })...)
	}
	orig := choose(r, v, hits)
	if wouldDiffer(r, orig, v) && slices.ContainsFunc(left, func(s *event) bool { return compare(&s.Party, &r.Party).match() }) {
		kept := slices.DeleteFunc(v.Findings, func(f Finding) bool {
			return !slices.Contains([]string{"outcome_unknown", "refund_failed", "data_error", "unreferenced_refund"}, f.Code)
		})
		*v = Verdict{Seq: v.Seq, Kind: v.Kind, Findings: kept}
		v.unverifiable("ambiguous")
		v.find("original_ambiguous", Medium)
		return nil
	}
	if orig == nil {
		v.FoundBy = ""
	}
	return orig
}

// choose settles on one of several sales, or on none if they lead to different recipients.
func choose(r *event, v *Verdict, hits []*event) *event {
	if len(hits) == 1 {
		return hits[0]
	}
	match, strangers := 0, 0
	for _, s := range hits {
		a := compare(&s.Party, &r.Party)
		if a.match() {
			match++
		}
		if a.stranger() {
			strangers++
		}
	}
	switch len(hits) {
	case match:
		v.find("original_ambiguous", Low)
		return latest(hits)
	case strangers:
		v.Recipient, v.Evidence = "different", "strong"
		v.find("recipient_mismatch", Critical)
	default:
		v.unverifiable("ambiguous")
	}
	v.find("original_ambiguous", Medium)
	return nil
}

// wouldDiffer reports whether the recipient would be another one with this original.
func wouldDiffer(r, orig *event, v *Verdict) bool {
	switch {
	case orig == nil:
		return v.Recipient == "different"
	case isVoid(r.Kind):
		return compare(&orig.Party, &r.Party).recipient == "different"
	}
	supposed := &Verdict{FoundBy: v.FoundBy}
	recipient(r, orig, supposed)
	return supposed.Recipient == "different"
}

// noHit is "No hit in the same merchant" (verdicts.md § 2): a sale at another merchant, or why
// there is none.
func (b *Book) noHit(r *event, v *Verdict, d date, offDate []*event) *event {
	if s, by := b.otherMerchant(r, d); s != nil {
		v.FoundBy = by
		v.find("other_merchant", High)
		return s
	}
	why := func(reason, code string, s Severity) {
		v.unverifiable(reason)
		v.find(code, s)
	}
	switch t := r.Original.TerminalID; {
	case b.namesUnusable(r, d):
		why("original_unusable", "recipient_unverifiable", Medium)
	case slices.ContainsFunc(offDate, func(s *event) bool { return !compare(&s.Party, &r.Party).stranger() }):
		why("ambiguous", "original_ambiguous", Medium)
	case given(t) && !b.covers(t):
		why("other_terminal", "recipient_unverifiable", Medium)
	case b.mayBeOlder(r, d):
		why("history_gap", "recipient_unverifiable", Medium)
	default:
		why("no_original", "no_original", High)
	}
	return nil
}

func (b *Book) namesUnusable(r *event, d date) bool {
	for _, k := range lookups(&r.Record) {
		for _, s := range b.unusable {
			if k.value != "" && candidate(&r.Record, &s.Record) && s.MerchantID == r.MerchantID && k.hit(&s.Record) &&
				(!k.dated || !d.given || d.near(&s.Record, 1) || compare(&s.Party, &r.Party).match()) {
				return true
			}
		}
	}
	return false
}

func (b *Book) otherMerchant(r *event, d date) (*event, string) {
	keys := lookups(&r.Record)
	if hits := b.under(r, keys[0], false); len(hits) > 0 {
		if len(hits) == 1 {
			return hits[0], "channel_txn"
		}
		return nil, ""
	}
	if !d.given {
		return nil, ""
	}
	all := b.under(r, keys[2], false)
	for n := range 2 {
		hits := slices.DeleteFunc(slices.Clone(all), func(s *event) bool { return !d.near(&s.Record, n) })
		if len(hits) == 1 {
			return hits[0], "rrn"
		}
		if len(hits) > 1 {
			return nil, ""
		}
	}
	return nil, ""
}

// covers reports whether the journal has the sales of a terminal.
func (b *Book) covers(terminal string) bool {
	return len(b.coverage) == 0 || slices.ContainsFunc(b.coverage, func(j *wire.Journal) bool {
		return j.Terminals == nil || slices.Contains(j.Terminals, terminal)
	})
}

// mayBeOlder reports whether the sale may be older than the journal.
func (b *Book) mayBeOlder(r *event, d date) bool {
	var begin time.Time
	for _, j := range b.coverage {
		if t, err := time.Parse(time.RFC3339Nano, j.From); err == nil && (begin.IsZero() || t.Before(begin)) {
			begin = t
		}
	}
	if begin.IsZero() {
		begin = b.first
	}
	if !d.given {
		return daysBetween(begin, r.At) < window(r.Channel)
	}
	first := day(begin)
	midnight := begin.Hour() == 0 && begin.Minute() == 0 && begin.Second() == 0 && begin.Nanosecond() == 0
	return d.day.Before(first) || d.day.Equal(first) && !midnight
}
