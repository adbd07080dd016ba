package refund_test

import (
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// verdicts.md § 6 Is the journal whole?
func TestS6_Settlement(t *testing.T) {
	runScripts(t, []script{
		{"an equal one gives nothing", `
			sale amount=100
			completion amount=50
			refund amount=30 o.rrn=Z cur=CNY out=approved pan=A o.date=0822
			settlement totals=150/2/30/1`, `3 unverifiable/history_gap/ review - recipient_unverifiable:medium`},
		{"voids and completion_voids are credit", `
			sale rrn=R1 amount=100
			completion rrn=R2 amount=50
			void o.rrn=R1 amount=100
			completion_void o.rrn=R2 amount=50
			settlement totals=0/0/0/0`, `
			3 same//by_reference pass 1/rrn
			4 same//by_reference pass 2/rrn
			5 gap 150/2/150/2`},
		{"only approved, not undone, of that merchant, terminal and batch", `
			sale amount=100
			sale amount=100 out=unknown
			sale amount=100 out=declined
			sale amount=100 t=T2
			sale amount=100 m=M2
			sale amount=100 batch=000002
			sale amount=100 stan=000077
			reversal stan=000077
			preauth amount=100
			settlement totals=0/0/0/0`, `10 gap 100/1/0/0`},
		{"amount as adjusted", `
			sale amount=100 rrn=R1
			adjust amount=120 o.rrn=R1
			settlement totals=120/1/0/0`, ``},
		{"since the previous one", `
			sale amount=100
			settlement totals=100/1/0/0
			sale amount=50
			settlement totals=50/1/0/0
			settlement totals=0/0/0/0`, ``},
		{"one that was not approved is no boundary", `
			sale amount=100
			settlement totals=100/1/0/0 out=declined
			sale amount=50
			settlement totals=50/1/0/0`, `4 gap 150/2/0/0`},
		{"one without totals is a boundary", `
			sale amount=100
			settlement
			sale amount=50
			settlement totals=50/1/0/0`, ``},
		{"without a batch or totals: nothing", `
			sale amount=100 batch=
			settlement totals=5/1/0/0 batch=
			sale amount=100
			settlement`, ``},
		{"seen again it counts once, however late", `
			sale amount=100
			settlement totals=5/1/0/0
			settlement totals=5/1/0/0 stan=000002 at=08-30T12:00
			sale amount=50
			settlement totals=50/1/0/0`, `2 gap 100/1/0/0`},
		{"as known when it was first seen", `
			sale amount=100 out=unknown
			settlement totals=0/0/0/0
			sale amount=100 stan=000001`, ``},
		{"answered later: as known when it was first seen", `
			sale amount=100 out=unknown
			settlement totals=100/1/0/0 out=unknown
			sale amount=100 stan=000001
			settlement totals=100/1/0/0 stan=000002`, `2 gap 0/0/0/0`},
		{"a boundary that was answered later", `
			sale amount=100
			settlement totals=100/1/0/0 out=unknown
			sale amount=50
			settlement totals=100/1/0/0 stan=000002
			sale amount=7
			settlement totals=57/2/0/0`, ``},
		{"unusable ones are left out", `
			sale amount=100
			sale amount=100 at=
			settlement totals=100/1/0/0`, ``},
		{"a record whose batch was learned later", `
			sale amount=100 batch= rrn=R1 ch=wechat txn=X
			sale amount=50
			sale amount=100 rrn=R1 ch=wechat txn=X
			settlement totals=150/2/0/0`, ``},
	})
}

// TestS6_SettlementWithoutMemory: a store that forgets Observed still gets a line,
// from what is known now.
func TestS6_SettlementWithoutMemory(t *testing.T) {
	j := memhistory.NewJournal(newJudge())
	var last refund.Changes
	for n, line := range []string{"sale amount=100", "settlement totals=5/1/0/0 out=unknown", "settlement totals=5/1/0/0 stan=000002"} {
		t.Run(line, func(t *testing.T) {
			r := refund.Seal(parseScript(t, n+1, line), keyring{"one"})
			c, _, err := j.Add(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range c.Events {
				e.Event.Observed = nil
			}
			last = c
		})
	}
	if last.CopyOf != 2 || last.Integrity == nil || last.Integrity.Observed.DebitAmount != 100 {
		t.Fatalf("got %+v", last)
	}
	want := `{"type":"integrity","seq":2,"code":"capture_gap","rule":"RC-601","expected":{"debit_amount":5,"debit_count":1,"credit_amount":0,"credit_count":0},"observed":{"debit_amount":100,"debit_count":1,"credit_amount":0,"credit_count":0}}`
	if got := string(last.Integrity.AppendJSON(nil)); got != want || !strings.HasPrefix(got, "{") {
		t.Errorf("got %s", got)
	}
}
