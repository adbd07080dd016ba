package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/protocol/topics"
)

// key names a stream.
type key struct{ terminal, stream string }

// applying is one transaction that changes what is acknowledged to the terminals.
type applying struct {
	*tx
	limits    Limits
	answer    Answer
	streams   map[key]*stream
	order     []key // of streams, as touched
	usage     map[string]*usage
	touched   []string // of usage, as touched
	w         int64    // newest number of the case desk, given out or found
	current   bool     // the case desk is up to date
	journaled bool     // a journal of the case desk grew
	own       *ownLog  // nil: not read yet
}

// Apply stores messages in one transaction and returns what may be acknowledged to the
// terminals once it has returned. A message that is there already changes
// nothing: after an error the same messages may be given again, whatever became
// of the commit.
func (s *Store) Apply(ctx context.Context, messages []Message) (Answer, error) {
	return s.change(ctx, func(a *applying) error {
		for i := range messages {
			if err := a.one(s, &messages[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// changeTime bounds one transaction. Most take milliseconds; one that takes over the events of
// years takes minutes.
const changeTime = 10 * time.Minute

// change runs do in one transaction. The wait for its turn ends with ctx. Once it has begun it is
// not ended because a client went away: what became of the commit would not be known, and the case
// desk had to be built again.
func (s *Store) change(ctx context.Context, do func(*applying) error) (Answer, error) {
	a := &applying{limits: s.limits, streams: map[key]*stream{}, usage: map[string]*usage{}}
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTime)
	defer cancel()
	begin, begun := context.AfterFunc(ctx, cancel), false
	defer begin()
	shown := false // what the streams show is another
	err := s.write(work, func(t *tx) error {
		a.tx = t
		// One desk at a time: numbers grow in the order of commits.
		if _, err := a.row(`UPDATE desk SET n = n WHERE id = 1 RETURNING n`, nil, &a.n); err != nil {
			return err
		}
		if begun = begin(); !begun {
			return ctx.Err()
		}
		if _, err := a.row(`SELECT n FROM desk WHERE id = 2`, nil, &a.w); err != nil {
			return err
		}
		before, worked := a.n, a.w
		if err := do(a); err != nil {
			return err
		}
		if err := a.finish(); err != nil {
			return err
		}
		if err := a.saveLog(s); err != nil {
			return err
		}
		if a.w > worked {
			if _, err := a.exec(`UPDATE desk SET n = ? WHERE id = 2`, a.w); err != nil {
				return err
			}
		}
		if shown = a.n > before || a.journaled; a.n == before {
			return nil
		}
		_, err := a.exec(`UPDATE desk SET n = ? WHERE id = 1`, a.n)
		return err
	})
	if err != nil && begun {
		s.work.desk = nil // what became of the commit is not known
	}
	if err != nil {
		return Answer{}, err
	}
	if shown {
		s.announce()
	}
	return a.answer, nil
}

func (a *applying) one(s *Store, m *Message) error {
	switch {
	case m.Event != nil:
		return a.event(s, m.Event)
	case m.Refusal != nil:
		return a.refusal(m.Refusal)
	case m.Day != nil:
		return a.day(m.Day)
	case m.Status != nil:
		return a.takeStatus(m.Status)
	case m.Checkpoint != nil:
		return a.checkpoint(s, m.Checkpoint)
	}
	return nil
}

// finish saves the streams and makes the acknowledgements.
func (a *applying) finish() error {
	if err := a.saveUsage(); err != nil {
		return err
	}
	for _, k := range a.order {
		st := a.streams[k]
		if err := st.save(a); err != nil {
			return err
		}
		if st.ackDue && (st.settled > 0 || len(st.refused) > 0) {
			a.answer.Acks = append(a.answer.Acks, Ack{k.terminal, k.stream, st.settled, st.refused})
		}
	}
	a.answer.N = a.n
	return nil
}

func (a *applying) event(s *Store, e *Event) error {
	if room, err := a.room(e); err != nil || !room {
		return err
	}
	inserted, err := a.exec(`INSERT INTO event(n, terminal, id, stream, seq, kind, type, subject, case_id, time, received, attempt, future, digest, payload)
 VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(terminal, kind, id) DO NOTHING`,
		a.n+1, e.Terminal, e.ID, e.Stream, e.Seq, kindOf(e), e.Type, e.Subject, e.CaseID, millis(e.Time), millis(e.Received), e.Attempt,
		flag(e.Future), e.Digest, string(e.Payload))
	if err != nil {
		return err
	}
	if inserted == 0 {
		return a.repeat(e)
	}
	a.n++
	a.answer.New++
	a.took(e)
	if e.Case && e.CaseID != "" {
		if err := a.project(e); err != nil {
			return err
		}
	}
	if e.Case {
		if err := a.casework(s, e.Payload, e.Received); err != nil {
			return err
		}
	}
	if err := a.evidence(s, e); err != nil {
		return err
	}
	if e.Aside > 0 {
		if err := a.aside(e); err != nil {
			return err
		}
	}
	if e.Seq == 0 {
		return nil
	}
	st, err := a.stream(e.Terminal, e.Stream, e.Received)
	if err != nil {
		return err
	}
	st.ackDue = true
	st.events++
	fresh, err := st.settle(a, e.Seq)
	if err != nil || fresh {
		return err
	}
	return st.late(a, e)
}

// repeat is an event that is there already. One whose frozen parts differ is kept
// beside, and logged.
func (a *applying) repeat(e *Event) error {
	a.answer.Repeats++
	var digest string
	if _, err := a.row(`SELECT digest FROM event WHERE terminal = ? AND kind = ? AND id = ?`, []any{e.Terminal, kindOf(e), e.ID}, &digest); err != nil {
		return err
	}
	altered, err := a.altered(e, digest)
	if err != nil {
		return err
	}
	if altered {
		err := a.quarantine(&Refusal{Terminal: e.Terminal, Topic: "up/" + kindOf(e), Stream: e.Stream, Code: "altered",
			Message: "an event with this id is stored already, with other contents", Payload: e.Payload, Received: e.Received},
			e.Stream+"\x00"+e.ID+"\x00"+e.Digest)
		if err != nil {
			return err
		}
	}
	if e.Seq == 0 {
		return nil
	}
	if room, err := a.roomForStream(e.Terminal, e.Stream); err != nil || !room {
		a.noRoom(e.Terminal)
		return err
	}
	st, err := a.stream(e.Terminal, e.Stream, e.Received)
	if err != nil {
		return err
	}
	st.ackDue = true
	st.repeats++
	if full, err := st.tooFarApart(a, e.Seq); err != nil || full {
		return err
	}
	_, err = st.settle(a, e.Seq)
	return err
}

// altered reports whether an event is another than the one with its id that is here.
// Only its sequence may differ: one that was put back into the queue by hand has a
// new one.
func (a *applying) altered(e *Event, digest string) (bool, error) {
	if digest == e.Digest {
		return false, nil
	}
	var payload string
	if _, err := a.row(`SELECT payload FROM event WHERE terminal = ? AND kind = ? AND id = ?`, []any{e.Terminal, kindOf(e), e.ID}, &payload); err != nil {
		return false, err
	}
	var have, now topics.Event
	if topics.Exact([]byte(payload), &have) != nil || topics.Exact(e.Payload, &now) != nil {
		return true, nil
	}
	return have.Source != now.Source || have.Type != now.Type || have.Subject != now.Subject || have.Stream != now.Stream ||
		!have.Time.Equal(now.Time.Time) || !bytes.Equal(have.Data, now.Data), nil
}

func kindOf(e *Event) string {
	if e.Case {
		return "case"
	}
	return "event"
}

// project keeps the newest of each case: the last verdict of a stream, or a later
// stream.
func (a *applying) project(e *Event) error {
	state := e.Facts.State
	if state == "" {
		state = CaseOpen
	}
	at := millis(e.Time)
	inserted, err := a.exec(`INSERT INTO cases(terminal, case_id, stream, seq, first_n, last_n, newest_n, events, state, severity, decision, recipient, merchant, opened, changed)
 VALUES(?,?,?,?,?,?,?,1,?,?,?,?,?,?,?) ON CONFLICT(terminal, case_id) DO NOTHING`,
		e.Terminal, e.CaseID, e.Stream, e.Seq, a.n, a.n, a.n, state, e.Facts.Severity, e.Facts.Decision, e.Facts.Recipient, e.Facts.Merchant, at, at)
	if err != nil || inserted > 0 {
		return err
	}
	if _, err := a.exec(`UPDATE cases SET last_n = ?, events = events + 1, opened = CASE WHEN opened > ? THEN ? ELSE opened END
 WHERE terminal = ? AND case_id = ?`, a.n, at, at, e.Terminal, e.CaseID); err != nil {
		return err
	}
	if e.Facts.State == "" { // a kind of the future: what is known of the case stays
		return nil
	}
	if newer, err := a.newer(e); err != nil || !newer {
		return err
	}
	_, err = a.exec(`UPDATE cases SET stream = ?, seq = ?, newest_n = ?, state = ?, severity = ?, decision = ?, recipient = ?, merchant = ?, changed = ?
 WHERE terminal = ? AND case_id = ?`, e.Stream, e.Seq, a.n, state, e.Facts.Severity, e.Facts.Decision,
		e.Facts.Recipient, e.Facts.Merchant, at, e.Terminal, e.CaseID)
	return err
}

// newer reports whether an event is newer for its case than the newest that is here.
// Verdicts about one record are counted (rev); a sequence may come late: that of an
// event which was refused and put back by hand.
func (a *applying) newer(e *Event) (bool, error) {
	var stream, payload string
	var seq int64
	found, err := a.row(`SELECT c.stream, c.seq, e.payload FROM cases c JOIN event e ON e.n = c.newest_n WHERE c.terminal = ? AND c.case_id = ?`,
		[]any{e.Terminal, e.CaseID}, &stream, &seq, &payload)
	if err != nil || !found || stream != e.Stream {
		return err == nil, err
	}
	if !states([]byte(payload)) {
		return true, nil // what became of the case came before what it is
	}
	have, now := verdictOf([]byte(payload)), verdictOf(e.Payload)
	if have.Seq == now.Seq && have.Seq > 0 && have.Rev != now.Rev {
		return now.Rev > have.Rev, nil
	}
	return e.Seq > seq, nil
}

// states reports whether an event states what its case is.
func states(payload []byte) bool {
	var e struct {
		Type string `json:"type"`
	}
	if topics.Exact(payload, &e) != nil {
		return true
	}
	for _, kind := range []string{"opened", "revised", "cleared"} {
		if strings.HasPrefix(e.Type, "yuanlu.case."+kind+".") {
			return true
		}
	}
	return false
}

// verdict names one verdict: the record it is about, and which one about it.
type verdict struct {
	Seq int64 `json:"seq"`
	Rev int64 `json:"rev"`
}

// verdictOf is that of an event; zero where it has none.
func verdictOf(payload []byte) verdict {
	var e struct {
		Data struct {
			Verdict verdict `json:"verdict"`
		} `json:"data"`
	}
	if topics.Exact(payload, &e) != nil {
		return verdict{}
	}
	return e.Data.Verdict
}

// aside notes a sequence that the terminal will not send; where there is no room to,
// it stays part of the gap.
func (a *applying) aside(e *Event) error {
	if room, err := a.roomForStream(e.Terminal, e.Stream); err != nil || !room {
		return err
	}
	st, err := a.stream(e.Terminal, e.Stream, e.Received)
	if err != nil {
		return err
	}
	if full, err := st.tooFarApart(a, e.Aside); err != nil || full {
		return err
	}
	fresh, err := st.settle(a, e.Aside)
	if err != nil || !fresh {
		return err
	}
	st.ackDue = true
	return st.hole(a, e.Aside, e.Aside, HoleAside, e.Received)
}

// refusal puts a message into quarantine and, where it names its sequence, refuses
// that sequence, unless a good event has it.
func (a *applying) refusal(r *Refusal) error {
	what := hex.EncodeToString(digestOf(r.Payload))
	if r.Seq > 0 {
		what = r.Stream + "\x00" + strconv.FormatInt(r.Seq, 10)
	}
	if err := a.quarantine(r, what); err != nil || r.Seq == 0 {
		return err
	}
	if room, err := a.roomForStream(r.Terminal, r.Stream); err != nil || !room {
		return err
	}
	st, err := a.stream(r.Terminal, r.Stream, r.Received)
	if err != nil {
		return err
	}
	st.ackDue = true
	var good int
	if _, err := a.row(`SELECT count(*) FROM event WHERE terminal = ? AND stream = ? AND seq = ?`, []any{r.Terminal, r.Stream, r.Seq}, &good); err != nil || good > 0 {
		return err
	}
	if !slices.ContainsFunc(st.refused, func(n topics.Nack) bool { return n.Seq == r.Seq }) {
		st.refused = append(st.refused, topics.Nack{Seq: r.Seq, Code: r.Code, Message: r.Message})
	}
	if full, err := st.tooFarApart(a, r.Seq); err != nil || full {
		return err
	}
	_, err = st.settle(a, r.Seq)
	return err
}

// quarantine keeps a message; what names it: the same thing again is counted.
func (a *applying) quarantine(r *Refusal, what string) error {
	a.answer.Refused++
	digest := hex.EncodeToString(digestOf([]byte(strings.Join([]string{r.Terminal, r.Topic, r.Code, what}, "\x00"))))
	now := millis(r.Received)
	again, err := a.exec(`UPDATE quarantine SET times = times + 1, last_seen = ? WHERE digest = ?`, now, digest)
	if err != nil || again > 0 {
		return err
	}
	a.n++
	if _, err := a.exec(`INSERT INTO quarantine(n, digest, terminal, topic, stream, seq, code, message, size, times, first_seen, last_seen, payload)
 VALUES(?,?,?,?,?,?,?,?,?,1,?,?,?)`, a.n, digest, r.Terminal, r.Topic, r.Stream, r.Seq, r.Code, r.Message, len(r.Payload), now, now,
		append([]byte{}, r.Payload[:min(len(r.Payload), a.limits.Payload)]...)); err != nil {
		return err
	}
	return a.trimQuarantine(r.Terminal)
}

func digestOf(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
