// Package browser holds the tests of the page in a real browser: every line of casework.md
// § 14, with the store on SQLite and on PostgreSQL. testdata/page.mjs is what the browser does.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/oidc"
	"yuanlu/cmd/yuanlu-desk/page"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

// cluster is the PostgreSQL of these tests.
var cluster = desktest.NewCluster()

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.Close()
	os.Exit(code)
}

const (
	password = "a good long secret"
	markup   = `<img src=x onerror="window.pwned=1">` // in every field
	runTime  = 9 * time.Minute                        // on a loaded machine
)

// desk is one for a browser: people who are logged in, and cases.
type desk struct {
	t      *testing.T
	s      *store.Store
	server *httptest.Server
	decode *consumer.Decoder
	n      int64 // cases
}

func newDesk(t *testing.T, place string) *desk {
	t.Helper()
	s, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	provider, err := oidc.New(oidc.Options{Issuer: "https://id.example/", Client: "desk"}) // only named
	if err != nil {
		t.Fatal(err)
	}
	pages, err := page.New(page.Options{Store: s, Provider: provider.Issuer(), Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, s: s}
	if d.decode, err = consumer.NewDecoder("yuanlu"); err != nil {
		t.Fatal(err)
	}
	key, err := evidence.NewSigner("yuanlu-desk/shop", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetCosigner(t.Context(), time.Now(), key); err != nil {
		t.Fatal(err)
	}
	export := func(ctx context.Context, x store.Exporting) (store.Exported, error) {
		x.Program = "browser"
		return s.Export(ctx, time.Now(), x)
	}
	d.server = httptest.NewTLSServer(api.New(api.Options{Store: s, Page: pages, OIDC: provider, Export: export, Token: "sesame", Now: time.Now, Log: log}))
	t.Cleanup(func() {
		d.server.CloseClientConnections()
		d.server.Close()
	})
	return d
}

// cutoff is when the batch of shop s1 closes: 35 minutes from now, by the desk's clock.
func cutoff() string {
	return time.Now().In(time.FixedZone("", 8*3600)).Add(35 * time.Minute).Format("15:04")
}

// staff are the people of the desk: each is who must not approve something, or may.
const staff = `{"id":"ann","staff":"1","roles":["analyst"],"stores":["*"],"operators":[],"active":true}
{"id":"bea","staff":"2","roles":["analyst","checker"],"stores":["*"],"operators":[],"active":true}
{"id":"chen","staff":"3","roles":["checker"],"stores":["*"],"operators":[],"active":true}
{"id":"sue","staff":"4","roles":["supervisor"],"stores":["*"],"operators":[],"active":true}
{"id":"olga","staff":"5","roles":["checker"],"stores":["*"],"operators":[{"merchant_id":"898000000000001","terminal_id":"","operator":"07"}],"active":true}
{"id":"cas","staff":"6","roles":["cashier"],"stores":["s1"],"operators":[],"active":true}
{"id":"aud","staff":"7","roles":["auditor"],"stores":["*"],"operators":[],"active":true}
{"id":"adm","staff":"8","roles":["admin"],"stores":["*"],"operators":[],"active":true}`

// session is what a browser needs to be somebody.
type session struct {
	Cookie string `json:"cookie"`
	CSRF   string `json:"csrf"`
}

func (d *desk) hire() map[string]session {
	d.t.Helper()
	setup := fmt.Sprintf(`{"stores":[{"store":"s1","merchant_id":"898000000000001","terminals":[],"cutoff":%q}]}`, cutoff())
	if err := d.s.SetUp(d.t.Context(), []byte(setup)); err != nil {
		d.t.Fatal(err)
	}
	in := map[string]session{}
	hash := people.Hash(password)
	for line := range strings.Lines(staff) {
		var one struct{ ID string }
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			d.t.Fatal(err)
		}
		if err := d.s.Hire(d.t.Context(), time.Now(), []byte(line)); err != nil {
			d.t.Fatal(err)
		}
		if err := d.s.SetLogin(d.t.Context(), one.ID, store.Login{Hash: hash}); err != nil {
			d.t.Fatal(err)
		}
		token, csrf := people.Token(), people.Token()
		if err := d.s.Begin(d.t.Context(), store.Session{Hash: people.TokenHash(token), Person: one.ID, CSRF: csrf, Made: time.Now()}); err != nil {
			d.t.Fatal(err)
		}
		in[one.ID] = session{token, csrf}
	}
	return in
}

// open publishes a case as a terminal does, and returns its number. Where hostile is set,
// every text of it is markup.
func (d *desk) open(hostile bool) string {
	d.t.Helper()
	d.n++
	at := time.Now().In(time.FixedZone("", 8*3600)).Format(time.RFC3339)
	side := func(shown, token string) map[string]any {
		return map[string]any{"link": "pos", "kind": "refund", "outcome": "approved", "merchant_id": "898000000000001", "terminal_id": "10000001",
			"operator": "07", "channel": "card", "amount": 35000, "currency": "CNY", "at": at, "stan": fmt.Sprintf("%06d", d.n), "batch": "000001",
			"rrn": fmt.Sprintf("%012d", d.n), "party": map[string]any{"scheme": "pan", "shown": shown, "token": "k1:" + token}}
	}
	refund, original := side("620550*********0004", fmt.Sprint("a", d.n)), side("622848*********1111", fmt.Sprint("b", d.n))
	original["kind"], original["rrn"], original["stan"] = "sale", fmt.Sprintf("%012d", 900+d.n), fmt.Sprintf("%06d", 900+d.n)
	finding := map[string]any{"code": "recipient_mismatch", "rule": "RC-101", "severity": "critical", "text": map[string]any{"en": "another card", "zh": "卡号不同"}}
	verdict := map[string]any{"type": "verdict", "seq": 2, "rev": 1, "kind": "refund", "recipient": "different", "reason": "", "evidence": "strong",
		"decision": "alarm", "cancelled": false, "original": nil, "findings": []any{finding}}
	data := map[string]any{"case_id": desktest.CaseID(d.n), "severity": "critical", "decision": "alarm", "verdict": verdict, "refund": refund, "original": original, "evidence": []any{map[string]any{"record": 2}}}
	event := func() []byte {
		text, err := json.Marshal(data)
		if err != nil {
			d.t.Fatal(err)
		}
		return topics.AppendEvent(nil, &topics.Fields{ID: desktest.EventID("S1", d.n), Source: "urn:yuanlu:terminal:t-1", Type: "yuanlu.case.opened.v1",
			Subject: "case/" + desktest.CaseID(d.n), Stream: "S1", Time: time.Now(), Sequence: d.n, Attempt: 1, ClockSynced: true, Data: text})
	}
	m, ok := d.decode.Decode("yuanlu/v1/t-1/up/case", event(), false, time.Now())
	if !ok || m.Event == nil {
		d.t.Fatalf("%+v", m.Refusal)
	}
	if hostile { // a terminal whose messages are what no schema lets through
		for _, s := range []map[string]any{refund, original} {
			for name := range s {
				if name != "kind" && name != "outcome" && name != "amount" && name != "party" {
					s[name] = markup
				}
			}
			for _, name := range []string{"order_no", "channel_txn", "refund_no", "channel_refund", "approver", "releaser"} {
				s[name] = markup
			}
			s["party"] = map[string]any{"scheme": markup, "shown": markup, "token": markup}
		}
		original["order_no"], original["channel_txn"] = "", "" // it is no sale of another case
		finding["code"], finding["rule"], finding["text"] = markup, markup, map[string]any{"en": markup, "zh": markup}
		verdict["reason"], verdict["evidence"] = markup, markup
		data["explain"] = map[string]any{"rules": []any{map[string]any{"rule": markup, "result": "hit", "why": markup}}, "would_change": []any{map[string]any{"en": markup, "zh": markup}}}
		m.Event.Payload = event()
	}
	if _, err := d.s.Apply(d.t.Context(), []store.Message{m}); err != nil {
		d.t.Fatal(err)
	}
	return fmt.Sprintf("C-%d-%06d", time.Now().In(time.FixedZone("", 8*3600)).Year(), d.n)
}

// TestE2EPage: what page.mjs does in the browser, each check as a test of its own.
func TestE2EPage(t *testing.T) {
	modules := npmFolder(t)
	for name, place := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "desk.db") },
		"postgres": func(t *testing.T) string { return cluster.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, place(t))
			schemes := []string{"light", "dark"}
			if name == "postgres" { // colours are no matter of the store
				schemes = schemes[:1]
			}
			in := map[string]any{"schemes": schemes, "base": d.server.URL, "password": password, "markup": markup, "people": d.hire()}
			var cases []string
			for range 15 {
				cases = append(cases, d.open(false))
			}
			in["cases"], in["hostile"] = cases, d.open(true)
			checks := os.Getenv("YUANLU_CHECK")
			if name == "postgres" && checks == "" && os.Getenv("YUANLU_SOAK") == "" {
				checks = "^(1|5|6|7|13) " // those that write, and what is live; make soak runs all
			}
			d.run(t, modules, in, checks)
		})
	}
}

