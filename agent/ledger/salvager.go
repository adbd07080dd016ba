package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/refund"
)

// salvager reads what is left of a damaged store and judges its records again into the
// new one (doc.go, Salvage).
type salvager struct {
	d *DB
	w *wreck
	r *rowReader

	records  []rowPlace           // every version of every record, then the chosen ones
	verdicts map[int64]rowPlace   // the newest that was said, by refund
	notices  map[int64]rowPlace   // what waited, by entry
	links    map[int64]newestText // by number
	meta     map[string]newestText
	memory   map[memoryKey]newestMemory
	numbers  int64   // the greatest of a verdict
	inKeys   []int64 // the greatest in keys, which have no checksum; ascending

	bounds refund.Bounds
	kept   int64
	lost   int64
	last   int64     // the greatest number that was given out, as far as is known
	gap    time.Time // `at` of the record behind the newest gap
	newest keptRecord
}

type newestText struct {
	text string
	rank int32
}

type memoryKey struct {
	link int64
	key  string
}

type newestMemory struct {
	value   []byte
	expires int64
	rank    int32
}

// keptRecord is what the search for gaps must know of a record.
type keptRecord struct {
	seq    int64
	at     time.Time
	synced bool
}

// salvageBatch is how many records one transaction of a salvage takes.
const salvageBatch = 500

// farthest is how far beyond the newest record that was read another row is believed
// that names a newer one and has no checksum of its own.
const farthest = 20_000

// mostInKeys is how many numbers of keys are remembered: a few spoilt ones among them
// must not hide the others.
const mostInKeys = 16

func newSalvager(d *DB, w *wreck) *salvager {
	return &salvager{d: d, w: w, r: w.reader(), verdicts: map[int64]rowPlace{}, notices: map[int64]rowPlace{},
		links: map[int64]newestText{}, meta: map[string]newestText{}, memory: map[memoryKey]newestMemory{}}
}

func (s *salvager) run(ctx context.Context, note *DamageNote) error {
	s.r.eachRow(s.take)
	if err := s.copyMeta(); err != nil {
		return err
	}
	s.choose()
	if err := s.countLost(); err != nil {
		return err
	}
	if err := s.judgeAgain(ctx); err != nil {
		return err
	}
	if err := s.sayAgain(); err != nil {
		return err
	}
	if err := s.restoreVerdicts(); err != nil {
		return err
	}
	if err := s.copySmall(); err != nil {
		return err
	}
	note.Kept, note.Lost = s.kept, s.lost
	return nil
}

// take sorts a row that was read.
func (s *salvager) take(row *foundRow) {
	c, p := row.cols, row.place
	switch row.shape.table {
	case "record":
		s.records = append(s.records, p)
	case "verdict":
		s.numbers = max(s.numbers, row.id)
		if old, ok := s.verdicts[row.id]; c[1].n > 0 && (!ok || old.rank <= p.rank) {
			s.verdicts[row.id] = p
		}
	case "outbox":
		if old, ok := s.notices[row.id]; p.live && (!ok || old.rank <= p.rank) {
			s.notices[row.id] = p
		}
	case "link":
		keepNewest(s.links, row.id, string(c[1].b), p.rank)
	case "meta":
		keepNewest(s.meta, string(c[0].b), string(c[1].b), p.rank)
	case "memory":
		key := memoryKey{c[0].n, string(c[1].b)}
		if old, ok := s.memory[key]; p.live && (!ok || old.rank <= p.rank) {
			s.memory[key] = newestMemory{append([]byte{}, c[2].b...), c[3].n, p.rank}
		}
	case "key":
		if at, known := slices.BinarySearch(s.inKeys, c[1].n); p.live && !known && (at > 0 || len(s.inKeys) < mostInKeys) {
			s.inKeys = slices.Insert(s.inKeys, at, c[1].n)
			s.inKeys = s.inKeys[max(0, len(s.inKeys)-mostInKeys):]
		}
	}
}

func keepNewest[K comparable](to map[K]newestText, key K, text string, rank int32) {
	if old, ok := to[key]; !ok || old.rank <= rank {
		to[key] = newestText{text, rank}
	}
}

// copyMeta takes over what stands by itself: what is known about the journal (records
// that said it may be gone), which records each key has sealed, the names of rules.
func (s *salvager) copyMeta() error {
	return s.d.transact(func(t *tx) error {
		if b, ok := parseBounds(s.meta["bounds"].text); ok {
			s.bounds, t.n.bounds = b, b
			if err := saveBounds(t.c, &b); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.meta)) {
			if strings.HasPrefix(name, "key.") || strings.HasPrefix(name, "rules.") || name == "created" {
				if err := setMeta(t.c, name, s.meta[name].text); err != nil {
					return err
				}
			}
		}
		before := strings.Fields(s.meta["stream"].text + " " + s.meta["streams.before"].text)
		return setMeta(t.c, "streams.before", strings.Join(before[:min(len(before), mostBefore)], " "))
	})
}

// metaInt is a number of meta, 0 if it is not there.
func (s *salvager) metaInt(name string) int64 {
	var n int64
	if json.Unmarshal([]byte(s.meta[name].text), &n) != nil {
		return 0
	}
	return n
}

