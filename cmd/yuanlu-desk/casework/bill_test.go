package casework

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const billSum = "00000000000000000000000000000000000000000000000000000000000000aa"

// row is the name of the n-th row.
func row0(n int) string { return fmt.Sprintf("%032x", n) }

// billLine is a line of a bill; each change is a member that is set: "bill.refund=R1", "refund.outcome=declined".
func billLine(at, result string, changes ...string) string {
	line := map[string]any{"bill": map[string]any{"result": result, "key": "", "refund": refundA, "row": row0(1), "bill": billSum, "line": 4, "amount": 35000, "bill_status": "success",
		"settled_at": "", "certain": true, "transition": "", "fact": ""}}
	for _, change := range changes {
		path, text, _ := strings.Cut(change, "=")
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			v = text
		}
		place, name, inside := strings.Cut(path, ".")
		if !inside {
			line[place] = v
			continue
		}
		if line[place] == nil {
			line[place] = map[string]any{"kind": "refund", "outcome": "approved", "merchant_id": "M1", "terminal_id": "T1", "channel": "wechat", "amount": 35000, "currency": "CNY", "at": "2026-08-24T12:00:00+08:00"}
		}
		line[place].(map[string]any)[name] = v
	}
	return "@" + at + " " + strings.TrimSuffix(string(encode(line))[1:], "}")
}

// links are the links of a case: result, transition, fact.
func links(a Answer) string {
	var out []string
	for _, e := range a.Events {
		var l Link
		if e.What != "bill_link" {
			out = append(out, e.What)
		} else if json.Unmarshal(e.Data, &l) == nil {
			out = append(out, strings.TrimRight(l.Result+"/"+l.Transition+"/"+l.Fact, "/"))
		}
	}
	return strings.Join(out, " ")
}

func (b *bench) bill(want, at, result string, changes ...string) Answer {
	b.t.Helper()
	a := b.ok("%s", billLine(at, result, changes...))
	if got := links(a); got != want {
		b.t.Errorf("%s %v: %q, want %q", result, changes, got, want)
	}
	return a
}

