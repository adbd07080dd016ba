package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// canaries are identifiers in clear that may stand nowhere: of the payer, of the one who would
// get the money, and of the customer at the counter.
var canaries = map[refund.Scheme][3]string{
	refund.SchemePAN:           {"6200000000000112", "6200000000000229", "6200000000000336"},
	refund.SchemeDPAN:          {"6200000000000443", "6200000000000559", "6200000000000666"},
	refund.SchemeWeChatOpenID:  {"oUpF8uMuAJO_M2pxb1Q9zNjWeS6a", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6b", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6c"},
	refund.SchemeAlipayUserID:  {"2088102146225135", "2088102146225246", "2088102146225357"},
	refund.SchemeAlipayOpenID:  {"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo6", "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo7"},
	refund.SchemeUnionPayToken: {"6235240000000000004", "6235240000000000012", "6235240000000000020"},
	refund.SchemeECNYWallet:    {"0021000000000017", "0021000000000025", "0021000000000033"},
	refund.SchemeAccount:       {"account-of-zhang-san-001", "account-of-zhang-san-002", "account-of-zhang-san-003"},
	refund.SchemeAccountText:   {"招商银行信用卡6225880137706868", "招商银行信用卡6225880137706769", "招商银行信用卡6225880137706660"},
}

// clearOf is the part of a canary that may stand nowhere.
func clearOf(text string) string { return strings.TrimPrefix(text, "招商银行信用卡") }

// whole is an API with a real guard on a store of its own.
type whole struct {
	*bench
	db   *ledger.DB
	seen bytes.Buffer // what the API has answered
}

// noPIN knows no PIN.
type noPIN struct{}

func (noPIN) Compare(context.Context, string, guard.PIN) error { return guard.ErrWrongPIN }

func startWhole(t *testing.T, compare guard.PINs) *whole {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: filepath.Join(t.TempDir(), "store"), Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()),
		Level: func(string) ask.Level { return ask.HoldLevel }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &whole{db: db}
	w.bench = start(t, func(o *Options) {
		g, err := guard.New(t.Context(), guard.Options{Store: db, Keeper: db, Keys: db.Keys(), Links: []guard.Link{{Name: "pos", Level: ask.HoldLevel}},
			Supervisors: []guard.Supervisor{{ID: "s-1", Operators: []string{"007"}}}, PINs: compare, HoldFor: time.Hour, OfficeHoldFor: time.Hour, OfficeWait: time.Hour,
			Now: time.Now, Log: o.Log})
		if err != nil {
			t.Fatal(err)
		}
		o.Service = g
	})
	return w
}

// store stores one record.
func (w *whole) store(r refund.Record) {
	w.t.Helper()
	if _, err := w.db.Apply(w.t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, w.db.Keys()), Received: time.Now(), ClockSynced: true}}}}); err != nil {
		w.t.Fatal(err)
	}
}

// send sends one request and keeps what was answered.
func (w *whole) send(method, path, body string, change ...func(*http.Request)) string {
	w.t.Helper()
	status, text := w.call(method, path, body, change...)
	fmt.Fprintf(&w.seen, "%s %d %s\n", method, status, text)
	return text
}

// clean reports every canary in what was answered and logged.
func (w *whole) clean(what string, all ...string) {
	w.t.Helper()
	for _, c := range all {
		if strings.Contains(w.seen.String(), c) {
			w.t.Errorf("%s: %s is in an answer:\n%s", what, c, w.seen.String())
		}
		if log := w.log.String(); strings.Contains(log, c) {
			w.t.Errorf("%s: %s is in the log:\n%s", what, c, log)
		}
	}
}

