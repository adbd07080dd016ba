package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// made is one record that frames on a line of host messages must have become.
type made struct {
	mac                               string // of the frame that completed it; "": a request without an answer
	kind, copy, terminal, stan, batch string
	outcome, code                     string
	truth                             *wire.Record // of the pair, if both arrived whole
}

func (m made) String() string {
	return fmt.Sprintf("%s %s %s %q %s", m.kind, m.copy, number(m.terminal, m.batch, m.stan), m.code, m.outcome)
}

// hostMessage is what of a message decides about pairing.
type hostMessage struct {
	raw, mti, of           string // of: the type of the request it is or answers
	f3, f25, f60           string
	terminal, stan, batch  string
	key                    string
	answer                 string // F39
	balance                string // F48[30]
	said                   *saying
	waits, lone            bool
	used                   map[string]bool
	request, known, refuse bool
}

// pairing is wires.md § cup8583, in the test's own words: what stood on the
// line, in its order, and the records it must have become. Which bytes are a message
// it asks the agent's decoder, for damage only: what the simulator said is compared
// with what the simulator knows.
type pairing struct {
	t      *testing.T
	layout *cup8583.Layout
	mac    func(string) string
	talk   map[string][]*hostMessage
	queue  []*hostMessage // requests in the order they came
	out    []made
	// refused counts damaged frames that are no message; repeats what changes nothing.
	refused, repeats int
	damaged          map[string]bool // terminal and STAN of damaged frames that are messages
}

func newPairing(t *testing.T, mac func(string) string) *pairing {
	t.Helper()
	l, err := cup8583.NewLayout(wiretest.CUP8583Formats(), cup8583.Options{TPDU: 5, Head: 6})
	if err != nil {
		t.Fatal(err)
	}
	return &pairing{t: t, layout: l, mac: mac, talk: map[string][]*hostMessage{}, damaged: map[string]bool{}}
}

// hostKinds are the kinds of UnionPay messages (wires.md § cup8583): type, F3, F25, F60.1; * is any.
const hostKinds = `0100 03 06 10 preauth|0100 20 06 11 preauth_void|0200 00 00 22 sale|0200 00 64 22 sale|0200 00 65 22 sale|0200 20 00 23 void
0200 20 64 23 void|0200 00 06 20 completion|0200 20 06 21 completion_void|0200 31 00 01 -|0220 * * 24 completion|0220 * * 25 refund
0220 * * 27 refund|0220 * * 30 -|0220 * * 32 -|0220 * * 34 adjust|0320 * * 24 completion|0320 * * 25 refund|0320 * * 34 adjust
0400 * * * reversal|0500 * * * settlement`

