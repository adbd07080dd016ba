package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills/match"
)

// DayPart is one message of up/day that fits its schema: one part of a terminal's digest of a
// day (bills.md § 5).
type DayPart struct {
	Terminal string
	Stream   string // "": it came by another way, and is not acknowledged
	Seq      int64  // from 1
	ID       string
	Day      string // YYYY-MM-DD
	Rev      int64
	Part     int64
	Parts    int64
	Complete bool
	Received time.Time
	Digest   string // of all that never changes between attempts
	Data     []byte // the object of bills.md § 5
	Payload  []byte // as it came, JSON in UTF-8
}

// day stores one part of a digest. The same again changes nothing.
func (a *applying) day(d *DayPart) error {
	if room, err := a.roomForDay(d); err != nil || !room {
		a.noRoom(d.Terminal)
		return err
	}
	st := &stream{}
	if d.Stream != "" {
		var err error
		if st, err = a.stream(d.Terminal, d.Stream, d.Received); err != nil {
			return err
		}
		st.ackDue = true
	}
	if err := a.storeDay(st, d); err != nil || d.Stream == "" {
		return err
	}
	if full, err := st.tooFarApart(a, d.Seq); err != nil || full {
		return err
	}
	_, err := st.settle(a, d.Seq)
	return err
}

// storeDay is day without the acknowledgement.
func (a *applying) storeDay(st *stream, d *DayPart) error {
	var digest string
	there, err := a.row(`SELECT digest FROM terminal_day WHERE terminal = ? AND day = ? AND stream = ? AND rev = ? AND part = ?`,
		[]any{d.Terminal, d.Day, d.Stream, d.Rev, d.Part}, &digest)
	if err != nil {
		return err
	}
	if there {
		a.answer.Repeats++
		st.repeats++
		if digest == d.Digest {
			return nil
		}
		return a.quarantine(&Refusal{Terminal: d.Terminal, Topic: "up/day", Stream: d.Stream, Code: "altered",
			Message: "this part of a day is stored already, with other contents", Payload: d.Payload, Received: d.Received},
			d.Stream+"\x00"+d.ID+"\x00"+d.Digest)
	}
	before, err := a.digestsOf(d.Terminal, d.Day)
	if err != nil {
		return err
	}
	if outdated(before, d) {
		a.answer.Repeats++
		st.repeats++
		return nil
	}
	if _, err := a.exec(`INSERT INTO terminal_day(terminal, day, stream, rev, part, parts, complete, size, received, digest, body) VALUES(?,?,?,?,?,?,?,?,?,?,?)`,
		d.Terminal, d.Day, d.Stream, d.Rev, d.Part, d.Parts, flag(d.Complete), len(d.Data), millis(d.Received), d.Digest, string(d.Data)); err != nil {
		return err
	}
	a.answer.New++
	a.n++
	st.events++
	return a.dayChanged(before, d)
}

// dayChanged removes what a new part has made worthless, and notes the day if another digest of
// it counts now.
func (a *applying) dayChanged(before []*dayDigest, d *DayPart) error {
	after, err := a.digestsOf(d.Terminal, d.Day)
	if err != nil {
		return err
	}
	counts := counting(after)
	if was := counting(before); was == nil || was.stream != counts.stream || was.rev != counts.rev || was.whole != counts.whole {
		if !slices.Contains(a.answer.Days, d.Day) {
			a.answer.Days = append(a.answer.Days, d.Day)
		}
		if err := a.due(d.Received, d.Day); err != nil {
			return err
		}
	}
	for _, g := range after {
		if !worthless(after, counts, g) {
			continue
		}
		if _, err := a.exec(`DELETE FROM terminal_day WHERE terminal = ? AND day = ? AND stream = ? AND rev = ?`, d.Terminal, d.Day, g.stream, g.rev); err != nil {
			return err
		}
	}
	return nil
}

// roomForDay reports whether one more part of a terminal may be stored.
func (a *applying) roomForDay(d *DayPart) (bool, error) {
	if d.Stream != "" {
		if room, err := a.roomForStream(d.Terminal, d.Stream); err != nil || !room {
			return false, err
		}
	}
	var bytes int64
	_, err := a.row(`SELECT coalesce(sum(size + 256), 0) FROM terminal_day WHERE terminal = ?`, []any{d.Terminal}, &bytes)
	return bytes+int64(len(d.Data)) <= a.limits.DayBytes, err
}