// TestNoIdentifierInAnAnswer: of every scheme, an ask with an original, one without (which has
// candidates), one whose customer shows another account, their repetitions and looks, and the
// list of holds hold no identifier in clear.
func TestNoIdentifierInAnAnswer(t *testing.T) {
	for scheme, ids := range canaries {
		t.Run(string(scheme), func(t *testing.T) {
			w := startWhole(t, noPIN{})
			for i, id := range ids {
				sale := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: "M1", TerminalID: "T1", Channel: refund.ChannelUnknown,
					Amount: 1000, HasAmount: true, Currency: "CNY", RRN: fmt.Sprintf("26082200010%d", i), OrderNo: fmt.Sprintf("order-%d", i), At: "2026-08-22T10:00:00+08:00", Party: partyOf(scheme, id)}
				w.store(sale)
			}
			asks := []string{}
			for i, more := range []string{`"original":{"rrn":"260822000100"}`, `"refund_no":"r-1"`, `"original":{"rrn":"260822000100"},"presented":` + quoted(scheme, ids[2]),
				`"original":{"order_no":"order-2"},"presented":` + quoted(scheme, ids[2])} {
				id := fmt.Sprintf("a-%d", i)
				asks = append(asks, id)
				body := fmt.Sprintf(`{"kind":"refund","merchant_id":"M1","terminal_id":"T1","operator":"01","amount":400,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","party":%s,%s,"ask":{"id":%q,"deadline_ms":5000}}`,
					quoted(scheme, ids[1]), more, id)
				w.send("POST", "/v1/asks", body)
				w.send("POST", "/v1/asks", body)
				w.send("POST", "/v1/asks", strings.Replace(body, ":400", ":401", 1)) // id_reused
			}
			for _, id := range asks {
				w.send("GET", "/v1/asks/T1/"+id, "")
				w.send("POST", "/v1/asks/T1/"+id+"/release", `{"by":"s-1","pin":"628401","reason":"consent"}`)
			}
			w.verbs()
			w.clean(string(scheme), clearOf(ids[0]), clearOf(ids[1]), clearOf(ids[2]))
			for _, want := range []string{`"candidates":[{`, `"state":"open"`} {
				weak := scheme == refund.SchemeDPAN || scheme == refund.SchemeUnionPayToken || // two of them may be one account
					strings.HasPrefix(string(scheme), "account") && strings.Contains(want, "candidates") // compared as text
				if !weak && !strings.Contains(w.seen.String(), want) {
					t.Errorf("no answer has %s: nothing was tried", want)
				}
			}
			if !strings.Contains(w.seen.String(), `"findings":[{`) {
				t.Error("no answer has a finding: nothing was tried")
			}
		})
	}
}

// verbs keeps what the verb hold lists.
func (w *whole) verbs() {
	w.t.Helper()
	g, ok := w.o.Service.(*guard.Guard)
	if !ok {
		w.t.Fatal("no guard")
	}
	v := till.Verbs{Service: func() guard.Service { return g }, Book: func() till.Book { return stored{g, w.db} }, Zone: time.UTC}
	if err := v.Handlers()["hold-list"](w.t.Context(), json.RawMessage(`{"all":true}`), func(line any) error {
		return json.NewEncoder(&w.seen).Encode(line)
	}); err != nil {
		w.t.Error(err)
	}
}

// stored is a till.Book.
type stored struct {
	*guard.Guard
	db *ledger.DB
}

func (s stored) Asks(ctx context.Context) ([]ask.Entry, error) { return s.db.Asks(ctx) }

func partyOf(scheme refund.Scheme, id string) *refund.Party {
	if scheme == refund.SchemeAccountText {
		return &refund.Party{Scheme: scheme, Text: id}
	}
	return &refund.Party{Scheme: scheme, Namespace: namespaceOf(scheme), ID: refund.NewSecret(id)}
}

func quoted(scheme refund.Scheme, id string) string {
	if scheme == refund.SchemeAccountText {
		return fmt.Sprintf(`{"scheme":%q,"text":%q}`, scheme, id)
	}
	return fmt.Sprintf(`{"scheme":%q,"namespace":%q,"id":%q}`, scheme, namespaceOf(scheme), id)
}

// namespaceOf returns the app whose openids are compared.
func namespaceOf(scheme refund.Scheme) string {
	if scheme == refund.SchemeWeChatOpenID || scheme == refund.SchemeAlipayOpenID {
		return "app-1"
	}
	return ""
}

