package casework

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// days are office days: random lines of people and terminals, most of them sensible.
type days struct {
	*bench
	rng   *rand.Rand
	at    int64
	lines bytes.Buffer
	n     int
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (d *days) line(text string) Answer {
	d.lines.WriteString(text + "\n")
	return d.say("%s", text)
}

// some returns a case, mostly one that exists.
func (d *days) some() string {
	if len(d.order) == 0 || d.rng.IntN(50) == 0 {
		return "C-2026-000099"
	}
	return d.order[d.rng.IntN(len(d.order))].No
}

func (d *days) seq(no string) int64 {
	version, _ := d.head(no)
	return 1 + d.rng.Int64N(version+1)
}

// evidence is a file or a contact of a case where it has one, or any number.
func (d *days) evidence(no, kind string) string {
	c := d.cases[no]
	if c != nil && kind == "file" && len(c.files) > 0 && d.rng.IntN(8) > 0 {
		return fmt.Sprint(pick(d.rng, c.files...).seq)
	}
	if c != nil && kind == "contact" && len(c.contacts) > 0 && d.rng.IntN(8) > 0 {
		return fmt.Sprint(pick(d.rng, c.contacts...).seq)
	}
	return fmt.Sprint(d.seq(no))
}

func (d *days) order0(no string) string {
	c, r := d.cases[no], d.rng
	id, owed := refundA, int64(100)
	if c != nil && len(c.refunds) > 0 {
		one := pick(r, c.refunds...)
		id, owed = one.id, one.last.Refund.Amount
	}
	likely := r.IntN(7)
	if c != nil && r.IntN(4) > 0 { // what may be done now
		switch {
		case c.state == stateClosed:
			likely = 5
		case c.state != stateWorking:
			likely = pick(r, 0, 0, 0, 6)
		case c.recovery.state == trackToRequest:
			likely = pick(r, 2, 3, 4)
		case c.payer.state == trackToPay:
			likely = 3
		case c.bothDone():
			likely = 6
		}
	}
	switch likely {
	case 0, 1:
		return fmt.Sprintf(`{"do":"finding","wrong":[%q],"owed":%d}`, id, pick(r, 0, owed, owed, owed, owed/2, owed+1))
	case 2:
		return fmt.Sprintf(`{"do":"request","route":%q,"ref":"R-%d"}`, pick(r, "void", "acquirer", "platform"), r.IntN(9))
	case 3:
		left := owed
		if c != nil && c.finding != nil {
			left = c.finding.Owed - c.money.paid
		}
		return fmt.Sprintf(`{"do":"reissue","amount":%d,"way":%q,"number":%q}`, max(1, pick(r, left, left, left/2)), pick(r, "original", "original", "other"), pick(r, "", "N1"))
	case 4:
		return `{"do":"write_off","bearer":"merchant"}`
	case 5:
		return `{"do":"reopen"}`
	}
	o := pick(r, "wrong", "wrong", "wrong", "wrong", "wrong", "legal", "same_account", "rerouted_ok", "authorised_other", "record_error", "test", "inconclusive", "duplicate")
	extra := ""
	switch {
	case o == "duplicate":
		extra = fmt.Sprintf(`,"into":%q`, d.some())
	case r.IntN(3) == 0:
		extra = `,"contact":` + d.evidence(no, "contact")
	case r.IntN(3) == 0:
		extra = `,"file":` + d.evidence(no, "file")
	}
	return fmt.Sprintf(`{"do":"close","outcome":%q%s}`, o, extra)
}

// command returns the name and the arguments of a random command on a case.
func (d *days) command(no string) string {
	r, c := d.rng, d.cases[no]
	proposal := d.seq(no)
	if c != nil && c.proposal != nil && r.IntN(10) > 0 {
		proposal = c.proposal.Seq
	}
	amount := int64(1 + r.IntN(40000))
	if c != nil && c.money.approved() != nil {
		amount = c.money.approved().amount
	}
	which := r.IntN(26)
	if c != nil && r.IntN(3) == 0 { // what the tracks wait for
		switch {
		case c.payer.state == trackApproved:
			which = 12
		case c.payer.state == trackSent:
			which = pick(r, 3, 14)
		case c.owner == "" && c.open():
			which = 0
		}
	}
	if which > 21 && (c == nil || c.proposal == nil) && r.IntN(8) > 0 {
		which = 18
	}
	switch which {
	case 0:
		return `claim`
	case 1:
		return fmt.Sprintf(`assign "to":%q`, pick(r, "ann", "mei", "bo", "", "cai"))
	case 2:
		return pick(r, "release", "resume", "unreachable")
	case 3, 4, 5:
		return contactOf(pick(r, "payer", "payer", "recipient", "authority"), pick(r, "out", "in"), pick(r, "phone", "email"), pick(r, noAnswer, "reached", "confirmed"))
	case 6:
		return fmt.Sprintf(`file "name":"f","type":"text/plain","size":1,"sha256":"%064x","kind":%q`, r.IntN(30), pick(r, "letter", "consent"))
	case 7:
		return fmt.Sprintf(`wait "for":"bank","until":%q,"text":"x"`, d.cal.Format(d.at+r.Int64N(2*day)))
	case 8:
		return fmt.Sprintf(`count "refund":%q,"as":%q,"text":"x"`, pick(r, refundA, refundB), pick(r, "refund", "reissue"))
	case 9:
		return fmt.Sprintf(`request "route":%q,"ref":"x"`, pick(r, "void", "acquirer"))
	case 10:
		return fmt.Sprintf(`received "amount":%d,"file":%s`, 1+r.IntN(20000), d.evidence(no, "file"))
	case 11:
		return `refused "text":"x","contact":` + d.evidence(no, "contact")
	case 12, 13:
		return fmt.Sprintf(`sent "amount":%d,"number":%q`, amount, pick(r, "N1", "N1", "N2"))
	case 14:
		return `settled "contact":` + d.evidence(no, "contact")
	case 15:
		return pick(r, `failed "text":"x"`, `declined "contact":`+d.evidence(no, "contact"))
	case 16:
		return pick(r, `escalate "body":"12315","ref":"Z","text":"x"`, `answered "text":"x","file":`+d.evidence(no, "file"))
	case 17:
		return pick(r, `identify "method":"callback","contact":`+d.evidence(no, "contact"), `note "text":"x"`)
	case 18, 19, 20:
		orders, names := []string{d.order0(no)}, map[string]bool{}
		names[orders[0][:14]] = true
		for r.IntN(2) == 0 && len(orders) < 5 {
			if o := d.order0(no); !names[o[:14]] {
				names[o[:14]] = true
				orders = append(orders, o)
			}
		}
		return proposing(strings.Join(orders, ","))
	case 21:
		return pick(r, fmt.Sprintf(`reject "proposal":%d,"text":"x"`, proposal), fmt.Sprintf(`withdraw "proposal":%d`, proposal))
	}
	return fmt.Sprintf(`approve "proposal":%d`, proposal)
}

func (d *days) event() string {
	r := d.rng
	d.n++
	id := fmt.Sprintf("%026d", r.IntN(6))
	if r.IntN(3) > 0 {
		id = pick(r, refundA, refundB)
	}
	kind := pick(r, typeOpened, typeRevised, typeCleared, typeFollowed)
	changes := []string{fmt.Sprintf("data.refund.rrn=%q", pick(r, "RA", "RB", "N1")), fmt.Sprintf("data.refund.at=%s", d.cal.Format(d.at-r.Int64N(day))),
		"data.refund.outcome=" + pick(r, "approved", "approved", "approved", "declined", "unknown"), "data.refund.channel=" + pick(r, "card", "card", "wechat"),
		"data.verdict.recipient=" + pick(r, "different", "same", "same", "equivalent"), fmt.Sprintf("data.verdict.cancelled=%v", r.IntN(4) == 0),
		"data.decision=" + pick(r, "alarm", "pass"), "data.severity=" + pick(r, severities()...), "data.original.rrn=" + pick(r, "S1x", "S1x", "S2x"),
		"stream=" + pick(r, "S1", "S1", "S1", "S2"), "source=urn:yuanlu:terminal:" + pick(r, "t-1", "t-1", "t-2")}
	if r.IntN(4) > 0 && len(d.order) > 2 { // of a sale that is known
		changes = append(changes, "data.original.rrn=S1x")
	}
	if kind == typeFollowed {
		what := pick(r, "refund_after", "undone", "settled", "payer_seen")
		changes = append(changes, "data.what="+what)
		if what == "refund_after" {
			changes = append(changes, "data.refund_case="+pick(r, refundB, "0000000000000000000000000C"))
		} else {
			changes = append(changes, `data.record={"kind":"sale","batch":"000008"}`)
		}
	}
	return eventOf(fmt.Sprint(d.n+r.IntN(3)), kind, id, changes...)
}

func (d *days) next() string {
	r := d.rng
	d.at += pick(r, int64(0), 0, 60, 60, 60, 300, 600, 600, 3600, pick(r, int64(60), 3*hour, day))
	at := d.cal.Format(d.at)
	switch n := r.IntN(40); {
	case n < 5 || len(d.order) == 0:
		return fmt.Sprintf(`{"at":%q,"event":%s}`, at, d.event())
	case n == 5:
		return fmt.Sprintf(`{"at":%q,"by":%q,`+hand+`}`, at, pick(r, "cai", "mei", "ann"), pick(r, "RA", "H1", "H2"))
	case n == 6:
		return fmt.Sprintf(`{"at":%q,"by":%q,"do":"take"}`, at, pick(r, "ann", "mei", "bo"))
	case n == 7 && r.IntN(4) == 0:
		return fmt.Sprintf(`{"at":%q,"by":"adm","do":"person","person":{"id":%q,"staff":"3","roles":[%q],"stores":["*"],"operators":[],"active":true}}`, at,
			"ann", pick(r, "analyst", "analyst", "cashier"))
	}
	no := d.some()
	for _, c := range d.order {
		if c.proposal != nil && r.IntN(2) == 0 {
			return fmt.Sprintf(`{"at":%q,"by":%q,%s}`, at, pick(r, "bo", "bo", "chen", "ann"), d.on(c.No, fmt.Sprintf(`approve "proposal":%d`, c.proposal.Seq)))
		}
	}
	by := pick(r, "ann", "ann", "ann", "bo", "bo", "mei", "bo", pick(r, "chen", "fin", "cai", "lu"))
	if c := d.cases[no]; c != nil && c.owner != "" && r.IntN(3) > 0 {
		by = c.owner
	}
	do := d.command(no)
	if strings.HasPrefix(do, "approve") || strings.HasPrefix(do, "reject") {
		by = pick(r, "bo", "bo", "chen")
	}
	return fmt.Sprintf(`{"at":%q,"by":%q,%s}`, at, by, d.on(no, do))
}

// TestRandomDays checks what must hold after every line of random days, and that the
// journals alone make the same desk.
func TestRandomDays(t *testing.T) {
	seeds := uint64(30)
	if os.Getenv("YUANLU_SOAK") != "" {
		seeds = 500
	}
	outcomes := map[string]int{}
	refusals := map[Refusal]int{}
	for seed := range seeds {
		d := &days{bench: &bench{Desk: New(), t: t}, rng: rand.New(rand.NewPCG(seed, 7))}
		d.line(shops)
		d.line(staff0)
		d.at, _ = moment("2026-08-24T09:00:00+08:00")
		for range 400 {
			text := d.next()
			before := d.clock
			a := d.line(text)
			refusals[a.Refused]++
			if a.Refused == BadInput {
				t.Fatalf("seed %d: %s", seed, text)
			}
			sound(t, d.Desk, a, before, text)
		}
		for _, c := range d.order {
			outcomes[c.outcome]++
		}
		rebuilt(t, d.lines.Bytes())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if len(outcomes) < 6 || len(refusals) < 25 {
		t.Errorf("the days are dull: outcomes %v, refusals %v", outcomes, refusals)
	}
}

// sound checks what must hold whatever happened.
func sound(t *testing.T, d *Desk, a Answer, before int64, text string) {
	t.Helper()
	fail := func(format string, args ...any) { t.Errorf("after %s: %s", text, fmt.Sprintf(format, args...)) }
	at := before
	for _, e := range a.Events {
		on, _ := moment(e.At)
		if on < at {
			fail("time goes back at %s %s", e.At, e.What)
		}
		at = on
		if a.Refused != "" && e.By != bySystem && e.By != byTerminal {
			fail("refused %s, and yet %s", a.Refused, e.What)
		}
	}
	ids := map[string]bool{}
	for _, c := range d.order {
		m := &c.money
		if c.finding != nil && (m.recovered > m.stake || m.arrived > m.paid || c.finding.Owed > c.finding.Stake) {
			fail("%s: %+v", c.No, m)
		}
		if (c.state == stateClosed) != (c.outcome != "") || c.state == stateClosed && (c.owner != "" || c.wait != nil) {
			fail("%s is %s, outcome %q, owner %q", c.No, c.state, c.outcome, c.owner)
		}
		if c.state == stateWorking && c.finding == nil || c.state == stateNew && c.owner != "" || c.wait != nil && c.state != stateVerifying {
			fail("%s: state %s", c.No, c.state)
		}
		if c.state == stateClosed && c.money.approved() != nil {
			fail("%s is closed with an approval open", c.No)
		}
		if c.changed || c.wakes || c.isMerged() && len(c.refunds) > 0 {
			fail("%s: left over", c.No)
		}
		for _, r := range c.refunds {
			if ids[r.id] || d.home[r.id] != c {
				fail("refund %s stands in two cases", r.id)
			}
			ids[r.id] = true
		}
		if n := d.next(c); n != nil && n.at < d.clock && !slices.ContainsFunc(a.Events, func(e Event) bool { return e.Case == c.No }) && a.Refused == "" && len(a.Events) == 0 {
			fail("%s: what was due at %d did not happen", c.No, n.at)
		}
	}
}
