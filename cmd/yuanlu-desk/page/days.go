package page

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// monthly is a month as a grid: a row a day, a column a channel.
type monthly struct {
	Month, Before, After string
	Channels             []string
	Days                 []monthDay
	Bills                []store.MonthBill
}

// monthDay is a row of the grid.
type monthDay struct {
	Day     string
	Weekend bool
	Cells   []*store.DaySum // by channel; nil: nothing on either side
	Results []store.DayCount
}

// billDay is one day.
type billDay struct {
	Day, Month, Before, After string
	Lines                     []store.DayLine
	Sums                      []store.DaySum
}

// plainResults are those that are in order, or of which nothing can be said yet.
var plainResults = []string{"confirmed", "no_bill"}

// channelOrder is that of bills.md § 6.
var channelOrder = []string{"card", "wechat", "alipay", "unionpay_qr", "jd", "ecny", "unknown"}

// wholeOffice reports whether the visitor sees every store: what a day's bills show is of all of them.
func (q *request) wholeOffice() bool { return slices.Contains(q.who.Person.Stores, "*") }

// Imports reports whether the visitor may import bills: of all stores, as a bill is.
func (f *frame) Imports() bool {
	return f.Sees("manager", "analyst", "supervisor", "finance") && slices.Contains(f.Who.Person.Stores, "*")
}

// period asks for a time as the statistics do, which the same people may see, and has it in the reading log.
func (q *request) period(from, to string, f *frame, more func(*store.Looking) error) (ok bool, err error) {
	if !q.wholeOffice() {
		return false, q.refused(casework.NotAllowed)
	}
	return q.ask(`"stats":{"from":`+quoted(from)+`,"to":`+quoted(to)+`}`, f, func(l *store.Looking, _ casework.Answer) error { return more(l) })
}

// days shows a month (bills.md § 7); without one, this month.
func (q *request) days() error {
	first, err := time.Parse("2006-01", q.r.URL.Query().Get("month"))
	if err != nil {
		now := q.p.o.Now().In(billZone)
		first = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	d := monthly{Month: first.Format("2006-01"), Before: first.AddDate(0, -1, 0).Format("2006-01"), After: first.AddDate(0, 1, 0).Format("2006-01")}
	f := frame{Title: q.say.text("title.days"), Place: "days"}
	ok, err := q.period(first.Format(time.DateOnly), first.AddDate(0, 1, -1).Format(time.DateOnly), &f, func(l *store.Looking) error {
		sums, counts, bills, err := l.Month(d.Month)
		d.Bills = bills
		d.fill(first, sums, counts)
		return err
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "days", f, d)
}

// billZone is the zone of the days of bills (bills.md § 1).
var billZone = time.FixedZone("", 8*3600)

// fill makes the grid.
func (d *monthly) fill(first time.Time, sums []store.DaySum, counts []store.DayCount) {
	d.Channels, d.Days = nil, nil
	for _, channel := range channelOrder {
		if slices.ContainsFunc(sums, func(s store.DaySum) bool { return s.Channel == channel }) {
			d.Channels = append(d.Channels, channel)
		}
	}
	for at := first; at.Month() == first.Month(); at = at.AddDate(0, 0, 1) {
		one := monthDay{Day: at.Format(time.DateOnly), Weekend: at.Weekday() == time.Saturday || at.Weekday() == time.Sunday, Cells: make([]*store.DaySum, len(d.Channels))}
		for i := range sums {
			if c := slices.Index(d.Channels, sums[i].Channel); c >= 0 && sums[i].Day == one.Day {
				one.Cells[c] = &sums[i]
			}
		}
		for _, c := range counts {
			if c.Day == one.Day && !slices.Contains(plainResults, c.Result) {
				one.Results = append(one.Results, c)
			}
		}
		d.Days = append(d.Days, one)
	}
}

// day shows the lines of a day.
func (q *request) day() error {
	d, f, ok, err := q.oneDay()
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "day", f, d)
}

// oneDay reads the day that the path names; ok is false where it was answered already.
func (q *request) oneDay() (d billDay, f frame, ok bool, err error) {
	at, err := time.Parse(time.DateOnly, q.r.PathValue("day"))
	if err != nil {
		return d, f, false, q.refused(casework.NotFound)
	}
	d = billDay{Day: at.Format(time.DateOnly), Month: at.Format("2006-01"), Before: at.AddDate(0, 0, -1).Format(time.DateOnly), After: at.AddDate(0, 0, 1).Format(time.DateOnly)}
	f = frame{Title: d.Day, Place: "days"}
	ok, err = q.period(d.Day, d.Day, &f, func(l *store.Looking) (err error) {
		d.Lines, d.Sums, err = l.Day(d.Day)
		return err
	})
	return d, f, ok, err
}

// dayCSV answers with the lines of a day for a spreadsheet: UTF-8 with a byte order mark, amounts in yuan.
func (q *request) dayCSV() error {
	d, _, ok, err := q.oneDay()
	if !ok || err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	rows := [][]string{{"day", "result", "certain", "channel", "amount", "bill_amount", "recovered_amount", "outcome", "bill_status", "route", "terminal", "refund", "row", "key", "candidates", "case"}}
	for i := range d.Lines {
		l := &d.Lines[i]
		rows = append(rows, []string{d.Day, l.Result, strconv.FormatBool(l.Certain), l.Channel, yuan(l.Amount), yuan(l.BillAmount), yuan(l.RecoveredAmount), l.Outcome, l.BillStatus, l.Route,
			l.Terminal, l.Refund, l.Row, l.Key, strings.Join(l.Candidates, " "), l.Case})
	}
	for _, row := range rows {
		for i := range row {
			row[i] = unformula(row[i])
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	q.w.Header().Set("Content-Disposition", `attachment; filename="yuanlu-`+d.Day+`.csv"`)
	_, _ = q.w.Write(b.Bytes()) // a client that went away does not get it
	return nil
}

func yuan(fen int64) string { return strconv.FormatFloat(float64(fen)/100, 'f', 2, 64) }

// unformula keeps a spreadsheet from calculating what came from a bill or a terminal.
func unformula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
