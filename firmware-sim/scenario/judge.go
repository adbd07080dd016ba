package scenario

import (
	"slices"
	"sort"
	"strings"
	"time"

	"yuanlu/firmware-sim/wire"
)

// Verdict is the verdict that the contract demands for one refund or void.
type Verdict struct {
	ID                                             int
	Recipient, Reason, Evidence, FoundBy, Decision string
	Codes                                          []string // by severity, then by name
	Case                                           bool     // a finding of medium or above
}

func (v verdict) public() *Verdict {
	out := &Verdict{Recipient: v.recipient, Reason: v.reason, Evidence: v.evidence, FoundBy: v.foundBy, Decision: "pass"}
	worst := 0
	for code, severity := range v.findings {
		out.Codes = append(out.Codes, code)
		worst = max(worst, severity)
	}
	sort.Slice(out.Codes, func(i, j int) bool {
		a, b := out.Codes[i], out.Codes[j]
		if v.findings[a] != v.findings[b] {
			return v.findings[a] > v.findings[b]
		}
		return a < b
	})
	switch {
	case worst >= high:
		out.Decision = "alarm"
	case worst == medium:
		out.Decision = "review"
	}
	out.Case = worst >= medium
	return out
}

func (v *verdict) add(code string, severity int) {
	if code != "" {
		v.findings[code] = max(v.findings[code], severity)
	}
}

// judge works out the verdict on a refund or void that is not in the book yet.
func (b *Book) judge(d *deed) verdict {
	r := &d.rec
	v := verdict{findings: map[string]int{}}
	if r.Outcome == "declined" || r.Outcome == "closed" || d.undone {
		v.recipient, v.reason = "none", "cancelled"
		return v
	}
	switch r.Outcome {
	case "unknown", "pending":
		v.add("outcome_unknown", low)
	case "abnormal":
		v.add("refund_failed", medium)
	}
	f := b.find(r)
	if len(f.hits) == 0 {
		b.noHit(&v, r, f)
		b.alone(&v, r)
		return v
	}
	if !b.choose(&v, r, &f) {
		b.alone(&v, r)
		return v
	}
	v.original, v.foundBy = f.hits[0], f.by
	if f.by == "party" {
		v.add("unreferenced_refund", medium)
	}
	if r.At.Before(v.original.rec.At.Add(-5 * time.Minute)) {
		v.add("clock_suspect", low)
	}
	if r.Kind == "refund" {
		b.recipient(&v, r)
		b.money(&v, r)
		b.again(&v)
		if r.Entry == "keyed" {
			v.keyed()
		}
		return v
	}
	b.void(&v, r)
	return v
}

// choose settles on one original; false if several are left that lead to different recipients.
func (b *Book) choose(v *verdict, r *wire.Record, f *found) bool {
	like := func(d *deed) bool {
		a := Compare(d.rec.Party, r.Party)
		return a.Recipient == "same" || a.Recipient == "equivalent"
	}
	unlike := func(d *deed) bool {
		a := Compare(d.rec.Party, r.Party)
		return a.Recipient == "different" && a.Evidence == "strong"
	}
	all := func(list []*deed, is func(*deed) bool) bool {
		return !slices.ContainsFunc(list, func(d *deed) bool { return !is(d) })
	}
	switch {
	case len(f.hits) == 1 && !(slices.ContainsFunc(f.dropped, like) && unlike(f.hits[0])):
		return true
	case len(f.hits) > 1 && all(f.hits, like):
		last := f.hits[0]
		for _, d := range f.hits {
			if !d.rec.At.Before(last.rec.At) {
				last = d
			}
		}
		f.hits = []*deed{last}
		v.add("original_ambiguous", low)
		return true
	case len(f.hits) > 1 && all(f.hits, unlike) && !slices.ContainsFunc(f.dropped, like):
		v.recipient, v.evidence = "different", "strong"
		v.add("recipient_mismatch", critical)
	default:
		v.recipient, v.reason = "unverifiable", "ambiguous"
	}
	v.add("original_ambiguous", medium)
	return false
}

// noHit returns why there is no original: the lines of "No hit in the same merchant".
func (b *Book) noHit(v *verdict, r *wire.Record, f found) {
	v.recipient = "unverifiable"
	on, dated := date(r)
	strange := func(d *deed) bool {
		a := Compare(d.rec.Party, r.Party)
		return a.Recipient == "different" && a.Evidence == "strong"
	}
	gap := dated && !on.After(day(b.first)) && !(on.Equal(day(b.first)) && b.first.Format("150405") == "000000") ||
		!dated && daysApart(r.At, b.first) < window(r.Channel)
	switch {
	case !f.given:
		v.reason = "no_reference"
		v.add("unreferenced_refund", high)
	case slices.ContainsFunc(f.offDate, func(d *deed) bool { return !strange(d) }):
		v.reason = "ambiguous"
		v.add("original_ambiguous", medium)
	case gap:
		v.reason = "history_gap"
		v.add("recipient_unverifiable", medium)
	default:
		v.reason = "no_original"
		v.add("no_original", high)
	}
}

// alone adds the findings of a refund without an original.
func (b *Book) alone(v *verdict, r *wire.Record) {
	if r.Kind != "refund" {
		return
	}
	switch {
	case toMerchant(r):
		v.recipient, v.reason, v.evidence = "different", "", ""
		v.add("payer_not_repaid", high)
	case strings.HasPrefix(r.RefundRoute, "OTHER_"):
		v.add("platform_rerouted", medium)
	}
	if r.Entry == "keyed" {
		v.keyed()
	}
}

func (v *verdict) keyed() {
	switch {
	case v.recipient == "different" || v.recipient == "doubtful" || v.recipient == "unverifiable":
		v.add("keyed_refund", high)
	case v.recipient == "same" && v.evidence == "weak":
		v.add("keyed_refund", medium)
	}
}

func toMerchant(r *wire.Record) bool {
	return r.Party.Scheme == "merchant_account" || strings.Contains(r.Party.Text, "商户") ||
		r.Party.Scheme == "account_text" && strings.Contains(r.Party.ID, "商户")
}