// choose takes of each record the newest version that is whole and looks for gaps. One
// that lies only in pages that are no longer in use has been removed by retention, if
// it is of a day that retention has come to.
func (s *salvager) choose() {
	slices.SortFunc(s.records, func(a, b rowPlace) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(b.rank, a.rank))
	})
	chosen := s.records[:0]
	for next := 0; next < len(s.records); {
		from := next
		for next < len(s.records) && s.records[next].seq == s.records[from].seq {
			next++
		}
		versions := s.records[from:next]
		live := slices.ContainsFunc(versions, func(p rowPlace) bool { return p.live })
		for _, p := range versions {
			row, r := s.record(p)
			if row == nil {
				continue
			}
			if live || s.d.dateOf(row, &r) > s.bounds.RemovedDay {
				s.see(row, &r)
				chosen = append(chosen, p)
			}
			break
		}
	}
	s.records = chosen
}

// record reads a record, nil if it is none.
func (s *salvager) record(p rowPlace) (*recordRow, refund.Record) {
	if found := s.r.row(p); found != nil {
		return found.recordRow()
	}
	return nil, refund.Record{}
}

// see counts a record that is kept and looks for a gap before it.
func (s *salvager) see(row *recordRow, r *refund.Record) {
	at, ok := r.Time()
	if !ok {
		at = timeOf(row.received)
	}
	if s.kept > 0 && row.seq != s.newest.seq+1 {
		s.gap = at
	}
	s.kept++
	s.newest = keptRecord{row.seq, at, row.flags&flagSynced != 0}
}

// judgeAgain judges the records again, in their order, under their numbers and case ids.
func (s *salvager) judgeAgain(ctx context.Context) error {
	for places := range slices.Chunk(s.records, salvageBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.d.transact(func(t *tx) error {
			for _, p := range places {
				row, r := s.record(p)
				if row == nil {
					continue // the disk has changed its mind
				}
				if !p.whole { // the id has no checksum
					row.caseID = mendedID(row.caseID, caseID(t.d.keys.kase, &r))
				}
				if err := s.again(t, row, &r); err != nil {
					return err
				}
			}
			return t.n.payers.flush(t.c, t.n.seq)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mendedID is a case id as read from a damaged page, or the one that the record as it is
// now has, if the stored one is none or differs in a single character. Copies that have
// completed a record can make the two differ altogether, and then the stored one is right.
func mendedID(stored, computed string) string {
	if stored == "" {
		return ""
	}
	if len(stored) != len(computed) || strings.Trim(stored, crockford) != "" {
		return computed
	}
	differ := 0
	for i := range len(stored) {
		if stored[i] != computed[i] {
			differ++
		}
	}
	if differ == 1 {
		return computed
	}
	return stored
}

func (s *salvager) again(t *tx, row *recordRow, r *refund.Record) error {
	name := s.links[row.link].text
	if name == "" {
		name = "unknown"
	}
	link, err := t.link(name)
	if err != nil {
		return err
	}
	t.n.seq, t.caseID = row.seq, row.caseID
	ch, err := t.d.judge.Apply(t.h, row.seq, *r)
	if err != nil {
		return err
	}
	s.instead(t.c, ch.Verdicts)
	return t.store(link, &refund.Sighting{
		Record: *r, Received: timeOf(row.received), ClockSynced: row.flags&flagSynced != 0,
		AtFromClock: row.flags&flagAtClock != 0, YearFromClock: row.flags&flagYear != 0, Redated: row.flags&flagRedated != 0, FrameMAC: unpackMAC(row.mac),
	}, &ch, new(refund.Applied))
}

// countLost counts the records that were numbered and are gone though retention has not
// removed them, and has the journal begin behind them: of a refund whose sale may be
// among them it cannot be said that it has none.
func (s *salvager) countLost() error {
	last := max(s.newest.seq, s.numbers, s.metaInt("seq_floor"))
	for _, n := range s.inKeys {
		if n <= s.newest.seq+farthest {
			last = max(last, n)
		}
	}
	s.last, s.lost = last, max(0, last-s.kept-s.metaInt("removed"))
	return s.d.transact(func(t *tx) error {
		t.n.removed = last - s.kept
		if end := s.lostUntil(); !end.IsZero() && end.Format(time.DateOnly) > t.n.bounds.RemovedDay {
			t.n.bounds.RemovedDay = end.Format(time.DateOnly)
			if err := saveBounds(t.c, &t.n.bounds); err != nil {
				return err
			}
		}
		return setMetaInt(t.c, "seq_floor", last)
	})
}

// lostUntil is the latest that a lost record can be of, zero if none is lost.
func (s *salvager) lostUntil() time.Time {
	switch now := s.d.o.Now(); {
	case s.last > s.newest.seq || s.w.cut:
		if s.newest.at.IsZero() || s.newest.synced && now.After(s.newest.at) {
			return now
		}
		return s.newest.at
	case s.lost == 0:
		return time.Time{}
	}
	return s.gap
}
