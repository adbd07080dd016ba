package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// row is one record of the store, as a stranger reads it.
type row struct {
	seq    int64
	copyOf int64  // seq of the event that it is a copy of; 0: it is the event
	mac    string // of its frame; "" if it was made without one (a request that got no answer)
	wire.Record
}

func storedRows(t testing.TB, dir string) []row {
	t.Helper()
	db := openRows(t, dir)
	defer db.Close()
	rows, err := db.Query(`SELECT seq, coalesce(copy_of, 0), frame_mac, body FROM record ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []row
	for rows.Next() {
		var r row
		var mac []byte
		var stored []byte
		if err := rows.Scan(&r.seq, &r.copyOf, &mac, &stored); err != nil {
			t.Fatal(err)
		}
		body, err := packed.Text(nil, stored)
		if err != nil {
			t.Fatal(err)
		}
		if _, n := binary.Uvarint(mac); n > 0 {
			r.mac = hex.EncodeToString(mac[n:])
		}
		var b struct {
			*wire.Record
			Party json.RawMessage `json:"party"` // has another form in the store
		}
		b.Record = &r.Record
		if err := json.Unmarshal(body, &b); err != nil {
			t.Fatalf("record in the store: %v", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// macs returns the keyed hash that the store of a stopped agent has for a frame.
func macs(t testing.TB, dir string) func(raw string) string {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(raw string) string {
		_, sum, _ := strings.Cut(db.Keys().MAC([]byte(raw)), ":")
		return sum
	}
}

// heard waits until the agent has taken every frame that stood on the line.
func heard(t *testing.T, st *station, want int) {
	t.Helper()
	var s labStatus
	ok := waitFor(60*time.Second, func() bool {
		if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil {
			t.Fatal(err)
		}
		pace(100 * time.Millisecond)
		return s.Links[0].Good >= uint64(want)
	})
	if !ok || s.Links[0].Good != uint64(want) {
		t.Errorf("the agent took %d frames, %d stood on the line", s.Links[0].Good, want)
	}
}

// ledgerOfLine is what stood on the line beside what is in the store.
type ledgerOfLine struct {
	t       *testing.T
	whole   map[string]int // undamaged frames by their MAC: how often
	damaged map[string]int // those that the check byte took for right
	entry   map[string]saying
	touched map[*scenario.Entry][]string // MACs of its damaged frames that were taken for right
	answers map[*scenario.Entry]bool     // what tells its outcome did
	rows    []row
	mac     func(raw string) string
}

func hold(t *testing.T, p *tape, arrived []arrival, st *station) *ledgerOfLine {
	t.Helper()
	l := &ledgerOfLine{t: t, whole: map[string]int{}, damaged: map[string]int{}, entry: map[string]saying{}, touched: map[*scenario.Entry][]string{},
		answers: map[*scenario.Entry]bool{}, rows: storedRows(t, st.store)}
	l.mac = macs(t, st.store)
	for _, a := range arrived {
		m := l.mac(a.raw)
		switch {
		case a.of == nil:
			l.damaged[m]++
			if s, ok := p.damagedOf(a.raw); ok {
				l.touched[s.entry] = append(l.touched[s.entry], m)
			}
			continue
		case !a.of.request:
			l.answers[a.of.entry] = true
		}
		l.whole[m]++
		l.entry[m] = *a.of
	}
	return l
}

// frames returns what of the records of the store is not as the frames on the line: of a
// whole one as many as often says, each as the simulator knows it; of a damaged one at
// most one each time; nothing else. Of one that need not be a record least is negative.
func (l *ledgerOfLine) frames(often func(s saying, arrived int) (least, most int)) (wrong []string) {
	got, each := map[string]int{}, map[string]int{} // a message is as often there as the one of its records that is most often
	for _, r := range l.rows {
		one := r.mac + fact(&r.Record)
		each[one]++
		got[r.mac] = max(got[r.mac], each[one])
		s, ok := l.entry[r.mac]
		if !ok || s.request {
			continue
		}
		truth := truthOf(s.entry, &r.Record)
		r = l.asSaid(r, truth)
		if d := asTruth(&r.Record, truth); d != "" {
			wrong = append(wrong, d)
		}
	}
	damagedIs := map[*scenario.Entry]int{}
	for e, of := range l.touched {
		for _, m := range of {
			damagedIs[e] += got[m]
		}
	}
	for m, n := range l.whole {
		s := l.entry[m]
		least, most := often(s, n)
		if got[m] > most || got[m] < least || least >= 0 && got[m]+damagedIs[s.entry] < min(1, most) {
			wrong = append(wrong, fmt.Sprintf("a frame arrived %d times and is %d records: %s %s %s", n, got[m], fact(&s.entry.Record), s.entry.Record.Outcome, s.entry.Step.Shape))
		}
	}
	for m, n := range got {
		if l.whole[m] == 0 && n > l.damaged[m] {
			wrong = append(wrong, fmt.Sprintf("%d records of a frame that arrived %d times", n, l.damaged[m]))
		}
	}
	return wrong
}

// truthOf returns which of the records that the message of an entry makes this one is
// to be.
func truthOf(e *scenario.Entry, r *wire.Record) *wire.Record {
	for i := range e.Parts {
		if part := &e.Parts[i]; fact(part) == fact(r) {
			return part
		}
	}
	return &e.Record
}

// events counts the events of the store by number and kind, those of damaged frames
// left out.
func (l *ledgerOfLine) events() map[string]int {
	out := map[string]int{}
	for _, r := range l.rows {
		if r.copyOf == 0 && l.damaged[r.mac] == 0 {
			out[fact(&r.Record)]++
		}
	}
	return out
}

// once fails unless every entry that arrived whole is one event. One that a damaged
// frame was taken for, before it came, is a copy of that.
func (l *ledgerOfLine) once(told []*scenario.Entry) {
	l.t.Helper()
	events, eclipsed := l.events(), map[string]bool{}
	bySeq := map[int64]row{}
	for _, r := range l.rows {
		bySeq[r.seq] = r
		if r.copyOf != 0 && l.damaged[bySeq[r.copyOf].mac] > 0 {
			eclipsed[fact(&r.Record)] = true
		}
	}
	for _, e := range told {
		f := fact(&e.Record)
		if n := events[f]; l.answers[e] && l.touched[e] == nil && n != 1 && !(n == 0 && eclipsed[f]) {
			l.t.Errorf("%d events, want 1: %s", n, f)
		}
	}
	for f, n := range events {
		if n > 1 {
			l.t.Errorf("%d events of one: %s", n, f)
		}
	}
}

// stations of these tests talk to no broker.
func badLineStation(t *testing.T, fw *firmware, wireName, link string) *station {
	// These lines do not pause inside a frame; a busy machine that does must not decide.
	// Who waits for a confirm before he goes on needs what is unfinished given up.
	timeout := "30s"
	if wireName == "smart" {
		timeout = "3s"
	}
	st := newStation(t, settings{port: fw.link, wire: wireName, link: "frame_timeout = \"" + timeout + "\"\n" + link})
	st.startOnline()
	return st
}

// A month of an e-sign terminal over a line that turns bits: every frame of a record
// that arrived whole is a record as often as it arrived, nothing else is.
func TestE2EBadLineMispos(t *testing.T) {
	fw := newFirmwareOn(t, "e-sign", "mispos", 61)
	st := badLineStation(t, fw, "mispos", "")
	p := newTape(fw)
	p.month(p.say)
	p.quiet()
	arrived := p.arrivals(stxAt)
	heard(t, st, len(arrived))
	st.stop()
	l := hold(t, p, arrived, st)
	often := func(s saying, arrived int) (least, most int) {
		if s.request {
			return 0, 0
		}
		return arrived, arrived
	}
	l.wrong(l.frames(often))
	l.notices(func() []string { return l.frames(often) })
	l.once(p.told)
	l.summary(p, arrived, st)
}

func (l *ledgerOfLine) summary(p *tape, arrived []arrival, st *station) {
	l.t.Helper()
	for i, part := range p.parts {
		end := len(p.bytes)
		if i+1 < len(p.parts) {
			end = p.parts[i+1].from
		}
		whole, damaged := 0, 0
		for _, a := range arrived {
			switch {
			case a.at < part.from || a.at >= end:
			case a.of == nil:
				damaged++
			default:
				whole++
			}
		}
		if part.bits > 1e-4 && whole >= part.said {
			l.t.Errorf("at %g all frames arrived: the line was never bad", part.bits)
		}
		l.t.Logf("bit-error rate %g: %d transactions, %d frames said, %d arrived whole, %d damaged with a right check byte", part.bits, part.entries,
			part.said, whole, damaged)
	}
	l.t.Logf("%d bytes, %d records", len(p.bytes), len(l.rows))
	searchForSecrets(l.t, p.fw.term.Secrets(), []string{st.store}, map[string][]byte{"log": []byte(st.log.String())})
}

// A month of host messages over a line that turns bits, some answers late, some
// messages said twice: what the contract makes of the frames that stood on the line is
// what is in the store, frame by frame, and nothing else is; what was said whole is
// there as the simulator knows it.
func TestE2EBadLineCup8583(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.toml")
	if err := os.WriteFile(profile, []byte("response_timeout = 8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fw := newFirmwareOn(t, "traditional", "cup8583", 62)
	st := badLineStation(t, fw, "cup8583", "profile = \""+profile+"\"")
	p := newTape(fw)
	h := &hosts{p: p, rng: rand.New(rand.NewPCG(62, 1))}
	p.month(h.say)
	h.end()
	p.quiet()
	arrived := p.arrivals(stxAt)
	heard(t, st, len(arrived))
	pace(9 * time.Second) // what waits for an answer gets none
	st.stop()
	l := hold(t, p, arrived, st)
	pairs := newPairing(t, l.mac)
	for _, a := range arrived {
		pairs.hear(a)
	}
	want := pairs.end()
	l.wrong(l.exactly(want))
	l.notices(func() []string { return l.exactly(want) })
	l.onceEach(pairs)
	t.Logf("%d damaged frames were no message, %d frames changed nothing", pairs.refused, pairs.repeats)
	l.summary(p, arrived, st)
}

// answeredLater reports whether an entry has a request and an answer; one without an
// answer is its request alone.
func answeredLater(e *scenario.Entry) bool {
	return e.Record.Outcome != "unknown" || e.Record.ResponseCode != ""
}

// A month of a smart terminal over a line that turns bits: a message that arrived
// whole is confirmed, and is one record however often it was said.
func TestE2EBadLineSmart(t *testing.T) {
	fw := newFirmwareOn(t, "smart", "smart", 63)
	st := badLineStation(t, fw, "smart", "")
	back := listen(t, fw.socket.Line())
	p := newTape(fw)
	p.month(func(e *scenario.Entry) { p.untilConfirmed(e, back) })
	p.quiet()
	arrived := p.arrivals(smartAt)
	heard(t, st, len(arrived))
	st.stop()
	l := hold(t, p, arrived, st)
	// What was damaged before in a byte beside its message id was the message: then the
	// whole one is a repeat.
	// An answer that knows of no such refund makes a record only where the message that
	// left it unknown had arrived.
	once := func(s saying, _ int) (least, most int) {
		if r := &s.entry.Record; r.Kind == "refund" && r.Channel == "alipay" && (r.Outcome == "closed" || s.entry.Step.Shape == "asked") {
			return -1, 1
		}
		return 1 - min(1, len(l.touched[s.entry])), 1
	}
	l.wrong(l.frames(once))
	l.notices(func() []string { return l.frames(once) })
	l.once(p.told)
	l.summary(p, arrived, st)
}

// untilConfirmed says an entry up to three times. What arrived whole must be
// confirmed; what was damaged is said again at once.
func (p *tape) untilConfirmed(e *scenario.Entry, back *listener) {
	p.fw.t.Helper()
	const idAt, tries = 4, 3 // 55 AA type ack id
	for _, f := range p.frames(e) {
		for range tries {
			from := len(p.bytes)
			p.send(f.Bytes)
			p.flush()
			whole := strings.Contains(string(p.bytes[from:]), string(f.Bytes))
			right := false
			for b := p.bytes[from:]; len(b) > 0 && !right; b = b[1:] {
				right = smartAt(b) > 0
			}
			if !right {
				continue
			}
			if p.confirmed(back, f.Bytes[idAt], whole) {
				break
			}
		}
	}
}

// confirmed waits for the confirm of an id: long if it must come, else a moment.
func (p *tape) confirmed(back *listener, id byte, must bool) bool {
	p.fw.t.Helper()
	limit := 3 * time.Second // damaged in the id, perhaps
	if must {
		limit = 30 * time.Second
	}
	end := time.After(limit)
	for {
		select {
		case got := <-back.ids:
			if got == id {
				return true
			}
		case <-end:
			if must {
				p.fw.t.Errorf("no confirm of a message that arrived whole")
			}
			return false
		}
	}
}