// TestLinksOfAWrongRefund: of what a bill shows only money that came back is a fact (bills.md § 7).
func TestLinksOfAWrongRefund(t *testing.T) {
	t.Run("money back in two rows, each once", func(t *testing.T) {
		b := found0(t)
		b.do("09:20", "ann", `propose "commands":[{"do":"reissue","amount":35000,"way":"original","number":"N1"}],"text":"x"`)
		b.bill("recovered/R5/received lapsed", "10:00", linkRecovered, "bill.amount=15000")
		b.bill("", "10:00", linkRecovered, "bill.amount=15000")
		if v := b.see(one); v.Recovery.Recovered != 15000 || v.Recovery.State != trackToRequest || v.Proposal != nil {
			t.Errorf("%+v", v.Recovery)
		}
		b.bill("recovered/R3/received", "10:01", linkRecovered, "bill.amount=20000", "bill.row="+row0(2))
		if v := b.see(one); v.Recovery.State != trackRecovered {
			t.Errorf("%+v", v.Recovery)
		}
		// The terminal sees it too: it is the same money.
		b.report("10:02", "2", typeCleared, refundA, "data.verdict.cancelled=true", "data.decision=pass")
		if v := b.see(one); v.Recovery.Recovered != 35000 {
			t.Errorf("%+v", v.Recovery)
		}
	})
	t.Run("before it was found, it counts once it is", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA)
		b.report("09:01", "2", typeOpened, refundB) // of the same sale
		b.bill("recovered/R3/received", "09:02", linkRecovered)
		b.do("09:10", "ann", `propose "commands":[{"do":"finding","wrong":["`+refundB+`"],"owed":35000}],"text":"wrong"`)
		b.do("09:11", "chen", fmt.Sprintf(`approve "proposal":%d`, b.see(one).Proposal.Seq))
		if v := b.see(one); v.Recovery.Recovered != 0 { // what came back is of the other one
			t.Errorf("%+v", v.Recovery)
		}
		b.do("09:12", "ann", `propose "commands":[{"do":"finding","wrong":["`+refundA+`","`+refundB+`"],"owed":35000}],"text":"wrong"`)
		b.do("09:13", "chen", fmt.Sprintf(`approve "proposal":%d`, b.see(one).Proposal.Seq))
		if v := b.see(one); v.Recovery.Recovered != 35000 || v.Recovery.State != trackToRequest {
			t.Errorf("%+v", v.Recovery)
		}
	})
	t.Run("what a person recorded may be the same money", func(t *testing.T) {
		b := found0(t)
		b.do("09:20", "ann", `file "name":"a.png","type":"image/png","size":1,"sha256":"`+billSum+`","kind":"statement"`)
		b.do("09:21", "ann", fmt.Sprintf(`received "amount":15000,"file":%d`, b.see(one).Version))
		b.bill("recovered/R3", "10:00", linkRecovered)
		if v := b.see(one); v.Recovery.Recovered != 15000 {
			t.Errorf("%+v", v.Recovery)
		}
	})
	b := found0(t)
	for i, c := range []struct{ want, result, change string }{
		{"confirmed", linkConfirmed, "bill.key=rrn"}, {"status_differs/R14", linkStatus, "bill.bill_status=failed"}, {"status_differs/T16", linkStatus, "bill.bill_status=success"},
		{"amount_differs", linkAmount, "bill.amount=1"}, {"rerouted", linkRerouted, "bill.key=stan"}, {"missing_on_bill/R14", linkMissingBill, "bill.amount=0"},
		{"ambiguous", linkAmbiguous, "bill.certain=false"}, {"recovered/R3", linkRecovered, "bill.certain=false"},
	} {
		b.bill(c.want, "10:00", c.result, c.change, "bill.row="+row0(10+i))
	}
	if v := b.see(one); v.Recovery.State != trackToRequest || v.Recovery.Recovered != 0 {
		t.Errorf("%+v", v.Recovery)
	}
	b.bill("missing_on_bill/R14", "10:01", linkMissingBill, "bill.row=", "bill.bill=")
	b.bill("", "10:01", linkMissingBill, "bill.row=", "bill.bill=")
	b.refused(BadInput, "%s", billLine("10:02", "no_bill"))
	b.refused(BadInput, "%s", billLine("10:02", linkConfirmed, "bill.row=4"))
	b.refused(BadInput, "%s", billLine("10:02", linkConfirmed, "bill.name=x"))
	b.refused(BadInput, "%s", billLine("10:02", linkConfirmed, "refund=x"))
}

