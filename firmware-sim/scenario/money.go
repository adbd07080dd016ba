package scenario

import (
	"slices"
	"strings"

	"yuanlu/firmware-sim/wire"
)

// recipient is the table of verdicts.md § 4 for refunds with an original.
func (b *Book) recipient(v *verdict, r *wire.Record) {
	o := &v.original.rec
	a := Compare(o.Party, r.Party)
	strong := a.Evidence == "strong" && (a.Recipient == "same" || a.Recipient == "equivalent")
	channel := r.Channel
	if channel == "" || channel == "unknown" {
		channel = o.Channel
	}
	byOrder := v.foundBy == "channel_txn" || v.foundBy == "order_no" ||
		(channel == "unionpay_qr" || channel == "ecny") && (v.foundBy == "rrn" || v.foundBy == "stan")
	unverifiable := func(reason string, severity int) {
		v.recipient, v.reason = "unverifiable", reason
		v.add("recipient_unverifiable", severity)
	}
	switch {
	case toMerchant(r):
		v.recipient = "different"
		v.add("payer_not_repaid", high)
	case r.Channel == "cash" && o.Channel == "cash":
		unverifiable("cash", info)
	case known(r.Channel) && known(o.Channel) && r.Channel != o.Channel && !strong:
		v.recipient = "different"
		v.add("channel_changed", high)
		if len(idents(o.Party)) > 0 && len(idents(r.Party)) > 0 {
			v.add("recipient_mismatch", critical)
		}
	case strings.HasPrefix(r.RefundRoute, "OTHER_"):
		v.recipient = "doubtful"
		v.add("platform_rerouted", medium)
	case a.Recipient != "":
		v.recipient, v.evidence = a.Recipient, a.Evidence
		v.add(a.Code, a.Severity)
	case r.RefundRoute == "BALANCE":
		v.recipient, v.evidence = "same", "by_reference"
		v.add("platform_rerouted", info)
	case wallet(channel) && byOrder:
		v.recipient, v.evidence = "same", "by_reference"
	case len(idents(r.Party)) == 0:
		unverifiable("recipient_missing", medium)
	case len(idents(o.Party)) == 0:
		unverifiable("payer_missing", medium)
	default:
		unverifiable(a.Reason, medium)
	}
}

func known(channel string) bool { return channel != "" && channel != "unknown" }

func wallet(channel string) bool { return known(channel) && channel != "card" && channel != "cash" }

// counted reports whether an earlier refund weighs on what is left of its original.
func (b *Book) counted(d *deed) bool {
	o := d.rec.Outcome
	return b.counts(d) && (o == "approved" || o == "unknown" || o == "pending")
}

// money is verdicts.md § 3 for a refund.
func (b *Book) money(v *verdict, r *wire.Record) {
	o := v.original
	channel := o.rec.Channel
	if !known(channel) {
		channel = r.Channel
	}
	if daysApart(r.At, o.rec.At) > window(channel) {
		v.add("out_of_window", medium)
	}
	mismatch := r.Currency != "" && o.rec.Currency != "" && r.Currency != o.rec.Currency
	if mismatch {
		v.add("currency_mismatch", high)
	}
	list, corrects := b.weigh(v, r)
	if corrects {
		v.add("loss_open", medium)
	}
	switch o.rec.Outcome {
	case "declined", "closed":
		v.add("original_not_refundable", high)
		return
	case "unknown", "pending", "abnormal":
		v.add("original_not_refundable", medium)
	}
	voids := only(o.voided, b.voids)
	switch left := v.left(r, list); {
	case mismatch:
	case o.undone:
		v.add("over_refund", critical)
	case len(voids) > 0:
		v.add("over_refund", v.accuse(critical, !slices.ContainsFunc(voids, sure)))
	case left < 0:
		guessed := v.left(r, only(list, sure)) >= 0
		if slices.ContainsFunc(list, func(d *deed) bool { return d.rec.Amount == r.Amount }) {
			v.add("duplicate_refund", v.accuse(high, guessed))
		} else {
			v.add("over_refund", v.accuse(critical, guessed))
		}
	}
}

