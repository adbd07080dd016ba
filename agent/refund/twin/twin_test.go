package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/randomjournal"
	"yuanlu/agent/refund/rules"
)

// oneKey makes tokens under a single key.
type oneKey struct{}

func (oneKey) Tokens(label, clear string) []string {
	m := hmac.New(sha256.New, []byte("twin"))
	m.Write([]byte(label + "\x1e" + clear))
	return []string{"k1:" + hex.EncodeToString(m.Sum(nil)[:16])}
}

// judgeVerdicts runs the judge over the journal and returns each final verdict and gap
// in the twin's form.
func judgeVerdicts(lines []rec) ([]string, error) {
	j := memhistory.NewJournal(refund.NewJudge(refund.DefaultSettings(), rules.All()))
	var out []string
	for _, l := range lines {
		c, _, err := j.Add(refund.Seal(l.Record, oneKey{}))
		if err != nil {
			return nil, err
		}
		if g := c.Integrity; g != nil {
			out = append(out, fmt.Sprintf("%d gap %+v %+v", g.Seq, g.Expected, g.Observed))
		}
	}
	if _, err := j.Finish(); err != nil {
		return nil, err
	}
	for _, v := range j.Store.Verdicts() {
		out = append(out, summary(&v.Verdict))
	}
	slices.Sort(out)
	return out, nil
}

func summary(v *refund.Verdict) string {
	t := &verdict{seq: v.Seq, kind: v.Kind, recipient: v.Recipient, reason: v.Reason, evidence: v.Evidence, decision: v.Decision, cancelled: v.Cancelled}
	if v.Original != nil {
		t.original, t.foundBy = v.Original.Seq, v.Original.FoundBy
	}
	for _, f := range v.Findings {
		t.findings = append(t.findings, finding{f.Code, f.Severity})
	}
	return t.String()
}

func (v *verdict) String() string {
	var f []string
	for _, x := range v.findings {
		f = append(f, x.code+"="+severityName(x.severity))
	}
	return fmt.Sprintf("%d %s %s/%s/%s %s cancelled=%v original=%d/%s %s", v.seq, v.kind, v.recipient, v.reason, v.evidence, v.decision,
		v.cancelled, v.original, v.foundBy, strings.Join(f, ","))
}

func twinVerdicts(lines []rec) []string {
	var out []string
	for _, v := range final(lines, refund.DefaultSettings().Windows) {
		out = append(out, v.String())
	}
	for _, g := range integrity(lines) {
		out = append(out, fmt.Sprintf("%d gap %+v %+v", g.Seq, g.Expected, g.Observed))
	}
	slices.Sort(out)
	return out
}

// disagree returns the first line in which the two differ, "" if none.
func disagree(t *testing.T, lines []rec) string {
	t.Helper()
	judge, err := judgeVerdicts(lines)
	if err != nil {
		return "judge: " + err.Error()
	}
	twin := twinVerdicts(lines)
	for i := range max(len(judge), len(twin)) {
		var a, b string
		if i < len(judge) {
			a = judge[i]
		}
		if i < len(twin) {
			b = twin[i]
		}
		if a != b {
			return fmt.Sprintf("judge %s\n twin %s", a, b)
		}
	}
	return ""
}

// shrink drops records as long as the two still disagree.
func shrink(t *testing.T, lines []rec) []rec {
	for again := true; again; {
		again = false
		for i := len(lines) - 1; i >= 0; i-- {
			fewer := renumber(slices.Delete(slices.Clone(lines), i, i+1))
			if disagree(t, fewer) != "" {
				lines, again = fewer, true
			}
		}
	}
	return lines
}

func numbered(records []refund.Record) []rec {
	var lines []rec
	for _, r := range records {
		lines = append(lines, rec{Record: r})
	}
	return renumber(lines)
}

func renumber(lines []rec) []rec {
	for i := range lines {
		lines[i].seq = int64(i + 1)
	}
	return lines
}

// clearJSON prints a random record with its invented identifiers, to be kept as a
// scenario.
func clearJSON(r refund.Record) string {
	return string(clearRecord(r))
}

func TestTwinAgreesOnRandomJournals(t *testing.T) {
	journals, records := 1000, 60
	if os.Getenv("YUANLU_SOAK") != "" {
		journals, records = 10_000, 100
	}
	reported := 0
	for seed := range uint64(journals) {
		lines := numbered(randomjournal.Records(seed, records))
		if disagree(t, lines) == "" {
			continue
		}
		small := shrink(t, lines)
		var show strings.Builder
		for _, l := range small {
			fmt.Fprintln(&show, clearJSON(l.Record))
		}
		t.Errorf("seed %d:\n%s\n%s", seed, disagree(t, small), show.String())
		if reported++; reported == 5 {
			t.Fatalf("and perhaps more of %d journals", journals)
		}
	}
}
