package twin

import (
	"slices"
	"strings"
	"time"

	"yuanlu/agent/refund"
)

// recipient applies the table of verdicts.md § 4 to a refund whose original is known.
func recipient(r, orig *event, v *verdict) {
	rc, oc := channelOf(r.Record), channelOf(orig.Record)
	a := compare(orig.Party, r.Party)
	both := rc
	if !known(both) {
		both = oc
	}
	hasID := len(ids(r.Party)) > 0
	payerHasID := len(ids(orig.Party)) > 0
	route := r.RefundRoute
	byRef := wallet(both) && (v.foundBy == "channel_txn" || v.foundBy == "order_no" ||
		(both == refund.ChannelUnionPayQR || both == refund.ChannelECNY) && (v.foundBy == "rrn" || v.foundBy == "stan"))
	switch {
	case merchantAccount(r):
		v.recipient = refund.Different
		v.find("payer_not_repaid", refund.High)
	case rc == refund.ChannelCash && oc == refund.ChannelCash:
		v.unverifiable("cash")
		v.find("recipient_unverifiable", refund.Info)
	case known(rc) && known(oc) && rc != oc && !a.strongMatch():
		v.recipient = refund.Different
		v.find("channel_changed", refund.High)
		if hasID && payerHasID {
			v.find("recipient_mismatch", refund.Critical)
		}
	case route == refund.RouteOtherBalance || route == refund.RouteOtherBankcard:
		v.recipient = refund.Doubtful
		v.find("platform_rerouted", refund.Medium)
	case a.recipient != "":
		v.recipient, v.evidence = a.recipient, a.evidence
		if a.finding != "" {
			v.find(a.finding, a.severity)
		}
	case route == refund.RouteBalance:
		v.recipient, v.evidence = refund.Same, refund.ByReference
		v.find("platform_rerouted", refund.Info)
	case byRef:
		v.recipient, v.evidence = refund.Same, refund.ByReference
	case !hasID:
		v.unverifiable("recipient_missing")
		v.find("recipient_unverifiable", refund.Medium)
	case !payerHasID:
		v.unverifiable("payer_missing")
		v.find("recipient_unverifiable", refund.Medium)
	default:
		v.unverifiable(a.reason)
		v.find("recipient_unverifiable", refund.Medium)
	}
}

func merchantAccount(r *event) bool {
	return r.Party != nil && (r.Party.Scheme == refund.SchemeMerchantAccount || strings.Contains(r.Party.Text, "商户"))
}

// keyed is E13.
func keyed(r *event, v *verdict) {
	if r.Entry != refund.EntryKeyed {
		return
	}
	switch {
	case v.recipient == refund.Different || v.recipient == refund.Doubtful || v.recipient == refund.Unverifiable:
		v.find("keyed_refund", refund.High)
	case v.recipient == refund.Same && v.evidence == refund.Weak:
		v.find("keyed_refund", refund.Medium)
	}
}

// withoutOriginal: the findings where no original was found or chosen (verdicts.md § 2).
func (c *court) withoutOriginal(r *event, v *verdict) {
	v.original, v.foundBy = 0, ""
	if isVoid(r.Kind) {
		return
	}
	switch {
	case merchantAccount(r):
		v.recipient, v.reason, v.evidence = refund.Different, "", ""
		v.find("payer_not_repaid", refund.High)
	case r.RefundRoute == refund.RouteOtherBalance || r.RefundRoute == refund.RouteOtherBankcard:
		v.find("platform_rerouted", refund.Medium)
	}
	keyed(r, v)
}

// refundsOf lists the earlier refunds of an original that are not undone.
func (c *court) refundsOf(orig, before *event) []*event {
	return c.where(func(e *event) bool {
		return isRefund(e.Kind) && e.seq < before.seq && !e.undone && movesMoney(e.Outcome) && c.done[e.seq].original == orig.seq
	})
}

// originalState finds original_not_refundable and currency_mismatch, and whether
// they exclude over_refund and duplicate_refund.
func originalState(r, orig *event, v *verdict) (excluded bool) {
	by := r.Channel
	if !known(by) {
		by = orig.Channel
	}
	cancel := isVoid(r.Kind) && (by == refund.ChannelWeChat || by == refund.ChannelAlipay)
	severity := refund.Severity(0)
	switch orig.Outcome {
	case refund.Declined, refund.Closed:
		severity, excluded = refund.High, true
	case refund.Unknown, refund.Pending, refund.Abnormal:
		severity = refund.Medium
	}
	if severity > 0 && !cancel {
		v.find("original_not_refundable", severity)
	}
	if r.Currency != "" && orig.Currency != "" && r.Currency != orig.Currency {
		v.find("currency_mismatch", refund.High)
		excluded = true
	}
	if when(r.Record).Add(5 * time.Minute).Before(when(orig.Record)) {
		v.find("clock_suspect", refund.Low)
	}
	return excluded
}

