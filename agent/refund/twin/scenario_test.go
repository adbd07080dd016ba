package twin

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/refund"
)

// jsonParty and jsonRecord read records.md with the standard library, so that the
// twin shares no reader with the program.
type jsonParty struct {
	Scheme    refund.Scheme `json:"scheme"`
	Namespace string        `json:"namespace"`
	ID        string        `json:"id"`
	PAR       string        `json:"par"`
	Text      string        `json:"text"`
	Also      []jsonParty   `json:"also"`
}

func (p *jsonParty) party() *refund.Party {
	if p == nil {
		return nil
	}
	out := &refund.Party{Scheme: p.Scheme, Namespace: p.Namespace, ID: refund.NewSecret(p.ID), PAR: refund.NewSecret(p.PAR), Text: p.Text}
	for _, a := range p.Also {
		out.Also = append(out.Also, *a.party())
	}
	return out
}

type jsonRecord struct {
	Kind          refund.Kind      `json:"kind"`
	Outcome       refund.Outcome   `json:"outcome"`
	ResponseCode  string           `json:"response_code"`
	Copy          refund.Copy      `json:"copy"`
	Training      bool             `json:"training"`
	MerchantID    string           `json:"merchant_id"`
	TerminalID    string           `json:"terminal_id"`
	Operator      string           `json:"operator"`
	Channel       refund.Channel   `json:"channel"`
	Funding       string           `json:"funding"`
	Entry         refund.Entry     `json:"entry"`
	Amount        *int64           `json:"amount"`
	PayerAmount   *int64           `json:"payer_amount"`
	Currency      string           `json:"currency"`
	At            string           `json:"at"`
	Stan          string           `json:"stan"`
	Batch         string           `json:"batch"`
	RRN           string           `json:"rrn"`
	AuthCode      string           `json:"auth_code"`
	OrderNo       string           `json:"order_no"`
	ChannelTxn    string           `json:"channel_txn"`
	RefundNo      string           `json:"refund_no"`
	ChannelRefund string           `json:"channel_refund"`
	Original      refund.Original  `json:"-"`
	O             jsonOriginal     `json:"original"`
	Party         *jsonParty       `json:"party"`
	Ask           string           `json:"ask"`
	RefundRoute   refund.Route     `json:"refund_route"`
	Signature     string           `json:"signature"`
	Totals        *refund.Totals   `json:"totals"`
	Coverage      *refund.Coverage `json:"journal"`
}

type jsonOriginal struct {
	Stan       string `json:"stan"`
	Batch      string `json:"batch"`
	Date       string `json:"date"`
	RRN        string `json:"rrn"`
	AuthCode   string `json:"auth_code"`
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	TerminalID string `json:"terminal_id"`
}

func (j *jsonRecord) record() refund.Record {
	r := refund.Record{
		Kind: j.Kind, Outcome: j.Outcome, ResponseCode: j.ResponseCode, Copy: j.Copy, Training: j.Training,
		MerchantID: j.MerchantID, TerminalID: j.TerminalID, Operator: j.Operator, Channel: j.Channel, Funding: j.Funding,
		Entry: j.Entry, Currency: j.Currency, At: j.At, Stan: j.Stan, Batch: j.Batch, RRN: j.RRN, AuthCode: j.AuthCode,
		OrderNo: j.OrderNo, ChannelTxn: j.ChannelTxn, RefundNo: j.RefundNo, ChannelRefund: j.ChannelRefund,
		Original: refund.Original(j.O), Party: j.Party.party(), Ask: j.Ask, RefundRoute: j.RefundRoute, Signature: j.Signature,
		Totals: j.Totals, Coverage: j.Coverage,
	}
	if j.Amount != nil {
		r.Amount, r.HasAmount = *j.Amount, true
	}
	if j.PayerAmount != nil {
		r.PayerAmount, r.HasPayerAmount = *j.PayerAmount, true
	}
	if r.Currency == "RMB" {
		r.Currency = "CNY"
	}
	return r
}

func readJournal(t *testing.T, file string) []rec {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []rec
	for n, line := range bytes.Split(b, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var j jsonRecord
		if err := json.Unmarshal(line, &j); err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		out = append(out, rec{int64(n + 1), j.record()})
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
			labels(t, want, final(lines, refund.DefaultSettings().Windows), integrity(lines))
		})
	}
}

type label struct {
	Type      string            `json:"type"`
	Seq       int64             `json:"seq"`
	Kind      *refund.Kind      `json:"kind"`
	Recipient *refund.Recipient `json:"recipient"`
	Reason    *string           `json:"reason"`
	Evidence  *refund.Evidence  `json:"evidence"`
	Decision  *refund.Decision  `json:"decision"`
	Cancelled *bool             `json:"cancelled"`
	Original  json.RawMessage   `json:"original"`
	Findings  *[]struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
	} `json:"findings"`
	Expected refund.Totals `json:"expected"`
	Observed refund.Totals `json:"observed"`
}

func labels(t *testing.T, file string, got []*verdict, gaps []refund.Integrity) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bySeq := map[int64]*verdict{}
	for _, v := range got {
		bySeq[v.seq] = v
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

func (l *label) check(t *testing.T, v *verdict) {
	t.Helper()
	differ := l.Recipient != nil && *l.Recipient != v.recipient || l.Reason != nil && *l.Reason != v.reason ||
		l.Evidence != nil && *l.Evidence != v.evidence || l.Decision != nil && *l.Decision != v.decision ||
		l.Cancelled != nil && *l.Cancelled != v.cancelled || l.Kind != nil && *l.Kind != v.kind
	if l.Original != nil {
		var o struct {
			Seq     int64  `json:"seq"`
			FoundBy string `json:"found_by"`
		}
		if err := json.Unmarshal(l.Original, &o); err != nil {
			t.Fatal(err)
		}
		differ = differ || o.Seq != v.original || o.FoundBy != v.foundBy
	}
	if l.Findings != nil {
		differ = differ || len(*l.Findings) != len(v.findings)
		for i, f := range *l.Findings {
			differ = differ || i >= len(v.findings) || v.findings[i].code != f.Code || severityName(v.findings[i].severity) != f.Severity
		}
	}
	if differ {
		got, _ := json.Marshal(l)
		t.Errorf("%d: got %+v\nwant %s", l.Seq, *v, got)
	}
}

func severityName(s refund.Severity) string {
	return [...]string{"", "info", "low", "medium", "high", "critical"}[s]
}
