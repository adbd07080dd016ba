package store

import (
	"time"

	"yuanlu/protocol/topics"
)

// Why a sequence counts as settled although no event has it.
const (
	HoleAside     = "put aside by the terminal"
	HoleElsewhere = "acknowledged before this desk had it"
	HoleByHand    = "closed by hand: " // and why
	HoleMany      = "more holes than this desk lists; some of these are here"
)

// stream is one stream of a terminal as far as it is here. Everything up to
// settled is settled; beyond it table ahead lists what is there already.
type stream struct {
	key
	settled, highest        int64
	events, repeats, reused int64
	firstSeen, lastSeen     int64
	gapSince, gapN          int64
	wasSettled              int64 // as loaded
	wasGap, ackDue          bool
	refused                 []topics.Nack
}

// stream loads a stream, or begins one.
func (a *applying) stream(terminal, name string, seen time.Time) (*stream, error) {
	k := key{terminal, name}
	if st, ok := a.streams[k]; ok {
		st.lastSeen = max(st.lastSeen, millis(seen))
		return st, nil
	}
	st := &stream{key: k, firstSeen: millis(seen), lastSeen: millis(seen)}
	var lastSeen int64
	found, err := a.row(`SELECT settled, highest, events, repeats, reused, first_seen, last_seen, gap_since, gap_n FROM stream WHERE terminal = ? AND stream = ?`,
		[]any{terminal, name}, &st.settled, &st.highest, &st.events, &st.repeats, &st.reused, &st.firstSeen, &lastSeen, &st.gapSince, &st.gapN)
	if err != nil {
		return nil, err
	}
	if !found {
		if _, err := a.exec(`INSERT INTO stream VALUES(?,?,0,0,0,0,0,?,?,0,0)`, terminal, name, st.firstSeen, st.lastSeen); err != nil {
			return nil, err
		}
	}
	st.lastSeen = max(st.lastSeen, lastSeen)
	st.wasSettled, st.wasGap = st.settled, st.highest > st.settled
	a.streams[k] = st
	a.order = append(a.order, k)
	return st, nil
}

// settle notes that a sequence needs no more waiting for; fresh: it did until now.
func (st *stream) settle(a *applying, seq int64) (fresh bool, err error) {
	if seq <= st.settled {
		return false, nil
	}
	if seq > st.settled+1 {
		n, err := a.exec(`INSERT INTO ahead VALUES(?,?,?) ON CONFLICT DO NOTHING`, st.terminal, st.stream, seq)
		st.highest = max(st.highest, seq)
		return n > 0, err
	}
	st.settled = seq
	return true, st.closeUp(a)
}

// closeUp moves settled over what is there already.
func (st *stream) closeUp(a *applying) error {
	for st.highest > st.settled {
		n, err := a.exec(`DELETE FROM ahead WHERE terminal = ? AND stream = ? AND seq = ?`, st.terminal, st.stream, st.settled+1)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		st.settled++
	}
	st.highest = max(st.highest, st.settled)
	return nil
}

// late is a new event whose sequence was settled before: it fills a hole, or the
// sequence is used for the second time.
func (st *stream) late(a *applying, e *Event) error {
	var first, last, noted int64
	var why string
	found, err := a.row(`SELECT first, last, why, noted FROM hole WHERE terminal = ? AND stream = ? AND first <= ? AND last >= ?`,
		[]any{st.terminal, st.stream, e.Seq, e.Seq}, &first, &last, &why, &noted)
	if err != nil {
		return err
	}
	if !found {
		var same int
		if _, err := a.row(`SELECT count(*) FROM event WHERE terminal = ? AND stream = ? AND seq = ?`, []any{st.terminal, st.stream, e.Seq}, &same); err != nil {
			return err
		}
		if same > 1 { // else it was refused at first, or put aside and asked for again
			return st.reuse(a, e)
		}
		return nil
	}
	if _, err := a.exec(`DELETE FROM hole WHERE terminal = ? AND stream = ? AND first = ?`, st.terminal, st.stream, first); err != nil {
		return err
	}
	for _, part := range [][2]int64{{first, e.Seq - 1}, {e.Seq + 1, last}} {
		if part[0] > part[1] {
			continue
		}
		if _, err := a.exec(`INSERT INTO hole(terminal, stream, first, last, why, noted) VALUES(?,?,?,?,?,?)`, st.terminal, st.stream, part[0], part[1], why, noted); err != nil {
			return err
		}
	}
	return nil
}

