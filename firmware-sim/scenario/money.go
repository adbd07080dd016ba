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
		channel == "unionpay_qr" && (v.foundBy == "rrn" || v.foundBy == "stan")
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
	case channel != "card" && channel != "cash" && known(channel) && byOrder:
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

// counted says whether an earlier refund weighs on what is left of its original.
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
	switch o.rec.Outcome {
	case "declined", "closed":
		v.add("original_not_refundable", high)
		return
	case "unknown", "pending", "abnormal":
		v.add("original_not_refundable", medium)
	}
	left, repeat, corrects := b.left(v, r)
	if corrects {
		v.add("loss_open", medium)
	}
	switch {
	case mismatch:
	case o.undone || slices.ContainsFunc(o.voided, b.counts):
		v.add("over_refund", critical)
	case left < 0 && repeat:
		v.add("duplicate_refund", high)
	case left < 0:
		v.add("over_refund", critical)
	}
}

// left is what remains of the original after this refund; repeat tells of an earlier counted one of the same amount,
// corrects of one to a stranger that this one makes good.
func (b *Book) left(v *verdict, r *wire.Record) (left int64, repeat, corrects bool) {
	o := v.original
	good := v.recipient == "same" || v.recipient == "equivalent"
	byPayer := o.rec.PayerAmount != nil && r.PayerAmount != nil
	currency := o.rec.Currency
	if currency == "" {
		currency = r.Currency
	}
	var list []*deed
	for _, d := range o.refunds {
		if !b.counted(d) || d.rec.Currency != "" && d.rec.Currency != currency {
			continue
		}
		if good && d.verdict.recipient == "different" && d.rec.Outcome == "approved" {
			corrects = corrects || d.verdict.findings["payer_not_repaid"] == 0
			continue
		}
		byPayer = byPayer && d.rec.PayerAmount != nil
		list = append(list, d)
	}
	sum := func(d *wire.Record, amount int64) int64 {
		if byPayer {
			return *d.PayerAmount
		}
		return amount
	}
	left = sum(&o.rec, o.amount) - sum(r, r.Amount)
	for _, d := range list {
		left -= sum(&d.rec, d.rec.Amount)
		repeat = repeat || d.rec.Amount == r.Amount
	}
	return left, repeat, corrects
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
	if r.Amount != o.amount || r.Batch != "" && o.rec.Batch != "" && r.Batch != o.rec.Batch {
		v.add("void_anomaly", medium)
	}
	mismatch := r.Currency != "" && o.rec.Currency != "" && r.Currency != o.rec.Currency
	if mismatch {
		v.add("currency_mismatch", high)
	}
	switch o.rec.Outcome {
	case "declined", "closed":
		v.add("original_not_refundable", high)
		return
	case "unknown", "pending", "abnormal":
		v.add("original_not_refundable", medium)
	}
	if !mismatch && (o.undone || slices.ContainsFunc(o.voided, b.counts) || slices.ContainsFunc(o.refunds, b.counted)) {
		v.add("over_refund", critical)
	}
}
