package ask

import (
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

// oneKey makes tokens under one key.
type oneKey struct{}

// Tokens implements refund.Tokenizer.
func (oneKey) Tokens(label, clear string) []string {
	sum := sha256.Sum256([]byte(label + "\x00" + clear))
	return []string{"k1:" + hex.EncodeToString(sum[:16])}
}

// askedOf returns the ask about a record: its members that an ask has.
func askedOf(r *refund.Record, id string) refund.Ask {
	return refund.Ask{ID: id, Record: refund.Record{
		Kind: r.Kind, Outcome: refund.Approved, MerchantID: r.MerchantID, TerminalID: r.TerminalID, Operator: r.Operator, Channel: r.Channel, Entry: r.Entry,
		Amount: r.Amount, HasAmount: r.HasAmount, PayerAmount: r.PayerAmount, HasPayerAmount: r.HasPayerAmount, Currency: r.Currency, At: r.At,
		Stan: r.Stan, Batch: r.Batch, OrderNo: r.OrderNo, RefundNo: r.RefundNo, Original: r.Original, Party: r.Party,
	}}
}

// added are the findings that only answers have.
var added = []string{refund.CodeAlreadyMade, refund.CodeBeingMade, refund.CodePresentedMismatch, refund.CodePresentedMatch}

// common writes what an answer and a verdict have in common.
func common(rec refund.Recipient, reason string, ev refund.Evidence, orig *refund.Found, findings []refund.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", rec, reason, ev)
	if orig != nil {
		fmt.Fprintf(&b, " %+v", *orig)
	}
	for _, f := range findings {
		if !slices.Contains(added, f.Code) {
			fmt.Fprintf(&b, " %s=%s %s", f.Code, f.Severity, f.Text.EN)
		}
	}
	return b.String()
}

// TestAnswersForeseeTheVerdict: 100 000 random asks (YUANLU_SOAK=1; else a tenth), each followed
// by its record: the same recipient, reason, evidence, original and findings, but for what
// guard.md adds and what verdicts.md § 1.3 makes a copy; and never proceed before an alarm.
// Source: guard.md § 8.
func TestAnswersForeseeTheVerdict(t *testing.T) {
	most := 10_000
	if os.Getenv("YUANLU_SOAK") != "" {
		most *= 10
	}
	judge := refund.NewJudge(refund.DefaultSettings(), rules.All())
	f := foreseer{t: t, judge: judge, counts: map[Action]int{}}
	for seed := uint64(0); f.asked < most; seed++ {
		f.store, f.book = memhistory.New(), NewBook()
		var sales []*refund.Record
		for i, r := range randomjournal.Records(seed, 60) {
			seq, r := int64(i+1), refund.Seal(r, oneKey{})
			if r.Kind.IsSale() && !r.Training && r.Party != nil && r.Party.Flaw == "" { // an impossible card makes a data_error of its own
				sales = append(sales, &r)
			}
			if r.Kind.Judged() && !r.Training {
				a := askedOf(&r, fmt.Sprint("a-", i))
				if len(sales) > 0 && i%3 == 0 {
					a.Presented = sales[i%len(sales)].Party
				}
				f.ask(fmt.Sprintf("seed %d, record %d", seed, seq), seq, &a)
			}
			if len(sales) > 0 && i%2 == 0 { // and one that the cashier gets right
				a := rightAsk(sales[i%len(sales)], fmt.Sprint("b-", i), r.At)
				f.ask(fmt.Sprintf("seed %d, a right one in place %d", seed, seq), seq, &a)
			}
			ch, err := judge.Apply(f.store, seq, r)
			if err != nil {
				t.Fatal(err)
			}
			f.store.Commit(&ch)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d asks: %v, %d copies, %d candidates", f.asked, f.counts, f.copies, f.candidates)
	for _, a := range []Action{Proceed, Confirm, Hold} {
		if f.counts[a] < most/20 {
			t.Errorf("only %d are answered %s", f.counts[a], a)
		}
	}
	if f.copies > most/2 || f.candidates < most/100 {
		t.Errorf("%d copies, %d candidates", f.copies, f.candidates)
	}
}

// rightAsk asks to refund a little of a sale to who paid it.
func rightAsk(sale *refund.Record, id, at string) refund.Ask {
	r := *sale
	r.Kind, r.At, r.Amount, r.HasAmount, r.HasPayerAmount = refund.KindRefund, at, max(1, sale.Amount/20), true, false
	r.RefundNo, r.Stan, r.Batch, r.Entry = "", "", "", ""
	r.Original = refund.Original{RRN: sale.RRN, OrderNo: sale.OrderNo, ChannelTxn: sale.ChannelTxn}
	return askedOf(&r, id)
}

// foreseer asks about records that might come next.
type foreseer struct {
	t                         *testing.T
	judge                     *refund.Judge
	store                     *memhistory.Store
	book                      *Book
	counts                    map[Action]int
	asked, copies, candidates int
}

// ask answers a, and compares the answer with the verdict on its record.
func (f *foreseer) ask(at string, seq int64, a *refund.Ask) {
	f.t.Helper()
	found, err := f.judge.Foresee(f.store, seq, a)
	if err != nil {
		f.t.Fatal(err)
	}
	ans := Compose(a, &found, f.book.BeingMade(a, found.Verdict.Original))
	f.book.Add(&Entry{Ask: *a, Answer: ans, Level: HoldLevel}, a0)
	f.asked++
	f.counts[ans.Action]++
	f.candidates += len(ans.Candidates)
	next, err := f.judge.Apply(f.store, seq, a.Record)
	switch {
	case err != nil:
		f.t.Fatal(err)
	case next.CopyOf != 0:
		f.copies++
	default:
		compareNext(f.t, at, &ans, &next)
	}
}

// compareNext compares an answer with the verdict on its record, standing next.
func compareNext(t *testing.T, at string, ans *Answer, next *refund.Changes) {
	t.Helper()
	for i := range next.Verdicts {
		v := &next.Verdicts[i].Verdict
		if v.Seq != ans.Seq {
			continue
		}
		got := common(ans.Recipient, ans.Reason, ans.Evidence, ans.Original, ans.Findings)
		if want := common(v.Recipient, v.Reason, v.Evidence, v.Original, v.Findings); got != want {
			t.Errorf("%s:\n got %s\nwant %s", at, got, want)
		}
		if v.Decision == refund.Alarm && ans.Action != Hold || v.Decision == refund.Review && ans.Action == Proceed {
			t.Errorf("%s: %s before %s", at, ans.Action, v.Decision)
		}
		return
	}
	t.Errorf("%s: no verdict", at)
}
