package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/bills/match"
)

// mostRefused bounds the refusals of a bill that are kept.
const mostRefused = 1000

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
		days, err := a.dueDays(`last >= ?`, now.UnixMilli()) // what these bills are about
		if err != nil {
			return err
		}
		for _, day := range days {
			if err := a.rematch(s, now, day); err != nil {
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
	channels := distinct(entries, func(e *bills.Entry) string { return e.Channel })
	accounts := distinct(entries, func(e *bills.Entry) string { return e.MerchantID })
	added, err := a.exec(`INSERT INTO bill(sha256, n, received, from_day, to_day, channels, accounts, refused, body) VALUES(?,?,?,?,?,?,?,'',?) ON CONFLICT DO NOTHING`,
		b.SHA256, n+1, now.UnixMilli(), b.From, b.To, strings.Join(channels, ","), strings.Join(accounts, ","), string(b.AppendJSON(nil)))
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
	if _, err = a.exec(`UPDATE bill SET refused = ? WHERE sha256 = ?`, strings.Join(b.RefusedAt, "\n"), b.SHA256); err != nil {
		return err
	}
	return a.billDue(now, b, entries)
}

// distinct returns what entries have in one member, each once, in the order of its first; never empty.
func distinct(entries []bills.Entry, of func(*bills.Entry) string) (all []string) {
	seen := map[string]bool{"": true}
	for i := range entries {
		if v := of(&entries[i]); !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	return all
}

// billDue notes which days are to be matched again for a bill: its own with their neighbours, as far as anything is known
// of them, and those whose refunds its rows of money back name.
func (a *applying) billDue(now time.Time, b *ImportedBill, entries []bills.Entry) error {
	days := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		days[e.At[:10]] = true
		switch e.Kind {
		case bills.Refund, bills.Void:
			if err := a.name(e.At[:10], e.ChannelRefund, e.RefundNo, e.RRN); err != nil {
				return err
			}
		case bills.RefundBack, bills.Adjust:
			if err := a.dueOf(now, e.ChannelRefund, e.RefundNo, e.Original.ChannelTxn); err != nil {
				return err
			}
		}
	}
	if err := a.rows(`SELECT DISTINCT day FROM terminal_day WHERE day >= ? AND day <= ?`, []any{b.From, b.To}, func(r *sql.Rows) error {
		var day string
		err := r.Scan(&day)
		days[day] = true
		return err
	}); err != nil {
		return err
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		if err := a.due(now, day); err != nil {
			return err
		}
	}
	return nil
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
