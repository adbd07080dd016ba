package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"yuanlu/agent/refund"
)

// CaseFilter chooses cases. The zero value chooses the newest 100 of all.
type CaseFilter struct {
	OpenOnly bool
	Severity refund.Severity // at least; 0: any
	Since    time.Time       // opened or changed since; zero: any
	Limit    int             // at most; 0: 100
}

// CaseRow is one case as a list shows it.
type CaseRow struct {
	CaseID   string
	Seq      int64 // of the refund
	Open     bool  // false: cleared
	Severity refund.Severity
	Opened   time.Time
	Changed  time.Time
	Verdict  refund.Verdict // as it is now
	Refund   refund.Record
	Link     string
}

// CaseDetail is everything known about one case.
type CaseDetail struct {
	CaseRow
	Judged       refund.Judged
	Original     *refund.Record // nil: none found, or removed by retention
	OriginalLink string
	Sightings    []SightingRow // of the refund, then of its original
}

// SightingRow names one sighting of a record.
type SightingRow struct {
	Seq      int64
	FrameMAC string
	Received time.Time
}

// Cases returns the cases that f chooses, the newest change first.
func (d *DB) Cases(ctx context.Context, f CaseFilter) ([]CaseRow, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var rows []CaseRow
	err := d.read(ctx, func(c *conn) error {
		ids, err := caseIDs(c, &f)
		if err != nil {
			return err
		}
		rows = make([]CaseRow, 0, len(ids))
		for _, id := range ids {
			detail, err := loadDetail(c, id, false)
			if err != nil {
				return err
			}
			if detail != nil {
				rows = append(rows, detail.CaseRow)
			}
		}
		return nil
	})
	return rows, err
}

func caseIDs(c *conn, f *CaseFilter) ([]string, error) {
	s, err := c.prepare(`SELECT case_id FROM cases WHERE open >= ?1 AND severity >= ?2 AND changed >= ?3
 ORDER BY changed DESC, seq DESC LIMIT ?4`)
	if err != nil {
		return nil, err
	}
	open := int64(0)
	if f.OpenOnly {
		open = 1
	}
	s.bindInt(1, open)
	s.bindInt(2, int64(f.Severity))
	s.bindInt(3, millis(f.Since))
	s.bindInt(4, int64(f.Limit))
	defer s.reset()
	var ids []string
	for {
		more, err := s.step()
		if err != nil || !more {
			return ids, err
		}
		ids = append(ids, s.text(0))
	}
}

// Case returns one case by its id, or by the beginning of it if no other case begins
// so. ErrNotFound.
func (d *DB) Case(ctx context.Context, id string) (CaseDetail, error) {
	var found CaseDetail
	err := d.read(ctx, func(c *conn) error {
		s, err := c.prepare(`SELECT case_id FROM cases WHERE case_id >= ?1 AND case_id < ?1 || '~' LIMIT 2`)
		if err != nil {
			return err
		}
		s.bindText(1, id)
		var ids []string
		for {
			more, err := s.step()
			if err != nil {
				s.reset()
				return err
			}
			if !more {
				break
			}
			ids = append(ids, s.text(0))
		}
		s.reset()
		if id == "" || len(ids) != 1 {
			return fmt.Errorf("%w: case", ErrNotFound)
		}
		detail, err := loadDetail(c, ids[0], true)
		if err == nil && detail == nil {
			err = fmt.Errorf("%w: case", ErrNotFound)
		}
		if err == nil {
			found = *detail
		}
		return err
	})
	return found, err
}

