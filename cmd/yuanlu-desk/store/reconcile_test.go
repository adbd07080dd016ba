package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/desktest"
)

const matchedDay = "2026-08-23"

// digest is a terminal's whole digest of a day with these refunds.
func digest(terminal, merchant, day string, rev int, refunds ...string) string {
	return fmt.Sprintf(`{"terminal":%q,"day":%q,"rev":%d,"part":1,"parts":1,"complete":true,"why":[],"totals":[{"channel":"card","merchant_id":%q,"terminal_id":"10000001","sale_count":0,"sale_amount":0,"refund_count":%d,"refund_amount":0}],"refunds":[%s],"sales":""}`,
		terminal, day, rev, merchant, len(refunds), strings.Join(refunds, ","))
}

func cardRefund(id, merchant, day, rrn, outcome string, amount int) string {
	return fmt.Sprintf(`{"id":%q,"kind":"refund","outcome":%q,"undone":false,"channel":"card","merchant_id":%q,"terminal_id":"10000001","at":"%sT12:00:00+08:00","amount":%d,"currency":"CNY","stan":"","batch":"","rrn":%q,"original":{},"recipient":"different","decision":"alarm"}`,
		id, outcome, merchant, day, amount, rrn)
}

// acquirer is an acquirer's bill; a row is "kind,time,rrn,yuan".
func acquirer(merchant, day string, rows ...string) string {
	b := "商户号,终端号,交易日期,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易单号,原交易单\n"
	for _, r := range rows {
		c := strings.Split(r+",,", ",")
		b += strings.Join([]string{merchant, "10000001", day, c[1], c[0], "", "", c[2], "", c[3], c[4], c[5]}, ",") + "\n"
	}
	return b
}

func (r *rig) imports(name, text string) {
	r.t.Helper()
	got, err := r.s.ImportBills(r.t.Context(), r.now, bills.File{Name: name, Data: []byte(text)})
	if err != nil || len(got.Bills) != 1 || !got.Bills[0].Complete {
		r.t.Fatalf("%s: %+v %v", name, got, err)
	}
}

func (r *rig) digests(lines ...string) {
	r.t.Helper()
	for _, l := range lines {
		if err := r.s.TerminalDay(r.t.Context(), r.now, []byte(l)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// matches lets all days that wait be matched, a while later.
func (r *rig) matches() (days []string) {
	r.t.Helper()
	r.now = r.now.Add(time.Minute)
	for {
		day, found, err := r.s.MatchDue(r.t.Context(), r.now)
		if err != nil {
			r.t.Fatal(err)
		}
		if !found {
			return days
		}
		days = append(days, day)
	}
}

// links are the results that the journal of a case has.
func (r *rig) links(no string) string {
	r.t.Helper()
	list, err := r.s.Journal(r.t.Context(), no, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for i := range list {
		var e casework.Event
		var l casework.Link
		if json.Unmarshal(list[i], &e) == nil && e.What == "bill_link" && json.Unmarshal(e.Data, &l) == nil {
			out = append(out, fmt.Sprintf("%s/%s/%s/%d", l.Result, l.Transition, l.Fact, l.Amount))
		}
	}
	return strings.Join(out, " ")
}

// TestLinksOfADay: what bills and terminals show of a day becomes links in the cases, whichever came first, and cases only
// where bills.md § 7 has them; a day that did not change says nothing.
func TestLinksOfADay(t *testing.T) {
	both(t, func(r *rig) {
		one := desktest.CaseID(1)
		r.digests(digest("t-1", "M1", "2026-08-22", 1), digest("t-1", "M1", "2026-08-24", 1),
			digest("t-1", "M1", matchedDay, 1, cardRefund(one, "M1", matchedDay, "000000000001", "approved", 35000), cardRefund("quiet", "M1", matchedDay, "000000000002", "approved", 100),
				cardRefund("refused", "M1", matchedDay, "000000000003", "declined", 700)))
		if days := r.matches(); strings.Join(days, " ") != "2026-08-21 2026-08-22 2026-08-23 2026-08-24 2026-08-25" {
			t.Errorf("matched %v", days)
		}
		bill := acquirer("B1", matchedDay, "退货,12:00:01,1,-350.00,X1", "退货,12:00:02,2,-1.00", "退货,12:30:00,3,-7.00", "退货,15:00:00,9,-9.00")
		r.imports("bill.csv", bill)
		r.imports("next.csv", acquirer("B1", "2026-08-24", "消费,12:00:01,100,1.00"))
		if days := r.matches(); len(days) != 0 {
			t.Errorf("a bill leaves nothing waiting: %v", days)
		}
		// What moved behind a refusal, and what no terminal reported, are cases; the two good ones are none.
		r.want("behind a refusal", r.links(caseOne), "status_differs/T16//700")
		r.want("unseen", r.links("C-2026-000002"), "missing_on_terminal///900")
		if list, err := r.s.Journal(t.Context(), "C-2026-000003", 0); err != nil || len(list) != 0 {
			t.Errorf("%v %v", list, err)
		}
		// A case that comes later has the links of what was matched before.
		r.take(c(desktest.Case{Seq: 1}))
		if days := r.matches(); strings.Join(days, " ") != matchedDay {
			t.Errorf("matched %v", days)
		}
		r.want("came later", r.links("C-2026-000003"), "confirmed///35000")
		// Money back days later names its refund by the acquirer's number of it.
		r.now = r.now.Add(time.Hour)
		r.imports("late.csv", acquirer("B1", "2026-08-30", "差错贷记调整,12:00:01,77,350.00,X9,X1"))
		r.want("money back", r.links("C-2026-000003"), "confirmed///35000 recovered/R3/received/35000")
		r.imports("late.csv", acquirer("B1", "2026-08-30", "差错贷记调整,12:00:01,77,350.00,X9,X1"))
		r.digests(digest("t-1", "M1", "2026-08-24", 2))
		r.matches()
		r.want("again", r.links("C-2026-000003"), "confirmed///35000 recovered/R3/received/35000")
		before := r.shown(r.s, "C-2026-000003")
		r.s.Close()
		r.open()
		r.want("started again", r.shown(r.s, "C-2026-000003"), before)
	})
}

// TestAccounts: a merchant's bill shows nothing of another merchant's refunds (bills.md § 7).
func TestAccounts(t *testing.T) {
	both(t, func(r *rig) {
		r.s.SetAccounts(map[string]string{"B1": "M1", "B2": "M2"})
		for _, day := range []string{"2026-08-22", matchedDay, "2026-08-24"} {
			r.digests(digest("t-1", "M1", day, 1), digest("t-2", "M2", day, 1, cardRefund("of-"+day, "M2", day, "000000000005", "approved", 35000)))
		}
		r.imports("a.csv", acquirer("B1", matchedDay, "退货,12:00:00,5,-350.00"))
		r.imports("b.csv", acquirer("B1", "2026-08-24", "消费,12:00:00,7,3.00"))
		r.imports("c.csv", acquirer("stranger", matchedDay, "退货,12:00:00,5,-350.00"))
		results, totals, err := r.s.Day(t.Context(), matchedDay)
		if err != nil || len(totals) != 1 || totals[0].Agree != "unknown" || totals[0].Bill.RefundCount != 1 {
			t.Fatalf("%+v %v", totals, err)
		}
		var got []string
		for _, v := range results {
			got = append(got, fmt.Sprintf("%s %s %s %t", v.Result, v.Refund, v.Terminal, v.Certain))
		}
		r.want("the day", strings.Join(got, ", "), "no_bill of-2026-08-23 t-2 false, missing_on_terminal  t-1 true")
	})
}
