package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestFirstPassword: an admin makes one for who has none of his own; it opens nothing but the
// change of it, no log has it, and what somebody chose is replaced by no admin.
func TestFirstPassword(t *testing.T) { offices(t, checkFirstPassword) }

func checkFirstPassword(t *testing.T, o *office) {
	o.hire("adm", "admin", "*")
	o.hire("ann", "analyst", "*")
	adm, ann := o.enter("adm"), o.enter("ann")
	o.want(adm, 200, "person_set", "POST", "/v1/work/person", `{"person":{"id":"new","staff":"9","roles":["cashier"],"stores":["s1"],"operators":[],"active":true}}`)
	o.want(ann, 403, "not_allowed", "POST", "/v1/work/password", `{"person":"new"}`)
	o.want(ann, 403, "not_allowed", "POST", "/v1/work/password", `{"person":"none"}`)
	o.want(nil, 401, "login", "POST", "/v1/work/password", `{"person":"new"}`)
	o.want(adm, 403, "csrf", "POST", "/v1/work/password", `{"person":"new"}`, "X-CSRF-Token: no")
	o.want(adm, 403, `"self"`, "POST", "/v1/work/password", `{"person":"adm"}`)
	o.want(adm, 404, "not_found", "POST", "/v1/work/password", `{"person":"none"}`)
	o.want(adm, 400, "bad_input", "POST", "/v1/work/password", `[]`)
	o.want(adm, 409, "has_password", "POST", "/v1/work/password", `{"person":"ann"}`)
	if rsp, _ := o.send(ann, "GET", "/v1/me", ""); rsp.StatusCode != 200 {
		t.Error("what was refused ended a session")
	}
	issue := func() string {
		var got struct{ Login, Password string }
		if err := json.Unmarshal([]byte(o.want(adm, 200, `"login":"new"`, "POST", "/v1/work/password", `{"person":"new"}`)), &got); err != nil || len(got.Password) < 12 {
			t.Fatalf("%v, %d characters", err, len(got.Password))
		}
		return got.Password
	}
	lost, password := issue(), issue() // the answer to the first got lost
	login := func(password string) string { return fmt.Sprintf(`{"login":"new","password":%q}`, password) }
	o.want(nil, 401, "wrong_login", "POST", "/v1/login", login(lost))
	rsp, text := o.send(nil, "POST", "/v1/login", login(password))
	var in struct {
		CSRF       string
		MustChange bool `json:"must_change"`
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil || !in.MustChange || len(rsp.Cookies()) != 1 {
		t.Fatalf("%s", text)
	}
	w := &worker{o, "__Host-yuanlu=" + rsp.Cookies()[0].Value, in.CSRF}
	o.want(w, 403, "password_change", "GET", "/v1/work/lists/overdue", "")
	o.want(w, 200, `"must_change":false`, "POST", "/v1/password", fmt.Sprintf(`{"old":%q,"new":"a password of my own"}`, password))
	o.want(adm, 409, "has_password", "POST", "/v1/work/password", `{"person":"new"}`)
	o.want(nil, 200, `"must_change":false`, "POST", "/v1/login", login("a password of my own"))
	if log := o.log.String(); strings.Contains(log, password) || strings.Contains(log, lost) || !strings.Contains(log, "password.issued person=new by=adm") {
		t.Errorf("the log:\n%s", log)
	}
}
