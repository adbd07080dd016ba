package refund_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// drawRecord draws a clear record of one merchant from few numbers, cards and days,
// so that records meet.
func drawRecord(t *rapid.T, merchant string) refund.Record {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	number := func(name, prefix string) string {
		n := rapid.IntRange(-3, 3).Draw(t, name)
		if n <= 0 {
			return ""
		}
		return fmt.Sprint(merchant, prefix, n)
	}
	r := refund.Record{
		Kind: refund.Kind(pick("kind", "sale", "sale", "sale", "refund", "refund", "refund", "void", "completion", "completion_void",
			"reversal", "void_refund", "adjust", "settlement", "preauth", "journal")),
		Outcome:    refund.Outcome(pick("outcome", "approved", "approved", "approved", "declined", "unknown", "pending", "closed", "abnormal")),
		Copy:       refund.Copy(pick("copy", "", "", "", "upload", "reprint")),
		Training:   rapid.IntRange(0, 30).Draw(t, "training") == 0,
		MerchantID: merchant, TerminalID: pick("terminal", "T1", "T2"),
		Channel: refund.Channel(pick("channel", "card", "wechat", "alipay", "unionpay_qr", "unknown", "cash", "")),
		Entry:   refund.Entry(pick("entry", "swipe", "keyed", "none")),
		Amount:  rapid.SampledFrom([]int64{1000, 1000, 500, 499, 0, -1}).Draw(t, "amount"), HasAmount: true,
		Currency: pick("currency", "CNY", "CNY", "", "HKD", "x"),
		At:       time.Date(2026, 8, 1, 12, 0, 0, 0, time.FixedZone("", 8*3600)).Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "hours")) * time.Hour).Format(time.RFC3339),
		Stan:     number("stan", "S"), Batch: pick("batch", "B1", "B1", "B2", ""), RRN: number("rrn", "R"),
		OrderNo: number("order", "O"), ChannelTxn: number("txn", "X"), RefundNo: number("rno", "N"), ChannelRefund: number("cref", "C"),
		RefundRoute: refund.Route(pick("route", "", "", "ORIGINAL", "BALANCE", "OTHER_BALANCE")),
	}
	if rapid.Bool().Draw(t, "points") {
		r.Original = refund.Original{
			Stan: number("o.stan", "S"), Batch: pick("o.batch", "B1", "", "B2", "000000"), RRN: number("o.rrn", "R"), OrderNo: number("o.order", "O"),
			ChannelTxn: number("o.txn", pick("o.txn.of", "X", "C")), Date: pick("o.date", "", "0801", "0803", "2026-08-02", "0231", "0000"),
			TerminalID: pick("o.terminal", "", "", "T1", "T3"),
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "party") > 0 {
		r.Party = drawParty(t)
	}
	switch {
	case rapid.IntRange(0, 20).Draw(t, "payer") == 0:
		r.HasPayerAmount, r.PayerAmount = true, 450
	case r.Kind == refund.KindSettlement:
		r.Totals = &refund.Totals{DebitAmount: 1000, DebitCount: 1}
	case r.Kind == refund.KindJournal:
		r.Coverage = &refund.Coverage{From: r.At, Terminals: []string{"T1"}}
	}
	return r
}

