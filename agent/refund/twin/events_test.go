package twin

import (
	"sort"
	"strings"
	"time"

	"yuanlu/agent/refund"
)

// rec is one line of a journal; seq is its number.
type rec struct {
	seq int64
	refund.Record
}

// event is what happened, completed by its copies; seq of the first sighting.
type event struct {
	rec
	undone bool
}

// journal is everything known after its lines were read in order.
type journal struct {
	events   []*event // usable, not training, not journal records, by seq
	unusable []rec
	coverage []rec
	first    *rec // first usable record that is not training
}

func isRefund(k refund.Kind) bool { return k == refund.KindRefund }
func isVoid(k refund.Kind) bool   { return k == refund.KindVoid || k == refund.KindCompletionVoid }
func isSale(k refund.Kind) bool   { return k == refund.KindSale || k == refund.KindCompletion }
func judged(k refund.Kind) bool   { return isRefund(k) || isVoid(k) }
func noMoney(o refund.Outcome) bool {
	return o == refund.Declined || o == refund.Closed
}
func movesMoney(o refund.Outcome) bool {
	return o == refund.Approved || o == refund.Unknown || o == refund.Pending
}
func wallet(c refund.Channel) bool {
	switch c {
	case refund.ChannelWeChat, refund.ChannelAlipay, refund.ChannelUnionPayQR, refund.ChannelJD, refund.ChannelECNY:
		return true
	}
	return false
}
func known(c refund.Channel) bool { return c != "" && c != refund.ChannelUnknown }
func channelOf(r refund.Record) refund.Channel {
	if !known(r.Channel) {
		return refund.ChannelUnknown
	}
	return r.Channel
}

func when(r refund.Record) time.Time {
	t, _ := r.Time()
	return t
}

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func daysBetween(a, b time.Time) int { return int(day(b).Sub(day(a)).Hours() / 24) }

// verdicts.md § 1.2: copied, it is known to be a copy.
func usable(r refund.Record, copied bool) bool {
	switch r.Kind {
	case refund.KindSale, refund.KindRefund, refund.KindVoid, refund.KindPreauth, refund.KindPreauthVoid,
		refund.KindCompletion, refund.KindCompletionVoid, refund.KindAdjust:
		var amount int64
		if r.HasAmount {
			if amount = r.Amount; amount <= 0 || amount > 999_999_999_999 {
				return false
			}
		} else if lost := isRefund(r.Kind) && (r.Outcome == refund.Unknown || r.Outcome == refund.Pending); !copied && !isVoid(r.Kind) && !lost {
			return false
		}
		if r.HasPayerAmount && (r.PayerAmount < 0 || r.PayerAmount > amount) {
			return false
		}
	}
	for _, id := range ids(r.Party) {
		if id.scheme == refund.SchemePAN && !goodPAN(id.id) {
			return false
		}
	}
	if c := r.Currency; r.Kind != refund.KindSettlement && c != "" && (len(c) != 3 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return false
	}
	if r.Kind != refund.KindJournal {
		if _, ok := r.Time(); !ok {
			return false
		}
	}
	return true
}