// loadDetail returns a case, nil if its refund is gone. whole: with the original and
// the sightings.
func loadDetail(c *conn, id string, whole bool) (*CaseDetail, error) {
	k, err := loadCase(c, id)
	if err != nil || k == nil {
		return nil, err
	}
	row, err := loadRow(c, k.seq)
	if err != nil || row == nil {
		return nil, err
	}
	d := &CaseDetail{CaseRow: CaseRow{
		CaseID: id, Seq: k.seq, Open: k.open, Severity: k.severity, Opened: timeOf(k.opened), Changed: timeOf(k.change),
	}}
	if d.Refund, err = row.decode(); err != nil {
		return nil, err
	}
	if d.Link, err = linkOf(c, row.link); err != nil {
		return nil, err
	}
	if d.Judged, _, err = loadVerdict(c, k.seq); err != nil {
		return nil, err
	}
	d.Verdict = d.Judged.Verdict
	if !whole {
		return d, nil
	}
	if d.Sightings, err = appendSightings(nil, c, row); err != nil || d.Verdict.Original == nil {
		return d, err
	}
	o, err := loadRow(c, d.Verdict.Original.Seq)
	if err != nil || o == nil {
		return d, err
	}
	rec, err := o.decode()
	if err != nil {
		return nil, err
	}
	d.Original = &rec
	if d.OriginalLink, err = linkOf(c, o.link); err != nil {
		return nil, err
	}
	d.Sightings, err = appendSightings(d.Sightings, c, o)
	return d, err
}