// TestLinksOfAReissue: what pays the payer is settled or has failed as a certain row shows it.
func TestLinksOfAReissue(t *testing.T) {
	const portal, number = "bill.refund=", "refund.refund_no=N1"
	approved := func(t *testing.T) *bench {
		b := found0(t)
		b.do("09:20", "ann", `propose "commands":[{"do":"reissue","amount":35000,"way":"original","number":"N1"}],"text":"x"`)
		b.do("09:21", "chen", fmt.Sprintf(`approve "proposal":%d`, b.see(one).Proposal.Seq))
		return b
	}
	t.Run("made in a portal under the approved number", func(t *testing.T) {
		b := approved(t)
		b.bill("missing_on_terminal/M3/sent", "10:00", linkMissingRefund, portal, number, "bill.bill_status=processing")
		if v := b.see(one); v.Payer.State != trackSent || v.Payer.Paid != 35000 {
			t.Errorf("%+v", v.Payer)
		}
		b.bill("confirmed/M4/settled", "10:01", linkMissingRefund, portal, number)
		if v := b.see(one); v.Payer.State != trackSettled {
			t.Errorf("%+v", v.Payer)
		}
		b.bill("recovered/M5/failed", "10:02", linkRecovered, portal, number)
		if v := b.see(one); v.Payer.State != trackToPay || v.Payer.Paid != 0 {
			t.Errorf("%+v", v.Payer)
		}
	})
	t.Run("recorded as sent before", func(t *testing.T) {
		b := approved(t)
		b.do("09:30", "ann", `sent "amount":35000,"number":"N1"`)
		b.bill("missing_on_terminal/M3 confirmed/M4/settled", "10:00", linkMissingRefund, portal, number)
		if v := b.see(one); v.Payer.State != trackSettled || v.Payer.Paid != 35000 {
			t.Errorf("%+v", v.Payer)
		}
	})
	t.Run("not as approved is advice", func(t *testing.T) {
		b := approved(t)
		b.bill("missing_on_terminal/M3", "10:00", linkMissingRefund, portal, number, "bill.amount=34000")
		b.bill("missing_on_terminal/M3", "10:00", linkMissingRefund, portal, number, "bill.certain=false", "bill.row="+row0(2))
		if v := b.see(one); v.Payer.Paid != 0 {
			t.Errorf("%+v", v.Payer)
		}
		// Another merchant's number is another's.
		b.bill("opened reported missing_on_terminal", "10:00", linkMissingRefund, portal, number, "refund.merchant_id=M3", "bill.row="+row0(3))
	})
	t.Run("of the same sale, later, where no number was approved", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA, "data.original.channel_txn=T1", "data.original.channel=wechat")
		sale := []string{portal, "original.channel_txn=T1", "bill.row=" + row0(5)}
		b.bill("missing_on_terminal/M3", "09:10", linkMissingRefund, append(sale, "refund.refund_no=P1")...)
		// One that was made before pays for nothing.
		b.bill("opened reported suggested missing_on_terminal", "09:10", linkMissingRefund, append(sale, "bill.row="+row0(6), "refund.at=2026-08-24T08:00:00+08:00")...)
	})
	t.Run("seen by the terminal", func(t *testing.T) {
		b := found0(t)
		b.report("09:30", "2", typeFollowed, refundA, "data.what=refund_after", "data.refund_case="+refundB, "data.verdict.recipient=same")
		if v := b.see(one); v.Payer.State != trackSent {
			t.Fatalf("%+v", v.Payer)
		}
		of := "bill.refund=" + refundB
		b.bill("", "10:00", linkConfirmed, of, "bill.bill_status=processing")
		b.bill("confirmed/M4/settled", "10:01", linkConfirmed, of)
		if v := b.see(one); v.Payer.State != trackSettled {
			t.Errorf("%+v", v.Payer)
		}
		b.bill("recovered/M5/failed", "10:02", linkRecovered, of)
		if v := b.see(one); v.Payer.State != trackToPay {
			t.Errorf("%+v", v.Payer)
		}
		b.bill("amount_differs/M5", "10:03", linkAmount, of)
		b.bill("missing_on_bill/T16", "10:03", linkMissingBill, of, "bill.row=")
		b.bill("rerouted", "10:03", linkRerouted, of)
	})
	t.Run("declined at the terminal, and moved all the same", func(t *testing.T) {
		b := found0(t)
		b.report("09:30", "2", typeFollowed, refundA, "data.what=refund_after", "data.refund_case="+refundB, "data.verdict.recipient=same", "data.refund.outcome=declined")
		b.bill("status_differs/M4/settled advised", "10:00", linkStatus, "bill.refund="+refundB)
		if v := b.see(one); v.Payer.State != trackSettled {
			t.Errorf("%+v", v.Payer)
		}
	})
}

