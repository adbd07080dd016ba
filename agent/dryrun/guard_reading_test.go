package dryrun

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// reading is a second reading of guard.md § 3, written from the page alone: which record
// belongs to which ask, how holds end, and being_made of § 2. Only what the judge of
// verdicts.md finds is taken from what is tested.
type reading struct {
	t      *testing.T
	got    map[lineKey]map[string]any
	asks   []*asked
	events []*seen
	bad    int
}

type asked struct {
	e                   *entry
	seq                 int
	at                  time.Time
	usable, held        bool
	action, state, by   string
	original            any
	ended, record       int
	replaced, cancelled bool
}

type seen struct {
	e               entry
	seq             int
	at              time.Time
	bypassed, notAs bool
}

func timeOf(e *entry) time.Time {
	at, err := time.Parse(time.RFC3339, e.At)
	if err != nil {
		panic(err) // the writer states times alone
	}
	return at
}

func (r *reading) find(merchant, terminal, id string) *asked {
	for _, a := range r.asks {
		if a.e.Merchant == merchant && a.e.Terminal == terminal && idOf(a.e) == id {
			return a
		}
	}
	return nil
}

// take reads one line.
func (r *reading) take(seq int, e *entry) {
	reused := false
	if isAsk(e) {
		old := r.find(e.Merchant, e.Terminal, idOf(e))
		reused = old != nil && old.e.text() != e.text()
	}
	if e.Bad || reused {
		r.bad++
		return
	}
	for _, a := range r.asks {
		if a.state == "open" && !a.at.Add(300*time.Second).After(timeOf(e)) {
			a.state, a.ended = "expired", seq
		}
	}
	switch {
	case isAsk(e):
		r.ask(seq, e)
	case e.Kind == "hold_end":
		a := r.find(e.Merchant, e.Terminal, e.Ask.(string))
		if a != nil && a.state == "open" {
			a.state, a.by, a.ended = e.State, e.By, seq
		} else if a != nil && a.state == "" && e.State == "cancelled" {
			a.cancelled = true
		}
	case e.Kind == "refund" || e.Kind == "void":
		r.record(seq, *e)
	}
}

func (r *reading) ask(seq int, e *entry) {
	line := r.got[lineKey{"answer", int64(seq)}]
	if line == nil {
		r.t.Errorf("no answer %d", seq)
		return
	}
	if old := r.find(e.Merchant, e.Terminal, idOf(e)); old != nil {
		if fmt.Sprint(r.got[lineKey{"answer", int64(old.seq)}]["findings"]) != fmt.Sprint(line["findings"]) {
			r.t.Errorf("answer %d is not that of %d", seq, old.seq)
		}
		return
	}
	a := &asked{e: e, seq: seq, at: timeOf(e), original: line["original"]}
	a.action, _ = line["action"].(string)
	a.usable = line["reason"] != "data_error"
	look := e.Ask.(asking).Find
	var corrects *asked
	if to := e.Ask.(asking).Replaces; to != "" && !look {
		if old := r.find(e.Merchant, e.Terminal, to); old != nil && !old.e.Ask.(asking).Find && old.e.Training == e.Training {
			corrects = old
		}
	}
	being := false
	for _, b := range r.asks {
		apart := a.at.Sub(b.at)
		going := b.state == "" && b.action != "hold" || b.state == "released"
		being = being || b != corrects && !b.e.Ask.(asking).Find && b.e.Merchant == e.Merchant && b.e.Training == e.Training && a.original != nil && b.original != nil &&
			seqOf(a.original) == seqOf(b.original) && apart <= 120*time.Second && apart >= -120*time.Second && going && b.record == 0 && !b.cancelled && !b.replaced
	}
	if being != has(line, "being_made", "medium") {
		r.t.Errorf("being_made of answer %d: want %v", seq, being)
	}
	if a.action == "hold" && !look {
		a.held, a.state = true, "open"
	}
	if corrects != nil {
		corrects.replaced = true
		if corrects.state == "open" {
			corrects.by, corrects.ended, corrects.state = idOf(e), seq, "corrected"
			if a.action == "hold" {
				corrects.state = "replaced"
			}
		}
	}
	r.asks = append(r.asks, a)
}