// money judges a refund whose original is known (verdicts.md §§ 3 and 4).
func (c *court) money(r, orig *event, v *verdict) {
	recipient(r, orig, v)
	keyed(r, v)
	good := v.recipient == refund.Same || v.recipient == refund.Equivalent
	wrongBefore := false
	var counted []*event
	for _, e := range c.refundsOf(orig, r) {
		earlier := c.done[e.seq]
		if earlier.recipient == refund.Different {
			wrongBefore = true
		}
		currency := orig.Currency
		if currency == "" {
			currency = r.Currency
		}
		if currency == "" || e.Currency == "" {
			currency = e.Currency // taken as the other's
		}
		if e.Currency != currency {
			continue
		}
		if good && earlier.recipient == refund.Different && e.Outcome == refund.Approved {
			if !earlier.has("payer_not_repaid") {
				v.find("loss_open", refund.Medium)
			}
			continue
		}
		counted = append(counted, e)
	}
	if wrongBefore && v.recipient == refund.Different {
		v.find("reissue_wrong_again", refund.Critical)
	}
	if wrongBefore && good {
		v.find("reissue_observed", refund.Info)
	}
	excluded := originalState(r, orig, v)
	if !excluded {
		c.sum(r, orig, counted, v)
	}
	window := orig.Channel
	if !known(window) {
		window = r.Channel
	}
	if daysBetween(when(orig.Record), when(r.Record)) > c.window(window) {
		v.find("out_of_window", refund.Medium)
	}
}

// guess: its original was found by its payer alone.
func (c *court) guess(e *event) bool { return c.done[e.seq].foundBy == "party" }

func (c *court) allGuesses(events []*event) bool {
	return !slices.ContainsFunc(events, func(e *event) bool { return !c.guess(e) })
}

// sum finds over_refund or duplicate_refund, at medium where only guesses make it so
// and v itself is none.
func (c *court) sum(r, orig *event, counted []*event, v *verdict) {
	soft := func(hard refund.Severity, guessed bool) refund.Severity {
		if guessed && v.foundBy != "party" {
			return refund.Medium
		}
		return hard
	}
	voids := c.voidsBefore(orig, r)
	if orig.undone || len(voids) > 0 {
		v.find("over_refund", soft(refund.Critical, !orig.undone && c.allGuesses(voids)))
		return
	}
	if c.left(r, orig, counted) >= 0 {
		return
	}
	sure := slices.DeleteFunc(slices.Clone(counted), c.guess)
	guessed := c.left(r, orig, sure) >= 0
	if slices.ContainsFunc(counted, func(e *event) bool { return e.Amount == r.Amount }) {
		v.find("duplicate_refund", soft(refund.High, guessed))
	} else {
		v.find("over_refund", soft(refund.Critical, guessed))
	}
}

// left is base - counted - this refund, in the measure that all of them state.
func (c *court) left(r, orig *event, counted []*event) int64 {
	byPayer := orig.HasPayerAmount && r.HasPayerAmount
	for _, e := range counted {
		byPayer = byPayer && e.HasPayerAmount
	}
	of := func(e *event) int64 {
		if byPayer {
			return e.PayerAmount
		}
		return e.Amount
	}
	left := c.amountOf(orig)
	if byPayer {
		left = orig.PayerAmount
	}
	for _, e := range append(slices.Clone(counted), r) {
		left -= of(e)
	}
	return left
}

// void judges a void whose original is known (verdicts.md § 4, Voids).
func (c *court) void(r, orig *event, v *verdict) {
	a := compare(orig.Party, r.Party)
	v.recipient, v.evidence = a.recipient, a.evidence
	if a.recipient == "" {
		v.recipient, v.evidence = refund.Same, refund.ByReference
	}
	if a.finding != "" {
		v.find(a.finding, a.severity)
	}
	excluded := originalState(r, orig, v)
	if r.HasAmount && r.Amount != c.amountOf(orig) || refund.Given(r.Batch) && refund.Given(orig.Batch) && r.Batch != orig.Batch {
		v.find("void_anomaly", refund.Medium)
	}
	before := append(c.voidsBefore(orig, r), c.refundsOf(orig, r)...)
	switch {
	case excluded || !orig.undone && len(before) == 0:
	case !orig.undone && c.allGuesses(before) && v.foundBy != "party":
		v.find("over_refund", refund.Medium)
	default:
		v.find("over_refund", refund.Critical)
	}
}

// integrity returns the settlements that do not add up (verdicts.md § 6), by seq.
func integrity(lines []rec) []refund.Integrity {
	var out []refund.Integrity
	for n, l := range lines {
		j := read(lines[:n+1])
		if len(j.events) == 0 {
			continue
		}
		s := j.events[len(j.events)-1]
		if s.seq != l.seq || s.Kind != refund.KindSettlement || s.Outcome != refund.Approved || s.Totals == nil || s.Batch == "" {
			continue
		}
		// A settlement seen again counts once: neither judged again, nor a new beginning.
		var since int64
		numbers := map[string]bool{}
		for _, p := range j.events[:len(j.events)-1] {
			if p.Kind == refund.KindSettlement && p.Outcome == refund.Approved && p.MerchantID == s.MerchantID && p.TerminalID == s.TerminalID && p.Batch == s.Batch && !numbers[p.Stan] {
				since = p.seq
				numbers[p.Stan] = p.Stan != ""
			}
		}
		if numbers[s.Stan] {
			continue
		}
		var sums refund.Totals
		unstated := false
		for _, e := range j.events {
			if e.seq <= since || e.seq >= s.seq || e.MerchantID != s.MerchantID || e.TerminalID != s.TerminalID || e.Batch != s.Batch ||
				e.Outcome != refund.Approved || e.undone {
				continue
			}
			switch {
			case isSale(e.Kind):
				sums.DebitAmount += j.amountOf(e)
				sums.DebitCount++
			case judged(e.Kind):
				sums.CreditAmount += e.Amount
				sums.CreditCount++
				unstated = unstated || !e.HasAmount
			}
		}
		if sums != *s.Totals && !unstated {
			out = append(out, refund.Integrity{Type: "integrity", Seq: s.seq, Code: "capture_gap", Rule: "RC-601", Expected: *s.Totals, Observed: sums})
		}
	}
	return out
}
