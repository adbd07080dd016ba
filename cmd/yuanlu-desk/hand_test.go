package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// post changes something through the API.
func (p *process) post(path, body string) (int, string) {
	p.t.Helper()
	q, err := http.NewRequest(http.MethodPost, p.api+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+p.token)
	rsp, err := http.DefaultClient.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return rsp.StatusCode, string(b)
}

// A person closes a gap and empties the quarantine, beside the running desk and
// through it, and the terminal gets it at once.
func TestE2EByHand(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		b := brokertest.Start(t, brokertest.Options{Unchecked: true})
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		d := newDesk(t, "--broker", b.URL(), "--store", place, "--token-file", token)
		d.token = "sesame"
		d.startDesk()
		d.ready()
		c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
		for _, n := range []int64{1, 2, 4, 6} {
			c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: n}.JSON())
		}
		c.Publish("yuanlu/v1/t-1/up/case", false, []byte("\x1b[2Jgarbage"))
		desktest.Eventually(t, 10*time.Second, "2 acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 2 })
		desktest.Eventually(t, 10*time.Second, "all there", func() bool {
			var s struct{ Totals store.Totals }
			return d.get("/v1/status", &s) == nil && s.Totals.Events == 4 && s.Totals.Quarantined == 1
		})
		// The terminal has put 3 aside, and 9, which did not come here at all.
		c.Publish("yuanlu/v1/t-1/up/case-summary", true, []byte(`{"v":1,"ts":"2026-08-23T01:00:00Z","stream":"S1","last_seq":9,"acked_seq":2,"open":{"critical":0,"high":4,"medium":0},"oldest_unacked":null,"quarantined_seqs":[3,9]}`))
		desktest.Eventually(t, 10*time.Second, "what is put aside", func() bool {
			var s struct{ Streams []store.StreamRow }
			return d.get("/v1/gaps", &s) == nil && len(s.Streams) == 1 && slices.Equal(s.Streams[0].PutAside, []int64{3})
		})
		var q struct{ Quarantine []store.Refused }
		if err := d.get("/v1/quarantine", &q); err != nil || len(q.Quarantine) != 1 {
			t.Fatal(q, err)
		}
		n := strconv.FormatInt(q.Quarantine[0].N, 10)
		by := map[string]string{"USER": "wang", "YUANLU_DESK_STORE": place}
		for _, tc := range []struct {
			args string
			code int
			want string
		}{
			{"gaps", 0, "complete to 2, newest 6\n    3 is put aside on the terminal, since "},
			{"gaps", 0, ": yuanlu outbox requeue 3 there, or gaps close\n    missing 5 to 5, since "},
			{"gaps --terminal t-9", 0, "nothing is missing"},
			{"gaps close t-1 S1 3", 2, "--why TEXT"},
			{"gaps close t-1 S1 3 --why scrapped", 65, "may still come"},
			{"gaps close t-1 S1 3 --why scrapped --force", 0, "from 3 to 3"},
			{"gaps close t-1 S1 3 --why scrapped --force", 65, "nothing is missing up to 3"},
			{"gaps close t-1 S2 3 --why scrapped", 3, "no stream"},
			{"gaps list", 0, "not waited for: 3 to 3, closed by hand: scrapped"},
			{"quarantine", 0, "garbage: not JSON in UTF-8"},
			{"quarantine show " + n, 0, `\x1b[2Jgarbage`},
			{"quarantine release " + n + " --why again", 65, "still does not fit (garbage)"},
			{"quarantine discard 99 --why gone", 3, "number 99"},
			{"quarantine show " + n + " --json", 0, `"code":"garbage"`},
			{"quarantine discard " + n + " --why rubbish --json", 0, `{"discarded":` + n + `}`},
			{"quarantine", 0, "nothing is in quarantine"},
			{"gaps dance", 2, "want list, close"},
			{"gaps --store /nowhere/x.db", 3, "no store"},
		} {
			r := runEnv(by, "", strings.Fields(tc.args)...)
			if r.code != tc.code || !strings.Contains(r.out+r.errors, tc.want) {
				t.Errorf("%s: %+v, want %d %q", tc.args, r, tc.code, tc.want)
			}
		}
		desktest.Eventually(t, 10*time.Second, "the terminal acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 4 })
		for body, want := range map[string]int{
			`{"terminal":"t-1","stream":"S1","to":5,"who":"li","why":"lost"}`:           409, // too early
			`{"terminal":"t-1","stream":"S1","to":5,"who":"li","force":true}`:           409, // no reason
			`{"terminal":"t-7","stream":"S1","to":5,"who":"li","why":"x","force":true}`: 404,
			`{"terminal":"t-1","colour":"red"}`:                                         400, `[]`: 400, `{}{}`: 400, ``: 400,
		} {
			if code, text := d.post("/v1/gaps/close", body); code != want {
				t.Errorf("%s: %d %s", body, code, text)
			}
		}
		if code, text := d.post("/v1/gaps/close", `{"terminal":"t-1","stream":"S1","to":5,"who":"li","why":"lost","force":true}`); code != 200 || !strings.Contains(text, `"first":5`) {
			t.Errorf("%d %s", code, text)
		}
		desktest.Eventually(t, 10*time.Second, "the terminal acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 6 })
		if code, text := d.post("/v1/quarantine/"+n+"/release", `{"who":"li","why":"x"}`); code != 404 {
			t.Errorf("%d %s", code, text)
		}
		d.token = "wrong"
		if code, _ := d.post("/v1/gaps/close", `{}`); code != 401 {
			t.Errorf("with a wrong token: %d", code)
		}
		d.token = "sesame"
		var done struct{ Actions []store.Action }
		if err := d.get("/v1/actions", &done); err != nil || len(done.Actions) != 3 || done.Actions[0].Who != "li" || done.Actions[2].Who != "wang" || done.Actions[2].Why != "scrapped" {
			b, _ := json.Marshal(done)
			t.Errorf("%s %v", b, err)
		}
		if r := runEnv(map[string]string{"YUANLU_DESK_STORE": place}, "", "gaps", "close", "t-1", "S1", "3", "--why", "x"); r.code != exitUsage || !strings.Contains(r.errors, "--who") {
			t.Errorf("nobody: %+v", r)
		}
	})
}

// A desk without a token changes nothing, also for a request on the loopback.
func TestE2EChangesNeedAToken(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	d := newDesk(t, "--broker", b.URL(), "--store", filepath.Join(t.TempDir(), "desk.db"))
	d.startDesk()
	if code, text := d.post("/v1/gaps/close", `{"terminal":"t-1","stream":"S1","to":5,"who":"li","why":"lost"}`); code != 403 || !strings.Contains(text, "--token-file") {
		t.Errorf("%d %s", code, text)
	}
}
