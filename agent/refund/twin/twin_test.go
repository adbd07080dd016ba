package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/randomjournal"
	"yuanlu/agent/refund/rules"
	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/wire"
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
func judgeVerdicts(records []refund.Record) ([]string, error) {
	j, out, err := judgeJournal(records)
	if err != nil {
		return nil, err
	}
	for _, v := range j.Store.Verdicts() {
		out = append(out, summary(&v.Verdict))
	}
	slices.Sort(out)
	return out, nil
}

// judgeJournal runs the judge over the journal and returns what it has stored, and the gaps.
func judgeJournal(records []refund.Record) (*memhistory.Journal, []string, error) {
	j := memhistory.NewJournal(refund.NewJudge(refund.DefaultSettings(), rules.All()))
	var gaps []string
	for _, r := range records {
		c, _, err := j.Add(refund.Seal(r, oneKey{}))
		if err != nil {
			return nil, nil, err
		}
		if g := c.Integrity; g != nil {
			gaps = append(gaps, gap(judge.Gap{Seq: int(g.Seq), Expected: wire.Totals(g.Expected), Observed: wire.Totals(g.Observed)}))
		}
	}
	_, err := j.Finish()
	return j, gaps, err
}

func gap(g judge.Gap) string { return fmt.Sprintf("%d gap %+v %+v", g.Seq, g.Expected, g.Observed) }

func summary(v *refund.Verdict) string {
	t := &judge.Verdict{Seq: int(v.Seq), Kind: string(v.Kind), Recipient: string(v.Recipient), Reason: v.Reason, Evidence: string(v.Evidence),
		Decision: string(v.Decision), Cancelled: v.Cancelled}
	if v.Original != nil {
		t.Original, t.FoundBy = int(v.Original.Seq), v.Original.FoundBy
	}
	for _, f := range v.Findings {
		t.Findings = append(t.Findings, judge.Finding{Code: f.Code, Severity: judge.Severity(f.Severity)})
	}
	return line(t)
}

func line(v *judge.Verdict) string {
	var f []string
	for _, x := range v.Findings {
		f = append(f, x.Code+"="+x.Severity.String())
	}
	return fmt.Sprintf("%d %s %s/%s/%s %s cancelled=%v original=%d/%s %s", v.Seq, v.Kind, v.Recipient, v.Reason, v.Evidence, v.Decision,
		v.Cancelled, v.Original, v.FoundBy, strings.Join(f, ","))
}

// final returns the last verdict of every refund and void, by seq, and the gaps.
func final(records []wire.Record) ([]*judge.Verdict, []judge.Gap) {
	b := judge.NewBook()
	bySeq := map[int]*judge.Verdict{}
	for _, r := range records {
		if v := b.Add(r); v != nil {
			bySeq[v.Seq] = v
		}
		for _, v := range b.Revised() {
			bySeq[v.Seq] = v
		}
	}
	var out []*judge.Verdict
	for seq := range len(records) {
		if v := bySeq[seq+1]; v != nil {
			out = append(out, v)
		}
	}
	return out, b.Gaps()
}

func twinVerdicts(records []refund.Record) []string {
	var list []wire.Record
	for i := range records {
		list = append(list, clearRecord(&records[i]))
	}
	verdicts, gaps := final(list)
	var out []string
	for _, v := range verdicts {
		out = append(out, line(v))
	}
	for _, g := range gaps {
		out = append(out, gap(g))
	}
	slices.Sort(out)
	return out
}

// clearRecord returns a random record as the twin has it: its identifiers are invented ones.
func clearRecord(r *refund.Record) wire.Record {
	w := wire.Record{V: 1, Kind: string(r.Kind), Outcome: string(r.Outcome), ResponseCode: r.ResponseCode, Copy: string(r.Copy), Training: r.Training,
		MerchantID: r.MerchantID, TerminalID: r.TerminalID, Operator: r.Operator, Channel: string(r.Channel), Funding: r.Funding, Entry: string(r.Entry),
		Currency: r.Currency, Stan: r.Stan, Batch: r.Batch, RRN: r.RRN, AuthCode: r.AuthCode, OrderNo: r.OrderNo, ChannelTxn: r.ChannelTxn,
		RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund, Original: wire.Original(r.Original), RefundRoute: string(r.RefundRoute)}
	if w.Amount = r.Amount; r.HasAmount && r.Amount == 0 {
		w.Amount = -1 // stated, and none
	}
	if r.HasPayerAmount {
		w.PayerAmount = &r.PayerAmount
	}
	w.At, _ = r.Time()
	if r.Totals != nil {
		w.Totals = (*wire.Totals)(r.Totals)
	}
	if r.Coverage != nil {
		w.Journal = &wire.Journal{From: r.Coverage.From, Terminals: r.Coverage.Terminals}
	}
	if p := r.Party; p != nil {
		w.Party = wire.Party{Scheme: string(p.Scheme), Namespace: p.Namespace, ID: p.ID.Reveal(), PAR: p.PAR.Reveal(), Text: p.Text}
		for _, a := range p.Also {
			w.Party.Also = append(w.Party.Also, wire.Ident{Scheme: string(a.Scheme), Namespace: a.Namespace, ID: a.ID.Reveal()})
		}
	}
	return w
}

// disagree returns the first line in which the two differ, "" if none.
func disagree(records []refund.Record) string {
	got, err := judgeVerdicts(records)
	if err != nil {
		return "judge: " + err.Error()
	}
	twin := twinVerdicts(records)
	for i := range max(len(got), len(twin)) {
		var a, b string
		if i < len(got) {
			a = got[i]
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
func shrink(records []refund.Record) []refund.Record {
	for again := true; again; {
		again = false
		for i := len(records) - 1; i >= 0; i-- {
			fewer := slices.Delete(slices.Clone(records), i, i+1)
			if disagree(fewer) != "" {
				records, again = fewer, true
			}
		}
	}
	return records
}

func TestTwinAgreesOnRandomJournals(t *testing.T) {
	journals, length := 1000, 60
	if os.Getenv("YUANLU_SOAK") != "" {
		journals, length = 10_000, 100
	}
	reported := 0
	for seed := range uint64(journals) {
		records := randomjournal.Records(seed, length)
		if disagree(records) == "" {
			continue
		}
		small := shrink(records)
		var show strings.Builder
		for i := range small {
			b, err := json.Marshal(clearRecord(&small[i]))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&show, "%s\n", b)
		}
		t.Errorf("seed %d:\n%s\n%s", seed, disagree(small), show.String())
		if reported++; reported == 5 {
			t.Fatalf("and perhaps more of %d journals", journals)
		}
	}
}
