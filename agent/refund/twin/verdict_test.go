package twin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/refund"
)

type finding struct {
	code     string
	severity refund.Severity
}

type verdict struct {
	seq       int64
	kind      refund.Kind
	recipient refund.Recipient
	reason    string
	evidence  refund.Evidence
	decision  refund.Decision
	cancelled bool
	original  int64 // 0 null
	foundBy   string
	findings  []finding
}

func (v *verdict) find(code string, s refund.Severity) {
	for i, f := range v.findings {
		if f.code == code {
			v.findings[i].severity = max(f.severity, s)
			return
		}
	}
	v.findings = append(v.findings, finding{code, s})
}

func (v *verdict) has(code string) bool {
	return slices.ContainsFunc(v.findings, func(f finding) bool { return f.code == code })
}

func (v *verdict) seal() {
	slices.SortFunc(v.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), strings.Compare(a.code, b.code))
	})
	v.decision = refund.Pass
	for _, f := range v.findings {
		switch {
		case f.severity >= refund.High:
			v.decision = refund.Alarm
		case f.severity == refund.Medium && v.decision == refund.Pass:
			v.decision = refund.Review
		}
	}
}

func (v *verdict) unverifiable(reason string) {
	v.recipient, v.reason, v.evidence = refund.Unverifiable, reason, ""
}

// court judges one journal.
type court struct {
	*journal
	windows map[refund.Channel]int
	done    map[int64]*verdict // of refunds and voids, by seq
}