func goodPAN(s string) bool {
	if len(s) < 12 || len(s) > 19 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// read replays the lines in order (verdicts.md § 1.1–1.5).
func read(lines []rec) *journal {
	j := &journal{}
	for _, l := range lines {
		if l.Training {
			continue
		}
		if l.Kind != refund.KindJournal && usable(l.Record, true) {
			if e := j.copyOf(l); e != nil {
				complete(&e.Record, l.Record)
				continue
			}
		}
		switch {
		case !usable(l.Record, false):
			j.unusable = append(j.unusable, l)
		case l.Kind == refund.KindJournal:
			j.coverage = append(j.coverage, l)
		default:
			if j.first == nil {
				j.first = &l
			}
			j.events = append(j.events, &event{rec: l})
		}
	}
	j.undo()
	return j
}

// copyOf finds the event that l is another sighting of (verdicts.md § 1.3).
func (j *journal) copyOf(l rec) *event {
	var hit []*event
	for _, e := range j.events {
		if e.Kind != l.Kind || e.MerchantID != l.MerchantID || !sameEvent(e.Record, l.Record) {
			continue
		}
		if noMoney(e.Outcome) && !noMoney(l.Outcome) {
			continue
		}
		hit = append(hit, e)
	}
	return latest(hit)
}

func sameEvent(e, l refund.Record) bool {
	sameChannel := channelOf(e) == channelOf(l)
	if judged(l.Kind) {
		if sameChannel && e.ChannelRefund != "" && l.ChannelRefund != "" {
			return e.ChannelRefund == l.ChannelRefund
		}
		if e.RefundNo != "" && l.RefundNo != "" {
			return e.RefundNo == l.RefundNo
		}
	}
	if isSale(l.Kind) && sameChannel {
		if e.ChannelTxn != "" && l.ChannelTxn != "" {
			return e.ChannelTxn == l.ChannelTxn
		}
		if wallet(l.Channel) && e.OrderNo != "" && l.OrderNo != "" {
			return e.OrderNo == l.OrderNo
		}
	}
	if e.TerminalID != l.TerminalID || e.Batch == "" || e.Stan == "" || e.Batch != l.Batch || e.Stan != l.Stan || e.HasAmount != l.HasAmount || e.Amount != l.Amount {
		return false
	}
	apart := when(l).Sub(when(e)).Abs()
	if l.Copy == "" {
		return apart <= 72*time.Hour
	}
	return apart <= 180*24*time.Hour && (e.RRN == l.RRN || e.RRN == "" || l.RRN == "")
}

// stated: there is a party; one of scheme none only with a PAR or also.
func stated(p *refund.Party) bool {
	return p != nil && (schemeOf(p) != refund.SchemeNone || !p.PAR.Empty() || len(p.Also) > 0)
}

func schemeOf(p *refund.Party) refund.Scheme {
	if p.Scheme == "" || encrypted(p) {
		return refund.SchemeNone
	}
	return p.Scheme
}

// encrypted: a token of more than 40 characters is no identifier.
func encrypted(p *refund.Party) bool {
	return p.Scheme == refund.SchemeUnionPayToken && len([]rune(p.ID.Reveal())) > 40
}

func idOf(p *refund.Party) string {
	if encrypted(p) {
		return ""
	}
	return p.ID.Reveal()
}

// complete takes what a copy adds to an event (verdicts.md § 1.3 a and b).
func complete(e *refund.Record, c refund.Record) {
	changes := false
	switch e.Outcome {
	case refund.Unknown, refund.Pending, refund.Abnormal:
		changes = c.Outcome != e.Outcome
	case refund.Approved:
		changes = !isSale(e.Kind) && (c.Outcome == refund.Closed || c.Outcome == refund.Abnormal)
	}
	if changes {
		e.Outcome = c.Outcome
		if c.RefundRoute != "" {
			e.RefundRoute = c.RefundRoute
		}
		if stated(c.Party) {
			e.Party = c.Party
		}
	}
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&e.ResponseCode, c.ResponseCode)
	fill(&e.Operator, c.Operator)
	fill(&e.TerminalID, c.TerminalID)
	fill(&e.Funding, c.Funding)
	fill(&e.Currency, c.Currency)
	fill(&e.Stan, c.Stan)
	fill(&e.Batch, c.Batch)
	fill(&e.RRN, c.RRN)
	fill(&e.AuthCode, c.AuthCode)
	fill(&e.OrderNo, c.OrderNo)
	fill(&e.ChannelTxn, c.ChannelTxn)
	fill(&e.RefundNo, c.RefundNo)
	fill(&e.ChannelRefund, c.ChannelRefund)
	fill(&e.Ask, c.Ask)
	fill((*string)(&e.RefundRoute), string(c.RefundRoute))
	if !known(e.Channel) {
		e.Channel = c.Channel
	}
	if e.Entry == "" || e.Entry == refund.EntryNone {
		e.Entry = c.Entry
	}
	if !e.HasAmount {
		e.Amount, e.HasAmount = c.Amount, c.HasAmount
	}
	if !e.HasPayerAmount && c.HasPayerAmount && c.PayerAmount <= e.Amount {
		e.HasPayerAmount, e.PayerAmount = true, c.PayerAmount
	}
	if e.Totals == nil {
		e.Totals = c.Totals
	}
	fillGiven := func(to *string, from string) {
		if !refund.Given(*to) && refund.Given(from) {
			*to = from
		}
	}
	fillGiven(&e.Original.Stan, c.Original.Stan)
	fillGiven(&e.Original.Batch, c.Original.Batch)
	fillGiven(&e.Original.Date, c.Original.Date)
	fillGiven(&e.Original.RRN, c.Original.RRN)
	fillGiven(&e.Original.AuthCode, c.Original.AuthCode)
	fillGiven(&e.Original.OrderNo, c.Original.OrderNo)
	fillGiven(&e.Original.ChannelTxn, c.Original.ChannelTxn)
	fillGiven(&e.Original.TerminalID, c.Original.TerminalID)
	switch {
	case c.Party == nil:
	case e.Party == nil, !stated(e.Party) && stated(c.Party):
		e.Party = c.Party
	case schemeOf(e.Party) == schemeOf(c.Party) && e.Party.Namespace == c.Party.Namespace && idOf(e.Party) == idOf(c.Party):
		p := *e.Party
		if p.PAR.Empty() {
			p.PAR = c.Party.PAR
		}
		fill(&p.Text, c.Party.Text)
		if len(p.Also) == 0 {
			p.Also = c.Party.Also
		}
		e.Party = &p
	}
}

