package api_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/people"
)

const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// TestSessionsEnd: a session lasts 12 hours however much it is used, and is worth nothing to
// somebody who has only a part of it.
func TestSessionsEnd(t *testing.T) { offices(t, checkSessionsEnd) }

func checkSessionsEnd(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	o.hire("bob", "analyst", "*")
	w := o.enter("ann")
	for range 15 { // 11 h 45 min
		o.wait(47 * time.Minute)
		o.want(w, 200, `"id":"ann"`, "GET", "/v1/me", "")
	}
	o.wait(14*time.Minute + 59*time.Second)
	o.want(w, 200, `"id":"ann"`, "GET", "/v1/me", "")
	o.wait(time.Second)
	o.want(w, 401, "login", "GET", "/v1/me", "")

	w, other := o.enter("ann"), o.enter("bob")
	token := strings.TrimPrefix(w.cookie, "__Host-yuanlu=")
	for name, thief := range map[string]*worker{
		"what is stored of the token": {o, "__Host-yuanlu=" + people.TokenHash(token), w.csrf},
		"a part of it":                {o, "__Host-yuanlu=" + token[:42], w.csrf},
		"another letter":              {o, "__Host-yuanlu=" + flip(token), w.csrf},
		"another name":                {o, "yuanlu=" + token, w.csrf},
		"nothing":                     {o, "__Host-yuanlu=", w.csrf},
	} {
		if text := o.want(thief, 401, "login", "POST", "/v1/work/take", `{}`); strings.Contains(text, "ann") {
			t.Errorf("%s: %s", name, text)
		}
	}
	o.want(&worker{o, w.cookie, other.csrf}, 403, "csrf", "POST", "/v1/work/take", `{}`) // of another session
	o.want(&worker{o, w.cookie, ""}, 403, "csrf", "POST", "/v1/work/take", `{}`)
	o.want(w, 404, "nothing", "POST", "/v1/work/take", `{}`)
	o.want(w, 200, "out", "POST", "/v1/logout", "{}")
	o.want(w, 401, "login", "POST", "/v1/work/take", `{}`) // replayed
}

// flip changes the first letter.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestEveryPostComesFromThePage: no POST works from a page elsewhere, the login included.
func TestEveryPostComesFromThePage(t *testing.T) {
	o := newOffice(t, t.TempDir()+"/desk.db")
	o.hire("ann", "analyst", "*")
	w := o.enter("ann")
	for _, route := range o.api.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if method != "POST" || !ofPeople(path) {
			continue
		}
		path = strings.ReplaceAll(path, "{do}", "take")
		for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://elsewhere.example", "Origin: null"} {
			o.want(w, 403, "csrf", "POST", path, `{}`, from)
		}
		if path == "/v1/login" || path == "/v1/password" { // from our own page: TestLogin; each hash takes a while
			continue
		}
		if rsp, text := o.send(w, "POST", path, "{}", "Sec-Fetch-Site: same-origin", "Origin: "+o.server.URL); strings.Contains(text, `"csrf"`) && rsp.StatusCode == 403 {
			t.Errorf("%s from our own page: %s", path, text)
		}
		w = o.enter("ann") // one of them was logout
	}
	for _, path := range []string{"/v1/me", "/v1/work/lists/next", "/v1/work/none", "/v1/stream"} {
		if rsp, _ := o.send(&worker{o, "__Host-yuanlu=x", ""}, "GET", path, ""); rsp.Header.Get("Content-Security-Policy") != contentPolicy {
			t.Errorf("%s: %q", path, rsp.Header.Get("Content-Security-Policy"))
		}
	}
}

// TestFailuresAreBounded: 5 of a login, 20 of an address, within 15 minutes; behind the proxy
// the address is the one that the proxy itself saw.
func TestFailuresAreBounded(t *testing.T) { offices(t, checkFailures) }

func checkFailures(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	o.hire("bob", "analyst", "*")
	in := func(login string) string { return fmt.Sprintf(`{"login":%q,"password":%q}`, login, secret) }
	for n := range 19 { // each with another login
		if err := o.s.Failed(t.Context(), fmt.Sprint("guess-", n), "127.0.0.1", o.clock()); err != nil {
			t.Fatal(err)
		}
	}
	o.want(nil, 401, "wrong_login", "POST", "/v1/login", `{"login":"guess","password":"no"}`)
	o.want(nil, 429, "too_often", "POST", "/v1/login", in("ann"))
	o.want(o.enter("ann"), 429, "too_often", "POST", "/v1/password", `{"old":"x","new":"y"}`)
	o.wait(15*time.Minute - time.Second)
	o.want(nil, 429, "too_often", "POST", "/v1/login", in("ann"))
	o.wait(2 * time.Second)
	o.want(nil, 200, "csrf", "POST", "/v1/login", in("ann"))

	for range 20 {
		if err := o.s.Failed(t.Context(), "guess", "192.0.2.9", o.clock()); err != nil {
			t.Fatal(err)
		}
	}
	a := api.New(api.Options{Store: o.s, Token: "x", Proxy: "10.0.0.1", Now: o.clock, Log: slog.New(slog.DiscardHandler)})
	for hops, want := range map[string]int{"192.0.2.9": 429, "198.51.100.1, 192.0.2.9": 429, "192.0.2.9, 198.51.100.1": 200} {
		q := httptest.NewRequest("POST", "http://desk.example/v1/login", strings.NewReader(in("bob")))
		q.RemoteAddr = "10.0.0.1:1"
		q.Header.Set("X-Forwarded-For", hops)
		q.Header.Set("Content-Type", "application/json")
		w := recorder{httptest.NewRecorder()}
		if a.ServeHTTP(w, q); w.Code != want {
			t.Errorf("%s: %d, want %d", hops, w.Code, want)
		}
	}
}