func seqOf(original any) any { return original.(map[string]any)["seq"] }

func has(line map[string]any, code, severity string) bool {
	list, _ := line["findings"].([]any)
	return slices.ContainsFunc(list, func(f any) bool {
		one := f.(map[string]any)
		return one["code"] == code && one["severity"] == severity
	})
}

func moves(outcome string) bool { return outcome != "declined" && outcome != "closed" }

// record reads a refund or void that may be another sighting (verdicts.md § 1.3).
func (r *reading) record(seq int, e entry) {
	at := timeOf(&e)
	if e.Amount != nil && *e.Amount <= 0 {
		return
	}
	var same *seen
	for _, x := range r.events {
		if x.e.Training == e.Training && (!e.Training || x.e.Terminal == e.Terminal) && sameOne(&x.e, &e, at.Sub(x.at)) &&
			(same == nil || x.at.After(same.at) || x.at.Equal(same.at) && x.seq > same.seq) {
			same = x
		}
	}
	if same != nil {
		same.again(&e)
		return
	}
	if e.Amount == nil && e.Kind == "refund" && e.Outcome != "unknown" && e.Outcome != "pending" {
		return // it states no amount and is no copy
	}
	x := &seen{e: e, seq: seq, at: at}
	r.events = append(r.events, x)
	if !moves(e.Outcome) {
		return
	}
	if a := r.owner(&e, at); a != nil {
		x.bypassed = a.held && a.state != "released"
		defer func() {
			a.record = seq
			if a.state == "open" {
				a.state, a.ended = "bypassed", seq
			}
		}()
		x.notAs = r.notAsAsked(&e, a)
		return
	}
	x.notAs = r.notAsAsked(&e, nil)
}

func (r *reading) notAsAsked(e *entry, owner *asked) bool {
	id, _ := e.Ask.(string)
	if id == "" {
		return false
	}
	a := r.find(e.Merchant, e.Terminal, id)
	return a != nil && a != owner && !a.e.Ask.(asking).Find && a.e.Training == e.Training && (a.record != 0 || !likeAsked(a.e, e))
}

func channelOf(e *entry) string { return strings.TrimSuffix(e.Channel, "unknown") }

func currencyOf(e *entry) string { return strings.Replace(e.Currency, "RMB", "CNY", 1) }

// sameOne is verdicts.md § 1.3 for refunds and voids.
func sameOne(x, e *entry, apart time.Duration) bool {
	switch {
	case x.Kind != e.Kind || x.Merchant != e.Merchant || !moves(x.Outcome) && moves(e.Outcome):
		return false
	case channelOf(x) == channelOf(e) && x.ChannelRefund != "" && e.ChannelRefund != "":
		return x.ChannelRefund == e.ChannelRefund
	case x.RefundNo != "" && e.RefundNo != "":
		return x.RefundNo == e.RefundNo
	}
	return x.Stan != "" && x.Batch != "" && x.Terminal == e.Terminal && x.Stan == e.Stan && x.Batch == e.Batch && (x.Amount == nil) == (e.Amount == nil) &&
		(x.Amount == nil || *x.Amount == *e.Amount) && apart.Abs() <= 72*time.Hour
}

func (x *seen) again(e *entry) {
	was, is := x.e.Outcome, e.Outcome
	if was == "unknown" || was == "pending" || was == "abnormal" || was == "approved" && (is == "closed" || is == "abnormal") {
		x.e.Outcome = is
	}
	for _, f := range [][2]*string{{&x.e.RefundNo, &e.RefundNo}, {&x.e.Stan, &e.Stan}, {&x.e.Batch, &e.Batch}, {&x.e.ChannelRefund, &e.ChannelRefund}} {
		if *f[0] == "" {
			*f[0] = *f[1]
		}
	}
	if channelOf(&x.e) == "" {
		x.e.Channel = e.Channel
	}
	if x.e.Amount == nil {
		x.e.Amount = e.Amount
	}
}

