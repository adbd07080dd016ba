package refund_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// Cards of the scripts below: test numbers that pass the Luhn check.
var scriptCards = map[string]string{
	"A": "6200000000000005", "B": "6205500000000000004", "C": "6200000111122227", "D": "6200000333344443",
	"BAD": "6200000333344447", "SHORT": "62000000005",
}

// parseScript reads one record from a line such as
//
//	refund amount=350 at=08-23T09:00 o.rrn=R1 o.date=0822 pan=A
//
// Defaults: merchant M1, terminal T1, batch 000001, stan the line's
// number, channel card, CNY, approved, at 2026-08-22T12:00:00+08:00.
func parseScript(t testing.TB, n int, line string) refund.Record {
	t.Helper()
	fields := strings.Fields(line)
	r := refund.Record{
		Kind: refund.Kind(fields[0]), Outcome: refund.Approved, MerchantID: "M1", TerminalID: "T1", Channel: refund.ChannelCard,
		Entry: refund.EntrySwipe, Amount: 1000, HasAmount: true, Currency: "CNY", At: "2026-08-22T12:00:00+08:00",
		Stan: fmt.Sprintf("%06d", n), Batch: "000001",
	}
	if r.Kind == refund.KindJournal {
		r = refund.Record{Kind: refund.KindJournal, Outcome: refund.Approved, Coverage: &refund.Coverage{}}
	}
	for _, w := range fields[1:] {
		name, value, _ := strings.Cut(w, "=")
		if !setScript(t, &r, name, value) {
			t.Fatalf("script: %q in %q", w, line)
		}
	}
	return r
}

func setScript(t testing.TB, r *refund.Record, name, v string) bool {
	number := func() int64 {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	moment := func() string {
		if len(v) == len("08-22T12:00") {
			return "2026-" + v + ":00+08:00"
		}
		return v
	}
	texts := map[string]*string{
		"m": &r.MerchantID, "t": &r.TerminalID, "cur": &r.Currency, "stan": &r.Stan, "batch": &r.Batch, "rrn": &r.RRN,
		"order": &r.OrderNo, "txn": &r.ChannelTxn, "rno": &r.RefundNo, "cref": &r.ChannelRefund, "resp": &r.ResponseCode,
		"o.stan": &r.Original.Stan, "o.batch": &r.Original.Batch, "o.date": &r.Original.Date, "o.rrn": &r.Original.RRN,
		"o.order": &r.Original.OrderNo, "o.txn": &r.Original.ChannelTxn, "o.t": &r.Original.TerminalID,
	}
	if p, ok := texts[name]; ok {
		*p = v
		return true
	}
	switch name {
	case "out":
		r.Outcome = refund.Outcome(v)
	case "copy":
		r.Copy = refund.Copy(v)
	case "training":
		r.Training = true
	case "ch":
		r.Channel = refund.Channel(v)
	case "entry":
		r.Entry = refund.Entry(v)
	case "route":
		r.RefundRoute = refund.Route(v)
	case "amount":
		if r.Amount, r.HasAmount = 0, v != "-"; r.HasAmount {
			r.Amount = number()
		}
	case "payer":
		r.HasPayerAmount, r.PayerAmount = true, number()
	case "at":
		r.At = moment()
	case "from":
		r.Coverage.From = moment()
	case "terminals":
		r.Coverage.Terminals = strings.FieldsFunc(v, func(c rune) bool { return c == ',' })
	case "totals":
		tot := &refund.Totals{}
		if _, err := fmt.Sscanf(v, "%d/%d/%d/%d", &tot.DebitAmount, &tot.DebitCount, &tot.CreditAmount, &tot.CreditCount); err != nil {
			t.Fatal(err)
		}
		r.Totals, r.Amount, r.HasAmount = tot, 0, false
	default:
		return setScriptParty(r, name, v)
	}
	return true
}

// setScriptParty sets pan=A, masked=…, id=scheme:namespace:id, also=…, par=, text=.
func setScriptParty(r *refund.Record, name, v string) bool {
	p := refund.Party{}
	if r.Party != nil {
		p = *r.Party
	}
	identifier := func() (scheme refund.Scheme, ns string, id refund.Secret) {
		parts := strings.SplitN(v, ":", 3)
		for len(parts) < 3 {
			parts = append(parts, "")
		}
		return refund.Scheme(parts[0]), parts[1], refund.NewSecret(parts[2])
	}
	switch name {
	case "pan", "dpan":
		p.Scheme, p.ID = refund.Scheme(name), refund.NewSecret(scriptCards[v])
	case "masked":
		p.Scheme, p.ID = refund.SchemePANMasked, refund.NewSecret(v)
	case "id":
		p.Scheme, p.Namespace, p.ID = identifier()
	case "also":
		q := refund.Party{}
		q.Scheme, q.Namespace, q.ID = identifier()
		p.Also = append(p.Also, q)
	case "par":
		p.PAR = refund.NewSecret(v)
	case "text":
		p.Text = v
	default:
		return false
	}
	r.Party = &p
	return true
}

// brief is a verdict in one line: recipient/reason/evidence decision original
// findings.
func brief(v *refund.Verdict) string {
	original := "-"
	if v.Original != nil {
		original = fmt.Sprintf("%d/%s", v.Original.Seq, v.Original.FoundBy)
	}
	var f []string
	for _, x := range v.Findings {
		f = append(f, x.Code+":"+x.Severity.String())
	}
	return strings.TrimSpace(fmt.Sprintf("%s/%s/%s %s %s %s", v.Recipient, v.Reason, v.Evidence, v.Decision, original, strings.Join(f, " ")))
}

// script is a journal and the lines it must end with.
type script struct {
	name    string
	records string // one a line
	want    string // "seq recipient/reason/evidence decision original findings", one a line
}

// runScript runs a journal and returns its final verdicts and integrity lines. It
// checks besides that nothing that later records changed was left as it was.
func runScript(t testing.TB, records string) []string {
	t.Helper()
	judge := newJudge()
	j := memhistory.NewJournal(judge)
	var gaps []string
	n := 0
	for line := range strings.Lines(records) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n++
		c, _, err := j.Add(refund.Seal(parseScript(t, n, line), keyring{"one"}))
		if err != nil {
			t.Fatal(err)
		}
		if i := c.Integrity; i != nil {
			gaps = append(gaps, fmt.Sprintf("%d gap %d/%d/%d/%d", i.Seq, i.Observed.DebitAmount, i.Observed.DebitCount, i.Observed.CreditAmount, i.Observed.CreditCount))
		}
		if stale := refund.Stale(judge, j.Store, int64(n)); stale != "" {
			t.Errorf("after record %d: %s", n, stale)
		}
	}
	if _, err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range j.Store.Verdicts() {
		if v.Unreleased || v.Verdict.Rev < 1 {
			t.Errorf("verdict %d was never released", v.Verdict.Seq)
		}
		got = append(got, fmt.Sprintf("%d %s", v.Verdict.Seq, brief(&v.Verdict)))
	}
	return append(got, gaps...)
}

func runScripts(t *testing.T, scripts []script) {
	t.Helper()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			got := runScript(t, s.records)
			var want []string
			for _, w := range strings.Split(strings.TrimSpace(s.want), "\n") {
				if w = strings.TrimSpace(w); w != "" {
					want = append(want, w)
				}
			}
			for i := range max(len(got), len(want)) {
				g, w := "(nothing)", "(nothing)"
				if i < len(got) {
					g = got[i]
				}
				if i < len(want) {
					w = want[i]
				}
				if g != w {
					t.Errorf("\n got %s\nwant %s", g, w)
				}
			}
		})
	}
}
