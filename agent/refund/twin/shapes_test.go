package twin

import (
	"maps"
	"slices"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/wire"
)

// shapes names what the fourth edition added that a verdict shows.
func shapes(v *judge.Verdict, r, orig *refund.Record) (found []string) {
	add := func(name string, met bool) {
		if met {
			found = append(found, name)
		}
	}
	isVoid := r.Kind == refund.KindVoid || r.Kind == refund.KindCompletionVoid
	at := func(code string, s judge.Severity) bool {
		return slices.Contains(v.Findings, judge.Finding{Code: code, Severity: s})
	}
	scheme := func(e *refund.Record, s refund.Scheme) bool { return e.Party != nil && e.Party.Scheme == s }
	add("over_refund of guesses", r.Kind == refund.KindRefund && at("over_refund", judge.Medium))
	add("duplicate_refund of guesses", at("duplicate_refund", judge.Medium))
	add("void of what guesses took", isVoid && at("over_refund", judge.Medium))
	add("guess that is too much", v.FoundBy == "party" && at("over_refund", judge.Critical))
	add("void without an amount", isVoid && !r.HasAmount)
	add("lost answer without an amount", r.Kind == refund.KindRefund && !r.HasAmount && r.Outcome == refund.Unknown)
	add("approved without an amount", r.Kind == refund.KindRefund && !r.HasAmount && r.Outcome == refund.Approved)
	wallet := r.Channel == refund.ChannelWeChat || r.Channel == refund.ChannelAlipay
	add("cancel of what was not paid", isVoid && wallet && (orig.Outcome == refund.Declined || orig.Outcome == refund.Closed))
	add("e-CNY by its number", r.Channel == refund.ChannelECNY && v.Evidence == "by_reference" && (v.FoundBy == "rrn" || v.FoundBy == "stan"))
	add("same wallet", v.Recipient == "same" && v.Evidence == "strong" && scheme(r, refund.SchemeECNYWallet))
	add("same account", v.Recipient == "same" && v.Evidence == "weak" && scheme(r, refund.SchemeAccount))
	add("another account", v.Recipient == "doubtful" && v.Evidence == "weak" && scheme(r, refund.SchemeAccount))
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
		records := randomjournal.Records(seed, 60)
		var list []wire.Record
		for i := range records {
			list = append(list, clearRecord(&records[i]))
		}
		j, _, err := judgeJournal(records)
		if err != nil {
			t.Fatal(err)
		}
		events := map[int]*refund.Record{} // as their copies completed them
		for e, err := range j.Store.Range(1, int64(len(records))+1) {
			if err != nil {
				t.Fatal(err)
			}
			events[int(e.Seq)] = &e.Record
		}
		verdicts, _ := final(list)
		for _, v := range verdicts {
			if r, orig := events[v.Seq], events[v.Original]; r != nil && orig != nil {
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