// reuse notes an event whose sequence another one has: the terminal's store was put back
// from an old copy. It is stored, as it must be; that it came so is kept beside, and logged.
func (st *stream) reuse(a *applying, e *Event) error {
	st.reused++
	a.answer.Reused = append(a.answer.Reused, Ack{Terminal: st.terminal, Stream: st.stream, Seq: e.Seq})
	return a.quarantine(&Refusal{Terminal: e.Terminal, Topic: "up/" + kindOf(e), Stream: e.Stream, Seq: e.Seq, Code: "reused",
		Message: "stored, but another event had this sequence before: the terminal's store was put back from an old copy", Payload: e.Payload, Received: e.Received},
		e.Stream+"\x00"+e.ID)
}

// jump settles everything up to seq: the terminal has forgotten it, or a person states
// that it will not come. What is not here stays visible as a hole.
func (st *stream) jump(a *applying, seq int64, at time.Time, why string) error {
	from := st.settled + 1
	note := func(last int64) error {
		if last < from {
			return nil
		}
		return st.hole(a, from, last, why, at)
	}
	var there []int64
	if st.highest > st.settled {
		var err error
		if there, err = a.aheadUpTo(st.key, seq); err != nil {
			return err
		}
	}
	for _, have := range there {
		if err := note(have - 1); err != nil {
			return err
		}
		from = have + 1
	}
	if err := note(seq); err != nil {
		return err
	}
	if len(there) > 0 {
		if _, err := a.exec(`DELETE FROM ahead WHERE terminal = ? AND stream = ? AND seq <= ?`, st.terminal, st.stream, seq); err != nil {
			return err
		}
	}
	st.settled = seq
	return st.closeUp(a)
}

// hole notes that there is no event from first to last. One that follows on another
// of the same kind makes that one longer; where very many are noted, the one before.
func (st *stream) hole(a *applying, first, last int64, why string, at time.Time) error {
	longer, err := a.exec(`UPDATE hole SET last = ? WHERE terminal = ? AND stream = ? AND last = ? AND why IN (?, ?)`, last, st.terminal, st.stream, first-1, why, HoleMany)
	if err != nil || longer > 0 {
		return err
	}
	var all int
	if _, err := a.row(`SELECT count(*) FROM hole WHERE terminal = ? AND stream = ?`, []any{st.terminal, st.stream}, &all); err != nil {
		return err
	}
	if all >= a.limits.Apart {
		longer, err := a.exec(`UPDATE hole SET last = CASE WHEN last < ? THEN ? ELSE last END, why = ? WHERE terminal = ? AND stream = ?
 AND first = (SELECT max(first) FROM hole WHERE terminal = ? AND stream = ? AND first < ?)`, last, last, HoleMany, st.terminal, st.stream, st.terminal, st.stream, first)
		if err != nil || longer > 0 {
			return err
		}
	}
	_, err = a.exec(`INSERT INTO hole(terminal, stream, first, last, why, noted) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		st.terminal, st.stream, first, last, why, millis(at))
	return err
}

// save writes the stream back, and notes whether it lacks something now.
func (st *stream) save(a *applying) error {
	gap := st.highest > st.settled
	switch {
	case gap && !st.wasGap:
		a.n++
		st.gapSince, st.gapN = st.lastSeen, a.n
		a.answer.GapBegun = append(a.answer.GapBegun, Ack{Terminal: st.terminal, Stream: st.stream, Seq: st.settled + 1})
	case !gap && st.wasGap:
		a.n++
		st.gapSince, st.gapN = 0, a.n
		a.answer.GapEnded = append(a.answer.GapEnded, Ack{Terminal: st.terminal, Stream: st.stream, Seq: st.settled})
	case gap && st.settled != st.wasSettled:
		a.n++
		st.gapN = a.n
	}
	_, err := a.exec(`UPDATE stream SET settled = ?, highest = ?, events = ?, repeats = ?, reused = ?, last_seen = ?, gap_since = ?, gap_n = ?
 WHERE terminal = ? AND stream = ?`, st.settled, st.highest, st.events, st.repeats, st.reused, st.lastSeen, st.gapSince, st.gapN, st.terminal, st.stream)
	return err
}
