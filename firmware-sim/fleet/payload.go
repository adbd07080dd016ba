package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// object is a JSON object.
type object = map[string]any

// stamp is a moment as every payload writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// encode returns JSON. What is made here has no values that JSON lacks.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}") // fails its schema, and the desk refuses it
	}
	return b
}

// envelope is one event of up/case or up/event as it goes out: CloudEvents, in the order of topics.md.
func (t *terminal) envelope(e *entry) []byte {
	schema := "urn:yuanlu:schema:event-data." + e.kind + ".v1"
	sequence := ""
	if e.seq > 0 {
		schema = "urn:yuanlu:schema:" + e.kind[len("yuanlu."):]
		sequence = fmt.Sprintf(`"sequence":"%020d",`, e.seq)
	}
	return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"urn:yuanlu:terminal:%s","type":%q,"subject":%q,"time":%q,`+
		`"datacontenttype":"application/json","dataschema":%q,%s"stream":%q,"attempt":%d,"historical":false,"clocksynced":true,"data":%s}`,
		e.id, t.id, e.kind, e.subject, stamp(e.at), schema, sequence, e.stream, e.attempt, e.data)
}

// record is one record of a refund's story: records.md.
func (t *terminal) record(one *incident, kind, shown, token string, n int64, at time.Time) object {
	r := object{"link": "pos", "kind": kind, "outcome": "approved", "merchant_id": t.merchant, "terminal_id": t.number, "operator": "01",
		"channel": one.channel, "entry": "qr", "amount": one.amount, "currency": "CNY", "at": at.In(time.FixedZone("", 8*3600)).Format(time.RFC3339),
		"stan": fmt.Sprintf("%06d", n%1_000_000), "batch": fmt.Sprintf("%06d", at.YearDay()), "rrn": fmt.Sprintf("%s%03d%03d", at.Format("060102"), t.n%1000, n%1000),
		"order_no": fmt.Sprintf("O%s%08d", t.number, n), "channel_txn": "", "refund_no": "", "channel_refund": ""}
	if shown != "" {
		r["party"] = object{"scheme": "pan", "shown": shown, "token": token}
		r["entry"] = "chip"
	}
	return r
}

// rules are what a verdict went through: verdicts.md § 5.
func rules() []string {
	return []string{"RC-101 recipient_mismatch", "RC-107 payer_not_repaid", "RC-105 channel_changed", "RC-106 platform_rerouted", "RC-102 recipient_suspect",
		"RC-103 recipient_weak_match", "RC-104 recipient_unverifiable", "RC-201 no_original", "RC-202 original_ambiguous", "RC-205 original_not_refundable",
		"RC-301 over_refund", "RC-302 duplicate_refund", "data_error", "RC-303 currency_mismatch", "RC-206 other_merchant", "RC-207 out_of_window",
		"RC-405 unreferenced_refund", "RC-405 keyed_refund", "RC-604 outcome_unknown", "RC-605 refund_failed", "RC-205 void_anomaly", "RC-702 loss_open",
		"RC-703 reissue_wrong_again", "RC-702 reissue_observed", "RC-603 clock_suspect"}
}

// verdictOf is the data of a case event: the verdict as it is now.
func (t *terminal) verdictOf(one *incident, cancelled bool, at time.Time) object {
	shown, payer := fmt.Sprintf("620550*********%04d", one.n%10_000), fmt.Sprintf("620000******%04d", t.n%10_000)
	recipient, decision, severity, findings := "different", "alarm", one.state, []object{}
	through := make([]object, 0, 25)
	for i, rule := range rules() {
		result := "no_hit"
		if i == 0 && !cancelled {
			result = "hit"
		}
		through = append(through, object{"rule": rule, "result": result})
	}
	if cancelled {
		recipient, decision, severity = "none", "pass", "none"
	} else {
		findings = append(findings, object{"code": "recipient_mismatch", "rule": "RC-101", "severity": severity, "text": object{
			"en": fmt.Sprintf("Refund %06d of CNY %d.%02d goes to %s, but the sale was paid by %s. Compared on the card number; the two are different (in length).", 2*one.n, one.amount/100, one.amount%100, shown, payer),
			"zh": fmt.Sprintf("退款 %06d(CNY %d.%02d)的收款方是 %s,而原交易的付款方是 %s。按卡号比对,两者不同(长度)。", 2*one.n, one.amount/100, one.amount%100, shown, payer)}})
	}
	return object{"case_id": one.id, "severity": severity, "decision": decision,
		"verdict": object{"type": "verdict", "seq": 2 * one.n, "rev": one.rev, "kind": "refund", "recipient": recipient, "reason": "", "evidence": "strong",
			"decision": decision, "cancelled": cancelled, "original": object{"seq": 2*one.n - 1, "found_by": "rrn"}, "findings": findings},
		"explain": object{"rules": through, "would_change": []object{{"en": "If the payment account references (PAR) of both were known and equal, the recipient would be equivalent.",
			"zh": "若双方的支付账户参考号(PAR)已知且相同,则视为同一账户。"}}, "rule_set": "01f320fc0b5e", "settings": "fc033c87f7d1"},
		"refund":   t.record(one, "refund", shown, t.token(one.n), 2*one.n, one.at),
		"original": t.record(one, "sale", payer, t.token(-1-one.n%7), 2*one.n-1, one.at.Add(-19*time.Hour)),
		"evidence": t.evidence(2*one.n, at)}
}

// token is a keyed hash of an account at this terminal.
func (t *terminal) token(account int64) string {
	return fmt.Sprintf("k1:%016x%016x", uint64(account), uint64(t.n)*0x9e3779b97f4a7c15)
}

func (t *terminal) evidence(record int64, at time.Time) []object {
	return []object{{"record": record, "frame_mac": t.token(record), "received": stamp(at)}, {"record": record - 1, "frame_mac": t.token(record - 1), "received": stamp(at)}}
}

// follow is the data of a followed event: casework.md § 12.
func (t *terminal) follow(one *incident, what happening, at time.Time) object {
	word, rule, kind := "undone", "RC-701", "reversal"
	switch what {
	case settles:
		word, rule, kind = "settled", "RC-704", "settlement"
	case payerSeen:
		word, rule, kind = "payer_seen", "RC-705", "sale"
	case paidAgain:
		word, rule, kind = "refund_after", "RC-702", "refund"
	}
	text := object{"en": fmt.Sprintf("Refund %06d: %s at %s.", 2*one.n, word, stamp(at)), "zh": fmt.Sprintf("退款 %06d:%s,%s。", 2*one.n, word, stamp(at))}
	out := object{"case_id": one.id, "what": word, "rule": rule, "text": text, "evidence": t.evidence(2*one.n+1, at)}
	payer := fmt.Sprintf("620000******%04d", t.n%10_000)
	if what != paidAgain {
		shown := ""
		if what == payerSeen {
			shown = payer
		}
		out["record"] = t.record(one, kind, shown, t.token(-1-one.n%7), 2*one.n+1, at)
		return out
	}
	again := incident{n: one.n, id: idOf("after", one.id), channel: one.channel, amount: one.amount, at: at, rev: 1, state: "none"}
	after := t.verdictOf(&again, true, at)
	verdict, ok := after["verdict"].(object)
	if ok {
		verdict["recipient"], verdict["cancelled"], verdict["seq"] = "same", false, 2*one.n+1
	}
	out["refund_case"], out["severity"], out["decision"], out["verdict"] = again.id, "none", "pass", after["verdict"]
	out["refund"], out["original"] = t.record(&again, "refund", payer, t.token(-1-one.n%7), 2*one.n+1, at), after["original"]
	return out
}

// sums is the data of a tally: casework.md § 12.
func (t *terminal) sums(day int, date string) object {
	return object{"date": date, "merchant_id": t.merchant, "terminal_id": t.number, "operators": []object{
		{"operator": "01", "sales": 40 + (t.n+day)%20, "refunds": 1 + (t.n+day)%3}, {"operator": "02", "sales": 15 + (t.n*7+day)%10, "refunds": (t.n + day) % 2}}}
}
