package store

import "slices"

// Limits keep a terminal that sends without end from filling the disk. All are per
// terminal but AllRefused.
type Limits struct {
	CaseBytes  int64 // of case events; beyond it they are neither stored nor acknowledged, so the terminal keeps them
	DayBytes   int64 // of digests of days; beyond it likewise
	Others     int   // other events; the oldest make room
	Streams    int   // streams of a terminal; events of further ones are as beyond CaseBytes
	Links      int   // links; what is published of further ones is refused
	Refused    int   // messages in quarantine; the oldest make room
	AllRefused int   // of all terminals
	Payload    int   // bytes of a refused message that are kept
	Apart      int   // refused sequences that are noted beyond a gap of one stream, and holes of one stream that are listed
}

// DefaultLimits are far above what an honest terminal needs in years: some ten
// cases a day of 3 KB each make 16 MB in 540 days.
func DefaultLimits() Limits {
	return Limits{CaseBytes: 256 << 20, DayBytes: 64 << 20, Others: 1000, Streams: 256, Links: 32, Refused: 200, AllRefused: 10_000, Payload: 64 << 10, Apart: 1000}
}

// SetLimits changes the limits; before the store is used.
func (s *Store) SetLimits(l Limits) { s.limits = l }

// usage is how much room a terminal's case events take up.
type usage struct {
	events, bytes int64
	others        bool // other events came: the oldest may have to go
}

func (a *applying) usageOf(terminal string) (*usage, error) {
	if h, ok := a.usage[terminal]; ok {
		return h, nil
	}
	h := &usage{}
	if _, err := a.row(`SELECT events, bytes FROM held WHERE terminal = ?`, []any{terminal}, &h.events, &h.bytes); err != nil {
		return nil, err
	}
	a.usage[terminal] = h
	a.touched = append(a.touched, terminal)
	return h, nil
}

// room reports whether an event may be stored. One that is stored already is
// always welcome.
func (a *applying) room(e *Event) (bool, error) {
	if !e.Case {
		h, err := a.usageOf(e.Terminal)
		if err == nil {
			h.others = true
		}
		return true, err
	}
	h, err := a.usageOf(e.Terminal)
	if err != nil {
		return false, err
	}
	room := h.bytes+int64(len(e.Payload)) <= a.limits.CaseBytes
	if room {
		if room, err = a.roomForStream(e.Terminal, e.Stream); err != nil {
			return false, err
		}
	}
	if room {
		return true, nil
	}
	var there int
	if _, err := a.row(`SELECT count(*) FROM event WHERE terminal = ? AND kind = ? AND id = ?`, []any{e.Terminal, kindOf(e), e.ID}, &there); err != nil {
		return false, err
	}
	if there == 0 {
		a.noRoom(e.Terminal)
	}
	return there > 0, nil
}

// noRoom notes that an event of a terminal was neither stored nor acknowledged.
func (a *applying) noRoom(terminal string) {
	if !slices.Contains(a.answer.Full, terminal) {
		a.answer.Full = append(a.answer.Full, terminal)
	}
}

// took counts a stored event; room has loaded what is counted.
func (a *applying) took(e *Event) {
	if h := a.usage[e.Terminal]; e.Case {
		h.events++
		h.bytes += int64(len(e.Payload))
	}
}

// roomForStream reports whether a stream is known or may be begun.
func (a *applying) roomForStream(terminal, stream string) (bool, error) {
	if _, ok := a.streams[key{terminal, stream}]; ok {
		return true, nil
	}
	var known, all int
	if _, err := a.row(`SELECT count(*), coalesce(sum(CASE WHEN stream = ? THEN 1 ELSE 0 END), 0) FROM stream WHERE terminal = ?`,
		[]any{stream, terminal}, &all, &known); err != nil {
		return false, err
	}
	return known > 0 || all < a.limits.Streams, nil
}

// roomForLink reports whether one more link may be begun; if not, what was published of
// it is refused.
func (a *applying) roomForLink(s *Status) (bool, error) {
	var all int
	if _, err := a.row(`SELECT count(*) FROM link WHERE terminal = ?`, []any{s.Terminal}, &all); err != nil {
		return false, err
	}
	if all < a.limits.Links {
		return true, nil
	}
	return false, a.refusal(&Refusal{Terminal: s.Terminal, Topic: "up/link", Code: "links", Message: "more links than this desk keeps of one terminal",
		Payload: []byte(s.Link), Received: s.Received})
}

// tooFarApart reports whether a refused sequence beyond a gap is not noted, because
// very many are. It is refused again whenever it comes.
func (st *stream) tooFarApart(a *applying, seq int64) (bool, error) {
	if seq <= st.settled+1 {
		return false, nil
	}
	var n int
	_, err := a.row(`SELECT count(*) FROM (SELECT 1 FROM ahead d WHERE terminal = ? AND stream = ? AND NOT EXISTS(SELECT 1 FROM event e
 WHERE e.terminal = d.terminal AND e.stream = d.stream AND e.seq = d.seq) LIMIT ?) x`, []any{st.terminal, st.stream, a.limits.Apart}, &n)
	return n >= a.limits.Apart, err
}

// saveUsage writes back what terminals take up, and lets the oldest of their other
// events go.
func (a *applying) saveUsage() error {
	for _, terminal := range a.touched {
		h := a.usage[terminal]
		if _, err := a.exec(`INSERT INTO held VALUES(?,?,?) ON CONFLICT(terminal) DO UPDATE SET events = excluded.events, bytes = excluded.bytes`,
			terminal, h.events, h.bytes); err != nil {
			return err
		}
		if !h.others {
			continue
		}
		if _, err := a.exec(`DELETE FROM event WHERE terminal = ? AND kind = 'event' AND n <= (SELECT n FROM event WHERE terminal = ? AND kind = 'event'
 ORDER BY n DESC LIMIT 1 OFFSET ?)`, terminal, terminal, a.limits.Others); err != nil {
			return err
		}
	}
	return nil
}

// trimQuarantine lets the oldest refused messages go, those of the terminal first.
func (a *applying) trimQuarantine(terminal string) error {
	if _, err := a.exec(`DELETE FROM quarantine WHERE terminal = ? AND n <= (SELECT n FROM quarantine WHERE terminal = ? ORDER BY n DESC LIMIT 1 OFFSET ?)`,
		terminal, terminal, a.limits.Refused); err != nil {
		return err
	}
	_, err := a.exec(`DELETE FROM quarantine WHERE n <= (SELECT n FROM quarantine ORDER BY n DESC LIMIT 1 OFFSET ?)`, a.limits.AllRefused)
	return err
}
