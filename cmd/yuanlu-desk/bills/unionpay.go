package bills

import (
	"strconv"
	"strings"
	"time"
)

// unionpayWidths are the widths of the fields in bytes; a space stands between two
// (bills.md § 4, unionpay_zm).
var unionpayWidths = [...]int{3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32,
	13, 13, 12, 2, 1, 32, 98}

// A line may end anywhere behind unionpayLeast fields; unionpayMost is all of one.
const unionpayLeast, unionpayMost = 34, 607

// The fields that are used, by number.
const (
	upSTAN          = 4
	upTime          = 5
	upCard          = 6
	upAmount        = 7
	upQuery         = 10
	upOrder         = 12
	upOriginalSTAN  = 14
	upOriginalTime  = 15
	upType          = 20
	upOriginalQuery = 27
	upMerchant      = 28
	upTerminal      = 34
)

// unionpay reads the file of UnionPay's QR transactions.
type unionpay struct {
	r      *reader
	latest time.Time // the latest date that a row may have
	at     []int
}

func newUnionpay(r *reader) *unionpay {
	u := &unionpay{r: r, latest: r.day.AddDate(0, 0, 1)}
	for i := range len(unionpayWidths) + 1 {
		u.at = append(u.at, i-1) // COL is the number of the field
	}
	return u
}

// unionpayFields cuts a line into its fields, at least unionpayLeast of them.
func unionpayFields(line string) (fields []string, ok bool) {
	if len(line) > unionpayMost {
		return nil, false
	}
	fields = make([]string, 0, len(unionpayWidths))
	for i, width := range unionpayWidths {
		switch {
		case len(line) >= width:
		case i < unionpayLeast:
			return nil, false
		default:
			width = len(line)
		}
		fields = append(fields, strings.Trim(line[:width], " \t"))
		if line = line[width:]; line == "" {
			break
		}
		if line[0] != ' ' {
			return nil, false
		}
		line = line[1:]
	}
	return fields, len(fields) >= unionpayLeast
}

// isUnionpay reports whether the fields of a first line are those of this format.
func isUnionpay(fields []string) bool {
	return digits(fields[upTime-1]) && digits(fields[upAmount-1]) && digits(fields[upQuery-1])
}

func (u *unionpay) head() bool { return false }

func (u *unionpay) line(n int, text string) bool {
	fields, ok := unionpayFields(text)
	if !ok {
		u.r.refuseLine(n, 0, Columns)
		return true
	}
	c := &row{cells: fields, at: u.at}
	e := Entry{Line: n, Status: Success, Direction: In, Channel: "unionpay_qr", STAN: givenZeros(c.number(upSTAN)), Shown: shown(c.text(upCard))}
	date := u.date(c, upTime)
	amount := c.text(upAmount)
	if len(amount) != 12 || !digits(amount) {
		c.refuse(upAmount, BadAmount)
	} else if fen, err := strconv.ParseInt(amount, 10, 64); err == nil { // 12 digits fit
		e.Amount = fen
	}
	query, order := c.key(upQuery), c.number(upOrder)
	original := Original{STAN: givenZeros(c.number(upOriginalSTAN)), ChannelTxn: givenZeros(c.number(upOriginalQuery))}
	if at := givenZeros(c.text(upOriginalTime)); at != "" && u.date(c, upOriginalTime) != "" {
		original.Date = at[:4]
	}
	e.MerchantID, e.TerminalID = c.number(upMerchant), c.number(upTerminal)
	switch word := c.text(upType); word {
	case "01", "03":
		e.Kind = Sale
	case "04":
		e.Kind = Refund
	case "31", "33":
		e.Kind = Void
	default:
		if e.Kind = Other; len(word) != 2 || !digits(word) {
			c.refuse(upType, BadKind)
		}
	}
	if e.Kind == Refund || e.Kind == Void {
		e.Direction, e.ChannelRefund, e.RefundNo, e.Original = Out, query, order, original
	} else {
		e.ChannelTxn, e.OrderNo = query, order
	}
	if u.r.refuseCells(n, c) {
		return true
	}
	clock := c.text(upTime)[4:]
	e.At = rfc3339(date + " " + clock[:2] + ":" + clock[2:4] + ":" + clock[4:])
	if u.r.entry(&e, query) {
		u.r.span(date)
	}
	return true
}

// date returns the date of a field MMDDhhmmss: in the latest year in which it exists and is
// not after the latest date.
func (u *unionpay) date(c *row, field int) string {
	s := c.text(field)
	if len(s) == 10 && digits(s) && isClock6(s[4:]) {
		for year := u.latest.Year(); year > u.latest.Year()-9; year-- {
			if day, ok := dateOf(strconv.Itoa(year) + s[:4]); ok && !day.After(u.latest) {
				return day.Format(time.DateOnly)
			}
		}
	}
	c.refuse(field, BadTime)
	return ""
}

func (u *unionpay) end(lf bool) (int, Code) {
	if !lf {
		return 0, Truncated
	}
	return 0, ""
}
