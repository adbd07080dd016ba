package judge

import (
	"slices"
	"strings"
	"time"
)

// recipient is the table of verdicts.md § 4 for a refund whose original is known.
func recipient(r, orig *event, v *Verdict) {
	a := compare(&orig.Party, &r.Party)
	channel := r.Channel
	if !known(channel) {
		channel = orig.Channel
	}
	hasID, payerHasID := len(ids(&r.Party)) > 0, len(ids(&orig.Party)) > 0
	byReference := wallet(channel) && (v.FoundBy == "channel_txn" || v.FoundBy == "order_no" ||
		(channel == "unionpay_qr" || channel == "ecny") && (v.FoundBy == "rrn" || v.FoundBy == "stan"))
	unverifiable := func(reason string, s Severity) {
		v.unverifiable(reason)
		v.find("recipient_unverifiable", s)
	}
	switch {
	case toMerchant(r):
		v.Recipient = "different"
		v.find("payer_not_repaid", High)
	case r.Channel == "cash" && orig.Channel == "cash":
		unverifiable("cash", Info)
	case known(r.Channel) && known(orig.Channel) && r.Channel != orig.Channel && !a.strongMatch():
		v.Recipient = "different"
		v.find("channel_changed", High)
		if hasID && payerHasID {
			v.find("recipient_mismatch", Critical)
		}
	case rerouted(r):
		v.Recipient = "doubtful"
		v.find("platform_rerouted", Medium)
	case a.recipient != "":
		v.Recipient, v.Evidence = a.recipient, a.evidence
		if a.finding != "" {
			v.find(a.finding, a.severity)
		}
	case r.RefundRoute == "BALANCE":
		v.Recipient, v.Evidence = "same", "by_reference"
		v.find("platform_rerouted", Info)
	case byReference:
		v.Recipient, v.Evidence = "same", "by_reference"
	case !hasID:
		unverifiable("recipient_missing", Medium)
	case !payerHasID:
		unverifiable("payer_missing", Medium)
	default:
		unverifiable(a.reason, Medium)
	}
}

func toMerchant(r *event) bool {
	return r.Party.Scheme == "merchant_account" || strings.Contains(r.Party.Text, "商户")
}

func rerouted(r *event) bool {
	return r.RefundRoute == "OTHER_BALANCE" || r.RefundRoute == "OTHER_BANKCARD"
}

// keyed is rule E13: the number of the card was typed in.
func keyed(r *event, v *Verdict) {
	if r.Entry != "keyed" {
		return
	}
	switch {
	case v.Recipient == "different" || v.Recipient == "doubtful" || v.Recipient == "unverifiable":
		v.find("keyed_refund", High)
	case v.Recipient == "same" && v.Evidence == "weak":
		v.find("keyed_refund", Medium)
	}
}

// withoutOriginal adds the findings where no original was found or chosen: verdicts.md § 2.
func withoutOriginal(r *event, v *Verdict) {
	v.FoundBy = ""
	if isVoid(r.Kind) {
		return
	}
	switch {
	case toMerchant(r):
		v.Recipient, v.Reason, v.Evidence = "different", "", ""
		v.find("payer_not_repaid", High)
	case rerouted(r):
		v.find("platform_rerouted", Medium)
	}
	keyed(r, v)
}

// voidsBefore returns the approved voids of a sale that came before r and were not undone.
func (b *Book) voidsBefore(s, r *event) []*event {
	return b.backsBefore(s, r, func(e *event) bool { return isVoid(e.Kind) && e.Outcome == "approved" })
}

// refundsBefore returns the refunds of a sale that came before r, moved money (perhaps) and
// were not undone.
func (b *Book) refundsBefore(s, r *event) []*event {
	return b.backsBefore(s, r, func(e *event) bool { return e.Kind == "refund" && movesMoney(e.Outcome) })
}

func (b *Book) backsBefore(s, r *event, is func(*event) bool) (out []*event) {
	for _, e := range s.backs {
		if e.seq < r.seq && !b.undone[e] && is(e) {
			out = append(out, e)
		}
	}
	return out
}

// originalState adds the findings about outcome, currency and time of the original, and
// reports whether they exclude over_refund and duplicate_refund.
func originalState(r, orig *event, v *Verdict) (excluded bool) {
	by := r.Channel
	if !known(by) {
		by = orig.Channel
	}
	cancel := isVoid(r.Kind) && (by == "wechat" || by == "alipay") // it pays back what was paid, or closes what was not
	var severity Severity
	switch orig.Outcome {
	case "declined", "closed":
		severity, excluded = High, true
	case "unknown", "pending", "abnormal":
		severity = Medium
	}
	if severity > 0 && !cancel {
		v.find("original_not_refundable", severity)
	}
	if r.Currency != "" && orig.Currency != "" && r.Currency != orig.Currency {
		v.find("currency_mismatch", High)
		excluded = true
	}
	if r.At.Add(5 * time.Minute).Before(orig.At) {
		v.find("clock_suspect", Low)
	}
	return excluded
}