// hostKind returns the one kind that type and fields leave, "" if none or several, "-"
// for what makes no record.
func hostKind(mti, f3, f25, f601 string) (kind string, typeKnown bool) {
	for _, row := range strings.FieldsFunc(hostKinds, func(r rune) bool { return r == '|' || r == '\n' }) {
		c := strings.Fields(row)
		if c[0] != mti {
			continue
		}
		typeKnown = true
		if f601 != "" || !strings.Contains(" 00 06 64 65 ", " "+f25+" ") {
			f25 = "" // asked only where F60.1 is missing, and only if it is one of the table's
		}
		fits := func(want, have string) bool { return want == "*" || have == "" || want == have }
		if !fits(c[1], f3) || !fits(c[2], f25) || !fits(c[3], f601) {
			continue
		}
		if kind != "" && kind != c[4] {
			return "", true
		}
		kind = c[4]
	}
	return kind, typeKnown
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// read takes a frame apart.
func (p *pairing) read(a arrival) *hostMessage {
	p.t.Helper()
	data := []byte(a.raw)[3 : len(a.raw)-2]
	var m cup8583.Message
	if err := p.layout.Decode(&m, data); err != nil {
		if a.of != nil {
			p.t.Errorf("what the terminal said whole is refused: %v", err)
		}
		return &hostMessage{refuse: true}
	}
	h := &hostMessage{raw: a.raw, mti: m.MTI(), f3: cut(m.Text(3), 2), f25: m.Text(25), f60: m.Text(60), terminal: m.Text(41),
		stan: m.Text(11), answer: m.Text(39), said: a.of, used: map[string]bool{}}
	h.key = h.stan + "/" + h.terminal + "/" + m.Text(42)
	if len(h.f60) >= 8 {
		h.batch = h.f60[2:8]
	}
	h.f60 = cut(h.f60, 2)
	if c := m.SettlementCode(); c != 0 {
		h.balance = string(c)
	}
	h.request = (h.mti[2]-'0')%2 == 0
	if h.of = h.mti; !h.request {
		h.of = h.mti[:2] + string(h.mti[2]-1) + h.mti[3:]
	}
	_, h.known = hostKind(h.of, "", "", "")
	if a.of != nil {
		p.asTold(h)
	} else {
		p.damaged[h.terminal+"/"+h.stan] = true
	}
	return h
}

// asTold compares a whole frame's numbers with those of its entry.
func (p *pairing) asTold(h *hostMessage) {
	p.t.Helper()
	r := &h.said.entry.Record
	kind, _ := hostKind(h.of, h.f3, h.f25, h.f60)
	if h.stan != r.Stan || h.terminal != r.TerminalID || h.batch != r.Batch || h.request == answeredNow(h.said) ||
		kind != r.Kind || !strings.HasSuffix(h.key, "/"+r.MerchantID) {
		p.t.Errorf("the terminal said %s, its frame reads as %s %s", fact(r), kind, h.key)
	}
}

// answeredNow reports whether a saying is the answer of its entry.
func answeredNow(s *saying) bool { return !s.request && answeredLater(s.entry) }

// hear takes the next frame.
func (p *pairing) hear(a arrival) {
	p.t.Helper()
	h := p.read(a)
	switch {
	case h.refuse:
		p.refused++
	case !h.known:
	case h.request:
		p.ask(h)
	default:
		p.tell(h)
	}
}

func batchesMeet(a, b string) bool { return a == "" || b == "" || a == b }

func (p *pairing) ask(h *hostMessage) {
	talk := p.talk[h.key]
	for _, r := range talk {
		if r.waits && r.mti == h.mti && r.raw == h.raw {
			p.repeats++
			return
		}
	}
	own := h.batch
	for _, r := range talk {
		if !r.waits || !batchesMeet(r.batch, own) || r.mti != h.mti && h.mti != "0400" {
			continue
		}
		p.giveUp(r)
		if r.mti != h.mti && own == "" && r.batch != "" {
			h.batch = r.batch
		}
	}
	h.waits = true
	p.talk[h.key] = append(talk, h)
	p.queue = append(p.queue, h)
}

func (p *pairing) giveUp(r *hostMessage) {
	r.waits = false
	kind, _ := hostKind(r.of, r.f3, r.f25, r.f60)
	if kind == "" || kind == "-" {
		return
	}
	p.out = append(p.out, made{kind: kind, copy: hostCopy(r.of), terminal: r.terminal, stan: r.stan, batch: r.batch, outcome: "unknown"})
}

func hostCopy(mti string) string {
	if mti == "0320" {
		return "upload"
	}
	return ""
}

func (p *pairing) tell(h *hostMessage) {
	var partner *hostMessage
	for _, r := range p.talk[h.key] {
		if r.of == h.of && r.used[h.raw] {
			p.repeats++
			return
		}
	}
	for _, r := range p.talk[h.key] {
		if r.lone || r.of != h.of || !batchesMeet(r.batch, h.batch) {
			continue
		}
		if partner == nil || !partner.waits {
			partner = r
		}
	}
	f := *h
	if partner != nil {
		for _, v := range []struct{ own, other *string }{{&f.f3, &partner.f3}, {&f.f25, &partner.f25}, {&f.f60, &partner.f60}, {&f.batch, &partner.batch}} {
			if *v.own == "" {
				*v.own = *v.other
			}
		}
	}
	kind, _ := hostKind(f.of, f.f3, f.f25, f.f60)
	if kind == "" && partner != nil {
		kind, _ = hostKind(partner.of, partner.f3, partner.f25, partner.f60)
	}
	if kind != "" && kind != "-" {
		p.out = append(p.out, p.record(kind, h, &f, partner))
	} else if partner == nil {
		return // it is of no single kind
	}
	if partner == nil {
		partner = &hostMessage{of: h.of, lone: true, used: map[string]bool{}}
		p.talk[h.key] = append(p.talk[h.key], partner)
	}
	partner.waits = false
	partner.used[h.raw] = true
}

// record is what an answer, and its request if there is one, become.
func (p *pairing) record(kind string, h, f, partner *hostMessage) made {
	m := made{mac: p.mac(h.raw), kind: kind, copy: hostCopy(f.of), terminal: f.terminal, stan: f.stan, batch: f.batch, code: h.answer}
	success := "00 11 16 A2 A4 A5 A6"
	if kind == "reversal" {
		success = "00 12 25"
	}
	switch {
	case kind == "settlement":
		m.code, m.outcome = "", "declined"
		if h.balance == "1" || h.balance == "2" {
			m.outcome = "approved"
		}
	case h.answer == "" || h.answer == "68" || h.answer == "98":
		m.outcome = "unknown"
	case slices.Contains(strings.Fields(success), h.answer):
		m.outcome = "approved"
	case m.copy == "upload":
		m.outcome = "unknown"
	default:
		m.outcome = "declined"
	}
	if m.copy == "upload" {
		m.code = ""
	}
	if h.said != nil && partner != nil && partner.said != nil && partner.said.entry == h.said.entry {
		m.truth = &h.said.entry.Record
	}
	return m
}

// end is when nothing more comes: what waits makes its record.
func (p *pairing) end() []made {
	for _, r := range p.queue {
		if r.waits {
			p.giveUp(r)
		}
	}
	return p.out
}

// hosts says entries as a busy line does: some answers come behind what others say,
// some messages are said twice, some requests are asked again with other bytes.
type hosts struct {
	p    *tape
	rng  *rand.Rand
	late [][]byte
}

func (h *hosts) say(e *scenario.Entry) {
	h.p.fw.t.Helper()
	for i, f := range h.p.frames(e) {
		n := h.rng.IntN(100)
		if i > 0 && n < 4 && e.Record.Kind != "settlement" {
			h.late = append(h.late, f.Bytes)
			continue
		}
		h.p.send(f.Bytes)
		if n >= 98 {
			h.p.send(f.Bytes)
		}
	}
	if len(h.late) > 0 && h.rng.IntN(3) == 0 {
		h.p.send(h.late[0])
		h.late = h.late[1:]
	}
}

func (h *hosts) end() {
	for _, f := range h.late {
		h.p.send(f)
	}
	h.late = nil
}

// exactly returns what of the records of the store is not as these: those of frames in
// their order, those of requests without an answer in any.
func (l *ledgerOfLine) exactly(want []made) (wrong []string) {
	var have, wanted []made
	loose := map[string]int{}
	for _, r := range l.rows {
		r = l.asSaid(r, nil)
		m := made{mac: r.mac, kind: r.Kind, copy: r.Copy, terminal: r.TerminalID, stan: r.Stan, batch: r.Batch, outcome: r.Outcome, code: r.ResponseCode}
		if r.mac == "" {
			loose[m.String()]++
			continue
		}
		m.truth = &r.Record
		have = append(have, m)
	}
	for _, m := range want {
		if m.mac == "" {
			loose[m.String()]--
			continue
		}
		wanted = append(wanted, m)
	}
	for m, n := range loose {
		if n != 0 {
			wrong = append(wrong, fmt.Sprintf("%+d beside those asked for: %s", n, m))
		}
	}
	for i := range max(len(have), len(wanted)) {
		switch {
		case i >= len(have):
			return append(wrong, fmt.Sprintf("%d records of frames, want %d: not there is %s", len(have), len(wanted), wanted[i]))
		case i >= len(wanted):
			return append(wrong, fmt.Sprintf("%d records of frames, want %d: nobody said %s", len(have), len(wanted), have[i]))
		case have[i].mac != wanted[i].mac || have[i].String() != wanted[i].String():
			return append(wrong, fmt.Sprintf("record %d of a frame is %s, want %s", i, have[i], wanted[i]))
		case wanted[i].truth != nil:
			if d := asTruth(have[i].truth, wanted[i].truth); d != "" {
				wrong = append(wrong, d)
			}
		}
	}
	return wrong
}

// asSaid returns a record as its own frame said it. An event without its final outcome
// takes that, and the numbers it lacks, from what is said of it later: the response
// code stays, and tells; where there is none the truth does, if it is known, and also
// which numbers were there from the first.
func (l *ledgerOfLine) asSaid(r row, truth *wire.Record) row {
	if truth == nil {
		truth = &wire.Record{}
	}
	waited := map[string]string{"": "unknown", "98": "unknown", "68": "unknown", "P1": "pending", "USERPAYING": "pending", "NOTPAY": "pending",
		"WAIT_BUYER_PAY": "pending", "PROCESSING": "pending", "03": "pending", "04": "pending", "05": "pending", "10003": "pending"}
	said, ok := waited[r.ResponseCode]
	if r.copyOf != 0 || !ok || r.Outcome == said || r.Kind == "settlement" {
		return r
	}
	for _, c := range l.rows {
		if c.copyOf != r.seq || c.Outcome != r.Outcome {
			continue
		}
		if r.Outcome = said; r.ResponseCode == "" && truth.Outcome == "pending" {
			r.Outcome = "pending"
		}
		for _, v := range []struct {
			own          *string
			later, first string
		}{{&r.RRN, c.RRN, truth.RRN}, {&r.AuthCode, c.AuthCode, truth.AuthCode}, {&r.ChannelTxn, c.ChannelTxn, truth.ChannelTxn}} {
			if *v.own == v.later && v.first == "" {
				*v.own = ""
			}
		}
		break
	}
	return r
}

// asTruth compares a record of the store with what really happened, but for the party,
// which has another form there, and the time, of which a wire has parts.
func asTruth(have, truth *wire.Record) string {
	a, b := *have, *truth
	a.Party, b.Party = wire.Party{}, wire.Party{}
	a.At, b.At = time.Time{}, time.Time{}
	if b.Channel == "unknown" { // a decoder leaves out what says nothing
		b.Channel = ""
	}
	if diff := cmp.Diff(b, a); diff != "" {
		return fmt.Sprintf("truth -, store +: %s\n%s", fact(truth), diff)
	}
	return ""
}

// notices fails if a comparison would let pass that the agent dropped a record, made
// one up, made one twice, or took one for something else.
func (l *ledgerOfLine) notices(compare func() []string) {
	l.t.Helper()
	rows := l.rows
	defer func() { l.rows = rows }()
	at := len(rows) / 2
	for l.damaged[rows[at].mac] > 0 || rows[at].mac == "" || rows[at].Outcome == "unknown" {
		at++
	}
	for name, change := range map[string]func() []row{
		"dropped":  func() []row { return slices.Delete(slices.Clone(rows), at, at+1) },
		"twice":    func() []row { return slices.Insert(slices.Clone(rows), at, rows[at]) },
		"invented": func() []row { r := rows[at]; r.mac = "00"; return append(slices.Clone(rows), r) },
		"other amount": func() []row {
			all := slices.Clone(rows)
			all[at].Amount++
			return all
		},
		"other outcome": func() []row {
			all := slices.Clone(rows)
			all[at].Outcome = "abnormal"
			return all
		},
	} {
		if l.rows = change(); len(compare()) == 0 {
			l.t.Errorf("a record %s is not noticed", name)
		}
	}
}

// wrong fails with what a comparison found.
func (l *ledgerOfLine) wrong(found []string) {
	l.t.Helper()
	for _, w := range found[:min(len(found), 20)] {
		l.t.Error(w)
	}
	if len(found) > 20 {
		l.t.Errorf("and %d more", len(found)-20)
	}
}

// onceEach fails unless what happened is one event, however often it was said: for all
// whose number no damaged message took.
func (l *ledgerOfLine) onceEach(p *pairing) {
	l.t.Helper()
	events := map[string]int{}
	for _, r := range l.rows {
		n := 0
		if r.copyOf == 0 {
			n = 1
		}
		if !p.damaged[r.TerminalID+"/"+r.Stan] {
			events[r.Kind+" "+number(r.TerminalID, r.Batch, r.Stan)] += n
		}
	}
	for name, n := range events {
		if n != 1 {
			l.t.Errorf("%d events, want 1: %s", n, name)
		}
	}
	if len(events) == 0 {
		l.t.Error("no events")
	}
}