func appendSightings(list []SightingRow, c *conn, row *recordRow) ([]SightingRow, error) {
	list = append(list, SightingRow{row.seq, unpackMAC(row.mac), timeOf(row.received)})
	s, err := c.prepare(`SELECT seq, frame_mac, received FROM record WHERE copy_of = ?1 ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	s.bindInt(1, row.seq)
	defer s.reset()
	for {
		more, err := s.step()
		if err != nil || !more {
			return list, err
		}
		list = append(list, SightingRow{s.int(0), unpackMAC(s.bytes(1)), timeOf(s.int(2))})
	}
}

func linkOf(c *conn, id int64) (string, error) {
	s, err := c.prepare(`SELECT name FROM link WHERE id = ?1`)
	if err != nil {
		return "", err
	}
	s.bindInt(1, id)
	defer s.reset()
	more, err := s.step()
	if err != nil || !more {
		return "", err
	}
	return s.text(0), nil
}

// Counts is how much there is, on one local day and in all.
type Counts struct {
	RecordsToday int64 `json:"records_today"` // received, copies included
	RefundsToday int64 `json:"refunds_today"` // refunds and voids, each once
	CasesToday   int64 `json:"cases_today"`   // opened
	Records      int64 `json:"records"`
	Refunds      int64 `json:"refunds"`
	Cases        int64 `json:"cases"`
}

// Counts counts. Today is the day that now is in its location, which must be the zone
// of Options.Now of the process that writes.
func (d *DB) Counts(ctx context.Context, now time.Time) (Counts, error) {
	n := Counts{}
	year, month, dayOf := now.Date()
	start := time.Date(year, month, dayOf, 0, 0, 0, 0, now.Location())
	err := d.read(ctx, func(c *conn) error {
		newest, _, err := c.queryInt(`SELECT max(seq) FROM record`)
		if err != nil {
			return err
		}
		removed, err := metaInt(c, "removed")
		if err != nil {
			return err
		}
		n.Records = newest - removed
		first, err := firstSince(c, newest, millis(start))
		if err != nil {
			return err
		}
		end, err := firstSince(c, newest, millis(start.AddDate(0, 0, 1)))
		if err != nil {
			return err
		}
		n.RecordsToday = max(0, end-first)
		return countDays(c, start.Format(time.DateOnly), &n)
	})
	return n, err
}

// firstSince finds the first record received at ms or later by halving: numbers
// grow with time. newest+1 if there is none.
func firstSince(c *conn, newest, ms int64) (int64, error) {
	lo, hi := int64(1), newest+1
	for lo < hi {
		mid := (lo + hi) / 2
		at, ok, err := c.queryInt(`SELECT received FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1`, mid)
		if err != nil {
			return 0, err
		}
		if ok && at < ms {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}

func countDays(c *conn, today string, n *Counts) error {
	s, err := c.prepare(`SELECT coalesce(sum(refunds), 0), coalesce(sum(cases), 0), coalesce(sum(CASE day WHEN ?1 THEN refunds END), 0),
 coalesce(sum(CASE day WHEN ?1 THEN cases END), 0) FROM daily`)
	if err != nil {
		return err
	}
	s.bindText(1, today)
	defer s.reset()
	if _, err := s.step(); err != nil {
		return err
	}
	n.Refunds, n.Cases, n.RefundsToday, n.CasesToday = s.int(0), s.int(1), s.int(2), s.int(3)
	return nil
}

// openCases counts them.
func openCases(c *conn) (map[refund.Severity]int, error) {
	open := map[refund.Severity]int{}
	s, err := c.prepare(`SELECT severity, count(*) FROM cases WHERE open = 1 GROUP BY severity`)
	if err != nil {
		return nil, err
	}
	defer s.reset()
	for {
		more, err := s.step()
		if err != nil || !more {
			return open, err
		}
		open[refund.Severity(s.int(0))] = int(s.int(1))
	}
}

// Newest returns the newest `at` of the newest records that was not made from a clock
// that was not trusted, zero if there is none: a floor for such a clock.
func (d *DB) Newest(ctx context.Context) (time.Time, error) {
	var newest time.Time
	err := d.read(ctx, func(c *conn) (err error) {
		newest, _, err = loadNewest(c)
		return err
	})
	return newest, err
}

// Latest returns the newest records, oldest first: as many as Newest looks at.
func (d *DB) Latest(ctx context.Context) iter.Seq2[StoredRecord, error] {
	return func(yield func(StoredRecord, error) bool) {
		var last int64
		err := d.read(ctx, func(c *conn) (err error) {
			last, _, err = c.queryInt(`SELECT max(seq) FROM record`)
			return err
		})
		if err != nil {
			yield(StoredRecord{}, err)
			return
		}
		d.Records(ctx, max(last-newestRows+1, 1))(yield)
	}
}

// StoredRecord is one record of the store, as it stands there.
type StoredRecord struct {
	Seq, CopyOf, UndoneBy int64
	Link                  string
	Received              time.Time
	ClockSynced           bool
	AtFromClock           bool
	FrameMAC              string
	CaseID                string // of refunds and voids
	Note                  string // why it takes no part
	Record                refund.Record
}

// readStep is how many rows an iterator reads before it hands them out.
const readStep = 500

// Records returns the records from this seq on, in order.
func (d *DB) Records(ctx context.Context, from int64) iter.Seq2[StoredRecord, error] {
	return inSteps(ctx, d, from, `SELECT `+recordColumns+`, (SELECT name FROM link WHERE id = link) FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2`,
		func(s *stmt) (StoredRecord, error) {
			row, err := scanRecord(s)
			if err != nil {
				return StoredRecord{}, err
			}
			r, err := row.decode()
			return StoredRecord{
				Seq: row.seq, CopyOf: row.copyOf, UndoneBy: row.undoneBy, Link: s.text(13), Received: timeOf(row.received),
				ClockSynced: row.flags&flagSynced != 0, AtFromClock: row.flags&flagAtClock != 0,
				FrameMAC: unpackMAC(row.mac), CaseID: row.caseID, Note: row.note, Record: r,
			}, err
		}, func(r *StoredRecord) int64 { return r.Seq })
}

// Verdicts returns what is stored about every refund from this seq on, in order; held
// ones have Held set.
func (d *DB) Verdicts(ctx context.Context, from int64) iter.Seq2[refund.Judged, error] {
	return inSteps(ctx, d, from, `SELECT seq, rev, crc, verdict, explain FROM verdict WHERE seq >= ?1 ORDER BY seq LIMIT ?2`,
		func(s *stmt) (refund.Judged, error) {
			return scanVerdict(s.c, s.int(0), s.int(1), s.int(2), s.view(3), s.view(4))
		}, func(j *refund.Judged) int64 { return j.Verdict.Seq })
}

// inSteps reads rows by their number, some at a time, so that no reading
// connection is held while the caller works.
func inSteps[T any](ctx context.Context, d *DB, from int64, sql string, scan func(*stmt) (T, error), seq func(*T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			var rows []T
			err := d.read(ctx, func(c *conn) error {
				s, err := c.prepare(sql)
				if err != nil {
					return err
				}
				s.bindInt(1, from)
				s.bindInt(2, readStep)
				defer s.reset()
				for {
					more, err := s.step()
					if err != nil || !more {
						return err
					}
					row, err := scan(s)
					if err != nil {
						return err
					}
					rows = append(rows, row)
				}
			})
			for _, r := range rows {
				from = seq(&r) + 1
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
			}
			if err != nil || len(rows) < readStep {
				return
			}
		}
	}
}
