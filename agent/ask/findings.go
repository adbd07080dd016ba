package ask

import (
	"time"

	"yuanlu/agent/refund"
)

// The texts of the findings that only answers have.
var (
	alreadyText = refund.Text{
		EN: "A {kind} under the number {refund_no} was sent before ({earlier_amt}). To ask for its state under the same number is right; under a new number it would be paid twice.",
		ZH: "退款单号 {refund_no} 的{kind}此前已发起（{earlier_amt}）。以同一单号查询或重试是正确的；换用新单号将重复退款。"}
	beingText = refund.Text{
		EN: "The same sale {orig_no} was asked about {secs} s before or after this one ({ask}), and that refund is not there yet. Look whether somebody else is making it.",
		ZH: "同一原交易 {orig_no} 在前后 {secs} 秒内已有询问（{ask}），其退款尚未出现。请确认是否有人正在办理同一笔退款。"}
	otherSaleText = refund.Text{
		EN: "The customer does not show the account that paid sale {orig_no} ({payer}), and has a sale of his own here: look whether the right one was picked.",
		ZH: "顾客出示的账户不是原交易 {orig_no} 的付款账户（{payer}），且该顾客另有可退交易：请核对是否选错原交易。"}
	otherPayerText = refund.Text{
		EN: "The customer does not show the account that paid sale {orig_no} ({payer}). Somebody else may have paid for him; ask.",
		ZH: "顾客出示的账户不是原交易 {orig_no} 的付款账户（{payer}）。可能由他人代付，请询问。"}
	matchText = refund.Text{
		EN: "The customer shows the account that paid sale {orig_no} ({payer}).",
		ZH: "顾客出示的账户与原交易 {orig_no} 的付款账户一致（{payer}）。"}
	presentedFlawText = refund.Text{
		EN: "What the customer has shown could not be compared: {flaw}.",
		ZH: "顾客出示的标识无法比对：{flaw}。"}
)

// Rules describes the findings that only answers have, as refund.Rule.Info describes those
// of verdicts (guard.md § 2).
func Rules() []refund.RuleInfo {
	return []refund.RuleInfo{
		{Code: refund.CodeAlreadyMade, Numbers: []string{"RC-604"}, Version: 1, Severity: []refund.Severity{refund.Medium},
			Inputs: "refund_no; refunds and voids made under it before", Templates: []refund.Text{alreadyText}},
		{Code: refund.CodeBeingMade, Numbers: []string{"RC-302"}, Version: 1, Severity: []refund.Severity{refund.Medium},
			Inputs: "asks about the same original within 120 s", CannotTell: "there is no original", Templates: []refund.Text{beingText}},
		{Code: refund.CodePresentedMismatch, Numbers: []string{"RC-203"}, Version: 1, Severity: []refund.Severity{refund.High, refund.Medium},
			Inputs: "presented; the original's payer", CannotTell: "there is no original, or they cannot be compared", Templates: []refund.Text{otherSaleText, otherPayerText}},
		{Code: refund.CodePresentedMatch, Numbers: []string{"RC-705"}, Version: 1, Severity: []refund.Severity{refund.Info},
			Inputs: "presented; the original's payer", CannotTell: "there is no original, or they cannot be compared", Templates: []refund.Text{matchText}},
	}
}

// Compose makes the answer of what the judge has found about a sealed ask. made is another
// ask about the same original that is on its way, nil if none (being_made). What level advise
// makes of it is Level.Shown.
func Compose(a *refund.Ask, f *refund.Foreseen, made *Entry) Answer {
	v := &f.Verdict
	ans := Answer{Seq: v.Seq, Ask: a.ID, Practice: a.Record.Training, Recipient: v.Recipient, Reason: v.Reason, Evidence: v.Evidence,
		Original: v.Original, Remaining: f.Remaining, Candidates: f.Candidates, Findings: append([]refund.Finding(nil), v.Findings...)}
	if ans.Candidates == nil {
		ans.Candidates = []refund.Candidate{}
	}
	add := func(code, number string, s refund.Severity, text refund.Text, values ...refund.Value) {
		ans.Findings = append(ans.Findings, refund.Finding{Code: code, Rule: number, Severity: s, Text: refund.Fill(text, values...)})
	}
	orig := refund.Put("orig_no", f.OriginalNo)
	if e := f.AlreadyMade; e != nil {
		add(refund.CodeAlreadyMade, "RC-604", refund.Medium, alreadyText, refund.Put("refund_no", a.Record.RefundNo),
			refund.PutText("kind", refund.KindText(a.Record.Kind)), refund.PutText("earlier_amt", e.AmountText()))
	}
	if made != nil {
		add(refund.CodeBeingMade, "RC-302", refund.Medium, beingText, orig, refund.Put("ask", made.Ask.ID), refund.PutInt("secs", secondsApart(a, made)))
	}
	payer := refund.PutText("payer", refund.ShownText(f.Presented.PayerShown)) // what was shown is in no text (guard.md § 1)
	switch {
	case f.PresentedFlaw != "":
		add(refund.CodeDataError, "", refund.Medium, presentedFlawText, refund.PutText("flaw", refund.FlawText(f.PresentedFlaw)))
	case f.Presented.Recipient.Match():
		add(refund.CodePresentedMatch, "RC-705", refund.Info, matchText, orig, payer)
	case f.PresentedDiffers() && f.Presented.Evidence == refund.Strong && len(f.Candidates) > 0:
		add(refund.CodePresentedMismatch, "RC-203", refund.High, otherSaleText, orig, payer)
	case f.PresentedDiffers():
		add(refund.CodePresentedMismatch, "RC-203", refund.Medium, otherPayerText, orig, payer)
	}
	ans.Findings = refund.SortFindings(ans.Findings)
	ans.Action = actionOf(ans.Findings)
	return ans
}

// actionOf returns what findings, sorted, make of an answer (guard.md § 2).
func actionOf(findings []refund.Finding) Action {
	switch {
	case len(findings) == 0 || findings[0].Severity < refund.Medium:
		return Proceed
	case findings[0].Severity == refund.Medium:
		return Confirm
	}
	return Hold
}

// Unchecked returns the answer to an ask that could not be judged (guard.md § 2).
func Unchecked(a *refund.Ask) Answer {
	return Answer{Ask: a.ID, Practice: a.Record.Training, Action: Confirm, Recipient: refund.NoRecipient, Reason: ReasonUnchecked,
		Candidates: []refund.Candidate{}, Findings: []refund.Finding{}}
}

// secondsApart is how far apart two asks are by their at.
func secondsApart(a *refund.Ask, e *Entry) int {
	at, _ := a.Record.Time()
	return int(at.Sub(e.at).Abs() / time.Second)
}