// owner is the ask that a record belongs to.
func (r *reading) owner(e *entry, at time.Time) *asked {
	var free []*asked
	for _, a := range r.asks {
		if a.usable && !a.e.Ask.(asking).Find && a.e.Training == e.Training && a.record == 0 && at.Sub(a.at).Abs() <= 24*time.Hour && likeAsked(a.e, e) {
			free = append(free, a)
		}
	}
	for _, fits := range []func(*asked) bool{
		func(a *asked) bool { return e.Ask == idOf(a.e) && e.Terminal == a.e.Terminal },
		func(a *asked) bool { return e.RefundNo != "" && e.RefundNo == a.e.RefundNo },
		func(a *asked) bool {
			return e.Stan != "" && e.Batch != "" && e.Terminal == a.e.Terminal && e.Stan == a.e.Stan && e.Batch == a.e.Batch
		},
		func(a *asked) bool {
			mine, its := keysOf(e), keysOf(a.e)
			equal := len(mine) == 0 && len(its) == 0 && e.Party != nil && a.e.Party != nil && samePayer(e.Party, a.e.Party)
			for k, v := range mine {
				equal = equal || its[k] != "" && sameKey(v, its[k])
			}
			after := at.Sub(a.at)
			return after >= -5*time.Minute && after <= 10*time.Minute && equal
		},
	} {
		for _, a := range slices.Backward(free) {
			if fits(a) {
				return a
			}
		}
	}
	return nil
}

// keysOf are the keys by which a refund names its original. A trace number is one of its terminal and, where
// both give one, batch.
func keysOf(e *entry) map[string]string {
	all := map[string]string{}
	o := e.Original
	for k, v := range map[string]string{"rrn": o.RRN, "order_no": o.OrderNo} {
		if strings.Trim(v, "0") != "" {
			all[k] = v
		}
	}
	if strings.Trim(o.Stan, "0") != "" {
		terminal := o.Terminal
		if terminal == "" {
			terminal = e.Terminal
		}
		all["stan"] = terminal + " " + o.Stan + " " + o.Batch
	}
	return all
}

func sameKey(a, b string) bool {
	return a == b || strings.HasSuffix(a, " ") && strings.HasPrefix(b, a) || strings.HasSuffix(b, " ") && strings.HasPrefix(a, b)
}

func samePayer(a, b *payer) bool { return *a == *b }

// differ reports whether two parties of the writer compare different (verdicts.md § 4).
func differ(a, b *payer) bool {
	return a != nil && b != nil && a.Scheme == b.Scheme && a.Namespace == b.Namespace && a.Scheme != "unionpay_token" && a.ID != b.ID
}

// likeAsked: "As asked".
func likeAsked(a, e *entry) bool {
	mine, its := keysOf(e), keysOf(a)
	for k, v := range mine {
		if its[k] != "" && !sameKey(v, its[k]) {
			return false
		}
	}
	unequal := func(x, y string) bool { return x != "" && y != "" && x != y }
	return a.Kind == e.Kind && a.Merchant == e.Merchant && (a.Amount == nil || e.Amount == nil || *a.Amount == *e.Amount) &&
		!unequal(channelOf(a), channelOf(e)) && !unequal(currencyOf(a), currencyOf(e)) && !differ(a.Party, e.Party)
}

// compare looks at every hold, and at what the guard adds to verdicts.
func (r *reading) compare() {
	holds := 0
	for _, a := range r.asks {
		if !a.held {
			continue
		}
		holds++
		h := r.got[lineKey{"hold", int64(a.seq)}]
		got := fmt.Sprint(h["ask"], h["state"], h["by"], h["ended"], h["record"])
		if want := fmt.Sprint(idOf(a.e), a.state, a.by, a.ended, a.record); got != want {
			r.t.Errorf("hold %d: %s, want %s", a.seq, got, want)
		}
	}
	for k := range r.got {
		if k.Type == "hold" {
			holds--
		}
	}
	if holds != 0 {
		r.t.Errorf("%d holds have no line", holds)
	}
	for _, x := range r.events {
		v := r.got[lineKey{"verdict", int64(x.seq)}]
		if (v == nil) != x.e.Training {
			r.t.Errorf("verdict %d: %v", x.seq, v)
		}
		speaks := moves(x.e.Outcome) && x.e.Outcome != "abnormal" && !x.e.Training
		if got := has(v, "hold_bypassed", "critical"); got != (speaks && x.bypassed) {
			r.t.Errorf("hold_bypassed in verdict %d: %v", x.seq, got)
		}
		if got := has(v, "not_as_asked", "medium"); got != (speaks && x.notAs) {
			r.t.Errorf("not_as_asked in verdict %d: %v", x.seq, got)
		}
	}
}