// final returns the last verdict of every refund and void, by seq.
func final(lines []rec, windows map[refund.Channel]int) []*verdict {
	c := &court{journal: read(lines), windows: windows, done: map[int64]*verdict{}}
	var out []*verdict
	for _, l := range c.unusable {
		if !judged(l.Kind) {
			continue
		}
		v := &verdict{seq: l.seq, kind: l.Kind, recipient: refund.NoRecipient}
		if noMoney(l.Outcome) {
			v.reason, v.cancelled = "cancelled", true
		} else {
			v.reason = "data_error"
			v.find("data_error", refund.Medium)
		}
		v.seal()
		out = append(out, v)
	}
	for _, e := range c.events {
		if judged(e.Kind) {
			v := c.judge(e)
			v.seal()
			c.done[e.seq] = v
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *verdict) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

func (c *court) judge(r *event) *verdict {
	v := &verdict{seq: r.seq, kind: r.Kind}
	if noMoney(r.Outcome) || r.undone {
		v.recipient, v.reason, v.cancelled = refund.NoRecipient, "cancelled", true
		return v
	}
	switch r.Outcome {
	case refund.Unknown, refund.Pending:
		v.find("outcome_unknown", refund.Low)
	case refund.Abnormal:
		v.find("refund_failed", refund.Medium)
	}
	date := dateOf(r)
	if date.bad {
		v.find("data_error", refund.Medium)
	}
	orig := c.original(r, v, date)
	switch {
	case orig == nil:
		c.withoutOriginal(r, v)
	case isVoid(r.Kind):
		v.original = orig.seq
		c.void(r, orig, v)
	default:
		v.original = orig.seq
		c.money(r, orig, v)
	}
	return v
}

// date is original.date read against the refund's day.
type date struct {
	given, bad bool
	day        time.Time
}

func dateOf(r *event) date {
	s := r.Original.Date
	if !refund.Given(s) {
		return date{}
	}
	if d, err := time.Parse("2006-01-02", s); err == nil && len(s) == 10 {
		return date{given: true, day: d}
	}
	if len(s) != 4 || strings.Trim(s, "0123456789") != "" {
		return date{bad: true}
	}
	limit := day(when(r.Record)).AddDate(0, 0, 1)
	for y := limit.Year(); y > limit.Year()-9 && y > 0; y-- {
		d, err := time.Parse("20060102", time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006")+s)
		if err == nil && !d.After(limit) {
			return date{given: true, day: d}
		}
	}
	return date{bad: true}
}

// near: the local date of a record is at most n days off.
func (d date) near(r refund.Record, n int) bool {
	t, ok := r.Time()
	if !ok {
		return true
	}
	off := daysBetween(t, d.day)
	return -n <= off && off <= n
}

type lookup struct {
	name  string
	given bool
	hit   func(s refund.Record) bool
	dated bool
}

func lookups(r *event) []lookup {
	o := r.Original
	terminal := r.TerminalID
	if refund.Given(o.TerminalID) {
		terminal = o.TerminalID
	}
	return []lookup{
		{"channel_txn", refund.Given(o.ChannelTxn), func(s refund.Record) bool { return s.ChannelTxn == o.ChannelTxn }, false},
		{"order_no", refund.Given(o.OrderNo), func(s refund.Record) bool { return s.OrderNo == o.OrderNo }, false},
		{"rrn", refund.Given(o.RRN), func(s refund.Record) bool { return s.RRN == o.RRN }, true},
		{"stan", refund.Given(o.Stan), func(s refund.Record) bool {
			return s.Stan == o.Stan && s.TerminalID == terminal && (!refund.Given(o.Batch) || s.Batch == o.Batch)
		}, true},
	}
}

func candidateKind(r *event, k refund.Kind) bool {
	if r.Kind == refund.KindCompletionVoid {
		return k == refund.KindCompletion
	}
	return isSale(k)
}

// original finds the sale (verdicts.md § 2), or returns why not.
func (c *court) original(r *event, v *verdict, d date) *event {
	mine := c.where(func(s *event) bool { return candidateKind(r, s.Kind) && s.MerchantID == r.MerchantID })
	anyKey := false
	var offDate []*event
	for _, k := range lookups(r) {
		if !k.given {
			continue
		}
		anyKey = true
		var hits []*event
		for _, s := range mine {
			if !k.hit(s.Record) {
				continue
			}
			if k.dated && d.given && !d.near(s.Record, 1) && !compare(s.Party, r.Party).match() {
				offDate = append(offDate, s)
				continue
			}
			hits = append(hits, s)
		}
		if len(hits) > 0 {
			v.foundBy = k.name
			return c.narrow(r, v, d, hits)
		}
	}
	if !anyKey {
		var hits []*event
		for _, s := range mine {
			if compare(s.Party, r.Party).strongMatch() && c.effective(s, r) && c.amountOf(s) >= r.Amount {
				hits = append(hits, s)
			}
		}
		if len(hits) > 0 {
			v.foundBy = "party"
			v.find("unreferenced_refund", refund.Medium)
			return c.narrow(r, v, d, hits)
		}
		v.unverifiable("no_reference")
		v.find("unreferenced_refund", refund.High)
		return nil
	}
	return c.noHit(r, v, d, offDate)
}

// effective: approved, unknown or pending, not undone, not voided before r.
func (c *court) effective(s, r *event) bool {
	return movesMoney(s.Outcome) && !s.undone && !c.voidedBefore(s, r)
}

func (c *court) voidedBefore(s, r *event) bool { return len(c.voidsBefore(s, r)) > 0 }

func (c *court) voidsBefore(s, r *event) []*event {
	return c.where(func(e *event) bool {
		return isVoid(e.Kind) && e.seq < r.seq && e.Outcome == refund.Approved && !e.undone && c.done[e.seq].original == s.seq
	})
}

// fits is step f.
func (c *court) fits(r, s *event, by string) bool {
	if by != "party" {
		return c.amountOf(s) >= r.Amount
	}
	supposed := &verdict{foundBy: by}
	if isVoid(r.Kind) {
		c.void(r, s, supposed)
	} else {
		c.money(r, s, supposed)
	}
	for _, code := range []string{"over_refund", "duplicate_refund", "currency_mismatch", "void_anomaly"} {
		if supposed.has(code) {
			return false
		}
	}
	return true
}

func (c *court) narrow(r *event, v *verdict, d date, hits []*event) *event {
	var left []*event // by steps f and g
	keep := func(f func(*event) bool) (out []*event) {
		var dropped []*event
		for _, s := range hits {
			if f(s) {
				out = append(out, s)
			} else {
				dropped = append(dropped, s)
			}
		}
		if len(out) == 0 {
			return nil
		}
		hits = out
		return dropped
	}
	if d.given {
		before := len(hits)
		keep(func(s *event) bool { return d.near(s.Record, 0) })
		if len(hits) == before {
			keep(func(s *event) bool { return d.near(s.Record, 1) })
		}
	}
	if t := r.Original.TerminalID; refund.Given(t) {
		keep(func(s *event) bool { return s.TerminalID == t })
	}
	if known(r.Channel) {
		keep(func(s *event) bool { return s.Channel == r.Channel })
	}
	keep(func(s *event) bool { return !when(s.Record).After(when(r.Record).Add(5 * time.Minute)) })
	keep(func(s *event) bool { return c.effective(s, r) })
	left = append(left, keep(func(s *event) bool { return c.fits(r, s, v.foundBy) })...)
	if len(hits) > 1 && (v.foundBy == "party" || v.foundBy == "stan" && !d.given) {
		l := latest(hits)
		left = append(left, keep(func(s *event) bool { return s == l })...)
	}
	orig := hits[0]
	if len(hits) > 1 {
		match, strong := 0, 0
		for _, s := range hits {
			a := compare(s.Party, r.Party)
			if a.match() {
				match++
			}
			if a.recipient == refund.Different && a.evidence == refund.Strong {
				strong++
			}
		}
		switch {
		case match == len(hits):
			orig = latest(hits)
			v.find("original_ambiguous", refund.Low)
		case strong == len(hits):
			orig = nil
			v.recipient, v.evidence = refund.Different, refund.Strong
			v.find("recipient_mismatch", refund.Critical)
			v.find("original_ambiguous", refund.Medium)
		default:
			orig = nil
			v.unverifiable("ambiguous")
			v.find("original_ambiguous", refund.Medium)
		}
	}
	if c.wouldDiffer(r, orig, v) && slices.ContainsFunc(left, func(s *event) bool { return compare(s.Party, r.Party).match() }) {
		*v = verdict{seq: v.seq, kind: v.kind, findings: onlyOf(v.findings, "outcome_unknown", "refund_failed", "data_error", "unreferenced_refund")}
		v.unverifiable("ambiguous")
		v.find("original_ambiguous", refund.Medium)
		return nil
	}
	if orig == nil {
		v.foundBy = ""
	}
	return orig
}

func onlyOf(all []finding, codes ...string) (out []finding) {
	for _, f := range all {
		if slices.Contains(codes, f.code) {
			out = append(out, f)
		}
	}
	return out
}

// wouldDiffer: the result for this original would be `different`.
func (c *court) wouldDiffer(r, orig *event, v *verdict) bool {
	if orig == nil {
		return v.recipient == refund.Different
	}
	supposed := &verdict{foundBy: v.foundBy}
	if isVoid(r.Kind) {
		return compare(orig.Party, r.Party).recipient == refund.Different
	}
	recipient(r, orig, supposed)
	return supposed.recipient == refund.Different
}

// noHit are the seven lines for a refund that names no sale of its merchant.
func (c *court) noHit(r *event, v *verdict, d date, offDate []*event) *event {
	if s, by := c.otherMerchant(r, d); s != nil {
		v.foundBy = by
		v.find("other_merchant", refund.High)
		return s
	}
	for _, k := range lookups(r) {
		for _, s := range c.unusable {
			if k.given && candidateKind(r, s.Kind) && s.MerchantID == r.MerchantID && k.hit(s.Record) &&
				(!k.dated || !d.given || d.near(s.Record, 1) || compare(s.Party, r.Party).match()) {
				v.unverifiable("original_unusable")
				v.find("recipient_unverifiable", refund.Medium)
				return nil
			}
		}
	}
	if slices.ContainsFunc(offDate, func(s *event) bool {
		a := compare(s.Party, r.Party)
		return a.recipient != refund.Different || a.evidence != refund.Strong
	}) {
		v.unverifiable("ambiguous")
		v.find("original_ambiguous", refund.Medium)
		return nil
	}
	if t := r.Original.TerminalID; refund.Given(t) && !c.covers(t) {
		v.unverifiable("other_terminal")
		v.find("recipient_unverifiable", refund.Medium)
		return nil
	}
	begin := c.begin()
	gap := false
	if d.given {
		first := day(begin)
		midnight := begin.Hour() == 0 && begin.Minute() == 0 && begin.Second() == 0 && begin.Nanosecond() == 0
		gap = d.day.Before(first) || d.day.Equal(first) && !midnight
	} else {
		gap = daysBetween(begin, when(r.Record)) < c.window(r.Channel)
	}
	if gap {
		v.unverifiable("history_gap")
		v.find("recipient_unverifiable", refund.Medium)
		return nil
	}
	v.unverifiable("no_original")
	v.find("no_original", refund.High)
	return nil
}

func (c *court) otherMerchant(r *event, d date) (*event, string) {
	others := func(f func(*event) bool) []*event {
		return c.where(func(s *event) bool { return candidateKind(r, s.Kind) && s.MerchantID != r.MerchantID && f(s) })
	}
	keys := lookups(r)
	if keys[0].given {
		hits := others(func(s *event) bool { return keys[0].hit(s.Record) })
		if len(hits) == 1 {
			return hits[0], "channel_txn"
		}
		if len(hits) > 1 {
			return nil, ""
		}
	}
	if !keys[2].given || !d.given {
		return nil, ""
	}
	for n := range 2 {
		hits := others(func(s *event) bool { return keys[2].hit(s.Record) && d.near(s.Record, n) })
		if len(hits) == 1 {
			return hits[0], "rrn"
		}
		if len(hits) > 1 {
			return nil, ""
		}
	}
	return nil, ""
}

func (c *court) covers(terminal string) bool {
	if len(c.coverage) == 0 {
		return true
	}
	for _, j := range c.coverage {
		if j.Coverage == nil || j.Coverage.Terminals == nil || slices.Contains(j.Coverage.Terminals, terminal) {
			return true
		}
	}
	return false
}

func (c *court) begin() time.Time {
	var begin time.Time
	for _, j := range c.coverage {
		if j.Coverage == nil {
			continue
		}
		if t, err := time.Parse(time.RFC3339Nano, j.Coverage.From); err == nil && (begin.IsZero() || t.Before(begin)) {
			begin = t
		}
	}
	if begin.IsZero() && c.first != nil {
		begin = when(c.first.Record)
	}
	return begin
}

func (c *court) window(ch refund.Channel) int {
	if n, ok := c.windows[channelOf(refund.Record{Channel: ch})]; ok {
		return n
	}
	return 365
}