// dayDigest is what is there of one digest: the parts of a rev in a stream.
type dayDigest struct {
	terminal, day string
	stream        string
	rev           int64
	begun         int64 // when the stream was first seen, ms
	have, parts   int64
	whole         bool // every part is there
	complete      bool // each states that it is
	received      int64
	bodies        []string // where they are read
}

// take adds one part, of the same digest.
func (g *dayDigest) take(parts int64, complete bool, received int64) {
	g.whole = (g.have == 0 || g.parts == parts) && g.have+1 == parts
	g.complete = complete && (g.complete || g.have == 0)
	g.have++
	g.parts, g.received = max(g.parts, parts), max(g.received, received)
}

// older reports whether the life of a store in which a digest was made ended before another began.
func older(g, other *dayDigest) bool {
	return cmp.Or(cmp.Compare(g.begun, other.begun), cmp.Compare(g.stream, other.stream)) < 0
}

// counting returns the digest that counts of a terminal's day, nil if there is none: in each
// stream the highest rev of which every part is there, else the highest (bills.md § 6). Of several
// streams the newest counts, because it was made later; but if a terminal that has lost its records knows
// that its digest lacks something, a complete one of before stands.
func counting(all []*dayDigest) (best *dayDigest) {
	newest := map[string]*dayDigest{}
	for _, g := range all {
		if b := newest[g.stream]; b == nil || g.whole && !b.whole || g.whole == b.whole && g.rev > b.rev {
			newest[g.stream] = g
		}
	}
	for _, g := range newest {
		switch {
		case best == nil:
			best = g
		case worth(g) != worth(best):
			if worth(g) > worth(best) {
				best = g
			}
		case older(best, g):
			best = g
		}
	}
	return best
}

// worth orders digests of different streams: not whole, whole, whole and complete.
func worth(g *dayDigest) int { return flag(g.whole) + flag(g.whole && g.complete) }

// outdated reports whether a part is of a digest that a later one has replaced.
func outdated(all []*dayDigest, d *DayPart) bool {
	return slices.ContainsFunc(all, func(g *dayDigest) bool { return g.stream == d.Stream && g.whole && g.rev > d.Rev })
}

// worthless reports whether a digest can never count again: a later one of its stream is whole, or
// the one that counts is of a later stream.
func worthless(all []*dayDigest, counts, g *dayDigest) bool {
	if counts.whole && older(g, counts) && g.stream != counts.stream {
		return true
	}
	return slices.ContainsFunc(all, func(other *dayDigest) bool { return other.stream == g.stream && other.whole && other.rev > g.rev })
}

// digestColumns are read by scanDigests.
const digestColumns = `d.terminal, d.day, d.stream, d.rev, d.parts, d.complete, d.received, coalesce(s.first_seen, 0)`

const digestTables = ` FROM terminal_day d LEFT JOIN stream s ON s.terminal = d.terminal AND s.stream = d.stream `

const digestOrder = ` ORDER BY d.terminal, d.day, d.stream, d.rev, d.part`

// digests reads the digests that a condition chooses, and hands out those of one terminal's day together,
// ordered by terminal and day.
func (t *tx) digests(bodies bool, where string, args []any, do func(ofDay []*dayDigest)) error {
	var list []*dayDigest
	columns := digestColumns + `, ''`
	if bodies {
		columns = digestColumns + `, d.body`
	}
	err := t.rows(`SELECT `+columns+digestTables+where+digestOrder, args, func(r *sql.Rows) error {
		var g dayDigest
		var parts, complete, received int64
		var body string
		if err := r.Scan(&g.terminal, &g.day, &g.stream, &g.rev, &parts, &complete, &received, &g.begun, &body); err != nil {
			return err
		}
		if n := len(list); n > 0 && (list[n-1].terminal != g.terminal || list[n-1].day != g.day) {
			do(list)
			list = nil
		}
		n := len(list)
		if n == 0 || list[n-1].stream != g.stream || list[n-1].rev != g.rev {
			list = append(list, &g)
			n++
		}
		last := list[n-1]
		last.take(parts, complete == 1, received)
		if bodies {
			last.bodies = append(last.bodies, body)
		}
		return nil
	})
	if err == nil && len(list) > 0 {
		do(list)
	}
	return err
}

func (t *tx) digestsOf(terminal, day string) (all []*dayDigest, err error) {
	err = t.digests(false, `WHERE d.terminal = ? AND d.day = ?`, []any{terminal, day}, func(list []*dayDigest) { all = list })
	return all, err
}

