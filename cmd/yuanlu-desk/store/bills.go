package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/bills/match"
)

// mostRefused bounds the refusals of a bill that are kept.
const mostRefused = 1000

// aroundDay is how many days around a day are matched with it: a row and its refund may be 3
// days apart (bills.md § 6).
const aroundDay = 4

// ImportedBill is one bill of an imported file.
type ImportedBill struct {
	bills.Bill
	// Known: the same bytes were imported before; nothing was stored.
	Known bool `json:"known"`
	// RefusedAt are places and codes, FILE:LINE:COL: code, at most 1000; no content.
	RefusedAt []string `json:"refused_at"`
}

// Imported is what a file was.
type Imported struct {
	Bills []*ImportedBill `json:"bills"`
	// Refused are those of the whole file, and of members that are no bill.
	Refused []string `json:"refused"`
}

// gathered collects what a file states (bills.Sink).
type gathered struct {
	Imported
	entries [][]bills.Entry
	pending []bills.Entry
	places  []string
}

func (g *gathered) Entry(e *bills.Entry) { g.pending = append(g.pending, *e) }

func (g *gathered) Refused(r *bills.Refusal) {
	if len(g.places) < mostRefused {
		g.places = append(g.places, r.Place()+": "+string(r.Code))
	}
}

func (g *gathered) Bill(b *bills.Bill) {
	bill := *b
	at := fmt.Sprintf("%s:", bill.File)
	if bill.Member > 0 {
		at = fmt.Sprintf("%s#%d:", bill.File, bill.Member)
	}
	mine, others := []string{}, []string{}
	for _, place := range g.places {
		if strings.HasPrefix(place, at) {
			mine = append(mine, place)
		} else {
			others = append(others, place)
		}
	}
	g.Imported.Bills = append(g.Imported.Bills, &ImportedBill{Bill: bill, RefusedAt: mine})
	g.Imported.Refused = append(g.Imported.Refused, others...)
	g.entries, g.pending, g.places = append(g.entries, g.pending), nil, nil
}

// ImportBills reads a file of bills and stores each bill that is new with its entries, all in
// one transaction (bills.md § 7). The file itself is not kept.
func (s *Store) ImportBills(ctx context.Context, now time.Time, f bills.File) (*Imported, error) {
	g := &gathered{Imported: Imported{Bills: []*ImportedBill{}, Refused: []string{}}}
	bills.Read(f, g)
	g.Imported.Refused = append(g.Imported.Refused, g.places...)
	_, err := s.change(ctx, func(a *applying) error {
		for i, b := range g.Imported.Bills {
			if err := a.importBill(now, b, g.entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return &g.Imported, err
}

// importBill stores one bill, unless its bytes are known.
func (a *applying) importBill(now time.Time, b *ImportedBill, entries []bills.Entry) error {
	var n, last int64
	if _, err := a.row(`SELECT coalesce(max(n), 0) FROM bill`, nil, &n); err != nil {
		return err
	}
	if _, err := a.row(`SELECT coalesce(max(n), 0) FROM bill_entry`, nil, &last); err != nil {
		return err
	}
	var channels []string
	for i := range entries {
		if !slices.Contains(channels, entries[i].Channel) {
			channels = append(channels, entries[i].Channel)
		}
	}
	added, err := a.exec(`INSERT INTO bill(sha256, n, received, from_day, to_day, channels, refused, body) VALUES(?,?,?,?,?,?,'',?) ON CONFLICT DO NOTHING`,
		b.SHA256, n+1, now.UnixMilli(), b.From, b.To, strings.Join(channels, ","), string(b.AppendJSON(nil)))
	if err != nil || added == 0 {
		b.Known = true
		return err
	}
	for i := range entries {
		fits, err := a.importEntry(b.SHA256, last+int64(i)+1, &entries[i])
		if err != nil {
			return err
		}
		if !fits && len(b.RefusedAt) < mostRefused {
			at := bills.Refusal{File: b.File, Member: b.Member, Line: entries[i].Line, Code: bills.RowConflict}
			b.RefusedAt = append(b.RefusedAt, at.Place()+": "+string(at.Code))
		}
	}
	_, err = a.exec(`UPDATE bill SET refused = ? WHERE sha256 = ?`, strings.Join(b.RefusedAt, "\n"), b.SHA256)
	return err
}

// importEntry stores an entry, or fills one that another bill gave; false if the two
// contradict each other.
func (a *applying) importEntry(sha string, n int64, e *bills.Entry) (fits bool, err error) {
	back := e.Kind == bills.RefundBack || e.Kind == bills.Adjust
	added, err := a.exec(`INSERT INTO bill_entry(row_id, n, sha256, day, back, body) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		e.Row, n, sha, e.At[:10], flag(back), string(e.AppendJSON(nil)))
	if err != nil || added > 0 {
		return true, err
	}
	var body string
	if _, err := a.row(`SELECT body FROM bill_entry WHERE row_id = ?`, []any{e.Row}, &body); err != nil {
		return false, err
	}
	var mine bills.Entry
	if err := json.Unmarshal([]byte(body), &mine); err != nil {
		return false, fmt.Errorf("%w: an entry of a bill: %w", ErrData, err)
	}
	if !match.Fill(&mine, e) {
		return false, nil
	}
	_, err = a.exec(`UPDATE bill_entry SET body = ? WHERE row_id = ?`, string(mine.AppendJSON(nil)), e.Row)
	return true, err
}

// Day matches a day, yyyy-MM-dd at +08:00, with what is stored at this moment (bills.md § 6).
func (s *Store) Day(ctx context.Context, day string) (results []*match.Result, totals []*match.Total, err error) {
	date, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	around := func(days int) string { return date.AddDate(0, 0, days).Format(time.DateOnly) }
	book := match.NewBook(func(*bills.Refusal) {}) // what was refused is with its bill
	var digests []*match.Digest
	err = s.read(ctx, func(t *tx) error {
		if err := t.rows(`SELECT channels, body FROM bill WHERE to_day >= ? AND from_day <= ? ORDER BY n`, []any{around(-aroundDay), around(aroundDay)}, func(r *sql.Rows) error {
			var channels, body string
			var b bills.Bill
			if err := r.Scan(&channels, &body); err != nil {
				return err
			}
			err := json.Unmarshal([]byte(body), &b)
			book.KnownBill(&b, strings.Split(channels, ","))
			return err
		}); err != nil {
			return err
		}
		if err := t.rows(`SELECT body FROM bill_entry WHERE day >= ? AND (day <= ? OR back = 1) ORDER BY n`, []any{around(-aroundDay), around(aroundDay)}, func(r *sql.Rows) error {
			var body string
			var e bills.Entry
			if err := r.Scan(&body); err != nil {
				return err
			}
			err := json.Unmarshal([]byte(body), &e)
			book.Known(&e)
			return err
		}); err != nil {
			return err
		}
		return t.terminalDays(around(-1), around(1), func(body string) {
			if d, ok := match.ParseDigest([]byte(body)); ok { // it was one when it was stored
				digests = append(digests, d)
			}
		})
	})
	if err != nil {
		return nil, nil, err
	}
	results, totals = match.Match(day, digests, book)
	return results, totals, nil
}
