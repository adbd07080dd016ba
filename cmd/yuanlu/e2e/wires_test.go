package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger"
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
		var body string
		if err := rows.Scan(&r.seq, &r.copyOf, &mac, &body); err != nil {
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
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatalf("record in the store: %v", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// macs gives the keyed hash that the store of a stopped agent has for a frame.
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
	t        *testing.T
	whole    map[string]int // undamaged frames by their MAC: how often
	damaged  map[string]int // those that the check byte took for right
	entry    map[string]saying
	touched  map[*scenario.Entry]bool // a damaged frame of it was taken for right
	requests map[*scenario.Entry]bool // its request arrived whole
	answers  map[*scenario.Entry]bool // what tells its outcome did
	rows     []row
}

func hold(t *testing.T, p *tape, arrived []arrival, st *station) *ledgerOfLine {
	t.Helper()
	l := &ledgerOfLine{t: t, whole: map[string]int{}, damaged: map[string]int{}, entry: map[string]saying{}, touched: map[*scenario.Entry]bool{},
		requests: map[*scenario.Entry]bool{}, answers: map[*scenario.Entry]bool{}, rows: storedRows(t, st.store)}
	mac := macs(t, st.store)
	for _, a := range arrived {
		m := mac(a.raw)
		switch {
		case a.of == nil:
			l.damaged[m]++
			if s, ok := p.damagedOf(a.raw); ok {
				l.touched[s.entry] = true
			}
			continue
		case a.of.request:
			l.requests[a.of.entry] = true
		default:
			l.answers[a.of.entry] = true
		}
		l.whole[m]++
		l.entry[m] = *a.of
	}
	return l
}

// noneInvented fails for a record of a frame that never stood on the line, or stood
// there less often. Records without a frame are looked at by those who allow them.
func (l *ledgerOfLine) noneInvented() {
	l.t.Helper()
	seen := map[string]int{}
	for _, r := range l.rows {
		if r.mac != "" {
			seen[r.mac]++
		}
	}
	for m, n := range seen {
		if n > l.whole[m]+l.damaged[m] {
			l.t.Errorf("%d records of a frame that arrived %d times", n, l.whole[m]+l.damaged[m])
		}
	}
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
		if n := events[f]; l.answers[e] && !l.touched[e] && n != 1 && !(n == 0 && eclipsed[f]) {
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
	st := newStation(t, settings{port: fw.link, wire: wireName, link: "frame_timeout = \"2s\"\n" + link})
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
	arrived := p.arrivals(stxAt)
	heard(t, st, len(arrived))
	st.stop()
	l := hold(t, p, arrived, st)
	l.noneInvented()
	got := map[string]int{}
	for _, r := range l.rows {
		got[r.mac]++
	}
	for m, n := range l.whole {
		if s := l.entry[m]; !s.request && got[m] != n {
			t.Errorf("a frame arrived %d times and is %d records: %s", n, got[m], fact(&s.entry.Record))
		}
	}
	l.once(p.told)
	l.summary(p, arrived, st)
}

func (l *ledgerOfLine) summary(p *tape, arrived []arrival, st *station) {
	l.t.Helper()
	damaged := 0
	for _, n := range l.damaged {
		damaged += n
	}
	if len(l.rows) == 0 || len(arrived)-damaged >= len(p.sent) {
		l.t.Errorf("%d frames said, %d arrived whole: the line was never bad", len(p.sent), len(arrived)-damaged)
	}
	l.t.Logf("%d frames said, %d bytes; %d arrived whole, %d damaged with a right check byte; %d records", len(p.sent), len(p.bytes),
		len(arrived)-damaged, damaged, len(l.rows))
	searchForSecrets(l.t, p.fw.term.Secrets(), []string{st.store}, map[string][]byte{"log": []byte(st.log.String())})
}

// A month of host messages over a line that turns bits: what a pair says is one
// record with the outcome of the answer, a request alone is one without, an answer
// alone is one if it leaves one kind only.
func TestE2EBadLineCup8583(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.toml")
	if err := os.WriteFile(profile, []byte("response_timeout = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fw := newFirmwareOn(t, "traditional", "cup8583", 62)
	st := badLineStation(t, fw, "cup8583", "profile = \""+profile+"\"")
	p := newTape(fw)
	p.month(p.say)
	arrived := p.arrivals(stxAt)
	heard(t, st, len(arrived))
	pace(7 * time.Second) // what waits for an answer gets none
	st.stop()
	l := hold(t, p, arrived, st)
	l.noneInvented()
	l.pairs(p)
	l.summary(p, arrived, st)
}

// cupEvent names an event of host messages by what both messages of a pair have.
func cupEvent(r *wire.Record) string {
	return r.Kind + " " + number(r.TerminalID, "", r.Stan)
}

func (l *ledgerOfLine) pairs(p *tape) {
	l.t.Helper()
	// What is in the store by name: events, and whether one has its outcome.
	events, outcome, loose := map[string]int{}, map[string]string{}, 0
	for _, r := range l.rows {
		if r.copyOf != 0 || l.damaged[r.mac] > 0 {
			continue
		}
		events[cupEvent(&r.Record)]++
		outcome[cupEvent(&r.Record)] = r.Outcome
	}
	damaged := 0
	for _, n := range l.damaged {
		damaged += n
	}
	told := map[string]bool{}
	touched := map[string]bool{} // numbers: a damaged reversal may look like the sale it takes back
	for e := range l.touched {
		touched[e.Record.Stan] = true
	}
	for _, e := range p.told {
		name := cupEvent(&e.Record)
		told[name] = told[name] || l.requests[e] || l.answers[e] || l.touched[e]
		n := events[name]
		switch {
		case touched[e.Record.Stan]:
		case l.requests[e] && l.answers[e], l.answers[e] && !answeredLater(e):
			if n != 1 || outcome[name] != e.Record.Outcome {
				l.t.Errorf("%d events %q, want 1 %q: %s", n, outcome[name], e.Record.Outcome, name)
			}
		case l.requests[e]:
			if n == 0 || outcome[name] != "unknown" && e.Record.Copy == "" {
				l.t.Errorf("%d events %q for a request without an answer: %s", n, outcome[name], name)
			}
			// A damaged request of another number may have become one of this.
			loose += max(0, n-1)
		case l.answers[e]:
			if n > 1 {
				l.t.Errorf("%d events for an answer alone: %s", n, name)
			}
		}
	}
	for name, n := range events {
		if !told[name] {
			loose += n
		}
	}
	// A damaged request that got no answer is a record without a frame.
	if loose > damaged {
		l.t.Errorf("%d events are of nothing that arrived, %d damaged frames could have made one", loose, damaged)
	}
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
	arrived := p.arrivals(smartAt)
	heard(t, st, len(arrived))
	st.stop()
	l := hold(t, p, arrived, st)
	l.noneInvented()
	got := map[string]int{}
	for _, r := range l.rows {
		got[r.mac]++
	}
	for m := range l.whole {
		if e := l.entry[m].entry; !l.touched[e] && got[m] != 1 {
			t.Errorf("a message that arrived whole is %d records: %s", got[m], fact(&e.Record))
		}
	}
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
			if _, err := p.faulty.Send(f.Bytes); err != nil {
				p.fw.t.Fatal(err)
			}
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