// money judges a refund whose original is known: verdicts.md § 3 and § 4.
func (b *Book) money(r, orig *event, v *Verdict) {
	recipient(r, orig, v)
	keyed(r, v)
	good := v.Recipient == "same" || v.Recipient == "equivalent"
	strayed := false
	var counted []*event
	for _, e := range b.refundsBefore(orig, r) {
		wrong := e.verdict.Recipient == "different"
		strayed = strayed || wrong
		currency := orig.Currency
		if currency == "" {
			currency = r.Currency
		}
		if currency != "" && e.Currency != "" && e.Currency != currency {
			continue
		}
		if good && wrong && e.Outcome == "approved" {
			if !e.verdict.has("payer_not_repaid") {
				v.find("loss_open", Medium)
			}
			continue
		}
		counted = append(counted, e)
	}
	if strayed && v.Recipient == "different" {
		v.find("reissue_wrong_again", Critical)
	}
	if strayed && good {
		v.find("reissue_observed", Info)
	}
	if !originalState(r, orig, v) {
		b.sum(r, orig, counted, v)
	}
	channel := orig.Channel
	if !known(channel) {
		channel = r.Channel
	}
	if daysBetween(orig.At, r.At) > window(channel) {
		v.find("out_of_window", Medium)
	}
}

// guess reports whether the original of a refund or void was found by its payer alone.
func guess(e *event) bool { return e.verdict.FoundBy == "party" }

func allGuesses(list []*event) bool {
	return !slices.ContainsFunc(list, func(e *event) bool { return !guess(e) })
}

// accuse returns the severity of a finding; guessed: only guesses make it so, and v is none.
func accuse(v *Verdict, hard Severity, guessed bool) Severity {
	if guessed && v.FoundBy != "party" {
		return Medium
	}
	return hard
}

// sum finds over_refund or duplicate_refund.
func (b *Book) sum(r, orig *event, counted []*event, v *Verdict) {
	voids := b.voidsBefore(orig, r)
	switch {
	case b.undone[orig] || len(voids) > 0:
		v.find("over_refund", accuse(v, Critical, !b.undone[orig] && allGuesses(voids)))
	case b.left(r, orig, counted) < 0:
		guessed := b.left(r, orig, slices.DeleteFunc(slices.Clone(counted), guess)) >= 0
		if slices.ContainsFunc(counted, func(e *event) bool { return e.Amount == r.Amount }) {
			v.find("duplicate_refund", accuse(v, High, guessed))
		} else {
			v.find("over_refund", accuse(v, Critical, guessed))
		}
	}
}

// left is what remains of the original after these refunds and this one, by what the payer
// paid and got where all of them state it.
func (b *Book) left(r, orig *event, counted []*event) int64 {
	all := append(slices.Clone(counted), r)
	left, byPayer := b.amountOf(orig), orig.PayerAmount != nil
	for _, e := range all {
		byPayer = byPayer && e.PayerAmount != nil
	}
	if byPayer {
		left = *orig.PayerAmount
	}
	for _, e := range all {
		if byPayer {
			left -= *e.PayerAmount
		} else {
			left -= e.Amount
		}
	}
	return left
}

// void judges a void whose original is known: verdicts.md § 4, Voids.
func (b *Book) void(r, orig *event, v *Verdict) {
	a := compare(&orig.Party, &r.Party)
	v.Recipient, v.Evidence = a.recipient, a.evidence
	if a.recipient == "" {
		v.Recipient, v.Evidence = "same", "by_reference"
	}
	if a.finding != "" {
		v.find(a.finding, a.severity)
	}
	excluded := originalState(r, orig, v)
	if r.Amount != 0 && r.Amount != b.amountOf(orig) || given(r.Batch) && given(orig.Batch) && r.Batch != orig.Batch {
		v.find("void_anomaly", Medium)
	}
	before := append(b.voidsBefore(orig, r), b.refundsBefore(orig, r)...)
	if !excluded && (b.undone[orig] || len(before) > 0) {
		v.find("over_refund", accuse(v, Critical, !b.undone[orig] && allGuesses(before)))
	}
}