// terminalDays hands out the parts of the digests that count of all terminals, from one day to
// another, both YYYY-MM-DD, ordered by terminal, day and part.
func (t *tx) terminalDays(from, to string, do func(body string)) error {
	return t.digests(true, `WHERE d.day >= ? AND d.day <= ?`, []any{from, to}, func(list []*dayDigest) {
		for _, body := range counting(list).bodies {
			do(body)
		}
	})
}

// TerminalDays returns the parts of the digests that count of a day, YYYY-MM-DD, as the terminals
// sent them, ordered by terminal and part: what `bills match --terminal-days` reads (bills.md § 6).
func (s *Store) TerminalDays(ctx context.Context, day string) (bodies []string, err error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	err = s.read(ctx, func(t *tx) error {
		bodies = nil
		return t.terminalDays(day, day, func(body string) { bodies = append(bodies, body) })
	})
	return bodies, err
}

// DayRow is what counts of one terminal's day.
type DayRow struct {
	Terminal string    `json:"terminal"`
	Day      string    `json:"day"`
	Stream   string    `json:"stream"`
	Rev      int64     `json:"rev"`
	Parts    int64     `json:"parts"`
	Have     int64     `json:"have"` // parts that are here
	Whole    bool      `json:"whole"`
	Complete bool      `json:"complete"` // the terminal knows of nothing that could be missing
	Received time.Time `json:"received"`
}

// DayRows returns what counts of each terminal's days from one day to another, both YYYY-MM-DD, by terminal and day.
func (s *Store) DayRows(ctx context.Context, from, to string) (list []DayRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		list = []DayRow{}
		return t.digests(false, `WHERE d.day >= ? AND d.day <= ?`, []any{from, to}, func(of []*dayDigest) {
			g := counting(of)
			list = append(list, DayRow{g.terminal, g.day, g.stream, g.rev, g.parts, g.have, g.whole, g.complete, timeOf(g.received)})
		})
	})
	return list, err
}

// LackingDays are days of a terminal of which the desk lacks a digest, though it has later ones.
type LackingDays struct{ Terminal, From, To string }

// LackingDays returns, for each terminal, the first and the last of the days from this one on
// (YYYY-MM-DD) of which no digest is whole, though the terminal has reported a later day or an
// earlier one. A terminal reports every day, also one without anything (bills.md § 5).
func (s *Store) LackingDays(ctx context.Context, from string) (list []LackingDays, err error) {
	first, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	whole := map[string]map[string]bool{} // by terminal and day
	err = s.read(ctx, func(t *tx) error {
		clear(whole)
		return t.digests(false, `WHERE d.day >= ?`, []any{from}, func(of []*dayDigest) {
			g := counting(of)
			if whole[g.terminal] == nil {
				whole[g.terminal] = map[string]bool{}
			}
			whole[g.terminal][g.day] = g.whole
		})
	})
	for terminal, days := range whole {
		lack := LackingDays{Terminal: terminal}
		begin, last := "", ""
		for day := range days {
			last = max(last, day)
			if begin == "" || day < begin {
				begin = day
			}
		}
		for on := first; on.Format(time.DateOnly) <= last; on = on.AddDate(0, 0, 1) {
			if day := on.Format(time.DateOnly); day >= begin && !days[day] {
				lack.To = day
				if lack.From == "" {
					lack.From = day
				}
			}
		}
		if lack.From != "" {
			list = append(list, lack)
		}
	}
	slices.SortFunc(list, func(a, b LackingDays) int { return cmp.Compare(a.Terminal, b.Terminal) })
	return list, err
}

// TerminalDay stores one part of a terminal's digest of a day that did not come from the broker
// (bills.md § 5). Again is no error: the first stands. ErrData if it is none.
func (s *Store) TerminalDay(ctx context.Context, now time.Time, data []byte) error {
	d, ok := match.ParseDigest(data)
	if !ok {
		return fmt.Errorf("%w: no digest of a terminal's day", ErrData)
	}
	sum := sha256.Sum256(data)
	_, err := s.Apply(ctx, []Message{{Day: &DayPart{Terminal: d.Terminal, Day: d.Day, Rev: d.Rev, Part: d.Part, Parts: d.Parts,
		Complete: d.Complete, Received: now, Digest: hex.EncodeToString(sum[:]), Data: data, Payload: data}}})
	return err
}
