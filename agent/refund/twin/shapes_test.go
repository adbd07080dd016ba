package twin

import (
	"maps"
	"slices"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// shapes names what the fourth edition added that a verdict shows.
func shapes(v *verdict, r, orig *event) (found []string) {
	add := func(name string, met bool) {
		if met {
			found = append(found, name)
		}
	}
	at := func(code string, s refund.Severity) bool { return slices.Contains(v.findings, finding{code, s}) }
	scheme := func(e *event, s refund.Scheme) bool { return e.Party != nil && e.Party.Scheme == s }
	add("over_refund of guesses", isRefund(r.Kind) && at("over_refund", refund.Medium))
	add("duplicate_refund of guesses", at("duplicate_refund", refund.Medium))
	add("void of what guesses took", isVoid(r.Kind) && at("over_refund", refund.Medium))
	add("guess that is too much", v.foundBy == "party" && at("over_refund", refund.Critical))
	add("void without an amount", isVoid(r.Kind) && !r.HasAmount)
	add("lost answer without an amount", isRefund(r.Kind) && !r.HasAmount && r.Outcome == refund.Unknown)
	add("approved without an amount", isRefund(r.Kind) && !r.HasAmount && r.Outcome == refund.Approved)
	wallet := r.Channel == refund.ChannelWeChat || r.Channel == refund.ChannelAlipay
	add("cancel of what was not paid", isVoid(r.Kind) && wallet && noMoney(orig.Outcome))
	add("e-CNY by its number", r.Channel == refund.ChannelECNY && v.evidence == refund.ByReference && (v.foundBy == "rrn" || v.foundBy == "stan"))
	add("same wallet", v.recipient == refund.Same && v.evidence == refund.Strong && scheme(r, refund.SchemeECNYWallet))
	add("same account", v.recipient == refund.Same && v.evidence == refund.Weak && scheme(r, refund.SchemeAccount))
	add("another account", v.recipient == refund.Doubtful && v.evidence == refund.Weak && scheme(r, refund.SchemeAccount))
	return found
}

// TestRandomJournalsMeetTheFourthEdition: an agreement on what never happens would
// prove nothing.
func TestRandomJournalsMeetTheFourthEdition(t *testing.T) {
	met := map[string]int{}
	want := []string{"over_refund of guesses", "duplicate_refund of guesses", "void of what guesses took", "guess that is too much",
		"void without an amount", "lost answer without an amount", "approved without an amount", "cancel of what was not paid",
		"e-CNY by its number", "same wallet", "same account", "another account"}
	for seed := range uint64(300) {
		lines := numbered(randomjournal.Records(seed, 60))
		bySeq := map[int64]*event{}
		for _, e := range read(lines).events {
			bySeq[e.seq] = e
		}
		for _, v := range final(lines, refund.DefaultSettings().Windows) {
			if r, orig := bySeq[v.seq], bySeq[v.original]; r != nil && orig != nil {
				for _, name := range shapes(v, r, orig) {
					met[name]++
				}
			}
		}
	}
	for _, name := range want {
		if met[name] == 0 {
			t.Errorf("never met: %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(met)) {
		t.Logf("%4d %s", met[name], name)
	}
}
