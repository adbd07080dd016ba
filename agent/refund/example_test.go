package refund_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/rules"
)

// oneKey is a Tokenizer with one key that is the same for ever; the ledger's are renewed.
type oneKey string

// Tokens implements refund.Tokenizer.
func (k oneKey) Tokens(label, clear string) []string {
	h := hmac.New(sha256.New, []byte(k))
	_, _ = fmt.Fprintf(h, "%d:%s%s", len(label), label, clear)
	return []string{"k1:" + hex.EncodeToString(h.Sum(nil)[:16])}
}

// A journal of two records, one a line: the refund goes to another card than the sale
// was paid with.
func Example() {
	journal := memhistory.NewJournal(refund.NewJudge(refund.DefaultSettings(), rules.All()))
	for _, line := range []string{
		`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000234","rrn":"260822000101","party":{"scheme":"pan","id":"6200000111122227"}}`,
		`{"v":1,"kind":"refund","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000102","batch":"000235","rrn":"260823000102","original":{"date":"0822","rrn":"260822000101"},"party":{"scheme":"pan","id":"6205500770011223346"}}`,
	} {
		r, err := refund.ParseRecord([]byte(line), refund.Reject)
		if err != nil {
			fmt.Println(err)
			return
		}
		changes, _, err := journal.Add(refund.Seal(r, oneKey("for this example only")))
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, c := range changes.Verdicts {
			fmt.Println(c.Verdict.Kind, c.Verdict.Recipient, c.Verdict.Decision, c.Verdict.Findings[0].Text.EN)
		}
	}
	// Output:
	// refund different alarm Refund 260823000102 of CNY 3.50 goes to 620550*********3346, but sale 260822000101 was paid by 620000******2227. Compared on the card number; the two are different (in length).
}
