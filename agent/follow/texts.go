package follow

import "yuanlu/agent/refund"

// The texts of followed events, the same placeholders in both languages.
var (
	undoneText = refund.Text{
		EN: "Refund {refund_no} was undone at {time} by {kind} {link_no}.",
		ZH: "退款 {refund_no} 已于 {time} 被{kind} {link_no} 撤销。"}
	correctedText = refund.Text{
		EN: "A corrected {kind} {link_no} of {amt} for the same sale went to who paid ({recipient}) at {time}, after refund {refund_no}.",
		ZH: "继退款 {refund_no} 之后，已于 {time} 为同一原交易更正{kind} {link_no}（{amt}），收款方为付款人（{recipient}）。"}
	afterText = refund.Text{
		EN: "After refund {refund_no}, a {kind} {link_no} of {amt} was made for the same sale at {time}; whether it goes to who paid could not be proved.",
		ZH: "继退款 {refund_no} 之后，同一原交易于 {time} 又有{kind} {link_no}（{amt}）；无法证实收款方就是付款人。"}
	stoppedText = refund.Text{
		EN: "After refund {refund_no}, the {kind} {link_no} of {amt} for the same sale moved no money, or was undone.",
		ZH: "继退款 {refund_no} 之后，同一原交易的{kind} {link_no}（{amt}）未动用资金，或已被撤销。"}
	againText = refund.Text{
		EN: "After refund {refund_no}, the {kind} {link_no} of {amt} for the same sale goes to {recipient}, and not to who paid.",
		ZH: "继退款 {refund_no} 之后，同一原交易的{kind} {link_no}（{amt}）收款方为 {recipient}，不是付款人。"}
	settledText = refund.Text{
		EN: "Batch {batch} with refund {refund_no} was settled at {time}: a void on the same day is no longer possible.",
		ZH: "含退款 {refund_no} 的批次 {batch} 已于 {time} 结算：不能再当日撤销。"}
	seenText = refund.Text{
		EN: "The payer of the sale that refund {refund_no} belongs to showed the same account {payer} again at {time}.",
		ZH: "退款 {refund_no} 对应原交易的付款人于 {time} 再次出示同一账户 {payer}。"}
)

// Rules describes the events, as refund.Rule.Info describes the findings of verdicts. They are
// no findings, so their severity is info; a refund that goes wrong again is a case of its own.
func Rules() []refund.RuleInfo {
	info := []refund.Severity{refund.Info}
	return []refund.RuleInfo{
		{Code: string(Undone), Numbers: []string{"RC-701"}, Version: 1, Severity: info,
			Inputs: "reversals and void_refunds of the case's refund", Templates: []refund.Text{undoneText}},
		{Code: string(RefundAfter), Numbers: []string{"RC-702", "RC-703"}, Version: 1, Severity: []refund.Severity{refund.Critical, refund.Info},
			Inputs: "refunds and voids of the case's sale after its refund, and their verdicts", CannotTell: "no original was found", Templates: []refund.Text{correctedText, afterText, stoppedText, againText}},
		{Code: string(Settled), Numbers: []string{"RC-704"}, Version: 1, Severity: info,
			Inputs: "settlements of the case's batch", CannotTell: "the refund states no batch", Templates: []refund.Text{settledText}},
		{Code: string(PayerSeen), Numbers: []string{"RC-705"}, Version: 1, Severity: info,
			Inputs: "payers of sales, completions and preauths within 60 days after the case's refund", CannotTell: "the payer of the case's sale is not known by a full identifier",
			Templates: []refund.Text{seenText}},
	}
}

// Said is the rule and the text of one followed event.
type Said struct {
	Rule string
	Text refund.Text
}

// SayUndone returns the text about the refund r of a case that by has undone.
func SayUndone(r, by *refund.Event) Said {
	return Said{"RC-701", refund.Fill(undoneText, standard(r, by)...)}
}

// SayAfter returns the text about a refund or void after the refund r of a case, by its verdict.
func SayAfter(r, after *refund.Event, v *refund.Verdict) Said {
	values := append(standard(r, after), refund.PutText("amt", after.AmountText()), refund.PutText("recipient", shown(&after.Record)))
	switch {
	case v.Recipient == refund.Different:
		return Said{"RC-703", refund.Fill(againText, values...)}
	case v.Cancelled:
		return Said{"RC-702", refund.Fill(stoppedText, values...)}
	case v.Recipient.Match():
		return Said{"RC-702", refund.Fill(correctedText, values...)}
	}
	return Said{"RC-702", refund.Fill(afterText, values...)}
}

// SaySettled returns the text about a settlement of the batch of the refund r of a case.
func SaySettled(r, s *refund.Event) Said {
	return Said{"RC-704", refund.Fill(settledText, append(standard(r, s), refund.Put("batch", s.Record.Batch))...)}
}

// SaySeen returns the text about the payer of the case of refund r, whom s shows.
func SaySeen(r, s *refund.Event) Said {
	return Said{"RC-705", refund.Fill(seenText, append(standard(r, s), refund.PutText("payer", shown(&s.Record)))...)}
}

// standard returns the values that all texts use.
func standard(r, by *refund.Event) []refund.Value {
	return []refund.Value{refund.Put("refund_no", r.Number()), refund.Put("link_no", by.Number()), refund.Put("time", by.Record.At),
		refund.PutText("kind", kindText(by.Record.Kind))}
}

// kindText names what became of a case; refund.KindText names only what is judged.
func kindText(k refund.Kind) refund.Text {
	switch k {
	case refund.KindReversal:
		return refund.Text{EN: "reversal", ZH: "冲正"}
	case refund.KindVoidRefund:
		return refund.Text{EN: "void of the refund", ZH: "退款撤销"}
	}
	return refund.KindText(k)
}

// shown names a record's account by its masked form.
func shown(r *refund.Record) refund.Text {
	if r.Party == nil {
		return refund.ShownText("")
	}
	return refund.ShownText(r.Party.Shown)
}
