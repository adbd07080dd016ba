package refund_test

import (
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

func addScript(t *testing.T, j *memhistory.Journal, n int, line string) refund.Changes {
	t.Helper()
	c, _, err := j.Add(refund.Seal(parseScript(t, n, line), keyring{"one"}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestS2_Grace: lines 1 and 3 to 7 wait until they are released, once; what a
// sale changes meanwhile is released at once, as revision 1.
func TestS2_Grace(t *testing.T) {
	judge := newJudge()
	j := memhistory.NewJournal(judge)
	c := addScript(t, j, 1, "refund o.rrn=R1 pan=A")
	if len(c.Verdicts) != 1 || !c.Verdicts[0].Unreleased || c.Verdicts[0].Verdict.Rev != 0 {
		t.Fatalf("not waiting: %+v", c.Verdicts)
	}
	if len(memhistory.Lines(&c)) != 0 {
		t.Error("an unreleased verdict was printed")
	}
	c = addScript(t, j, 2, "refund o.rrn=R2 pan=B")
	if r, err := judge.Release(j.Store, 2); err != nil || len(r.Verdicts) != 1 || r.Verdicts[0].Unreleased || r.Verdicts[0].Verdict.Rev != 1 {
		t.Fatalf("release: %+v %v", r, err)
	} else {
		j.Store.Commit(&r)
	}
	if r, err := judge.Release(j.Store, 2); err != nil || len(r.Verdicts) != 0 {
		t.Errorf("released twice: %+v %v", r, err)
	}
	if r, err := judge.Release(j.Store, 99); err != nil || len(r.Verdicts) != 0 {
		t.Errorf("released nothing: %+v %v", r, err)
	}
	c = addScript(t, j, 3, "sale rrn=R1 pan=A")
	if len(c.Verdicts) != 1 || c.Verdicts[0].Unreleased || c.Verdicts[0].Verdict.Rev != 1 || c.Verdicts[0].Verdict.Recipient != refund.Same {
		t.Errorf("the sale of an unreleased verdict: %+v", c.Verdicts)
	}
	c = addScript(t, j, 4, "sale rrn=R2 pan=A")
	if len(c.Verdicts) != 1 || c.Verdicts[0].Verdict.Rev != 2 || c.Verdicts[0].Verdict.Recipient != refund.Different {
		t.Errorf("the sale of a released verdict: %+v", c.Verdicts)
	}
}

// TestRevisedOnlyWhenChanged: rev counts what changed, and a plain copy changes
// nothing and writes nothing.
func TestRevisedOnlyWhenChanged(t *testing.T) {
	j := memhistory.NewJournal(newJudge())
	addScript(t, j, 1, "sale rrn=R1 pan=A")
	addScript(t, j, 2, "refund o.rrn=R1 pan=A out=pending")
	if c := addScript(t, j, 3, "refund o.rrn=R1 pan=A out=pending stan=000002"); c.CopyOf != 2 || len(c.Verdicts)+len(c.Events) != 0 {
		t.Errorf("a plain copy: %+v", c)
	}
	c := addScript(t, j, 4, "refund o.rrn=R1 pan=A stan=000002")
	if c.CopyOf != 2 || len(c.Verdicts) != 1 || c.Verdicts[0].Verdict.Rev != 2 || len(c.Verdicts[0].Verdict.Findings) != 0 {
		t.Errorf("its outcome: %+v", c)
	}
	if c = addScript(t, j, 5, "sale rrn=R7 pan=A"); len(c.Verdicts) != 0 || len(c.Events) != 1 {
		t.Errorf("another sale: %+v", c)
	}
	if c = addScript(t, j, 6, "journal from=2025-01-01T00:00:00+08:00"); len(c.Verdicts) != 0 || c.Bounds == nil {
		t.Errorf("a journal record: %+v", c)
	}
	if c = addScript(t, j, 7, "sale training=1"); c.Note != "training" || len(c.Events) != 1 || c.Events[0].Keys != nil {
		t.Errorf("a training record: %+v", c)
	}
	if c = addScript(t, j, 8, "sale amount=0"); !strings.HasPrefix(c.Note, "unusable: ") {
		t.Errorf("an unusable record: %+v", c)
	}
}

// TestJournalRecordWakesUnfoundOnly: it asks for those that wait, not for the rest.
func TestJournalRecordWakesUnfoundOnly(t *testing.T) {
	j := memhistory.NewJournal(newJudge())
	for n := range 200 {
		mustAdd(t, j, saleRecord(n))
	}
	mustAdd(t, j, refundOf(5, 1, 100))
	lost := refundOf(5, 2, 100)
	lost.Original = refund.Original{RRN: "424242424242", Date: "1201"}
	mustAdd(t, j, lost)
	j.Store.Calls = memhistory.Calls{}
	c := mustAdd(t, j, refund.Record{Kind: refund.KindJournal, Outcome: refund.Approved, Coverage: &refund.Coverage{From: "2025-01-01T00:00:00+08:00"}})
	if len(c.Verdicts) != 1 || c.Verdicts[0].Verdict.Reason != refund.ReasonNoOriginal || !c.Verdicts[0].Unreleased {
		t.Errorf("got %+v", c.Verdicts)
	}
	if j.Store.Calls.Find > 2 || j.Store.Calls.Range > 0 {
		t.Errorf("asked %+v", j.Store.Calls)
	}
}

// TestVerdictBytes: members in the contract's order, no spaces, no HTML escaping.
func TestVerdictBytes(t *testing.T) {
	lines, _ := check(t, []byte(`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"M","terminal_id":"T","channel":"card","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000007","rrn":"260822000101","party":{"scheme":"pan","id":"6200000000000005"}}
{"v":1,"kind":"refund","outcome":"approved","merchant_id":"M","terminal_id":"T","channel":"card","entry":"keyed","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000104","batch":"000008","refund_no":"<N&\"1\">","original":{"rrn":"260822000101","date":"0822"},"party":{"scheme":"pan","id":"6205500000000000004"}}`))
	want := `{"type":"verdict","seq":2,"rev":1,"kind":"refund","recipient":"different","reason":"","evidence":"strong","decision":"alarm","cancelled":false,"original":{"seq":1,"found_by":"rrn"},"findings":[` +
		`{"code":"recipient_mismatch","rule":"RC-101","severity":"critical","text":{"en":"Refund <N&\"1\"> of CNY 3.50 goes to 620550*********0004, but sale 260822000101 was paid by 620000******0005. Compared on the card number; the two are different (in length).","zh":"退款 <N&\"1\">（CNY 3.50）的收款方是 620550*********0004，而原交易 260822000101 的付款方是 620000******0005。按卡号比对，两者不同（长度）。"}},` +
		`{"code":"keyed_refund","rule":"RC-405","severity":"high","text":{"en":"The recipient 620550*********0004 of refund <N&\"1\"> (CNY 3.50) was keyed in by hand, and nothing shows that it paid.","zh":"退款 <N&\"1\">（CNY 3.50）的收款方 620550*********0004 为手工输入，没有证据表明其为付款人。"}}]}`
	if len(lines) != 1 || string(lines[0].JSON) != want {
		t.Errorf("\n got %s\nwant %s", lines[0].JSON, want)
	}
	var v refund.Verdict
	if err := json.Unmarshal(lines[0].JSON, &v); err != nil || string(v.AppendJSON(nil)) != want {
		t.Errorf("read back: %v %s", err, v.AppendJSON(nil))
	}
}

// TestExplain: every rule is accounted for, and what would change the answer is stated.
func TestExplain(t *testing.T) {
	j := memhistory.NewJournal(newJudge())
	addScript(t, j, 1, "sale rrn=R1 dpan=A")
	c := addScript(t, j, 2, "refund o.rrn=R1 pan=B")
	x := c.Verdicts[0].Explain
	runs := map[string]refund.RuleRun{}
	for _, r := range x.Rules {
		runs[r.Rule] = r
	}
	if len(runs) != 27 || x.RuleSet != newJudge().RuleSet() || x.Settings != newJudge().Digest() || x.RuleSet == "" || x.Settings == "" {
		t.Errorf("got %+v", x)
	}
	if r := runs["RC-101 recipient_mismatch"]; r.Result != "cannot_tell" || r.Why != "token" {
		t.Errorf("got %+v", r)
	}
	if r := runs["RC-104 recipient_unverifiable"]; r.Result != "hit" {
		t.Errorf("got %+v", r)
	}
	if r := runs["RC-301 over_refund"]; r.Result != "no_hit" {
		t.Errorf("got %+v", r)
	}
	if len(x.WouldChange) == 0 || !strings.Contains(x.WouldChange[0].EN, "PAR") {
		t.Errorf("got %+v", x.WouldChange)
	}
}

// TestDigest: settings that differ have digests that differ.
func TestDigest(t *testing.T) {
	s := refund.DefaultSettings()
	a := refund.NewJudge(s, nil)
	s.Windows[refund.ChannelCard] = 181
	b := refund.NewJudge(s, nil)
	if a.Digest() == b.Digest() || a.Digest() != refund.NewJudge(refund.DefaultSettings(), nil).Digest() {
		t.Errorf("digests %s %s", a.Digest(), b.Digest())
	}
}

// broken is a history whose store fails.
type broken struct{ refund.History }

var errDisk = errors.New("disk")

func (broken) Find(...refund.Key) iter.Seq2[*refund.Event, error] {
	return func(yield func(*refund.Event, error) bool) { yield(nil, errDisk) }
}

// TestStoreError: an error of the store is the judge's, and nothing is decided.
func TestStoreError(t *testing.T) {
	c, err := newJudge().Apply(broken{memhistory.New()}, 1, saleRecord(1))
	if !errors.Is(err, errDisk) || len(c.Events) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestAmountText: decimals by currency, from integers.
func TestAmountText(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{350, "CNY", "CNY 3.50"}, {5, "CNY", "CNY 0.05"}, {0, "", "0.00"}, {999_999_999_999, "CNY", "CNY 9999999999.99"},
		{500, "JPY", "JPY 500"}, {1234, "KWD", "KWD 1.234"}, {-7, "CNY", "CNY -0.07"}, {-1 << 63, "CLF", "CLF -922337203685477.5808"},
	} {
		t.Run(c.currency, func(t *testing.T) {
			if got := refund.AmountText(c.minor, c.currency); got != c.want {
				t.Errorf("AmountText(%d, %q) = %q, want %q", c.minor, c.currency, got, c.want)
			}
		})
	}
}