func drawParty(t *rapid.T) *refund.Party {
	ids := []refund.Party{
		{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000000000005")},
		{Scheme: refund.SchemePAN, ID: refund.NewSecret("6205500000000000004")},
		{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000333344447")},
		{Scheme: refund.SchemeDPAN, ID: refund.NewSecret("6200000000000005")},
		{Scheme: refund.SchemePANMasked, ID: refund.NewSecret("620000****0005")},
		{Scheme: refund.SchemePANMasked, ID: refund.NewSecret("****0004")},
		{Scheme: refund.SchemeWeChatOpenID, Namespace: "a", ID: refund.NewSecret("o1")},
		{Scheme: refund.SchemeWeChatOpenID, ID: refund.NewSecret("o1")},
		{Scheme: refund.SchemeAlipayLogon, ID: refund.NewSecret("138****0001")},
		{Scheme: refund.SchemeMerchantAccount, Text: "商户账户"},
		{Scheme: refund.SchemeNone},
	}
	p := rapid.SampledFrom(ids).Draw(t, "id")
	if rapid.IntRange(0, 5).Draw(t, "also") == 0 {
		p.Also = []refund.Party{rapid.SampledFrom(ids).Draw(t, "other")}
	}
	if par := rapid.SampledFrom([]string{"", "", "P1", "P2"}).Draw(t, "par"); par != "" {
		p.PAR = refund.NewSecret(par)
	}
	return &p
}

// judgeClear runs clear records and returns the final verdicts without Rev.
func judgeClear(t *rapid.T, records []refund.Record, tok func(n int) refund.Tokenizer) []refund.Verdict {
	j := memhistory.NewJournal(newJudge())
	for n, r := range records {
		if _, _, err := j.Add(refund.Seal(r, tok(n))); err != nil {
			t.Fatal(err)
		}
	}
	var out []refund.Verdict
	for _, v := range j.Store.Verdicts() {
		v.Verdict.Rev = 0
		out = append(out, v.Verdict)
	}
	return out
}

func oneKeyring(int) refund.Tokenizer { return keyring{"one"} }

// without returns verdicts in one line each, seqs mapped by at; texts left out.
func without(vs []refund.Verdict, at func(int64) int64) []string {
	var out []string
	for _, v := range vs {
		if v.Original != nil {
			o := *v.Original
			o.Seq = at(o.Seq)
			v.Original = &o
		}
		out = append(out, fmt.Sprintf("%d %s", at(v.Seq), brief(&v)))
	}
	return out
}

func drawJournal(t *rapid.T) []refund.Record {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) refund.Record { return drawRecord(t, "M") }), 1, 25).Draw(t, "journal")
}

// TestPropertyNothingStale: after every record, judging everything again from the
// events alone changes nothing; and two runs return the same bytes.
func TestPropertyNothingStale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawJournal(t)
		judge := newJudge()
		var runs [2]strings.Builder
		for i := range runs {
			j := memhistory.NewJournal(judge)
			for n, r := range records {
				_, lines, err := j.Add(refund.Seal(r, keyring{"one"}))
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range lines {
					fmt.Fprintf(&runs[i], "%s\n", l.JSON)
				}
				if stale := refund.Stale(judge, j.Store, int64(n+1)); i == 0 && stale != "" {
					t.Fatalf("after record %d: %s", n+1, stale)
				}
			}
		}
		if runs[0].String() != runs[1].String() {
			t.Fatal("two runs differ")
		}
	})
}

// TestPropertyCopiesChangeNothing: a record that was seen, seen again at once.
func TestPropertyCopiesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawJournal(t)
		for i := range records { // only what can be recognised is a copy
			if records[i].Stan == "" {
				records[i].Stan = "S9"
			}
			if records[i].Batch == "" {
				records[i].Batch = "B9"
			}
			// A channel learned from a copy can make a later copy of the same
			// record another event (verdicts.md § 1.3: "as completed so far").
			if records[i].Channel == "" || records[i].Channel == refund.ChannelUnknown {
				records[i].Channel = refund.ChannelCard
			}
		}
		var doubled []refund.Record
		place := map[int64]int64{}
		for n, r := range records {
			doubled = append(doubled, r)
			place[int64(len(doubled))] = int64(n + 1)
			sealed := refund.Seal(r, keyring{"one"})
			if _, timed := sealed.Time(); r.Amount > 0 && r.Currency != "x" && timed && (sealed.Party == nil || sealed.Party.Flaw == "") && rapid.Bool().Draw(t, "twice") {
				doubled = append(doubled, r)
			}
		}
		want := without(judgeClear(t, records, oneKeyring), func(s int64) int64 { return s })
		got := without(judgeClear(t, doubled, oneKeyring), func(s int64) int64 { return place[s] })
		if !slices.Equal(got, want) {
			t.Fatalf("\n got %v\nwant %v", got, want)
		}
	})
}

