package twin

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/wire"
)

// clearLine is a line of a journal, read with the standard library, so that the twin shares no
// reader with the program.
type clearLine struct {
	wire.Record
	Amount *int64 `json:"amount"`
	At     string `json:"at"`
}

func (l *clearLine) record() wire.Record {
	r := l.Record
	if l.Amount != nil {
		if r.Amount = *l.Amount; r.Amount == 0 {
			r.Amount = -1 // stated, and none
		}
	}
	r.At, _ = refund.ParseTime(l.At)
	if r.Currency == "RMB" {
		r.Currency = "CNY"
	}
	return r
}

func readJournal(t *testing.T, file string) []wire.Record {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []wire.Record
	for n, line := range bytes.Split(b, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var l clearLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		out = append(out, l.record())
	}
	return out
}

const scenarios = "../testdata/scenarios"

// The labels were written by hand from the page; the twin was too.
func TestTwinAgreesWithTheLabels(t *testing.T) {
	files, err := filepath.Glob(scenarios + "/*.want.jsonl")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d labels found (%v)", len(files), err)
	}
	for _, want := range files {
		name := strings.TrimSuffix(filepath.Base(want), ".want.jsonl")
		t.Run(name, func(t *testing.T) {
			lines := readJournal(t, filepath.Join(scenarios, name+".jsonl"))
			verdicts, gaps := final(lines)
			labels(t, want, verdicts, gaps)
		})
	}
}

type label struct {
	Type      string          `json:"type"`
	Seq       int             `json:"seq"`
	Kind      *string         `json:"kind"`
	Recipient *string         `json:"recipient"`
	Reason    *string         `json:"reason"`
	Evidence  *string         `json:"evidence"`
	Decision  *string         `json:"decision"`
	Cancelled *bool           `json:"cancelled"`
	Original  json.RawMessage `json:"original"`
	Findings  *[]struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
	} `json:"findings"`
	Expected wire.Totals `json:"expected"`
	Observed wire.Totals `json:"observed"`
}

func labels(t *testing.T, file string, got []*judge.Verdict, gaps []judge.Gap) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bySeq := map[int]*judge.Verdict{}
	for _, v := range got {
		bySeq[v.Seq] = v
	}
	verdicts, integrities := 0, 0
	for line := range bytes.Lines(b) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var l label
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "integrity" {
			integrities++
			found := false
			for _, g := range gaps {
				found = found || g.Seq == l.Seq && g.Expected == l.Expected && g.Observed == l.Observed
			}
			if !found {
				t.Errorf("integrity %d: not found in %+v", l.Seq, gaps)
			}
			continue
		}
		verdicts++
		v := bySeq[l.Seq]
		if v == nil {
			t.Errorf("%d: no verdict", l.Seq)
			continue
		}
		l.check(t, v)
	}
	if verdicts != len(got) || integrities != len(gaps) {
		t.Errorf("%d verdicts and %d gaps, want %d and %d", len(got), len(gaps), verdicts, integrities)
	}
}

func (l *label) check(t *testing.T, v *judge.Verdict) {
	t.Helper()
	differ := l.Recipient != nil && *l.Recipient != v.Recipient || l.Reason != nil && *l.Reason != v.Reason ||
		l.Evidence != nil && *l.Evidence != v.Evidence || l.Decision != nil && *l.Decision != v.Decision ||
		l.Cancelled != nil && *l.Cancelled != v.Cancelled || l.Kind != nil && *l.Kind != v.Kind
	if l.Original != nil {
		var o struct {
			Seq     int    `json:"seq"`
			FoundBy string `json:"found_by"`
		}
		if err := json.Unmarshal(l.Original, &o); err != nil {
			t.Fatal(err)
		}
		differ = differ || o.Seq != v.Original || o.FoundBy != v.FoundBy
	}
	if l.Findings != nil {
		differ = differ || len(*l.Findings) != len(v.Findings)
		for i, f := range *l.Findings {
			differ = differ || i >= len(v.Findings) || v.Findings[i].Code != f.Code || v.Findings[i].Severity.String() != f.Severity
		}
	}
	if differ {
		got, _ := json.Marshal(l)
		t.Errorf("%d: got %+v\nwant %s", l.Seq, *v, got)
	}
}
