package rules

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/refund"
)

// row is one line of a rule's table test.
type row struct {
	name string
	c    *refund.Case
	want string // "hit RC-301 critical", "no_hit" or "cannot_tell why"
}

// found returns the case of a refund of CNY 3.50 whose original, a sale of CNY 10.00,
// was found by rrn and whose recipient is strongly who paid; change makes it another.
func found(change ...func(*refund.Case)) *refund.Case {
	payer := &refund.Party{Scheme: refund.SchemePAN, Tokens: []string{"k1:a"}, Shown: "620000******0005"}
	sale := &refund.Event{Seq: 1, Record: refund.Record{
		Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: "M1", Channel: refund.ChannelCard, Amount: 1000, HasAmount: true,
		Currency: "CNY", At: "2026-08-22T10:00:00+08:00", Batch: "000007", RRN: "R1", Party: payer,
	}}
	r := &refund.Event{Seq: 2, Record: refund.Record{
		Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: "M1", Channel: refund.ChannelCard, Entry: refund.EntrySwipe,
		Amount: 350, HasAmount: true, Currency: "CNY", At: "2026-08-23T10:00:00+08:00", Batch: "000007", RRN: "R2",
		Original: refund.Original{RRN: "R1", Date: "0822"}, Party: payer,
	}}
	c := &refund.Case{
		Refund: r, Original: sale, Search: refund.Search{Result: refund.SearchFound, Original: sale, FoundBy: refund.FoundByRRN, Date: "2026-08-22"},
		Basis: refund.BasisCompared, Recipient: refund.Same, Evidence: refund.Strong,
		Compared: refund.Comparison{
			Recipient: refund.Same, Evidence: refund.Strong, PayerHas: true, RecipientHas: true,
			PayerScheme: refund.SchemePAN, RecipientScheme: refund.SchemePAN, PayerShown: "620000******0005", RecipientShown: "620000******0005",
		},
		Money: refund.Money{Base: 1000, Amount: 1000, This: 350, Days: 1, Window: 180},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// lost returns the case of a refund whose original was not chosen.
func lost(result refund.SearchResult, reason string, change ...func(*refund.Case)) *refund.Case {
	c := found()
	c.Original, c.Search = nil, refund.Search{Result: result, Date: "2026-08-22", JournalFrom: "2026-01-01", Fit: []*refund.Event{c.Original}}
	c.Basis, c.Recipient, c.Evidence, c.Reason, c.Compared, c.Money = refund.BasisNone, refund.Unverifiable, "", reason, refund.Comparison{}, refund.Money{}
	for _, f := range change {
		f(c)
	}
	return c
}

// compared makes the recipient the result of a comparison with these.
func compared(r refund.Recipient, e refund.Evidence, code string, s refund.Severity) func(*refund.Case) {
	return func(c *refund.Case) {
		c.Recipient, c.Evidence = r, e
		c.Compared.Recipient, c.Compared.Evidence, c.Compared.Code, c.Compared.Severity = r, e, code, s
		c.Compared.RecipientShown = "620550*********0004"
	}
}

// based makes another line of verdicts.md § 4's table decide.
func based(b refund.Basis, r refund.Recipient, reason string) func(*refund.Case) {
	return func(c *refund.Case) {
		c.Basis, c.Recipient, c.Evidence, c.Reason = b, r, "", reason
		c.Compared.Recipient, c.Compared.Evidence = refund.Unverifiable, ""
	}
}

// void makes it a void.
func void(c *refund.Case) { c.Refund.Record.Kind, c.Refund.Record.Amount = refund.KindVoid, 1000 }

// earlier returns an earlier refund of the same original.
func earlier() *refund.Event {
	return &refund.Event{Seq: 3, Record: refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, Amount: 350, HasAmount: true, Currency: "CNY", RefundNo: "N0"}}
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

func run(t *testing.T, rule refund.Rule, rows []row) {
	t.Helper()
	info := rule.Info()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			res := rule.Check(r.c)
			got := res.Result.String()
			switch res.Result {
			case refund.Hit:
				got = strings.Join(strings.Fields("hit "+res.Number+" "+res.Severity.String()), " ")
			case refund.CannotTell:
				got += " " + res.Why
			}
			if got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
			if res.Result != refund.Hit {
				return
			}
			if !slices.Contains(info.Severity, res.Severity) {
				t.Errorf("severity %s is not among %v", res.Severity, info.Severity)
			}
			for _, s := range []string{res.Text.EN, res.Text.ZH} {
				if s == "" || placeholder.MatchString(s) {
					t.Errorf("text not filled: %q", s)
				}
			}
		})
	}
}

// TestCatalogue: codes stand once, templates have the same placeholders in both languages.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range All() {
		i := r.Info()
		if i.Code == "" || seen[i.Code] || i.Version < 1 || len(i.Severity) == 0 || i.Inputs == "" || len(i.Templates) == 0 {
			t.Errorf("incomplete or twice: %+v", i)
		}
		seen[i.Code] = true
		for _, x := range i.Templates {
			en, zh := placeholder.FindAllString(x.EN, -1), placeholder.FindAllString(x.ZH, -1)
			slices.Sort(en)
			slices.Sort(zh)
			if !slices.Equal(slices.Compact(en), slices.Compact(zh)) {
				t.Errorf("%s: placeholders differ: %v, %v", i.Code, en, zh)
			}
		}
	}
	if len(seen) != 27 {
		t.Errorf("%d rules, want the 25 of verdicts.md § 5 and the 2 of guard.md § 2", len(seen))
	}
}
