package ledger

import (
	"context"
	"fmt"
	"iter"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
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
	var list []CaseRow
	err := d.read(ctx, func(c *conn) error {
		ids, err := caseIDs(c, &f)
		if err != nil {
			return err
		}
		list = make([]CaseRow, 0, len(ids))
		for _, id := range ids {
			detail, err := loadDetail(c, id, false)
			if err != nil {
				return err
			}
			if detail != nil {
				list = append(list, detail.CaseRow)
			}
		}
		return nil
	})
	return list, err
}

func caseIDs(c *conn, f *CaseFilter) ([]string, error) {
	return c.Texts(`SELECT case_id FROM cases WHERE open >= ?1 AND severity >= ?2 AND changed >= ?3
 ORDER BY changed DESC, seq DESC LIMIT ?4`, f.OpenOnly, int64(f.Severity), rows.Millis(f.Since), f.Limit)
}

// Case returns one case by its id, or by the beginning of it if no other case begins
// so. ErrNotFound.
func (d *DB) Case(ctx context.Context, id string) (CaseDetail, error) {
	var found CaseDetail
	err := d.read(ctx, func(c *conn) error {
		ids, err := c.Texts(`SELECT case_id FROM cases WHERE case_id >= ?1 AND case_id < ?1 || '~' ORDER BY case_id LIMIT 10`, id)
		if err != nil {
			return err
		}
		if len(ids) > 1 && id != "" {
			return &SeveralError{IDs: ids}
		}
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
		CaseID: id, Seq: k.seq, Open: k.open, Severity: k.severity, Opened: rows.Time(k.opened), Changed: rows.Time(k.change),
	}}
	if d.Refund, err = row.Decode(); err != nil {
		return nil, err
	}
	if d.Link, err = linkOf(c, row.Link); err != nil {
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
	rec, err := o.Decode()
	if err != nil {
		return nil, err
	}
	d.Original = &rec
	if d.OriginalLink, err = linkOf(c, o.Link); err != nil {
		return nil, err
	}
	d.Sightings, err = appendSightings(d.Sightings, c, o)
	return d, err
}

func appendSightings(list []SightingRow, c *conn, row *rows.Record) ([]SightingRow, error) {
	list = append(list, SightingRow{row.Seq, rows.UnpackMAC(row.MAC), rows.Time(row.Received)})
	err := c.Each(`SELECT seq, frame_mac, received FROM record WHERE copy_of = ?1 ORDER BY seq`, func(r *sqlite.Row) error {
		list = append(list, SightingRow{r.Int(0), rows.UnpackMAC(r.View(1)), rows.Time(r.Int(2))})
		return nil
	}, row.Seq)
	return list, err
}

func linkOf(c *conn, id int64) (string, error) {
	return c.Text(`SELECT name FROM link WHERE id = ?1`, id)
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
		newest, _, err := c.Int(`SELECT max(seq) FROM record`)
		if err != nil {
			return err
		}
		removed, err := metaInt(c, "removed")
		if err != nil {
			return err
		}
		n.Records = newest - removed
		first, err := firstSince(c, newest, rows.Millis(start))
		if err != nil {
			return err
		}
		end, err := firstSince(c, newest, rows.Millis(start.AddDate(0, 0, 1)))
		if err != nil {
			return err
		}
		n.RecordsToday = max(0, end-first)
		return d.countDays(c, start.Format(time.DateOnly), now.Location(), &n)
	})
	return n, err
}

// firstSince finds the first record received at ms or later by halving: numbers
// grow with time. newest+1 if there is none.
func firstSince(c *conn, newest, ms int64) (int64, error) {
	lo, hi := int64(1), newest+1
	for lo < hi {
		mid := (lo + hi) / 2
		at, ok, err := c.Int(`SELECT received FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1`, mid)
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

// openCases counts them.
func openCases(c *conn) (map[refund.Severity]int, error) {
	open := map[refund.Severity]int{}
	err := c.Each(`SELECT severity, count(*) FROM cases WHERE open = 1 GROUP BY severity`, func(r *sqlite.Row) error {
		open[refund.Severity(r.Int(0))] = int(r.Int(1))
		return nil
	})
	return open, err
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
			last, _, err = c.Int(`SELECT max(seq) FROM record`)
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
	return inSteps(ctx, d, from, `SELECT `+rows.RecordColumns+`, (SELECT name FROM link WHERE id = link) FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2`,
		func(_ *conn, s *sqlite.Row) (StoredRecord, error) {
			row, err := rows.ScanRecord(s)
			if err != nil {
				return StoredRecord{}, err
			}
			r, err := row.Decode()
			return StoredRecord{
				Seq: row.Seq, CopyOf: row.CopyOf, UndoneBy: row.UndoneBy, Link: s.Text(13), Received: rows.Time(row.Received),
				ClockSynced: row.Flags&rows.Synced != 0, AtFromClock: row.Flags&rows.AtClock != 0,
				FrameMAC: rows.UnpackMAC(row.MAC), CaseID: row.CaseID, Note: row.Note, Record: r,
			}, err
		}, func(r *StoredRecord) int64 { return r.Seq })
}

// Verdicts returns what is stored about every refund from this seq on, in order; unreleased
// ones have Unreleased set.
func (d *DB) Verdicts(ctx context.Context, from int64) iter.Seq2[refund.Judged, error] {
	return inSteps(ctx, d, from, `SELECT `+rows.VerdictColumns+` FROM verdict WHERE seq >= ?1 ORDER BY seq LIMIT ?2`,
		func(c *conn, s *sqlite.Row) (refund.Judged, error) {
			return rows.ScanVerdict(s, c.ruleNames)
		}, func(j *refund.Judged) int64 { return j.Verdict.Seq })
}

// inSteps reads rows by their number, some at a time, so that no reading
// connection is held while the caller works.
func inSteps[T any](ctx context.Context, d *DB, from int64, sql string, scan func(*conn, *sqlite.Row) (T, error), seq func(*T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			var list []T
			err := d.read(ctx, func(c *conn) error {
				return c.Each(sql, func(r *sqlite.Row) error {
					row, err := scan(c, r)
					if err == nil {
						list = append(list, row)
					}
					return err
				}, from, readStep)
			})
			for _, r := range list {
				from = seq(&r) + 1
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
			}
			if err != nil || len(list) < readStep {
				return
			}
		}
	}
}
