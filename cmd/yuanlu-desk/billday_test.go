package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
)

// billed is a journal of days that lie behind now: a card sale, a refund of it to another card, and a day later the
// same refund made again to the payer.
func billed(now time.Time) (lines, days []string) {
	at := func(back int, clock string) (day, full string) {
		day = now.AddDate(0, 0, -back).Format(time.DateOnly)
		return day, day + "T" + clock + "+08:00"
	}
	sold, soldAt := at(4, "10:15:30")
	wrong, wrongAt := at(3, "12:00:00")
	again, againAt := at(2, "12:05:00")
	const head = `{"v":1,"kind":%q,"outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"01","channel":"card","entry":"swipe","amount":%d,"currency":"CNY","at":%q,"stan":%q,"batch":"000008","rrn":%q,%s"party":{"scheme":"pan","id":%q}}`
	original := `"original":{"rrn":"111111111111","date":"` + strings.ReplaceAll(sold[5:], "-", "") + `"},`
	return []string{
		fmt.Sprintf(head, "sale", 1000, soldAt, "000101", "111111111111", "", "6200000000000005"),
		fmt.Sprintf(head, "refund", 350, wrongAt, "000102", "222222222222", original, "6205500000000000004"),
		fmt.Sprintf(head, "refund", 350, againAt, "000103", "333333333333", original, "6200000000000005"),
	}, []string{sold, wrong, again, now.AddDate(0, 0, -1).Format(time.DateOnly)}
}

// acquirerBill is a bill of one day; a row is "kind,rrn,yuan,number,original number".
func acquirerBill(day string, rows ...string) string {
	text := "商户号,终端号,交易日期,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易单号,原交易单\n"
	for _, r := range rows {
		c := strings.Split(r, ",")
		text += strings.Join([]string{"B1", "10000001", day, "12:06:00", c[0], "", "", c[1], "", c[2], c[3], c[4]}, ",") + "\n"
	}
	return text
}

// upload imports a bill as a person does on the page.
func (c *clerk) upload(t *testing.T, name, text string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.desks.get()+"/v1/work/bills?name="+name, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/octet-stream")
	q.Header.Set("Cookie", c.cookie)
	q.Header.Set("X-CSRF-Token", c.csrf)
	rsp, err := c.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	body, err := io.ReadAll(rsp.Body)
	if err != nil || rsp.StatusCode != http.StatusOK || strings.Contains(string(body), `"refused":["`) {
		t.Fatalf("%s: %d %s %v", name, rsp.StatusCode, body, err)
	}
}

// TestE2EBillsCloseTracks: a wrong refund is worked by two people. The acquirer's bills then show that it came back, and
// that the payer was paid again: both tracks end by that, and two people close the case. The terminal's days come by
// themselves.
func TestE2EBillsCloseTracks(t *testing.T) {
	dir := t.TempDir()
	lines, days := billed(time.Now().In(time.FixedZone("", 8*3600)))
	seedStore(t, filepath.Join(dir, "store"), lines)
	broker := brokertest.Start(t, brokertest.Options{})
	config := filepath.Join(dir, "yuanlu.toml")
	text := fmt.Sprintf("[terminal]\nid = \"t-1\"\n[store]\ndir = %q\n[[link]]\nname = \"pos\"\nwire = \"smart\"\nport = %q\n[mqtt]\nurl = %q\nallow_plaintext = true\n[time]\ntrust = \"always\"\n[backoffice]\nhost = \"desk\"\n",
		filepath.Join(dir, "store"), filepath.Join(dir, "absent"), broker.URL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	place, desks := filepath.Join(dir, "desk.db"), &address{}
	clerks := hiredClerks(t, place, desks, "supervisor-1", "checker-1")
	ann, chen := clerks[0], clerks[1]
	desk := newDesk(t, "--broker", broker.URL(), "--allow-plaintext", "--store", place)
	desk.startDesk()
	desks.set(desk.api)
	agent := newProcess(t, func() *exec.Cmd {
		cmd := exec.Command(binary(t, "yuanlu"), "run", "--config", config)
		cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
		return cmd
	})
	agent.start()
	no := fmt.Sprintf("C-%d-000001", time.Now().UTC().Add(8*time.Hour).Year())
	desktest.Eventually(t, time.Minute, "both refunds in the case", func() bool { return len(ann.shown(t, no).Refunds) == 2 })
	for _, day := range days[1:] {
		desktest.Eventually(t, time.Minute, "the digest of "+day, func() bool {
			out, err := exec.Command("sqlite3", "-readonly", place, `SELECT count(*) FROM terminal_day WHERE day = '`+day+`'`).CombinedOutput()
			return err == nil && strings.TrimSpace(string(out)) != "0"
		})
	}
	type whole struct {
		Case struct {
			State, Outcome  string
			Recovery, Payer struct{ State string }
			Version         int64
			Proposal        *struct{ Seq int64 }
			Refunds         []struct{ ID, Role string }
		}
	}
	look := func() (w whole) {
		ann.read(t, "/v1/work/cases/"+no, &w)
		return w
	}
	n := 0
	order := func(c *clerk, do, members string) {
		t.Helper()
		n++
		if _, err := c.do(t.Context(), fmt.Sprint("k", n), do, fmt.Sprintf(`{"case":%q,"expect":%d%s}`, no, look().Case.Version, members)); err != nil {
			t.Fatal(err)
		}
	}
	both := func(commands string) {
		t.Helper()
		order(ann, "propose", `,"commands":[`+commands+`],"text":"x"`)
		order(chen, "approve", fmt.Sprintf(`,"proposal":%d`, look().Case.Proposal.Seq))
	}
	order(ann, "claim", "")
	both(fmt.Sprintf(`{"do":"finding","wrong":[%q],"owed":350},{"do":"request","route":"acquirer","ref":"AQ1"}`, look().Case.Refunds[0].ID))
	ann.upload(t, "one.csv", acquirerBill(days[1], "退货,222222222222,-3.50,X1,"))
	ann.upload(t, "two.csv", acquirerBill(days[2], "退货,333333333333,-3.50,X2,"))
	ann.upload(t, "three.csv", acquirerBill(days[3], "差错贷记调整,444444444444,3.50,X9,X1"))
	desktest.Eventually(t, time.Minute, "both tracks ended by the bills", func() bool {
		w := look()
		return w.Case.Recovery.State == "recovered" && w.Case.Payer.State == "settled"
	})
	order(ann, "contact", `,"party":"payer","direction":"out","channel":"phone","number":"138****2210","on_file":true,"result":"confirmed","text":"The money has arrived."`)
	both(`{"do":"close","outcome":"wrong"}`)
	if w := look(); w.Case.State != "closed" || w.Case.Outcome != "recovered_reissued" {
		t.Errorf("%+v", w)
	}
	// No person recorded that money had come or gone: the bills did, three rows of them.
	if journal := strings.Join(ann.journal(t, no), " "); strings.Count(journal, "bill_link") != 3 || strings.Contains(journal, "received") || !strings.HasSuffix(journal, "closed") {
		t.Error(journal)
	}
	if code := agent.stop(); code != exitOK {
		t.Errorf("the agent ended with %d", code)
	}
}
