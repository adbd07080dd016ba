package salvage

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Found is what counts of the rows of a damaged store. It reads them again from its files
// when they are asked for, until Close; it is used by one goroutine.
type Found struct {
	Links     map[int64]string // names of links by number
	Meta      map[string]string
	Memory    map[MemoryKey]Memory // what wires remember
	Verdicts  map[int64]Place      // the newest that was released, by refund
	Entries   map[int64]Place      // of the outbox, by entry
	Holds     map[int64]Place      // the newest version of each, by number
	Records   []Place              // of each record the version that counts, by number
	Bounds    refund.Bounds        // of the journal, as far as they are known
	HasBounds bool

	Kept int64 // records
	Lost int64 // records that were numbered and are gone though retention has not removed them
	Last int64 // the greatest number that a record had, as far as is known

	w       *wreck
	r       *rowReader
	ranks   ranks
	numbers int64     // the greatest of a verdict
	inKeys  []int64   // the greatest in keys, which have no checksum; ascending
	gap     time.Time // `at` of the record behind the newest gap
	newest  keptRecord
}

// MemoryKey names one thing that a wire remembers.
type MemoryKey struct {
	Link int64
	Key  string
}

// Memory is one thing that a wire remembers.
type Memory struct {
	Value   []byte
	Expires int64 // rows.Millis
	rank    int32
}

// ranks are those of the newest versions of rows without a checksum.
type ranks struct {
	links map[int64]int32
	meta  map[string]int32
}

// keptRecord is what the search for gaps must know of a record.
type keptRecord struct {
	seq    int64
	at     time.Time
	synced bool
}

// farthest is how far beyond the newest record that was read another row counts that names
// a newer one and has no checksum of its own.
const farthest = 20_000

// mostInKeys is how many numbers of keys are remembered: a few spoilt ones among them
// must not hide the others.
const mostInKeys = 16

// Find reads the database file at path and its WAL. wasOpen and left are what is known of
// the end of the process that had it: whether the store was not closed, and how far the WAL
// went. zone is the terminal's. What cannot be opened or read counts as not there.
func Find(path string, wasOpen bool, left sqlite.Mark, zone *time.Location) *Found {
	w := openWreck(path, wasOpen, left)
	f := &Found{w: w, r: w.reader(), Links: map[int64]string{}, Meta: map[string]string{}, Memory: map[MemoryKey]Memory{},
		Verdicts: map[int64]Place{}, Entries: map[int64]Place{}, Holds: map[int64]Place{}, ranks: ranks{map[int64]int32{}, map[string]int32{}}}
	f.r.eachRow(f.take)
	if b, ok := rows.ParseBounds(f.Meta["bounds"]); ok {
		f.Bounds, f.HasBounds = b, true
	}
	f.choose(zone)
	f.count()
	return f
}

// Close closes the files.
func (f *Found) Close() { f.w.close() }

// take sorts a row that was read.
func (f *Found) take(row *foundRow) {
	p := row.place
	switch row.shape.table {
	case "record":
		f.Records = append(f.Records, p)
	case "verdict":
		f.numbers = max(f.numbers, row.id)
		if old, ok := f.Verdicts[row.id]; row.Int(1) > 0 && (!ok || old.rank <= p.rank) {
			f.Verdicts[row.id] = p
		}
	case "outbox":
		if old, ok := f.Entries[row.id]; p.live && (!ok || old.rank <= p.rank) {
			f.Entries[row.id] = p
		}
	case "hold":
		if old, ok := f.Holds[row.id]; !ok || old.rank <= p.rank {
			f.Holds[row.id] = p
		}
	case "link":
		keepNewest(f.Links, f.ranks.links, row.id, row.text(1), p.rank)
	case "meta":
		keepNewest(f.Meta, f.ranks.meta, row.text(0), row.text(1), p.rank)
	case "memory":
		key := MemoryKey{row.Int(0), row.text(1)}
		if old, ok := f.Memory[key]; p.live && (!ok || old.rank <= p.rank) {
			f.Memory[key] = Memory{append([]byte{}, row.View(2)...), row.Int(3), p.rank}
		}
	case "key":
		if at, known := slices.BinarySearch(f.inKeys, row.Int(1)); p.live && !known && (at > 0 || len(f.inKeys) < mostInKeys) {
			f.inKeys = slices.Insert(f.inKeys, at, row.Int(1))
			f.inKeys = f.inKeys[max(0, len(f.inKeys)-mostInKeys):]
		}
	}
}

