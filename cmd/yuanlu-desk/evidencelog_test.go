package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/mqtt/brokertest"
)

// logged is a terminal with a wrong refund, and a desk that co-signs its log.
type logged struct {
	t             *testing.T
	config, place string
	key           string // co-signing key file
	agent, desk   *process
}

// office runs a verb evidence of the desk's program on the store.
func (l *logged) office(args ...string) (int, string) {
	l.t.Helper()
	out, err := exec.Command(binary(l.t, "yuanlu-desk"), append([]string{"evidence", "--store", l.place}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return exitOK, string(out)
}

// packs exports the case for every reader and has each pack checked: an unsigned one ends with 3, a signed one
// with 0 where its keys are trusted.
func (l *logged) packs() {
	l.t.Helper()
	dir := l.t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at("seal.key"), "-out", at("seal.pem"), "-days", "3650", "-subj", "/CN=Shop").CombinedOutput(); err != nil {
		l.t.Fatalf("%v %s", err, out)
	}
	no := fmt.Sprintf("C-%d-000001", time.Now().UTC().Add(8*time.Hour).Year())
	verified := func(pack, trust string) int {
		args := []string{pack}
		if trust != "" {
			args = append(args, "--trust", trust)
		}
		cmd := exec.Command(binary(l.t, "yuanlu-verify"), args...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			l.t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code == 1 || code == 2 {
			l.t.Errorf("%s: %d\n%s", pack, code, out)
		}
		return cmd.ProcessState.ExitCode()
	}
	seal := []string{"--seal-cert", at("seal.pem"), "--seal-key", at("seal.key")}
	code, trust := l.office(append([]string{"keys", "--cosign-key", l.key}, seal...)...)
	if err := os.WriteFile(at("trust.json"), []byte(trust), 0o600); code != exitOK || err != nil {
		l.t.Fatal(code, trust, err)
	}
	for _, profile := range []string{"bank", "platform", "12315", "court", "store"} {
		for _, signed := range []bool{false, true} {
			args, pack, want := []string{"export", no, "--for", profile, "--reader", "someone", "--cosign-key", l.key}, at(fmt.Sprint(profile, signed)), 3
			if signed {
				args, want = append(args, seal...), 0
			}
			if code, out := l.office(append(args, "--out", pack)...); code != exitOK {
				l.t.Fatalf("%s: %d %s", profile, code, out)
			}
			if got := verified(pack, at("trust.json")); got != want {
				l.t.Errorf("%s, signed %t: verified with %d, want %d", profile, signed, got, want)
			}
			if got := verified(pack, ""); got != 3 {
				l.t.Errorf("%s, signed %t, without trust: %d", profile, signed, got)
			}
		}
	}
	// The very pack again, and what is refused.
	again := at("again")
	if code, out := l.office("export", "--again", fmt.Sprintf("E-%d-000001", time.Now().UTC().Add(8*time.Hour).Year()), "--out", again); code != exitOK {
		l.t.Errorf("%d %s", code, out)
	}
	one, err := os.ReadFile(again)
	two, bad := os.ReadFile(at("bankfalse"))
	if err != nil || bad != nil || !bytes.Equal(one, two) {
		l.t.Errorf("the pack is another one: %v %v", err, bad)
	}
	for _, args := range [][]string{{"export", no, "--cosign-key", l.key}, {"export", no, "--for", "court"}, {"export", "C-2001-000001", "--for", "court", "--cosign-key", l.key},
		{"export", "--again", "E-2001-000001"}, {"trust", "nobody+00000000+AAAA", "--who", "ann"}, {"restart"}, {"else"}} {
		if code, out := l.office(args...); code == exitOK || strings.Contains(out, "PRIVATE") {
			l.t.Errorf("%q: %d %s", args, code, out)
		}
	}
}

// verb runs a verb of the terminal's program and returns its exit status and what it printed.
func (l *logged) verb(stdin, verb string, args ...string) (int, string) {
	l.t.Helper()
	cmd := exec.Command(binary(l.t, "yuanlu"), append([]string{verb, "--config", l.config}, args...)...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "LANG=C", "JOURNAL_STREAM="), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// json runs a verb with --json and reads its one line.
func (l *logged) json(to any, verb string, args ...string) {
	l.t.Helper()
	code, out := l.verb("", verb, append([]string{"--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), to); code != exitOK || err != nil {
		l.t.Fatalf("%s %q: %d %v: %s", verb, args, code, err, out)
	}
}

func newLogged(t *testing.T) *logged {
	t.Helper()
	dir := t.TempDir()
	l := &logged{t: t, config: filepath.Join(dir, "yuanlu.toml"), place: filepath.Join(dir, "desk.db")}
	seedStore(t, filepath.Join(dir, "store"), putRight[:2])
	broker := brokertest.Start(t, brokertest.Options{})
	text := fmt.Sprintf("[terminal]\nid = \"t-1\"\n[store]\ndir = %q\n[[link]]\nname = \"pos\"\nwire = \"smart\"\nport = %q\n[mqtt]\nurl = %q\nallow_plaintext = true\n[time]\ntrust = \"always\"\n[backoffice]\nhost = \"desk\"\n",
		filepath.Join(dir, "store"), filepath.Join(dir, "absent"), broker.URL())
	if err := os.WriteFile(l.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "cosign")
	l.key = key
	if out, err := exec.Command(binary(t, "yuanlu-desk"), "keygen", "--cosign", "shop", "--out", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hiredClerks(t, l.place, &address{}, "supervisor-1")
	l.desk = newDesk(t, "--broker", broker.URL(), "--allow-plaintext", "--store", l.place, "--cosign-key", key)
	l.desk.startDesk()
	l.agent = newProcess(t, func() *exec.Cmd {
		cmd := exec.Command(binary(t, "yuanlu"), "run", "--config", l.config)
		cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
		return cmd
	})
	l.agent.start()
	return l
}

// TestE2EEvidenceLog: a wrong refund is in the terminal's evidence log, the desk co-signs it and
// fetches the leaves of the case; the terminal proves the case by itself, compares numbers, and
// finds a row that was changed.
func TestE2EEvidenceLog(t *testing.T) {
	l := newLogged(t)
	var key struct {
		VKey, Fingerprint string
		Size, Cosigned    int64
	}
	desktest.Eventually(t, time.Minute, "the case under a co-signed checkpoint", func() bool {
		l.json(&key, "evidence", "key")
		return key.Cosigned >= 5 // leaf 0, two records, the verdict, the case
	})
	if len(key.Fingerprint) != 64 {
		t.Errorf("%+v", key)
	}
	var list struct {
		CaseID string `json:"case_id"`
	}
	l.json(&list, "cases", "list")
	out := filepath.Join(t.TempDir(), "case.zip")
	if code, text := l.verb("", "evidence", "export", list.CaseID, "--out", out); code != exitOK {
		t.Fatalf("%d %s", code, text)
	}
	if kinds := checkTerminalZIP(t, out, key.VKey); kinds[evidence.LeafRecord] != 2 || kinds[evidence.LeafVerdict] == 0 || kinds[evidence.LeafCase] == 0 || kinds[evidence.LeafNote] == 0 {
		t.Errorf("leaves by kind %v", kinds)
	}
	if code, text := l.verb("", "evidence", "export", list.CaseID, "--out", out); code != exitUsage {
		t.Errorf("a file that is there: %d %s", code, text)
	}
	if code, text := l.verb("", "evidence", "export", "NO-SUCH-CASE", "--out", out+"2"); code == exitOK || !strings.Contains(text, "no such case") {
		t.Errorf("%d %s", code, text)
	}
	for _, tc := range []struct{ number, who, want string }{
		{"6205500000000000004", "--recipient", "the same number\n"}, {"6200 0000 0000 0005", "--payer", "the same number\n"},
		{"6200000000000005", "--recipient", "different: it is another number\n"}, {"6205500000000000004", "--payer", "different: it is another number\n"},
		{"1", "--payer", "different: it is another number\n"}, {"6200000000000005", "--payer", ""},
	} {
		code, text := l.verb(tc.number+"\n", "evidence", "match", "2", tc.who)
		if tc.want != "" && (code != exitOK || text != tc.want) {
			t.Errorf("%+v: %d %s", tc, code, text)
		}
		if tc.want == "" && (code == exitOK || !strings.Contains(text, "too often")) {
			t.Errorf("the sixth within an hour: %d %s", code, text)
		}
	}
	desktest.Eventually(t, time.Minute, "the leaves of the case at the desk", func() bool { return l.deskLeaves(list.CaseID) })
	if code, text := l.verb("", "evidence", "check"); code != exitOK || !strings.Contains(text, "all holds") {
		t.Errorf("%d %s", code, text)
	}
	if code, text := l.office("trust", key.VKey, "--who", "ann"); code != exitOK {
		t.Errorf("%d %s", code, text)
	}
	l.packs()
	before := key.VKey
	if code, text := l.verb("", "evidence", "restart"); code != exitOK {
		t.Errorf("%d %s", code, text)
	}
	if l.json(&key, "evidence", "key"); key.VKey == before || key.Size == 0 {
		t.Errorf("after restart %+v", key)
	}
	if code := l.agent.stop(); code != exitOK {
		t.Errorf("the agent ended with %d", code)
	}
	l.forged()
}

// forged changes the row of leaf 0 with sqlite3, and expects evidence check to find it: by the leaf's hash while
// the change is in the journal of SQLite alone, whose pages have no sum of the store's; by the sum of its page
// once it is in the database file.
func (l *logged) forged() {
	l.t.Helper()
	db := filepath.Join(filepath.Dir(l.config), "store", "yuanlu.db")
	if code, text := l.verb("", "evidence", "check"); code != exitOK {
		l.t.Errorf("before any change: %d %s", code, text)
	}
	for _, tc := range []struct {
		before string
		code   int
		want   string
	}{
		{".dbconfig no_ckpt_on_close on\n", exitData, "leaf 0: its bytes are not those of its hash"},
		{"", exitStore, "; what to do: sudo yuanlu doctor"},
	} {
		cmd := exec.Command("sqlite3", "-bail", db)
		cmd.Stdin = strings.NewReader(tc.before + "UPDATE leaf SET hash = zeroblob(32) WHERE n = 0;\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			l.t.Fatalf("%v %s", err, out)
		}
		if code, text := l.verb("", "evidence", "check"); code != tc.code || !strings.Contains(text, tc.want) {
			l.t.Errorf("a changed row: %d %s; want %d, %s", code, text, tc.code, tc.want)
		}
	}
	if _, text := l.verb("", "evidence", "check", "--lang", "zh"); !strings.Contains(text, "文件有一页与校验和不符") || !strings.Contains(text, "处理办法：sudo yuanlu doctor") {
		l.t.Errorf("in Chinese: %s", text)
	}
}

// deskLeaves reports whether the desk has the leaves of a case: record, verdict, event, and leaf 0.
func (l *logged) deskLeaves(caseID string) bool {
	l.t.Helper()
	out, err := exec.Command("sqlite3", "-readonly", l.place, `SELECT count(*) FROM case_leaf c JOIN log_leaf l ON l.origin = c.origin AND l.n = c.n WHERE c.case_id = '`+caseID+`'`).CombinedOutput()
	n, bad := strconv.Atoi(strings.TrimSpace(string(out)))
	return err == nil && bad == nil && n >= 5
}

// checkTerminalZIP checks each leaf of an export by the terminal, and counts them by kind.
func checkTerminalZIP(t *testing.T, name, vkey string) map[string]int {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	lines := func(name string) (list []evidence.Value) {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			v, err := evidence.Parse(s.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		return list
	}
	key, err := evidence.ParseKey(vkey, evidence.KeyLog)
	if err != nil {
		t.Fatal(err)
	}
	notes, kinds := map[int64]*evidence.Note{}, map[string]int{}
	for _, v := range lines("terminal/checkpoints.jsonl") {
		n, err := evidence.ParseNote(v.Get("note").Text)
		if err != nil || n.SignedBy(key) != nil {
			t.Fatal(err, n)
		}
		notes[n.Size] = n
	}
	for _, v := range lines("terminal/leaves.jsonl") {
		size, _ := v.Get("size").Int()
		n, _ := v.Get("n").Int()
		proof, err := evidence.ParseProof(v.Get("proof"))
		leaf := []byte(v.Get("leaf").Text)
		if err == nil {
			err = evidence.CheckInclusion(proof, size, notes[size].Root, n, evidence.LeafHash(leaf))
		}
		is, bad := evidence.ParseLeaf(leaf)
		if err != nil || bad != nil {
			t.Fatal(n, err, bad)
		}
		kinds[is.Type]++
	}
	return kinds
}