// TestUnknownLoginTakesAsLong: that a login does not exist is not seen by the time either.
// The least of several times is compared, and a factor of three allowed: the hash takes a
// hundred times as long as all else.
func TestUnknownLoginTakesAsLong(t *testing.T) {
	o := newOffice(t, t.TempDir()+"/desk.db")
	o.hire("ann", "analyst", "*")
	least := func(login string) time.Duration {
		best := time.Hour
		for range 4 {
			begun := time.Now()
			o.want(nil, 401, "wrong_login", "POST", "/v1/login", fmt.Sprintf(`{"login":%q,"password":"not the password"}`, login))
			best = min(best, time.Since(begun))
		}
		return best
	}
	if known, unknown := least("ann"), least("no-one"); unknown < known/3 {
		t.Errorf("a known login takes %v, an unknown one %v", known, unknown)
	}
}

// TestAnotherShopLearnsNothing: for every command and question about a case that somebody does
// not see, the answer is that of one that does not exist, byte for byte.
func TestAnotherShopLearnsNothing(t *testing.T) { offices(t, checkAnotherShop) }

func checkAnotherShop(t *testing.T, o *office) {
	o.hire("lu", "supervisor", "s2")
	o.hire("ann", "analyst", "*")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON()) // of s1
	ann, lu := o.enter("ann"), o.enter("lu")
	o.want(ann, 200, "filed", "POST", "/v1/work/file?case="+workCase+"&name=a&kind=letter", "%PDF-1.4 and so on", "Content-Type: application/pdf")
	for do, rest := range map[string]string{"claim": "", "release": "", "resume": "", "unreachable": "", "note": `,"text":"x"`, "assign": `,"to":"lu"`,
		"propose": `,"commands":[{"do":"close","outcome":"test"}],"text":"x"`, "approve": `,"proposal":3`, "reject": `,"proposal":3,"text":"x"`,
		"wait": `,"for":"bank","until":"2026-08-25T00:00:00Z","text":"x"`, "failed": `,"text":"x"`, "refused": `,"file":3,"text":"x"`} {
		body := func(no string) string { return `{"case":"` + no + `","expect":2` + rest + `}` }
		there := o.want(lu, 404, "not_found", "POST", "/v1/work/"+do, body(workCase))
		if none := o.want(lu, 404, "not_found", "POST", "/v1/work/"+do, body("C-2026-000077")); there != none {
			t.Errorf("%s\n%s\n%s", do, there, none)
		}
	}
	put := func(no string) string {
		return o.want(lu, 404, "not_found", "POST", "/v1/work/file?case="+no+"&name=a&kind=letter", "%PDF-1.4 and so on", "Content-Type: application/pdf")
	}
	if put(workCase) != put("C-2026-000077") {
		t.Error("a file")
	}
	for n := range 9 {
		o.want(lu, 404, "not_found", "GET", fmt.Sprintf("/v1/work/cases/%s/files/%d", workCase, n), "")
	}
	for _, text := range []string{"C-2026", "0004", desktest.CaseID(1), "898"} {
		o.want(lu, 200, `"cases":[]`, "GET", "/v1/work/find?text="+url.QueryEscape(text), "")
	}
}

// TestLogsHoldNoSecret: no password, token or content of a file is in any log.
func TestLogsHoldNoSecret(t *testing.T) { offices(t, checkLogs) }

func checkLogs(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	w := o.login("ann")
	const file, typo, fresh = "%PDF-1.4 the payer's statement", "a good long secert", "another good secret"
	o.want(nil, 401, "wrong_login", "POST", "/v1/login", `{"login":"ann","password":"`+typo+`"}`)
	o.want(nil, 401, "wrong_login", "POST", "/v1/login", `{"login":"`+typo+`","password":"x"}`) // in the wrong field
	put := "/v1/work/file?case=" + workCase + "&kind=letter&name=a"
	o.want(w, 200, "filed", "POST", put, file, "Content-Type: application/pdf")
	o.want(w, 415, "file_type", "POST", put, file, "Content-Type: image/png")
	o.want(w, 200, "noted", "POST", "/v1/work/note", `{"case":"`+workCase+`","text":"what the payer wrote"}`)
	o.want(w, 401, "wrong_login", "POST", "/v1/password", `{"old":"`+typo+`","new":"`+fresh+`"}`)
	o.want(w, 200, "csrf", "POST", "/v1/password", `{"old":"`+secret+`","new":"`+fresh+`"}`)
	if err := o.s.Close(); err != nil { // whatever is logged of a store that fails
		t.Fatal(err)
	}
	o.want(w, 503, "store", "POST", "/v1/work/note", `{"case":"`+workCase+`","text":"what the payer wrote"}`)
	o.want(nil, 503, "store", "POST", "/v1/login", `{"login":"ann","password":"`+fresh+`"}`)
	text := o.log.String()
	for _, s := range []string{secret, typo, fresh, strings.TrimPrefix(w.cookie, "__Host-yuanlu="), w.csrf, "the payer", "argon2id"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in the log:\n%s", s, text)
		}
	}
	for _, line := range []string{"login.done person=ann", "login.failed", "password.changed person=ann", "api.failed"} {
		if !strings.Contains(strings.ReplaceAll(text, "msg=", ""), line) {
			t.Errorf("no %q in the log:\n%s", line, text)
		}
	}
}