// run runs the checks of page.mjs whose names fit, which prints one line for each.
func (d *desk) run(t *testing.T, modules string, in map[string]any, checks string) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/page.mjs")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, name := range []string{"page.mjs", "office.mjs"} {
		if err := os.Symlink(filepath.Join(filepath.Dir(script), name), filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(work, "node_modules")); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "node", "--preserve-symlinks", "--preserve-symlinks-main", "page.mjs")
	c.Dir, c.Stdin = work, bytes.NewReader(text)
	c.Env = append(os.Environ(), "NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_NO_WARNINGS=1", "YUANLU_PROFILE="+filepath.Join(work, "profile"), "HOME="+work, "YUANLU_CHECK="+checks)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end := time.AfterFunc(runTime, func() { _ = c.Process.Kill() })
	defer end.Stop()
	done := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var one struct {
			Check, Error string
			MS           int
			Done         bool
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Log(lines.Text())
			continue
		}
		if done = one.Done; done {
			continue
		}
		t.Run(one.Check, func(t *testing.T) {
			t.Logf("%d ms", one.MS)
			if one.Error != "" {
				t.Error(one.Error)
			}
		})
	}
	if err := c.Wait(); err != nil || !done {
		t.Errorf("%v\n%s", err, problems.String())
	}
}

// npmFolder returns a folder with the packages of testdata, installed once per lock file in
// the user's cache.
func npmFolder(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("YUANLU_SOAK") == "" {
			t.Skip("chromium is not installed (make setup installs it)")
		}
		t.Fatal(err)
	}
	lock, err := os.ReadFile("testdata/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Error("the lock file names where packages come from; strip its resolved members")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "yuanlu-test", fmt.Sprintf("npm-%x", sha256.Sum256(lock))[:20])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "npm-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	c.Dir = work
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(work, dir); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return dir
}