// latest is the greatest at, then the greatest seq; nil of none.
func latest(hits []*event) *event {
	if len(hits) == 0 {
		return nil
	}
	s := append([]*event(nil), hits...)
	sort.SliceStable(s, func(a, b int) bool {
		if ta, tb := when(s[a].Record), when(s[b].Record); !ta.Equal(tb) {
			return ta.Before(tb)
		}
		return s[a].seq < s[b].seq
	})
	return s[len(s)-1]
}

// undo marks what reversals and void_refunds have undone (verdicts.md § 1.5).
func (j *journal) undo() {
	for _, e := range j.events {
		e.undone = false
	}
	for _, v := range j.events {
		if v.Kind != refund.KindReversal || v.Outcome != refund.Approved || v.Batch == "" || v.Stan == "" {
			continue
		}
		if e := latest(j.where(func(e *event) bool {
			switch e.Kind {
			case refund.KindSale, refund.KindRefund, refund.KindVoid, refund.KindCompletion, refund.KindCompletionVoid, refund.KindVoidRefund, refund.KindAdjust:
			default:
				return false
			}
			return e.seq < v.seq && e.MerchantID == v.MerchantID && e.TerminalID == v.TerminalID && e.Batch == v.Batch && e.Stan == v.Stan
		})); e != nil {
			e.undone = true
		}
	}
	for _, v := range j.events {
		if v.Kind != refund.KindVoidRefund || v.Outcome != refund.Approved || v.undone {
			continue
		}
		if e := j.namedRefund(v); e != nil {
			e.undone = true
		}
	}
}

func (j *journal) where(f func(*event) bool) []*event {
	var out []*event
	for _, e := range j.events {
		if f(e) {
			out = append(out, e)
		}
	}
	return out
}

func (j *journal) namedRefund(v *event) *event {
	o := v.Original
	keys := []func(e *event) bool{
		func(e *event) bool { return refund.Given(o.ChannelTxn) && e.ChannelRefund == o.ChannelTxn },
		func(e *event) bool { return refund.Given(o.OrderNo) && e.RefundNo == o.OrderNo },
		func(e *event) bool { return refund.Given(o.RRN) && e.RRN == o.RRN },
		func(e *event) bool {
			return refund.Given(o.Batch) && refund.Given(o.Stan) && e.Batch == o.Batch && e.Stan == o.Stan && e.TerminalID == v.TerminalID
		},
	}
	for _, key := range keys {
		if e := latest(j.where(func(e *event) bool {
			return e.Kind == refund.KindRefund && e.MerchantID == v.MerchantID && e.seq < v.seq && key(e)
		})); e != nil {
			return e
		}
	}
	return nil
}

// amountOf is the amount of a sale or completion as adjusts left it (verdicts.md § 3).
func (j *journal) amountOf(s *event) int64 {
	amount := s.Amount
	for _, a := range j.events {
		if a.Kind != refund.KindAdjust || a.Outcome != refund.Approved || a.undone {
			continue
		}
		o := a.Original
		before := func(key func(e *event) bool) *event {
			return latest(j.where(func(e *event) bool {
				return isSale(e.Kind) && e.MerchantID == a.MerchantID && e.seq < a.seq && key(e)
			}))
		}
		var named *event
		if refund.Given(o.Batch) && refund.Given(o.Stan) {
			named = before(func(e *event) bool {
				return e.Batch == o.Batch && e.Stan == o.Stan && e.TerminalID == a.TerminalID
			})
		}
		if named == nil && refund.Given(o.RRN) {
			named = before(func(e *event) bool { return e.RRN == o.RRN })
		}
		if named == s {
			amount = a.Amount
		}
	}
	return amount
}