func keepNewest[K comparable](to map[K]string, ranks map[K]int32, key K, text string, rank int32) {
	if old, ok := ranks[key]; !ok || old <= rank {
		to[key], ranks[key] = text, rank
	}
}

// choose takes of each record the newest version that is whole and looks for gaps. One
// that lies only in pages that are no longer in use has been removed by retention, if
// it is of a day that retention has come to.
func (f *Found) choose(zone *time.Location) {
	slices.SortFunc(f.Records, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(b.rank, a.rank))
	})
	chosen := f.Records[:0]
	for next := 0; next < len(f.Records); {
		from := next
		for next < len(f.Records) && f.Records[next].seq == f.Records[from].seq {
			next++
		}
		versions := f.Records[from:next]
		live := slices.ContainsFunc(versions, func(p Place) bool { return p.live })
		for _, p := range versions {
			row, r, ok := f.Record(p)
			if !ok {
				continue
			}
			if live || row.Date(&r, zone) > f.Bounds.RemovedDay {
				f.keep(&row, &r)
				chosen = append(chosen, p)
			}
			break
		}
	}
	f.Records = chosen
}

// keep counts a record that is kept and looks for a gap before it.
func (f *Found) keep(row *rows.Record, r *refund.Record) {
	at, ok := r.Time()
	if !ok {
		at = rows.Time(row.Received)
	}
	if f.Kept > 0 && row.Seq != f.newest.seq+1 {
		f.gap = at
	}
	f.Kept++
	f.newest = keptRecord{row.Seq, at, row.Flags&rows.Synced != 0}
}

// count counts the records that are lost.
func (f *Found) count() {
	f.Last = max(f.newest.seq, f.numbers, f.metaInt("seq_floor"))
	for _, n := range f.inKeys {
		if n <= f.newest.seq+farthest {
			f.Last = max(f.Last, n)
		}
	}
	f.Lost = max(0, f.Last-f.Kept-f.metaInt("removed"))
}

// metaInt is a number of meta, 0 if it is not there.
func (f *Found) metaInt(name string) int64 {
	var n int64
	if json.Unmarshal([]byte(f.Meta[name]), &n) != nil {
		return 0
	}
	return n
}

// LostUntil is the latest that a lost record can be of, zero if none is lost.
func (f *Found) LostUntil(now time.Time) time.Time {
	switch {
	case f.Last > f.newest.seq || f.w.cut:
		if f.newest.at.IsZero() || f.newest.synced && now.After(f.newest.at) {
			return now
		}
		return f.newest.at
	case f.Lost == 0:
		return time.Time{}
	}
	return f.gap
}

// Record reads a record; ok is false if there is none that is whole.
func (f *Found) Record(p Place) (row rows.Record, r refund.Record, ok bool) {
	found := f.r.row(p)
	if found == nil {
		return row, r, false
	}
	row, err := rows.ScanRecord(found)
	if err == nil {
		r, err = row.Decode()
	}
	return row, r, err == nil && row.Seq >= 1
}

// Hold reads a hold; ok is false if there is none that is whole.
func (f *Found) Hold(id int64) (h rows.Hold, ok bool) {
	found := f.r.row(f.Holds[id])
	if found == nil {
		return h, false
	}
	h, err := rows.ScanHold(found)
	return h, err == nil
}

// HasRecord reports whether the record with this number is among those that are kept.
func (f *Found) HasRecord(seq int64) bool {
	_, ok := slices.BinarySearchFunc(f.Records, seq, func(p Place, seq int64) int { return cmp.Compare(p.seq, seq) })
	return ok
}

// Verdict reads the verdict that was released about a refund; ok is false if there is none
// that is whole.
func (f *Found) Verdict(seq int64, ruleNames func(ruleSet string) ([]string, error)) (j refund.Judged, ok bool) {
	p, ok := f.Verdicts[seq]
	if !ok {
		return j, false
	}
	found := f.r.row(p)
	if found == nil {
		return j, false
	}
	j, err := rows.ScanVerdict(found, ruleNames)
	return j, err == nil && !j.Unreleased
}

// Entry reads an entry of the outbox and the case that it is of, "" for an event that is no
// case's; ok is false if there is none that is whole.
func (f *Found) Entry(entry int64) (n refund.Notice, caseID string, ok bool) {
	found := f.r.row(f.Entries[entry])
	if found == nil {
		return n, "", false
	}
	n, err := rows.ScanEntry(found, "")
	return n, found.text(1), err == nil
}