// TestLinksThatOpen: a refund in no case opens one only where bills.md § 7 has it, once; a closed case gets advice.
func TestLinksThatOpen(t *testing.T) {
	with := []string{"bill.refund=" + refundB, "refund.rrn=R7"}
	for _, c := range []struct{ code, result, change string }{
		{"bill_status_differs", linkStatus, "refund.outcome=declined"}, {"", linkStatus, "bill.bill_status=closed"}, {"bill_amount_differs", linkAmount, "bill.amount=1"},
		{"bill_rerouted", linkRerouted, "bill.key=stan"}, {"refund_unseen", linkMissingRefund, "bill.refund="},
	} {
		b := newBench(t)
		got := b.ok("%s", billLine("10:00", c.result, append(with, c.change)...))
		code := ""
		if v := b.cases[one]; v != nil {
			code = b.see(one).Refunds[0].Codes[0]
		}
		if want := map[bool]string{true: "opened reported " + c.result}[c.code != ""]; !strings.HasPrefix(links(got), want) || (want == "") != (links(got) == "") || code != c.code {
			t.Errorf("%+v: %q of %q", c, links(got), code)
		}
		b.bill("", "10:01", c.result, append(with, c.change)...)
	}
	b := newBench(t)
	for _, c := range [][]string{{linkConfirmed}, {linkRecovered}, {linkMissingBill}, {linkAmbiguous}, {linkMissingRefund, "bill.certain=false"}, {linkStatus, "bill.bill_status=success"}} {
		b.bill("", "10:00", c[0], slices.Concat(with, c[1:])...)
	}
	b.bill("", "10:00", linkMissingRefund, "bill.refund=") // nothing is stated of it
	b.bill("opened reported missing_on_terminal", "10:00", linkMissingRefund, "bill.refund=", "refund.rrn=R7", "original.channel_txn=T1", "terminal=t-1")
	v := b.see(one)
	if r := v.Refunds[0]; v.Severity != "high" || r.ID != "B-"+row0(1) || r.Recipient != "unverifiable" || r.Codes[0] != "refund_unseen" || r.Amount != 35000 || v.Stores[0] != "s1" {
		t.Errorf("%+v", v)
	}
	// The terminal sent it late after all: the record is linked there.
	b.bill("confirmed", "11:00", linkConfirmed, "bill.refund="+refundB, "refund.rrn=R7")
	b.do("11:10", "ann", `propose "commands":[{"do":"close","outcome":"record_error"}],"text":"a test"`)
	b.do("11:11", "chen", fmt.Sprintf(`approve "proposal":%d`, b.see(one).Proposal.Seq))
	b.bill("recovered/T19 advised", "12:00", linkRecovered, "bill.refund="+refundB, "bill.row="+row0(1))
	if v := b.see(one); v.State != stateClosed || !slices.Contains(v.Advice, "reopen/late_event") {
		t.Errorf("%+v", v)
	}
}

// TestLinksAreKept: journals with links make the same desk again.
func TestLinksAreKept(t *testing.T) {
	var journal [][]byte
	keep := func(a Answer) {
		for i := range a.Events {
			journal = append(journal, a.Events[i].Bytes())
		}
	}
	b := newBench(t)
	keep(b.report("09:00", "1", typeOpened, refundA))
	keep(b.do("09:10", "ann", `propose "commands":[{"do":"finding","wrong":["`+refundA+`"],"owed":35000}],"text":"wrong"`))
	keep(b.do("09:10", "chen", `approve "proposal":4`))
	keep(b.do("09:20", "ann", `propose "commands":[{"do":"reissue","amount":35000,"way":"original","number":"N1"}],"text":"x"`))
	keep(b.do("09:21", "chen", fmt.Sprintf(`approve "proposal":%d`, b.see(one).Proposal.Seq)))
	keep(b.bill("recovered/R3/received", "10:00", linkRecovered))
	keep(b.bill("missing_on_terminal/M3/sent confirmed/M4/settled", "10:00", linkMissingRefund, "bill.refund=", "refund.refund_no=N1", "bill.row="+row0(2)))
	again := newBench(t)
	for _, text := range journal {
		if err := again.Apply(text); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(encode(again.see(one))), string(encode(b.see(one))); got != want || b.see(one).Payer.State != trackSettled || b.see(one).Recovery.State != trackRecovered {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
