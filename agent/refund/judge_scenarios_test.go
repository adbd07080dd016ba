package refund_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/rules"
)

// keyring makes tokens as the ledger does, with fixed keys, newest first.
type keyring []string

func (k keyring) Tokens(label, clear string) []string {
	var out []string
	for i := len(k) - 1; i >= 0; i-- {
		m := hmac.New(sha256.New, []byte(k[i]))
		m.Write([]byte(label + "\x1e" + clear))
		out = append(out, fmt.Sprintf("k%d:%s", i+1, hex.EncodeToString(m.Sum(nil)[:16])))
	}
	return out
}

func newJudge() *refund.Judge { return refund.NewJudge(refund.DefaultSettings(), rules.All()) }

// check does what `yuanlu check` does with the lines of a journal.
func check(t testing.TB, input []byte) (lines []memhistory.Line, final map[int64]refund.Verdict) {
	t.Helper()
	j := memhistory.NewJournal(newJudge())
	in := bufio.NewScanner(bytes.NewReader(input))
	for in.Scan() {
		r, err := refund.ParseRecord(in.Bytes(), refund.Reject)
		if err != nil {
			t.Fatal(err)
		}
		_, ls, err := j.Add(refund.Seal(r, keyring{"one", "two"}))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, ls...)
	}
	ls, err := j.Finish()
	if err != nil {
		t.Fatal(err)
	}
	final = map[int64]refund.Verdict{}
	for _, v := range j.Store.Verdicts() {
		final[v.Verdict.Seq] = v.Verdict
	}
	return append(lines, ls...), final
}

// differs is compare.py's rule: only what the wanted line states is compared.
func differs(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return true
		}
		for k, v := range w {
			x, ok := g[k]
			if !ok || differs(v, x) {
				return true
			}
		}
		return false
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return true
		}
		for i := range w {
			if differs(w[i], g[i]) {
				return true
			}
		}
		return false
	}
	return !reflect.DeepEqual(want, got)
}

func TestScenarios(t *testing.T) {
	wants, err := filepath.Glob("testdata/scenarios/*.want.jsonl")
	if err != nil || len(wants) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, want := range wants {
		name := strings.TrimSuffix(filepath.Base(want), ".want.jsonl")
		t.Run(name, func(t *testing.T) {
			input, err := os.ReadFile(strings.TrimSuffix(want, ".want.jsonl") + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			compareScenario(t, input, wanted)
		})
	}
}

func compareScenario(t *testing.T, input, wanted []byte) {
	t.Helper()
	lines, _ := check(t, input)
	last := map[string]string{} // type and seq: last line
	for _, l := range lines {
		var x struct{ Type string }
		if err := json.Unmarshal(l.JSON, &x); err != nil {
			t.Fatalf("%s: %v", l.JSON, err)
		}
		last[fmt.Sprint(x.Type, l.Seq)] = string(l.JSON)
	}
	for _, w := range bytes.Split(bytes.TrimSpace(wanted), []byte("\n")) {
		if len(w) == 0 {
			continue
		}
		var want, got map[string]any
		if err := json.Unmarshal(w, &want); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(want["type"], int64(want["seq"].(float64)))
		line, ok := last[key]
		delete(last, key)
		if !ok {
			t.Errorf("missing: %s", w)
			continue
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if differs(want, got) {
			t.Errorf("\n got %s\nwant %s", line, w)
		}
	}
	for _, line := range last {
		t.Errorf("not wanted: %s", line)
	}
}
