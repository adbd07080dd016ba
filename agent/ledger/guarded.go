package ledger

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// GuardedFor is how far back Guarded looks.
const GuardedFor = 30 * day

// Guarded is what the store has of the guard of one link, of GuardedFor.
type Guarded struct {
	Link      string
	Refunds   int64    // refunds and voids that came while the link had a guard, each once
	Unasked   int64    // of these that belong to no ask
	Operators []string // of these and of the held asks, sorted, each once; "": one had none
}

// guardedDay is what came on a link in one day.
type guardedDay struct {
	refunds, unasked int64
	operators        map[string]bool
}

// guardedKey is a link and a day since 1970, UTC.
type guardedKey struct{ link, day int64 }

// guarded is what has been counted of the refunds so far, so that each is read once.
type guarded struct {
	mu   sync.Mutex // guards the rest
	upTo int64      // the last refund that was counted, or left out as too old
	days map[guardedKey]*guardedDay
}

const (
	mostGuardedRead = 5000 // refunds that one call of Guarded reads
	mostOperators   = 1000 // of a link and day
)

// Guarded returns what was and what was not asked about, by link, and whose refunds they are. It
// reads the refunds that have come since the last call, mostGuardedRead at most: whole is false
// while there are more, and then the figures are too low. Held asks of practice do not count.
// Source: guard.md, Level.
func (d *DB) Guarded(ctx context.Context, now time.Time) (list []Guarded, whole bool, err error) {
	holds, err := d.Holds(ctx, false)
	if err != nil {
		return nil, false, err
	}
	g := &d.guarded
	g.mu.Lock()
	defer g.mu.Unlock()
	names := map[int64]string{}
	err = d.read(ctx, func(c *conn) error {
		if whole, err = g.count(c, now); err != nil {
			return err
		}
		return c.Each(`SELECT id, name FROM link`, func(r *sqlite.Row) error {
			names[r.Int(0)] = r.Text(1)
			return nil
		})
	})
	if err != nil {
		return nil, false, err
	}
	return g.sum(names, holds, now), whole, nil
}

// count reads what has come since the last time, and drops the days that are over.
func (g *guarded) count(c *conn, now time.Time) (whole bool, err error) {
	since := now.Add(-GuardedFor)
	newest, _, err := c.Int(`SELECT max(seq) FROM record`)
	if err != nil {
		return false, err
	}
	if g.days == nil || g.upTo > newest { // or the store is another
		first, err := firstSince(c, newest, rows.Millis(since))
		if err != nil {
			return false, err
		}
		g.upTo, g.days = first-1, map[guardedKey]*guardedDay{}
	}
	n := 0
	err = c.Each(`SELECT `+rows.RecordColumns+` FROM record WHERE seq IN (SELECT seq FROM verdict WHERE seq > ?1 ORDER BY seq LIMIT ?2) ORDER BY seq`, func(r *sqlite.Row) error {
		row, err := rows.ScanRecord(r)
		if err != nil {
			return err
		}
		rec, err := row.Decode()
		if err != nil {
			return err
		}
		g.add(&row, &rec)
		n++
		return nil
	}, g.upTo, mostGuardedRead)
	maps.DeleteFunc(g.days, func(k guardedKey, _ *guardedDay) bool { return k.day < dayNumber(since) })
	return n < mostGuardedRead, err
}

// dayNumber returns the day since 1970, UTC.
func dayNumber(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// add counts one refund; of a link without a guard, or without an effect, it is none.
func (g *guarded) add(row *rows.Record, r *refund.Record) {
	g.upTo = row.Seq
	if r.Guard == nil || r.Guard.Level == "" || r.Guard.Level == string(ask.Off) || r.Outcome == refund.Declined || r.Outcome == refund.Closed {
		return
	}
	k := guardedKey{row.Link, dayNumber(rows.Time(row.Received))}
	n := g.days[k]
	if n == nil {
		n = &guardedDay{operators: map[string]bool{}}
		g.days[k] = n
	}
	n.refunds++
	if r.Guard.Ask == "" {
		n.unasked++
	}
	if len(n.operators) < mostOperators {
		n.operators[r.Operator] = true
	}
}

// sum adds up the days of each link, and who asked for what is held.
func (g *guarded) sum(names map[int64]string, holds []ask.Held, now time.Time) []Guarded {
	found := map[string]*Guarded{}
	seen := map[string]map[string]bool{}
	of := func(link string) *Guarded {
		if found[link] == nil {
			found[link], seen[link] = &Guarded{Link: link}, map[string]bool{}
		}
		return found[link]
	}
	for k, n := range g.days {
		l := of(names[k.link])
		l.Refunds, l.Unasked = l.Refunds+n.refunds, l.Unasked+n.unasked
		maps.Copy(seen[l.Link], n.operators)
	}
	for i := range holds {
		if h := &holds[i]; !h.Practice && now.Sub(h.Opened) <= GuardedFor {
			seen[of(h.Link).Link][h.Operator] = true
		}
	}
	list := make([]Guarded, 0, len(found))
	for _, link := range slices.Sorted(maps.Keys(found)) {
		found[link].Operators = slices.Sorted(maps.Keys(seen[link]))
		list = append(list, *found[link])
	}
	return list
}