// foreseen compares the answer to the last ask with the verdict on its record (guard.md § 8).
func (r *reading) foreseen(last int) {
	answer, verdict := r.got[lineKey{"answer", int64(last - 1)}], r.got[lineKey{"verdict", int64(last)}]
	if answer == nil || verdict == nil {
		return // its record was a copy
	}
	for _, m := range []string{"recipient", "reason", "evidence", "original"} {
		if fmt.Sprint(answer[m]) != fmt.Sprint(verdict[m]) {
			r.t.Errorf("%s: %v was answered, %v is judged", m, answer[m], verdict[m])
		}
	}
	own := []any{"already_made", "being_made", "hold_bypassed", "not_as_asked"}
	findings := func(line map[string]any) (s string) {
		list, _ := line["findings"].([]any)
		for _, f := range list {
			if one := f.(map[string]any); !slices.Contains(own, one["code"]) {
				s += fmt.Sprint(" ", one["code"], "=", one["severity"])
			}
		}
		return s
	}
	if a, v := findings(answer), findings(verdict); a != v {
		r.t.Errorf("findings answered\n%s\njudged\n%s", a, v)
	}
	if answer["action"] == "proceed" && verdict["decision"] == "alarm" {
		r.t.Errorf("an alarm was answered proceed")
	}
}

// TestGuardSecondReading runs random journals and a second reading of guard.md § 3 side by
// side.
func TestGuardSecondReading(t *testing.T) { readTwice(t, 60) }

// TestSoakGuardSecondReading does so with more than 100 000 asks.
func TestSoakGuardSecondReading(t *testing.T) {
	if os.Getenv("YUANLU_SOAK") == "" {
		t.Skip("set YUANLU_SOAK=1: it takes minutes")
	}
	readTwice(t, 11_000)
}

func readTwice(t *testing.T, most uint64) {
	t.Helper()
	counts := map[string]int{}
	for seed := uint64(0); seed < most && !t.Failed(); seed++ {
		lines := journal(seed, 26)
		var in strings.Builder
		for i := range lines {
			in.WriteString(lines[i].text() + "\n")
		}
		out, _, refused, err := dry(t, t.Context(), strings.NewReader(in.String()), true)
		if err != nil {
			t.Fatal(err)
		}
		r := &reading{t: t}
		_, r.got = parsed(t, out)
		for i := range lines {
			r.take(i+1, &lines[i])
		}
		if r.bad != len(refused) {
			t.Errorf("refused: %d lines, want %d: %q", len(refused), r.bad, refused)
		}
		r.compare()
		r.foreseen(len(lines))
		r.count(counts)
		if t.Failed() {
			t.Logf("seed %d\n%s\n%s", seed, in.String(), out)
		}
	}
	t.Log(counts)
	for _, state := range []string{"open", "released", "cancelled", "corrected", "replaced", "expired", "bypassed"} {
		if counts[state] == 0 || counts["bypassed verdict"] == 0 || counts["not as asked"] == 0 {
			t.Errorf("the journals try too little: %v", counts)
		}
	}
}

func (r *reading) count(n map[string]int) {
	for _, a := range r.asks {
		n["asks"]++
		n[a.state]++
		if a.record != 0 {
			n["with a record"]++
		}
	}
	for _, x := range r.events {
		if x.bypassed {
			n["bypassed verdict"]++
		}
		if x.notAs {
			n["not as asked"]++
		}
	}
}