// TestPropertyMerchantsApart: two merchants without a number in common, in any
// interleaving.
func TestPropertyMerchantsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := refund.Record{Kind: refund.KindJournal, Outcome: refund.Approved, Coverage: &refund.Coverage{From: "2026-08-02T00:00:00+08:00"}}
		records := []refund.Record{begin}
		place := []int64{1}
		var alone [2][]refund.Record
		var places [2][]int64
		for n := range rapid.IntRange(2, 25).Draw(t, "records") {
			m := rapid.IntRange(0, 1).Draw(t, "merchant")
			r := drawRecord(t, []string{"A", "B"}[m])
			if r.Kind == refund.KindJournal {
				r.Kind, r.Coverage = refund.KindSale, nil
			}
			records, place = append(records, r), append(place, int64(n+2))
			alone[m], places[m] = append(alone[m], r), append(places[m], int64(n+2))
		}
		swapped := slices.Concat([]refund.Record{begin}, alone[1], alone[0])
		swappedPlace := slices.Concat([]int64{1}, places[1], places[0])
		want := without(judgeClear(t, records, oneKeyring), func(s int64) int64 { return place[s-1] })
		got := without(judgeClear(t, swapped, oneKeyring), func(s int64) int64 { return swappedPlace[s-1] })
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("\n got %v\nwant %v", got, want)
		}
	})
}

// TestPropertyStrongIsEqual: same with strong evidence only where two identifiers
// really are equal.
func TestPropertyStrongIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawJournal(t)
		j := memhistory.NewJournal(newJudge())
		for _, r := range records {
			if _, _, err := j.Add(refund.Seal(r, keyring{"one"})); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range j.Store.Verdicts() {
			if v.Verdict.Recipient != refund.Same || v.Verdict.Evidence != refund.Strong {
				continue
			}
			equal := false
			for e := range j.Store.Range(v.Verdict.Seq, v.Verdict.Seq) {
				for o := range j.Store.Range(v.Verdict.Original.Seq, v.Verdict.Original.Seq) {
					for _, a := range tokensOf(e.Record.Party) {
						equal = equal || slices.Contains(tokensOf(o.Record.Party), a)
					}
				}
			}
			if !equal {
				t.Fatalf("verdict %+v", v.Verdict)
			}
		}
	})
}

func tokensOf(p *refund.Party) (out []string) {
	if p == nil {
		return nil
	}
	out = append(out, p.Tokens...)
	for _, q := range p.Also {
		out = append(out, q.Tokens...)
	}
	return out
}

// TestPropertyKeyRotation: a new key in the middle of a journal changes nothing.
func TestPropertyKeyRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawJournal(t)
		from := rapid.IntRange(0, len(records)).Draw(t, "rotation")
		rotated := func(n int) refund.Tokenizer {
			if n < from {
				return keyring{"one"}
			}
			return keyring{"one", "two"}
		}
		same := func(s int64) int64 { return s }
		want, got := without(judgeClear(t, records, oneKeyring), same), without(judgeClear(t, records, rotated), same)
		if !slices.Equal(got, want) {
			t.Fatalf("\n got %v\nwant %v", got, want)
		}
	})
}

// FuzzJudge: no line of JSON makes the judge panic, and what it prints is JSON.
func FuzzJudge(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"sale","outcome":"approved","amount":1,"at":"0000-01-01T00:00:00Z","rrn":"1","stan":"1","batch":"1"}
{"v":1,"kind":"refund","outcome":"approved","amount":9223372036854775807,"at":"9999-12-31T23:59:59+23:59","original":{"rrn":"1","date":"0229"}}`))
	f.Add([]byte(`{"v":1,"kind":"refund","outcome":"unknown","amount":1,"at":"0000-01-01T00:00:00Z","original":{"rrn":"\u001f","date":"0229"}}
{"v":1,"kind":"journal","outcome":"approved","journal":{"from":"9999-12-31T23:59:59Z","terminals":[]}}
{"v":1,"kind":"sale","outcome":"approved","amount":1,"at":"0000-01-01T00:00:00Z","rrn":"\u001f","stan":"\u001f","batch":"1"}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		judge := newJudge()
		j := memhistory.NewJournal(judge)
		n := int64(0)
		for line := range strings.Lines(string(input)) {
			r, err := refund.ParseRecord([]byte(strings.TrimSpace(line)), refund.Ignore)
			if err != nil {
				continue
			}
			if n++; n > 20 {
				return
			}
			if _, _, err := j.Add(refund.Seal(r, keyring{"one"})); err != nil {
				t.Fatal(err)
			}
			if stale := refund.Stale(judge, j.Store, n); stale != "" {
				t.Fatal(stale)
			}
		}
	})
}
