package page_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/page"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
)

const (
	firstCase = "C-2026-000001"
	attack    = `<img src=x onerror=alert(1)>"'` + "`" + `{{.}}</script>`
)

// office is a desk with its page, on Monday 24 August 2026 at 09:05.
type office struct {
	t      *testing.T
	s      *store.Store
	server *httptest.Server
	decode *consumer.Decoder
	now    time.Time
}

func newOffice(t *testing.T, shop string) *office {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, s: s, now: time.Date(2026, 8, 24, 1, 5, 0, 0, time.UTC)}
	if o.decode, err = consumer.NewDecoder("yuanlu"); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return o.now }
	pages, err := page.New(page.Options{Store: s, Now: clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(api.New(api.Options{Store: s, Page: pages, Now: clock, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(func() {
		o.server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	setup := fmt.Sprintf(`{"stores":[{"store":%q,"merchant_id":"898000000000001","terminals":[],"cutoff":"22:30"}]}`, shop)
	if err := s.SetUp(t.Context(), []byte(setup)); err != nil {
		t.Fatal(err)
	}
	return o
}

// hire makes a person and begins a session; it returns the cookie.
func (o *office) hire(id, staff string, roles ...string) string {
	o.t.Helper()
	p, err := json.Marshal(casework.Person{ID: id, Staff: staff, Roles: roles, Stores: []string{"*"}, Operators: []casework.Operator{}, Active: true})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.s.Hire(o.t.Context(), o.now, p); err != nil {
		o.t.Fatal(err)
	}
	return o.begin(id)
}

// begin begins a session of a person and returns the cookie.
func (o *office) begin(id string) string {
	o.t.Helper()
	token := people.Token()
	if err := o.s.Begin(o.t.Context(), store.Session{Hash: people.TokenHash(token), Person: id, CSRF: people.Token(), Made: o.now}); err != nil {
		o.t.Fatal(err)
	}
	return "__Host-yuanlu=" + token
}

func (o *office) publish(payload []byte) { o.publishAs(payload, payload) }

// publishAs stores a payload that the consumer would refuse, in place of one that it takes.
func (o *office) publishAs(payload, stored []byte) {
	o.t.Helper()
	m, ok := o.decode.Decode("yuanlu/v1/t-1/up/case", payload, false, o.now)
	if !ok {
		o.t.Fatal("nothing to store")
	}
	if m.Event == nil {
		o.t.Fatalf("refused: %s", m.Refusal.Message)
	}
	m.Event.Payload = stored
	if _, err := o.s.Apply(o.t.Context(), []store.Message{m}); err != nil {
		o.t.Fatal(err)
	}
}

// work orders a command, which must not be refused.
func (o *office) work(by, do string, arguments map[string]any) {
	o.t.Helper()
	arguments["by"], arguments["do"] = by, do
	if do != "open" {
		v, _, err := o.s.Work(o.t.Context(), o.now, "", `"show":"`+firstCase+`"`)
		if err != nil {
			o.t.Fatal(err)
		}
		arguments["case"] = firstCase
		arguments["expect"] = v.Case.(*casework.View).Version
	}
	b, err := json.Marshal(arguments)
	if err != nil {
		o.t.Fatal(err)
	}
	got, _, err := o.s.Work(o.t.Context(), o.now, by, string(b[1:len(b)-1]))
	if err != nil || got.Refused != "" {
		o.t.Fatalf("%s: %s %v", b, got.Refused, err)
	}
}

// get asks for a page; it follows nothing.
func (o *office) get(cookie, path string, header ...string) (*http.Response, string) {
	o.t.Helper()
	q, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.server.URL+path, http.NoBody)
	if err != nil {
		o.t.Fatal(err)
	}
	q.Header.Set("Cookie", cookie)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	rsp, err := client.Do(q)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return rsp, string(b)
}

// hostile is an event whose every text is markup.
func hostile() []byte {
	body := string(desktest.Case{Seq: 1}.JSON())
	short := strings.ReplaceAll(attack, `"`, `\"`)
	body = strings.ReplaceAll(body, `"text":{"en":"other card","zh":"卡号不同"}`, `"text":{"en":"`+short+`","zh":"`+short+`"}`)
	body = strings.ReplaceAll(body, `"shown":"620550*********0004"`, `"shown":"`+short+`"`)
	side := `{"kind":"sale","outcome":"approved","merchant_id":"` + short + `","terminal_id":"` + short + `","operator":"` + short + `","channel":"card","amount":350,"currency":"<b>","at":"` + short + `","stan":"` + short +
		`","batch":"` + short + `","rrn":"` + short + `","order_no":"` + short + `","channel_txn":"` + short + `","refund_no":"` + short + `","channel_refund":"` + short + `","party":{"scheme":"pan","shown":"` + short + `","token":"k1:x"}}`
	body = strings.Replace(body, `},"original":null,"evidence"`, `},"original":`+side+`,"explain":{"rules":[{"rule":"`+short+`","result":"`+short+`","why":"`+short+`"}],"would_change":[{"en":"`+short+`","zh":"`+short+`"}]},"evidence"`, 1)
	return []byte(body)
}

// clean fails if a page holds an element or an attribute that is none of its own.
func clean(t *testing.T, path, body string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			one := z.Token()
			src := false
			for _, a := range one.Attr {
				src = src || a.Key == "src" && strings.HasPrefix(a.Val, "/static/")
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.Contains(strings.ToLower(a.Val), "javascript:") {
					t.Errorf("%s: %s", path, one)
				}
			}
			if slices.Contains([]string{"img", "iframe", "object", "embed", "style", "base"}, one.Data) || one.Data == "script" && !src {
				t.Errorf("%s: %s", path, one)
			}
		}
	}
}

// TestTextIsNeverMarkup: every field that a terminal or a person fills (casework.md § 14, 14).
func TestTextIsNeverMarkup(t *testing.T) {
	o := newOffice(t, attack[:40])
	ann, bo, adm := o.hire("ann", attack, "analyst"), o.hire("bo", "2", "checker", "supervisor"), o.hire("adm", "3", "admin")
	o.publishAs(desktest.Case{Seq: 1}.JSON(), hostile())
	o.work("ann", "claim", map[string]any{})
	o.work("ann", "note", map[string]any{"text": attack})
	o.work("ann", "contact", map[string]any{"party": "payer", "direction": "out", "channel": "phone", "number": "138****0001", "on_file": true, "result": "reached", "text": attack})
	o.work("ann", "file", map[string]any{"name": attack, "type": "text/plain", "size": 1, "sha256": strings.Repeat("a", 64), "kind": "other"})
	o.work("ann", "escalate", map[string]any{"body": "legal", "ref": attack, "text": attack})
	o.work("ann", "propose", map[string]any{"text": attack, "commands": []any{map[string]any{"do": "finding", "wrong": []string{desktest.CaseID(1)}, "owed": 350},
		map[string]any{"do": "request", "route": "acquirer", "ref": attack}, map[string]any{"do": "reissue", "amount": 350, "way": "original", "number": attack}}})
	seen := 0
	for _, c := range []struct{ who, path string }{
		{bo, "/case/" + firstCase}, {ann, "/case/" + firstCase}, {bo, "/case/" + firstCase + "/print"}, {ann, "/case/" + firstCase + "/export?for=court"}, {ann, "/case/" + firstCase + "/export?for=" + url.QueryEscape(attack)}, {bo, "/case/" + firstCase + "/changes?after=0"},
		{bo, "/list/approve"}, {ann, "/list/mine"}, {ann, "/list/next"}, {ann, "/find?text=" + url.QueryEscape(attack[:20])}, {ann, "/find?text=%3C"}, {adm, "/people"}, {bo, "/reads"},
		{bo, "/stats?from=2026-08-01&to=2026-08-31"}, {bo, "/stats?from=" + url.QueryEscape(attack) + "&to=x"}, {ann, "/case/" + url.PathEscape(attack)}, {ann, "/list/" + url.PathEscape(attack)},
		{"", "/login?to=" + url.QueryEscape(attack)}, {ann, "/" + url.PathEscape(attack)},
	} {
		for _, lang := range []string{"en", "zh"} {
			_, body := o.get(c.who+"; yuanlu-lang="+lang+"; yuanlu-theme="+url.QueryEscape(attack), c.path)
			clean(t, c.path, body)
			seen += strings.Count(body, "&lt;img src=x onerror")
		}
	}
	if seen < 150 {
		t.Errorf("the text was seen %d times: too few fields were tried", seen)
	}
}

// TestDoors: who is not logged in, or must change his password first, sees no more than that.
func TestDoors(t *testing.T) {
	o := newOffice(t, "s1")
	ann := o.hire("ann", "1", "analyst")
	for _, c := range []struct{ cookie, path, where string }{
		{"", "/", "/login"}, {"", "/case/" + firstCase, "/login?to=%2Fcase%2F" + firstCase}, {"__Host-yuanlu=wrong", "/stats", "/login?to=%2Fstats"}, {"", "/people", "/login?to=%2Fpeople"},
	} {
		rsp, body := o.get(c.cookie, c.path)
		if rsp.StatusCode != http.StatusSeeOther || rsp.Header.Get("Location") != c.where || strings.Contains(body, "csrf") {
			t.Errorf("%s: %s to %s, want %s", c.path, rsp.Status, rsp.Header.Get("Location"), c.where)
		}
	}
	if rsp, body := o.get("", "/login"); rsp.StatusCode != 200 || !strings.Contains(body, `autocomplete="current-password"`) {
		t.Errorf("login: %s", rsp.Status)
	}
	rsp, _ := o.get(ann, "/")
	policy := rsp.Header.Get("Content-Security-Policy")
	if rsp.StatusCode != 200 || !strings.Contains(policy, "default-src 'none'; script-src 'self'") || strings.Contains(policy, "unsafe") || rsp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("home: %s, policy %q, %q", rsp.Status, policy, rsp.Header.Get("Cache-Control"))
	}
	if err := o.s.SetLogin(t.Context(), "ann", store.Login{Hash: "x", MustChange: true}); err != nil {
		t.Fatal(err)
	}
	again := o.hire("ann", "1", "analyst")
	if rsp, _ := o.get(again, "/list/next"); rsp.Header.Get("Location") != "/password" {
		t.Errorf("must change: %s to %s", rsp.Status, rsp.Header.Get("Location"))
	}
}

// TestWhatIsLookedAtIsLogged: the page's questions are in the reading log as those over HTTP are.
func TestWhatIsLookedAtIsLogged(t *testing.T) {
	o := newOffice(t, "s1")
	ann := o.hire("ann", "1", "analyst")
	o.publish(desktest.Case{Seq: 1}.JSON())
	for _, path := range []string{"/", "/case/" + firstCase, "/find?text=C-2026", "/stats?from=2026-08-01&to=2026-08-31", "/case/C-2026-000099", "/case/" + firstCase + "/print", "/help"} {
		o.get(ann, path)
	}
	list, err := o.s.Reads(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range list {
		got += r.By + " " + r.What + " " + r.Of + "\n"
	}
	if want := "ann list next\nann show C-2026-000001\nann find C-2026\nann stats 2026-08-01..2026-08-31\nann show C-2026-000001\n"; got != want {
		t.Errorf("logged:\n%swant:\n%s", got, want)
	}
}

// TestOneScreenIsBounded: of a case that is like hundreds of others, or that is worked for long,
// one screen shows what is newest, and leads to the rest; paper has all.
func TestOneScreenIsBounded(t *testing.T) {
	o := newOffice(t, "s1")
	ann := o.hire("ann", "1", "analyst")
	for n := range int64(8) { // each is like all before it
		o.publish(desktest.Case{Seq: n + 1, Token: "one"}.JSON())
	}
	last := "/case/C-2026-000008"
	count := func(path, form string) int {
		_, body := o.get(ann, path)
		return len(regexp.MustCompile(form).FindAllString(body, -1))
	}
	const like, event = `May belong to`, `<tr class="w-`
	for path, want := range map[string][2]int{last: {5 + 7, 1}, last + "?all": {7 + 7, 0}} { // in the head and in the timeline
		if got := [2]int{count(path, like), count(path, "more cases that are like")}; got != want {
			t.Errorf("%s: suggestions, and others: %v, want %v", path, got, want)
		}
	}
	for n := range 130 {
		o.work("ann", "note", map[string]any{"text": fmt.Sprint("note ", n)})
	}
	_, body := o.get(ann, "/case/"+firstCase)
	if !strings.Contains(body, "note 129<") || strings.Contains(body, "note 29<") || !strings.Contains(body, "Show 32 earlier events") {
		t.Error("the newest are not what is shown")
	}
	for path, want := range map[string]int{"/case/" + firstCase: 100, "/case/" + firstCase + "?all": 132, "/case/" + firstCase + "/print": 132, "/case/" + firstCase + "/changes?after=0": 100, "/case/" + firstCase + "/changes?after=120": 12} {
		if got := count(path, event); got != want {
			t.Errorf("%s: %d events, want %d", path, got, want)
		}
	}
}

// TestRolesSeeTheirPlaces: a place that a role does not have is neither shown nor linked.
func TestRolesSeeTheirPlaces(t *testing.T) {
	o := newOffice(t, "s1")
	o.publish(desktest.Case{Seq: 1}.JSON())
	places := []string{"/list/next", "/list/mine", "/case/" + firstCase, "/stats", "/people", "/reads"}
	for role, may := range map[string]string{"cashier": "011000", "manager": "111100", "analyst": "111100", "checker": "011100", "supervisor": "111101", "finance": "011100", "auditor": "011101", "admin": "000010"} {
		t.Run(role, func(t *testing.T) {
			who := o.hire(role, role, role)
			_, home := o.get(who, "/")
			for i, path := range places {
				rsp, _ := o.get(who, path)
				if ok := rsp.StatusCode == 200; ok != (may[i] == '1') {
					t.Errorf("%s: %s", path, rsp.Status)
				}
				if linked := strings.Contains(home, `href="`+path+`"`); linked && may[i] == '0' {
					t.Errorf("%s is linked", path)
				}
			}
		})
	}
}

// TestWhoMayNotApproveSeesWhy: the three refusals in plain words, and no button that works.
func TestWhoMayNotApproveSeesWhy(t *testing.T) {
	o := newOffice(t, "s1")
	people := map[string]string{"ann": o.hire("ann", "1", "analyst", "checker"), "bo": o.hire("bo", "2", "supervisor"), "chen": o.hire("chen", "3", "checker"), "mei": o.hire("mei", "4", "checker", "manager"), "cai": o.hire("cai", "5", "cashier")}
	o.publish(desktest.Case{Seq: 1}.JSON())
	o.work("ann", "propose", map[string]any{"text": "x", "commands": []any{map[string]any{"do": "finding", "wrong": []string{desktest.CaseID(1)}, "owed": 350}, map[string]any{"do": "write_off", "bearer": "merchant"}}})
	for id, want := range map[string]string{"ann": "same_person", "mei": "involved", "chen": "needs_supervisor", "bo": "", "cai": "no button"} {
		_, body := o.get(people[id], "/case/"+firstCase)
		button := regexp.MustCompile(`<button[^>]*id="approve"[^>]*>`).FindString(body)
		switch never := strings.Contains(button, "data-never"); {
		case want == "no button" && button != "":
			t.Errorf("%s: %s", id, button)
		case want == "" && (button == "" || never):
			t.Errorf("%s may approve: %q", id, button)
		case want != "" && want != "no button" && (!never || !regexp.MustCompile(`id="why-not".*`+want+`</code>`).MatchString(body)):
			t.Errorf("%s: %s, want %s", id, button, want)
		}
		if !strings.Contains(button, "disabled") && button != "" {
			t.Errorf("%s: the button works before the page is shown", id)
		}
	}
}

// TestNothingIsClaimedThatIsNotKnown: a page that did not count has no number at its lists, and statistics in which
// no actor is named claim nothing of the store.
func TestNothingIsClaimedThatIsNotKnown(t *testing.T) {
	o := newOffice(t, "s1")
	o.publish(desktest.Case{Seq: 1}.JSON())
	session := o.hire("chen", "chen", "manager")
	for _, c := range []struct {
		path, text string
		there      bool
	}{
		{"/list/next", `data-count="next">1<`, true}, {"/people", `data-count`, false}, {"/help", `data-count`, false},
		{"/stats", "> More wrong refunds than", false}, {"/stats", "Unusual, not proof", true}, // casework.md § 14, 8
	} {
		t.Run(c.path, func(t *testing.T) {
			if _, body := o.get(session, c.path); strings.Contains(body, c.text) != c.there {
				t.Errorf("%q there: %v", c.text, !c.there)
			}
		})
	}
}
