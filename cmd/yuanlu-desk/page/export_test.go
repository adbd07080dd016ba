package page_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/desktest"
)

// TestExportShowsWhatGoesOut: what a profile leaves in stands on the page before a pack is made, what it leaves
// out is named by number and kind alone (evidence.md § 5).
func TestExportShowsWhatGoesOut(t *testing.T) {
	o := newOffice(t, "s1")
	ann, aud := o.hire("ann", "1", "analyst"), o.hire("aud", "2", "auditor")
	o.publish(desktest.Case{Seq: 1}.JSON())
	o.work("ann", "claim", map[string]any{})
	o.work("ann", "note", map[string]any{"text": "a note inside"})
	o.work("ann", "contact", map[string]any{"party": "payer", "direction": "out", "channel": "phone", "number": "138****0001", "on_file": true, "result": "reached", "text": "told of it"})
	for i, kind := range []string{"identity", "recording", "statement", "receipt"} {
		o.work("ann", "file", map[string]any{"name": kind + ".txt", "type": "text/plain", "size": 1, "sha256": strings.Repeat(fmt.Sprint(i+1), 64), "kind": kind})
	}
	path := "/case/" + firstCase + "/export?for="
	for profile, out := range map[string][]string{"court": {}, "12315": {"1"}, "bank": {"1", "note"}, "platform": {"1", "2", "note"}, "store": {"1", "2", "3", "note", "contact"}} {
		rsp, body := o.get(ann, path+profile)
		if rsp.StatusCode != http.StatusOK || strings.Contains(body, "export.") {
			t.Errorf("%s: %s, or a text is missing", profile, rsp.Status)
		}
		signs := map[string]string{"note": "a note inside", "contact": "told of it", "1": strings.Repeat("1", 64), "2": strings.Repeat("2", 64), "3": strings.Repeat("3", 64), "4": strings.Repeat("4", 64)}
		left := map[string]bool{}
		for _, name := range out {
			left[name] = true
		}
		for name, sign := range signs {
			if strings.Contains(body, sign) == left[name] {
				t.Errorf("%s: %s is left out %t, want %t", profile, name, !left[name], left[name])
			}
		}
	}
	if rsp, _ := o.get(ann, path+"press"); rsp.StatusCode != http.StatusBadRequest {
		t.Errorf("another profile: %s", rsp.Status)
	}
	if rsp, body := o.get(aud, path+"bank"); rsp.StatusCode != http.StatusForbidden || strings.Contains(body, "told of it") {
		t.Errorf("an auditor: %s", rsp.Status)
	}
	const button = `href="/case/` + firstCase + `/export"`
	_, mine := o.get(ann, "/case/"+firstCase)
	_, his := o.get(aud, "/case/"+firstCase)
	if !strings.Contains(mine, button) || strings.Contains(his, button) {
		t.Error("the button is shown to whom it is not for, or not to whom it is")
	}
}