// sure reports whether a refund or void is no guess: something else than its payer speaks for its original.
func sure(d *deed) bool { return d.verdict.foundBy != "party" }

func only(list []*deed, keep func(*deed) bool) (out []*deed) {
	for _, d := range list {
		if keep(d) {
			out = append(out, d)
		}
	}
	return out
}

// accuse is the severity of a finding; guessed: only earlier guesses make it so.
func (v *verdict) accuse(severity int, guessed bool) int {
	if guessed && v.foundBy != "party" {
		return medium
	}
	return severity
}

// weigh returns the earlier refunds that count; corrects: one of them went to a stranger and this one makes it good.
func (b *Book) weigh(v *verdict, r *wire.Record) (list []*deed, corrects bool) {
	good := v.recipient == "same" || v.recipient == "equivalent"
	currency := v.original.rec.Currency
	if currency == "" {
		currency = r.Currency
	}
	for _, d := range v.original.refunds {
		if !b.counted(d) || d.rec.Currency != "" && currency != "" && d.rec.Currency != currency {
			continue
		}
		if good && d.verdict.recipient == "different" && d.rec.Outcome == "approved" {
			corrects = corrects || d.verdict.findings["payer_not_repaid"] == 0
			continue
		}
		list = append(list, d)
	}
	return list, corrects
}

// left is what remains of the original after these refunds and this one, by what the payer paid and got where all of
// them state it.
func (v *verdict) left(r *wire.Record, list []*deed) int64 {
	o := v.original
	byPayer := o.rec.PayerAmount != nil && r.PayerAmount != nil
	for _, d := range list {
		byPayer = byPayer && d.rec.PayerAmount != nil
	}
	sum := func(d *wire.Record, amount int64) int64 {
		if byPayer {
			return *d.PayerAmount
		}
		return amount
	}
	left := sum(&o.rec, o.amount) - sum(r, r.Amount)
	for _, d := range list {
		left -= sum(&d.rec, d.rec.Amount)
	}
	return left
}

// again is RC-702 and RC-703: an earlier refund of this original went to a stranger.
func (b *Book) again(v *verdict) {
	strayed := slices.ContainsFunc(v.original.refunds, func(d *deed) bool {
		return d.verdict.recipient == "different" && b.counted(d)
	})
	switch {
	case !strayed:
	case v.recipient == "different":
		v.add("reissue_wrong_again", critical)
	case v.recipient == "same" || v.recipient == "equivalent":
		v.add("reissue_observed", info)
	}
}

// void is the paragraph on voids in verdicts.md § 4.
func (b *Book) void(v *verdict, r *wire.Record) {
	o := v.original
	if a := Compare(o.rec.Party, r.Party); a.Recipient != "" {
		v.recipient, v.evidence = a.Recipient, a.Evidence
		v.add(a.Code, a.Severity)
	} else {
		v.recipient, v.evidence = "same", "by_reference"
	}
	if r.Amount != 0 && r.Amount != o.amount || r.Batch != "" && o.rec.Batch != "" && r.Batch != o.rec.Batch {
		v.add("void_anomaly", medium)
	}
	mismatch := r.Currency != "" && o.rec.Currency != "" && r.Currency != o.rec.Currency
	if mismatch {
		v.add("currency_mismatch", high)
	}
	channel := r.Channel
	if !known(channel) {
		channel = o.rec.Channel
	}
	cancel := channel == "wechat" || channel == "alipay" // it pays back what was paid, or closes what was not
	severity := map[string]int{"declined": high, "closed": high, "unknown": medium, "pending": medium, "abnormal": medium}[o.rec.Outcome]
	if severity > 0 && !cancel {
		v.add("original_not_refundable", severity)
	}
	before := append(only(o.voided, b.voids), only(o.refunds, b.counted)...)
	switch {
	case mismatch || severity == high:
	case o.undone:
		v.add("over_refund", critical)
	case len(before) > 0:
		v.add("over_refund", v.accuse(critical, !slices.ContainsFunc(before, sure)))
	}
}
