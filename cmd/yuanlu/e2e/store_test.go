package e2e

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the same reader any technician's sqlite3 is

	"yuanlu/agent/ledger/packed"
	"yuanlu/firmware-sim/scenario"
)

// event is one thing in the store, as its first sighting.
type event struct {
	number string // terminal/batch/stan
	kind   string
	amount int64
	caseID string
}

// events reads the store as a stranger would, while the daemon runs or not. It
// fails with fs.ErrNotExist before the store is there.
func events(dir string) ([]event, error) {
	path := filepath.Join(dir, "yuanlu.db")
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(`SELECT coalesce(case_id,''), body FROM record WHERE copy_of IS NULL ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []event
	for rows.Next() {
		var caseID string
		var stored []byte
		if err := rows.Scan(&caseID, &stored); err != nil {
			return nil, err
		}
		body, err := packed.Text(nil, stored)
		if err != nil {
			return nil, err
		}
		var r struct {
			Kind       string `json:"kind"`
			Amount     int64  `json:"amount"`
			TerminalID string `json:"terminal_id"`
			Batch      string `json:"batch"`
			Stan       string `json:"stan"`
		}
		if err := json.Unmarshal(body, &r); err != nil {
			return nil, err
		}
		out = append(out, event{number(r.TerminalID, r.Batch, r.Stan), r.Kind, r.Amount, caseID})
	}
	return out, rows.Err()
}

// storedCases returns the ids of all cases that were ever opened.
func storedCases(t testing.TB, dir string) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "yuanlu.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT case_id FROM cases`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		out[id] = true
	}
	return out
}

// expected lists what the firmware did and says on its wire: copies and training
// are nothing that happened.
func expected(es []scenario.Entry) map[event]int {
	want := map[event]int{}
	for _, e := range es {
		if r := e.Record; r.Copy == "" && !r.Training {
			want[event{number: number(r.TerminalID, r.Batch, r.Stan), kind: r.Kind, amount: r.Amount}]++
		}
	}
	return want
}

// missing compares what the firmware did with what the store holds: what is lost,
// and what is there twice or invented.
func missing(dir string, es []scenario.Entry) (lost, extra []event, err error) {
	got, err := events(dir)
	if err != nil {
		return nil, nil, err
	}
	want := expected(es)
	for _, g := range got {
		g.caseID = ""
		if want[g]--; want[g] < 0 {
			extra = append(extra, g)
		}
	}
	for w, n := range want {
		for ; n > 0; n-- {
			lost = append(lost, w)
		}
	}
	return lost, extra, nil
}

// whole reports whether the store holds exactly what the firmware did.
func whole(t testing.TB, dir string, es []scenario.Entry) bool {
	t.Helper()
	lost, extra, err := missing(dir, es)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false
	case err != nil:
		t.Logf("store: %v", err)
		return false
	case len(extra) > 0:
		t.Errorf("in the store, but not (or not so often) done: %+v", extra)
	}
	return len(lost) == 0
}

// report says what is lost, for a test that gave up waiting.
func report(t testing.TB, dir string, es []scenario.Entry) {
	t.Helper()
	lost, extra, err := missing(dir, es)
	t.Logf("%d done; lost %+v; extra %+v; %v", len(es), lost, extra, err)
}

// searchForSecrets looks for every clear identifier in every file below dirs and
// in each of the texts, as text, as hexadecimal text and as BCD.
func searchForSecrets(t testing.TB, secrets []string, dirs []string, texts map[string][]byte) {
	t.Helper()
	if len(secrets) < 5 {
		t.Fatalf("the simulator names %d secrets: nothing to search for", len(secrets))
	}
	needles := map[string][]byte{}
	for _, s := range secrets {
		needles[s+" as text"] = []byte(s)
		needles[s+" as hex"] = []byte(hex.EncodeToString([]byte(s)))
		if b, err := hex.DecodeString(s); err == nil {
			needles[s+" as BCD"] = b
		}
		if b, err := hex.DecodeString(s + "0"); err == nil {
			needles[s+" as BCD, filled right"] = b
		}
		if b, err := hex.DecodeString("0" + s); err == nil {
			needles[s+" as BCD, filled left"] = b
		}
	}
	// By their first bytes: thousands of them are looked for in one pass.
	const least = 6
	type needle struct {
		what  string
		bytes []byte
	}
	begins := map[[least]byte][]needle{}
	for what, n := range needles {
		if len(n) >= least {
			begins[[least]byte(n)] = append(begins[[least]byte(n)], needle{what, n})
		}
	}
	searched := 0
	look := func(name string, b []byte) {
		searched += len(b)
		said := map[string]bool{}
		for i := 0; i+least <= len(b); i++ {
			for _, n := range begins[[least]byte(b[i:])] {
				if bytes.HasPrefix(b[i:], n.bytes) && !said[n.what] {
					said[n.what] = true
					t.Errorf("%s holds %s", name, n.what)
				}
			}
		}
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(p)
			look(p, b)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		for _, folder := range foldersBelow(t, dir) {
			if b := unpackedTexts(t, folder); b != nil {
				look(folder+", unpacked", b)
			}
		}
	}
	for name, b := range texts {
		look(name, b)
	}
	t.Logf("%d bytes searched for %d secrets", searched, len(secrets))
}
