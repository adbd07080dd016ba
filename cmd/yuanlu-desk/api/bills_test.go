package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

// TestBillsByAPI: a file is imported by its bytes under its name, once, and the day has the
// lines of the batch interface; without a token nothing is.
func TestBillsByAPI(t *testing.T) {
	r := described(t)
	dir := filepath.Join("..", "bills", "testdata", "shared", "m01-one-of-each-result")
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := r.s.TerminalDay(t.Context(), time.Now(), []byte(text("days.jsonl"))); err != nil {
		t.Fatal(err)
	}
	for _, known := range []bool{false, true} {
		rsp, body := r.ask("POST", "/v1/bills?name=..%2Fbill.csv", text("bill.csv"))
		var got store.Imported
		if err := json.Unmarshal(body, &got); err != nil || rsp.StatusCode != http.StatusOK || len(got.Bills) != 1 || got.Bills[0].Known != known || got.Bills[0].File != "bill.csv" || !got.Bills[0].Complete {
			t.Fatalf("%s %s", rsp.Status, body)
		}
	}
	if rsp, body := r.ask("GET", "/v1/days/2026-08-23", ""); string(body) != text("want.jsonl") {
		t.Errorf("%s\n%s", rsp.Status, body)
	}
	open := newRig(t, "")
	rsp, err := http.Post(open.server.URL+"/v1/bills", "application/octet-stream", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	rsp.Body.Close()
	if rsp.StatusCode != http.StatusForbidden {
		t.Errorf("without a token: %s", rsp.Status)
	}
}

// TestPeopleImportBills: who sees all stores and has a role for it imports a file of more than a command's size, and gets
// the places of what was refused; no other person does, and no page from elsewhere.
func TestPeopleImportBills(t *testing.T) { offices(t, checkPeopleImportBills) }

func checkPeopleImportBills(t *testing.T, o *office) {
	o.hire("fin", "finance", "*")
	o.hire("li", "manager", "s1")
	o.hire("aud", "auditor", "*")
	const path, kind = "/v1/work/bills?name=..%2Facquirer.csv", "Content-Type: application/octet-stream"
	bill := "商户号,终端号,交易日期,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易单号,原交易单\n"
	for n := range 1000 {
		bill += fmt.Sprintf("898000000000001,10000001,2026-08-23,12:00:00,退货,,,%012d,,3.50,,\n", n+1)
	}
	bill += "898000000000001,10000001,2026-08-23,12:00:00,退货,,,000000009999,,secret,,\n"
	fin := o.enter("fin")
	o.want(nil, 401, "login", "POST", path, bill, kind)
	o.want(&worker{o, fin.cookie, "wrong"}, 403, "csrf", "POST", path, bill, kind)
	o.want(fin, 403, "", "POST", path, bill, kind, "Sec-Fetch-Site: cross-site")
	o.want(o.enter("li"), 403, "not_allowed", "POST", path, bill, kind)
	o.want(o.enter("aud"), 403, "not_allowed", "POST", path, bill, kind)
	for _, known := range []string{`"known":false`, `"known":true`} {
		text := o.want(fin, 200, known, "POST", path, bill, kind)
		if !strings.Contains(text, `"entries":1000`) || !strings.Contains(text, `"refused_at":["acquirer.csv:1002:10: amount"]`) || strings.Contains(text, "secret") {
			t.Error(text)
		}
	}
	o.want(fin, 200, `"refused":["acquirer.csv:0:0: unknown_format"]`, "POST", path, "no bill", kind)
}
