package page_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/casework"
)

// reconciled has a day of which a bill shows three refunds: one that its terminal reported, one of another amount, and one
// that no terminal reported; and one of them in a row that is not read.
func reconciled(o *office) {
	o.t.Helper()
	const day = "2026-08-22"
	refund := func(id, rrn string, amount int) string {
		return fmt.Sprintf(`{"id":%q,"kind":"refund","outcome":"approved","undone":false,"channel":"card","merchant_id":"898000000000001","terminal_id":"10000001","at":"%sT12:00:00+08:00","amount":%d,"currency":"CNY","stan":"","batch":"","rrn":%q,"original":{},"recipient":"same","decision":"pass"}`, id, day, amount, rrn)
	}
	digest := fmt.Sprintf(`{"terminal":"t-1","day":%q,"rev":1,"part":1,"parts":1,"complete":true,"why":[],"totals":[{"channel":"card","merchant_id":"898000000000001","terminal_id":"10000001","sale_count":0,"sale_amount":0,"refund_count":2,"refund_amount":850}],"refunds":[%s,%s],"sales":""}`,
		day, refund("ID-1", "111111111111", 350), refund("ID-2", "222222222222", 500))
	if err := o.s.TerminalDay(o.t.Context(), o.now, []byte(digest)); err != nil {
		o.t.Fatal(err)
	}
	bill := "商户号,终端号,交易日期,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易单号,原交易单\n"
	for _, r := range []string{"111111111111,3.50", "222222222222,6.00", "333333333333,1200.00", "444444444444,abc"} {
		rrn, amount, _ := strings.Cut(r, ",")
		bill += "898000000000001,10000001," + day + ",12:00:00,退货,,," + rrn + ",," + amount + ",,\n"
	}
	if _, err := o.s.ImportBills(o.t.Context(), o.now, bills.File{Name: "=cmd.csv", Data: []byte(bill)}); err != nil {
		o.t.Fatal(err)
	}
	for {
		o.now = o.now.Add(time.Minute)
		if _, found, err := o.s.MatchDue(o.t.Context(), o.now); err != nil {
			o.t.Fatal(err)
		} else if !found {
			return
		}
	}
}

// TestDays: a month as a grid, a day's lines with their cases, a bill's refusals, and the day for a spreadsheet; only for who
// sees all stores.
func TestDays(t *testing.T) {
	o := newOffice(t, "s1")
	manager := o.hire("ann", "Ann", "manager")
	reconciled(o)
	for lang, want := range map[string][]string{
		"en": {"Days and bills", `class="agree unknown">unknown<`, "reported by no terminal", "=cmd.csv:5:", "1,209.50", "8.50"},
		"zh": {"按日对账", `class="agree unknown">未知<`, "终端没有上报", "=cmd.csv:5:"},
	} {
		rsp, body := o.get(manager, "/days?month=2026-08", "Accept-Language", lang)
		for _, one := range want {
			if rsp.StatusCode != http.StatusOK || !strings.Contains(body, one) {
				t.Errorf("%s %d: no %q in\n%s", lang, rsp.StatusCode, one, body)
			}
		}
	}
	// Who only looks is offered no import.
	for role, offered := range map[string]bool{"manager": true, "analyst": true, "supervisor": true, "finance": true, "checker": false, "auditor": false} {
		rsp, body := o.get(o.hire("i-"+role, role, role), "/days")
		if rsp.StatusCode != http.StatusOK || strings.Contains(body, `id="form-bill"`) != offered {
			t.Errorf("%s: %s, import offered: %t", role, rsp.Status, !offered)
		}
	}
	_, body := o.get(manager, "/day/2026-08-22")
	if strings.Count(body, `href="/case/C-2026-`) != 2 || strings.Contains(body, "ID-1") {
		t.Error(body)
	}
	rsp, text := o.get(manager, "/day/2026-08-22/csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 4 || !strings.HasPrefix(text, "\ufeffday,result") || rsp.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%v %q", err, rows)
	}
	got := ""
	for _, r := range rows[1:] {
		got += fmt.Sprintln(r[1], r[2], r[4], r[5], r[15])
	}
	if got != "confirmed true 3.50 3.50 \namount_differs true 5.00 6.00 C-2026-000002\nmissing_on_terminal true 0.00 1200.00 C-2026-000001\n" &&
		got != "confirmed true 3.50 3.50 \namount_differs true 5.00 6.00 C-2026-000001\nmissing_on_terminal true 0.00 1200.00 C-2026-000002\n" {
		t.Error(got)
	}
	for path, status := range map[string]int{"/days": 200, "/days?month=x": 200, "/day/2026-01-01": 200, "/day/x": 404, "/day/2026-13-01": 404, "/day/x/csv": 404} {
		if rsp, _ := o.get(manager, path); rsp.StatusCode != status {
			t.Errorf("%s: %d", path, rsp.StatusCode)
		}
	}
	// Who sees one store, and who works at the till, see no day: it has all stores.
	for id, person := range map[string]casework.Person{"li": {Roles: []string{"manager"}, Stores: []string{"s1"}}, "bo": {Roles: []string{"cashier"}, Stores: []string{"*"}}} {
		person.ID, person.Staff, person.Operators, person.Active = id, id, []casework.Operator{}, true
		b, err := json.Marshal(person)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.s.Hire(t.Context(), o.now, b); err != nil {
			t.Fatal(err)
		}
		cookie := o.begin(id)
		for _, path := range []string{"/days", "/day/2026-08-22", "/day/2026-08-22/csv"} {
			if rsp, body := o.get(cookie, path); rsp.StatusCode != http.StatusForbidden || strings.Contains(body, "1200") {
				t.Errorf("%s %s: %d", id, path, rsp.StatusCode)
			}
		}
		if _, body := o.get(cookie, "/"); strings.Contains(body, `href="/days"`) {
			t.Errorf("%s is offered the days", id)
		}
	}
}
