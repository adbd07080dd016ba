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
	"yuanlu/cmd/yuanlu-desk/casework"
)

// aroundDay is how many days around a day are matched with it: a row and its refund may be 3
// days apart (bills.md § 6).
const aroundDay = 4

// How long a day waits for more digests before it is matched again: until none has come for dayQuiet, at most dayMost.
const (
	dayQuiet = 3 * time.Second
	dayMost  = time.Minute
)

// SetAccounts sets the merchant of terminals for each merchant_id of bills (bills.md § 7). It is called before the store is
// used. Without any, all bills are of the one merchant of all terminals.
func (s *Store) SetAccounts(accounts map[string]string) { s.accounts = accounts }

// shift returns the date some days after another, both yyyy-MM-dd.
func shift(day string, days int) string {
	date, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day // every day that is stored is one
	}
	return date.AddDate(0, 0, days).Format(time.DateOnly)
}

// matched is a day that was matched.
type matched struct {
	results []*match.Result
	totals  []*match.Total
	refunds []*match.Refund   // of the day's digests
	sums    map[string]string // of the bill of each row
}

// Day matches a day, yyyy-MM-dd at +08:00, with what is stored at this moment (bills.md § 6).
func (s *Store) Day(ctx context.Context, day string) (results []*match.Result, totals []*match.Total, err error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	var m *matched
	err = s.read(ctx, func(t *tx) error {
		m, err = t.match(day, s.accounts)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return m.results, m.totals, nil
}

func (t *tx) match(day string, accounts map[string]string) (*matched, error) {
	book := match.NewBook(func(*bills.Refusal) {}) // what was refused is with its bill
	m := &matched{sums: map[string]string{}}
	err := t.rows(`SELECT channels, accounts, body FROM bill WHERE to_day >= ? AND from_day <= ? ORDER BY n`, []any{shift(day, -aroundDay), shift(day, aroundDay)}, func(r *sql.Rows) error {
		var channels, of, body string
		var b bills.Bill
		if err := r.Scan(&channels, &of, &body); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(body), &b)
		book.KnownBill(&b, split(channels), split(of))
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.rows(`SELECT sha256, body FROM bill_entry WHERE day >= ? AND (day <= ? OR back = 1) ORDER BY n`, []any{shift(day, -aroundDay), shift(day, aroundDay)}, func(r *sql.Rows) error {
		var sum, body string
		var e bills.Entry
		if err := r.Scan(&sum, &body); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(body), &e)
		book.Known(&e)
		m.sums[e.Row] = sum
		return err
	})
	if err != nil {
		return nil, err
	}
	var digests []*match.Digest
	err = t.terminalDays(shift(day, -1), shift(day, 1), func(body string) {
		if d, ok := match.ParseDigest([]byte(body)); ok { // it was one when it was stored
			digests = append(digests, d)
			if d.Day == day {
				m.refunds = append(m.refunds, d.Refunds()...)
			}
		}
	})
	m.results, m.totals = match.ByAccount(day, digests, book, accounts)
	return m, err
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// due notes that a day and its neighbours are to be matched again.
func (a *applying) due(now time.Time, day string) error {
	for _, d := range []string{shift(day, -1), day, shift(day, 1)} {
		if _, err := a.exec(`INSERT INTO day_due(day, since, last) VALUES(?,?,?) ON CONFLICT(day) DO UPDATE SET last = excluded.last`, d, now.UnixMilli(), now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// dueOf notes the days in which one of some numbers occurs.
func (a *applying) dueOf(now time.Time, numbers ...string) error {
	for _, number := range numbers {
		if number == "" {
			continue
		}
		var days []string
		if err := a.rows(`SELECT day FROM bill_name WHERE name = ?`, []any{number}, func(r *sql.Rows) error {
			var day string
			err := r.Scan(&day)
			days = append(days, day)
			return err
		}); err != nil {
			return err
		}
		for _, day := range days {
			if err := a.due(now, day); err != nil {
				return err
			}
		}
	}
	return nil
}

// dueDays are the days that wait and fulfil a condition, the oldest first.
func (t *tx) dueDays(where string, args ...any) (days []string, err error) {
	err = t.rows(`SELECT day FROM day_due WHERE `+where+` ORDER BY day`, args, func(r *sql.Rows) error {
		var day string
		err := r.Scan(&day)
		days = append(days, day)
		return err
	})
	return days, err
}

// MatchDue matches one day that waits for it, the oldest first, and links what changed with the cases; false if none waits.
func (s *Store) MatchDue(ctx context.Context, now time.Time) (day string, found bool, err error) {
	_, err = s.change(ctx, func(a *applying) error {
		days, err := a.dueDays(`last <= ? OR since <= ?`, now.Add(-dayQuiet).UnixMilli(), now.Add(-dayMost).UnixMilli())
		if err != nil || len(days) == 0 {
			return err
		}
		day, found = days[0], true
		return a.rematch(s, now, day)
	})
	return day, found, err
}

// rematch matches a day again, keeps its lines if they changed, and lets the case desk link those that did and those that
// are about a case.
func (a *applying) rematch(s *Store, now time.Time, day string) error {
	if _, err := a.exec(`DELETE FROM day_due WHERE day = ?`, day); err != nil {
		return err
	}
	m, err := a.match(day, s.accounts)
	if err != nil {
		return err
	}
	for _, r := range m.refunds {
		if err := a.name(day, r.ChannelRefund, r.RefundNo, r.OriginalTxn); err != nil {
			return err
		}
	}
	changed, err := a.keepDay(day, m)
	if err != nil {
		return err
	}
	d, err := a.desk(s)
	if err != nil {
		return err
	}
	for i, v := range m.results {
		if !changed[i] && !d.Holds(v.Refund, v.Row) {
			continue
		}
		for _, line := range linesOf(v, m.sums, stamp(now)) {
			if got, err := a.line(s, line); err != nil {
				return err
			} else if got.Refused != "" {
				return fmt.Errorf("%w: a link of %s: %s", ErrWork, day, got.Refused)
			}
		}
	}
	return nil
}

// name notes that numbers occur in a day.
func (a *applying) name(day string, numbers ...string) error {
	for _, n := range numbers {
		if n == "" {
			continue
		}
		if _, err := a.exec(`INSERT INTO bill_name(name, day) VALUES(?,?) ON CONFLICT DO NOTHING`, n, day); err != nil {
			return err
		}
	}
	return nil
}

// keepDay replaces the lines of a day, and reports which of them are new.
func (a *applying) keepDay(day string, m *matched) (changed []bool, err error) {
	before := map[string]bool{}
	var old []string
	if err := a.rows(`SELECT body FROM day_line WHERE day = ? ORDER BY n`, []any{day}, func(r *sql.Rows) error {
		var body string
		err := r.Scan(&body)
		before[body] = true
		old = append(old, body)
		return err
	}); err != nil {
		return nil, err
	}
	lines := make([]string, len(m.results))
	changed = make([]bool, len(m.results))
	for i, v := range m.results {
		lines[i] = string(v.AppendJSON(nil))
		changed[i] = !before[lines[i]]
	}
	if !slices.Equal(lines, old) {
		if _, err := a.exec(`DELETE FROM day_line WHERE day = ?`, day); err != nil {
			return nil, err
		}
		for i, v := range m.results {
			if _, err := a.exec(`INSERT INTO day_line(day, n, result, terminal, channel, refund, row_id, certain, body) VALUES(?,?,?,?,?,?,?,?,?)`,
				day, i, v.Result, v.Terminal, v.Channel, v.Refund, v.Row, flag(v.Certain), lines[i]); err != nil {
				return nil, err
			}
		}
	}
	if _, err := a.exec(`DELETE FROM day_total WHERE day = ?`, day); err != nil {
		return nil, err
	}
	for _, t := range m.totals {
		if _, err := a.exec(`INSERT INTO day_total(day, channel, agree, body) VALUES(?,?,?,?)`, day, t.Channel, t.Agree, string(t.AppendJSON(nil))); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// side is what a terminal or a row states of a refund or its sale, as the case desk reads it (casework.md § 4).
type side struct {
	Kind          string `json:"kind"`
	Outcome       string `json:"outcome"`
	MerchantID    string `json:"merchant_id"`
	TerminalID    string `json:"terminal_id"`
	Channel       string `json:"channel"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	At            string `json:"at"`
	STAN          string `json:"stan"`
	Batch         string `json:"batch"`
	RRN           string `json:"rrn"`
	OrderNo       string `json:"order_no"`
	ChannelTxn    string `json:"channel_txn"`
	RefundNo      string `json:"refund_no"`
	ChannelRefund string `json:"channel_refund"`
}

// linked is a line of the case desk about a link (bills.md § 7).
type linked struct {
	At        string        `json:"at"`
	Bill      casework.Link `json:"bill"`
	Terminal  string        `json:"terminal,omitempty"`
	Recipient string        `json:"recipient,omitempty"`
	Refund    *side         `json:"refund,omitempty"`
	Original  *side         `json:"original,omitempty"`
}

// linesOf returns what the case desk is asked about a result: one link for each row that it is about.
func linesOf(v *match.Result, sums map[string]string, at string) (lines [][]byte) {
	base := linked{At: at, Terminal: v.Terminal, Bill: casework.Link{Result: v.Result, Key: v.Key, Refund: v.Refund, Certain: v.Certain}}
	switch {
	case v.Of != nil:
		base.Recipient, base.Refund, base.Original = recipient(v.Of.Recipient), refundSide(v.Of), originalSide(v.Of.MerchantID, v.Of.Channel, v.Of.OriginalTxn, v.Of.OriginalOrder)
	case v.Entry != nil:
		base.Refund, base.Original = entrySide(v), originalSide(merchant(v), v.Channel, v.Entry.Original.ChannelTxn, v.Entry.Original.OrderNo)
	}
	of := func(e *bills.Entry) {
		one := base
		one.Bill.Row, one.Bill.Bill, one.Bill.Line, one.Bill.Amount, one.Bill.BillStatus, one.Bill.SettledAt = e.Row, sums[e.Row], int64(e.Line), e.Amount, e.Status, e.SettledAt
		lines = append(lines, encoded(one))
	}
	switch v.Result {
	case match.NoBill:
	case match.Recovered:
		for i := range v.Back {
			of(&v.Back[i])
		}
	case match.Ambiguous:
		for _, row := range v.Candidates {
			of(&bills.Entry{Row: row})
		}
	default:
		if v.Entry == nil {
			lines = append(lines, encoded(base))
		} else {
			of(v.Entry)
		}
	}
	return lines
}

// encoded writes a line; its members can always be written.
func encoded(v linked) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// recipient is that of a verdict, as far as the case desk knows it.
func recipient(s string) string {
	if slices.Contains([]string{"same", "equivalent", "different", "doubtful", "unverifiable", "none"}, s) {
		return s
	}
	return ""
}

func refundSide(r *match.Refund) *side {
	if r.MerchantID == "" {
		return nil
	}
	kind := r.Kind
	if kind == "" {
		kind = bills.Refund
	}
	return &side{Kind: kind, Outcome: r.Outcome, MerchantID: r.MerchantID, TerminalID: r.TerminalID, Channel: r.Channel, Amount: r.Amount, Currency: r.Currency,
		At: r.At.Format(time.RFC3339), STAN: r.STAN, Batch: r.Batch, RRN: r.RRN, RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund}
}

// merchant is that of the terminal to which a row belongs; that of the bill where there is none.
func merchant(v *match.Result) string {
	if v.Place.MerchantID != "" {
		return v.Place.MerchantID
	}
	return v.Entry.MerchantID
}

// entrySide is a refund that no terminal reported, as its row shows it.
func entrySide(v *match.Result) *side {
	e := v.Entry
	if merchant(v) == "" {
		return nil
	}
	s := &side{Kind: e.Kind, Outcome: "approved", MerchantID: merchant(v), TerminalID: v.Place.TerminalID, Channel: e.Channel, Amount: e.Amount, Currency: e.Currency, At: e.At,
		STAN: e.STAN, Batch: e.Batch, RRN: e.RRN, RefundNo: e.RefundNo, ChannelRefund: e.ChannelRefund}
	if e.Status == bills.Processing {
		s.Outcome = "pending"
	}
	if s.TerminalID == "" {
		s.TerminalID = e.TerminalID
	}
	return s
}

// originalSide is the sale as a refund or a row names it; nil if neither number is stated.
func originalSide(merchant, channel, txn, order string) *side {
	if merchant == "" || txn == "" && order == "" {
		return nil
	}
	return &side{Kind: bills.Sale, Outcome: "approved", MerchantID: merchant, Channel: channel, ChannelTxn: txn, OrderNo: order}
}

// heldNow notes which days are to be matched again because a case now holds a refund, or pays under a number, that they are
// about.
func (a *applying) heldNow(now time.Time, e *casework.Event) error {
	var data struct {
		ID, Number string
		IDs        []string
	}
	switch e.What {
	case "reported", "sent", "reissue_approved", "merged":
	default:
		return nil
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	for _, id := range append(data.IDs, data.ID) {
		row := strings.TrimPrefix(id, casework.RowPrefix)
		if id == "" || row != id { // what a bill opened is linked already
			continue
		}
		if _, err := a.exec(`INSERT INTO day_due(day, since, last) SELECT DISTINCT day, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM day_line WHERE refund = ? ON CONFLICT(day) DO NOTHING`,
			now.UnixMilli(), now.UnixMilli(), id); err != nil {
			return err
		}
	}
	return a.dueOf(now, data.Number)
}