// TestNoIdentifierInARefusal: whatever is wrong with a request, its refusal and the log hold
// nothing of what it sent.
func TestNoIdentifierInARefusal(t *testing.T) {
	w := startWhole(t, noPIN{})
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const good = `{"kind":"refund","merchant_id":"M1","terminal_id":"T1","amount":400,"currency":"CNY","party":{"scheme":"pan","id":"6200000000000112"},"ask":{"id":"a-1"}}`
	for scheme, ids := range canaries {
		c := ids[0]
		for _, body := range []string{
			good[:len(good)-1] + `,"` + c + `":1}`, good[:len(good)-1] + `,"party":"` + c, good + c, c, `"` + c + `"`, `["` + c + `"]`, `{"` + c + `":{"` + c + `":`,
			strings.Replace(good, `"a-1"`, `"`+c+` x"`, 1), strings.Replace(good, `"a-1"`, `"a-1","`+c+`":1`, 1), strings.Replace(good, `"a-1"`, `"a-1","replaces":" `+c+`"`, 1),
			strings.Replace(good, `"a-1"`, `"a-1","deadline_ms":"`+c+`"`, 1), strings.Replace(good, `"pan"`, `"`+c+`"`, 1), strings.Replace(good, `"refund"`, `"`+c+`"`, 1),
			strings.Replace(good, `"CNY"`, `"`+c+`"`, 1), strings.Replace(good, `400`, `"`+c+`"`, 1), strings.Replace(good, `{"kind"`, `{"link":"`+c+`","kind"`, 1),
			strings.Replace(good, `{"kind"`, `{"channel":"`+c+`","kind"`, 1), strings.Replace(good, `{"kind"`, `{"at":["`+c+`"],"kind"`, 1), strings.Replace(good, `{"kind"`, `{"original":"`+c+`","kind"`, 1),
			strings.Replace(good, `{"kind"`, `{"original":{"`+c+`":1},"kind"`, 1), strings.Replace(good, `{"kind"`, `{"presented":{"scheme":"pan","id":["`+c+`"]},"kind"`, 1),
			strings.Replace(good, `"id":"6200000000000112"`, `"id":"`+c+`","also":[{"`+c+`":"`+c+`"}]`, 1), `{"kind":"` + c + `\ud800"}`,
		} {
			w.send("POST", "/v1/asks", body)
			w.send("POST", "/v1/asks/T1/a-1/cancel", body)
			w.send("POST", "/v1/asks/T1/a-1/release", body)
			w.pace()
		}
		for _, path := range []string{"/v1/asks/T1/" + c, "/v1/asks/" + c + "/a-1", "/v1/asks/T1/a-1?wait_s=" + c, "/v1/asks/T1/a-1?" + c + "=%zz", "/" + c, "//v1//" + c, "/v1/../" + c, "/v1/asks/T1/a-1/" + c + "/..", "/v1/asks/T1/%2e%2e/" + c, "/v1/asks/T1/a-1?merchant_id=" + c} {
			w.send("GET", strings.ReplaceAll(path, "招商银行信用卡", ""), "")
		}
		for name, value := range map[string]string{"Content-Type": clearOf(c), "Content-Encoding": clearOf(c), "X-Card": clearOf(c)} {
			w.send("POST", "/v1/asks/T1/a-1/cancel", `{"by":""}`, func(r *http.Request) { r.Header.Set(name, value) })
		}
		for _, order := range []string{`{"by":"s-1","pin":"` + c + `","reason":"consent"}`, `{"by":"` + c + `","pin":"628401","reason":"consent"}`, `{"by":"s-1","pin":"628401","reason":"` + c + `"}`,
			`{"by":"s-1","pin":"628401","reason":"other","text":"` + c + `"}`, `{"by":"s-1","pin":"628401","reason":` + clearOf(c) + `}`} {
			w.send("POST", "/v1/asks/T1/a-1/release", order)
		}
		w.clean(string(scheme), clearOf(c))
	}
}

// TestNoIdentifierInARawRefusal: the same of what is no request at all.
func TestNoIdentifierInARawRefusal(t *testing.T) {
	w := startWhole(t, noPIN{})
	const c = "6200000000000112"
	for _, text := range []string{"GET " + c + " HTTP/1.1\r\nHost: x\r\n\r\n", c + " / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/" + c + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + c + " x\r\n\r\n",
		"GET / HTTP/1.1\r\n" + c + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + c + "x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + c + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat(c, 1000) + "\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\nX: " + c + "\r\n\r\n", "CONNECT " + c + ":1 HTTP/1.1\r\nHost: " + c + ":1\r\n\r\n", c + "\r\n\r\n"} {
		conn, err := net.Dial("unix", w.socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // cut off where the rest was not read
		_ = conn.Close()
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) && !bytes.HasPrefix(answer, []byte("HTTP/1.1 5")) {
			t.Errorf("%.60q: %.60q", text, answer)
		}
		w.seen.Write(answer)
	}
	w.clean("raw", c)
}

// pace lets as many asks be asked as a test wants.
func (w *whole) pace() {
	w.api.pace.mu.Lock()
	defer w.api.pace.mu.Unlock()
	w.api.pace.left = mostAsks
}
