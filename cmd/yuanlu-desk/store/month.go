package store

import (
	"database/sql"
	"encoding/json"
	"strings"
)

// DaySum is what terminals and bills state of one channel on one day, in fen (bills.md § 6, totals).
type DaySum struct {
	Day                  string `json:"day"`
	Channel              string `json:"channel"`
	TerminalSaleCount    int64  `json:"terminal_sale_count"`
	TerminalSaleAmount   int64  `json:"terminal_sale_amount"`
	TerminalRefundCount  int64  `json:"terminal_refund_count"`
	TerminalRefundAmount int64  `json:"terminal_refund_amount"`
	BillSaleCount        int64  `json:"bill_sale_count"`
	BillSaleAmount       int64  `json:"bill_sale_amount"`
	BillRefundCount      int64  `json:"bill_refund_count"`
	BillRefundAmount     int64  `json:"bill_refund_amount"`
	Agree                string `json:"agree"` // yes, no, unknown
}

// DayCount is how many refunds of a day have a result.
type DayCount struct {
	Day, Result string
	Count       int
}

// MonthBill is a bill of some days of a month, and what of it was refused: FILE:LINE:COL: code.
type MonthBill struct {
	File     string `json:"file"`
	Format   string `json:"format"`
	From     string `json:"from"`
	To       string `json:"to"`
	Rows     int64  `json:"rows"`
	Refusals []string
}

// Month returns the days of a month, yyyy-MM, as they were matched last.
func (l *Looking) Month(month string) (sums []DaySum, counts []DayCount, bills []MonthBill, err error) {
	from, to := month+"-01", month+"-31"
	if err := l.t.rows(`SELECT body FROM day_total WHERE day BETWEEN ? AND ? ORDER BY day, channel`, []any{from, to}, func(r *sql.Rows) error {
		var one DaySum
		err := scanned(r, &one)
		sums = append(sums, one)
		return err
	}); err != nil {
		return nil, nil, nil, err
	}
	if err := l.t.rows(`SELECT day, result, count(*) FROM day_line WHERE day BETWEEN ? AND ? GROUP BY day, result ORDER BY day, result`, []any{from, to}, func(r *sql.Rows) error {
		var one DayCount
		err := r.Scan(&one.Day, &one.Result, &one.Count)
		counts = append(counts, one)
		return err
	}); err != nil {
		return nil, nil, nil, err
	}
	err = l.t.rows(`SELECT body, refused FROM bill WHERE from_day <= ? AND to_day >= ? ORDER BY n`, []any{to, from}, func(r *sql.Rows) error {
		var body, refused string
		var one MonthBill
		if err := r.Scan(&body, &refused); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(body), &one)
		if refused != "" {
			one.Refusals = strings.Split(refused, "\n")
		}
		bills = append(bills, one)
		return err
	})
	return sums, counts, bills, err
}

// DayLine is a line of bills.md § 6 about a day, and the case that holds its refund.
type DayLine struct {
	Result          string   `json:"result"`
	Key             string   `json:"key"`
	Terminal        string   `json:"terminal"`
	Refund          string   `json:"refund"`
	Row             string   `json:"row"`
	Channel         string   `json:"channel"`
	Amount          int64    `json:"amount"`
	BillAmount      int64    `json:"bill_amount"`
	Outcome         string   `json:"outcome"`
	BillStatus      string   `json:"bill_status"`
	Route           string   `json:"route"`
	RecoveredAmount int64    `json:"recovered_amount"`
	Certain         bool     `json:"certain"`
	Candidates      []string `json:"candidates"`
	Case            string   `json:"-"` // "": none
}

// Day returns a day, yyyy-MM-dd, as it was matched last: its lines in their order, and its sums.
func (l *Looking) Day(day string) (lines []DayLine, sums []DaySum, err error) {
	if err := l.t.rows(`SELECT body FROM day_line WHERE day = ? ORDER BY n`, []any{day}, func(r *sql.Rows) error {
		var one DayLine
		err := scanned(r, &one)
		lines = append(lines, one)
		return err
	}); err != nil {
		return nil, nil, err
	}
	for i := range lines {
		id := lines[i].Refund
		if id == "" {
			id = "B-" + lines[i].Row // as the case of a refund that only a bill shows names it
		}
		if _, err := l.t.row(`SELECT case_no FROM work_refund WHERE refund = ?`, []any{id}, &lines[i].Case); err != nil {
			return nil, nil, err
		}
	}
	err = l.t.rows(`SELECT body FROM day_total WHERE day = ? ORDER BY channel`, []any{day}, func(r *sql.Rows) error {
		var one DaySum
		err := scanned(r, &one)
		sums = append(sums, one)
		return err
	})
	return lines, sums, err
}

// scanned reads a row of one text, which is JSON.
func scanned(r *sql.Rows, to any) error {
	var body string
	if err := r.Scan(&body); err != nil {
		return err
	}
	return json.Unmarshal([]byte(body), to)
}
