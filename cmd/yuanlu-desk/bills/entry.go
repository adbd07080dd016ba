package bills

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kinds of entries, their states and directions (bills.md § 1).
const (
	Sale       = "sale"
	Refund     = "refund"
	Void       = "void"
	RefundBack = "refund_back" // the money of a refund is back with the merchant
	Adjust     = "adjust"      // the acquirer's correction
	Fee        = "fee"
	Other      = "other"

	Success    = "success"
	Processing = "processing"
	Failed     = "failed"
	Closed     = "closed"

	In  = "in" // into the merchant's purse
	Out = "out"
)

// Entry is one row of a bill in the one form of all formats (bills.md § 1). What is not
// stated is empty.
type Entry struct {
	Format        string   `json:"format"`
	Line          int      `json:"line"` // physical, from 1
	Row           string   `json:"row"`  // 32 hex digits that name the row in every copy of the bill
	Kind          string   `json:"kind"`
	Status        string   `json:"status"`
	Direction     string   `json:"direction"`
	Channel       string   `json:"channel"`
	MerchantID    string   `json:"merchant_id"`
	TerminalID    string   `json:"terminal_id"`
	At            string   `json:"at"` // RFC 3339, +08:00
	SettledAt     string   `json:"settled_at"`
	Amount        int64    `json:"amount"` // fen, never negative
	Currency      string   `json:"currency"`
	OrderNo       string   `json:"order_no"`
	ChannelTxn    string   `json:"channel_txn"`
	RefundNo      string   `json:"refund_no"`
	ChannelRefund string   `json:"channel_refund"`
	STAN          string   `json:"stan"`
	Batch         string   `json:"batch"`
	RRN           string   `json:"rrn"`
	Original      Original `json:"original"`
	Route         string   `json:"route"`
	Shown         string   `json:"shown"` // a card number, masked
}

// Original is how a refund or void names its sale.
type Original struct {
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	STAN       string `json:"stan"`
	Date       string `json:"date"`
}

// Moved reports whether the entry is about money that has moved or is on its way.
func (e *Entry) Moved() bool { return e.Status == Success || e.Status == Processing }

// Bill is the summary of one bill (bills.md § 1). Amounts are in fen.
type Bill struct {
	Format     string   `json:"format"`
	File       string   `json:"file"`   // the base name of the file, printable
	Member     int      `json:"member"` // of a zip, from 1; 0: none
	SHA256     string   `json:"sha256"` // of the unpacked bytes, in hex
	Covers     []string `json:"covers"`
	From       string   `json:"from"` // a date; "" where there is none
	To         string   `json:"to"`   // included
	Rows       int      `json:"rows"`
	Entries    int      `json:"entries"`
	Refused    int      `json:"refused"`
	Duplicates int      `json:"duplicates"`
	InCount    int      `json:"in_count"`
	InAmount   int64    `json:"in_amount"`
	OutCount   int      `json:"out_count"`
	OutAmount  int64    `json:"out_amount"`
	Complete   bool     `json:"complete"`
}

// Sink takes what a file says, in the order of its lines. A Bill comes behind its entries.
// Neither may be kept or changed after the call.
type Sink interface {
	Entry(e *Entry)
	Bill(b *Bill)
	Refused(r *Refusal)
}

// AppendJSON appends the line of an entry, without its end.
func (e *Entry) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":"entry"`...)
	b = AppendText(b, "format", e.Format)
	b = AppendNumber(b, "line", int64(e.Line))
	b = AppendText(b, "row", e.Row)
	b = AppendText(b, "kind", e.Kind)
	b = AppendText(b, "status", e.Status)
	b = AppendText(b, "direction", e.Direction)
	b = AppendText(b, "channel", e.Channel)
	b = AppendText(b, "merchant_id", e.MerchantID)
	b = AppendText(b, "terminal_id", e.TerminalID)
	b = AppendText(b, "at", e.At)
	b = AppendText(b, "settled_at", e.SettledAt)
	b = AppendNumber(b, "amount", e.Amount)
	b = AppendText(b, "currency", e.Currency)
	b = AppendText(b, "order_no", e.OrderNo)
	b = AppendText(b, "channel_txn", e.ChannelTxn)
	b = AppendText(b, "refund_no", e.RefundNo)
	b = AppendText(b, "channel_refund", e.ChannelRefund)
	b = AppendText(b, "stan", e.STAN)
	b = AppendText(b, "batch", e.Batch)
	b = AppendText(b, "rrn", e.RRN)
	b = append(b, `,"original":{"order_no":`...)
	b = AppendQuoted(b, e.Original.OrderNo)
	b = AppendText(b, "channel_txn", e.Original.ChannelTxn)
	b = AppendText(b, "stan", e.Original.STAN)
	b = AppendText(b, "date", e.Original.Date)
	b = append(b, '}')
	b = AppendText(b, "route", e.Route)
	b = AppendText(b, "shown", e.Shown)
	return append(b, '}')
}

// AppendJSON appends the line of a bill, without its end.
func (v *Bill) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":"bill"`...)
	b = AppendText(b, "format", v.Format)
	b = AppendText(b, "file", v.File)
	b = AppendNumber(b, "member", int64(v.Member))
	b = AppendText(b, "sha256", v.SHA256)
	b = AppendList(b, "covers", v.Covers)
	b = AppendText(b, "from", v.From)
	b = AppendText(b, "to", v.To)
	b = AppendNumber(b, "rows", int64(v.Rows))
	b = AppendNumber(b, "entries", int64(v.Entries))
	b = AppendNumber(b, "refused", int64(v.Refused))
	b = AppendNumber(b, "duplicates", int64(v.Duplicates))
	b = AppendNumber(b, "in_count", int64(v.InCount))
	b = AppendNumber(b, "in_amount", v.InAmount)
	b = AppendNumber(b, "out_count", int64(v.OutCount))
	b = AppendNumber(b, "out_amount", v.OutAmount)
	b = append(b, `,"complete":`...)
	b = strconv.AppendBool(b, v.Complete)
	return append(b, '}')
}

// AppendText appends a further member of an object: a text.
func AppendText(b []byte, name, value string) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return AppendQuoted(b, value)
}

// AppendNumber appends a further member of an object.
func AppendNumber(b []byte, name string, value int64) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, value, 10)
}

// AppendList appends a further member of an object: a list of texts.
func AppendList(b []byte, name string, values []string) []byte {
	b = append(append(append(b, `,"`...), name...), `":[`...)
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendQuoted(b, v)
	}
	return append(b, ']')
}

// AppendQuoted appends a JSON text in which only what must be is escaped: bills.md § 1 wants
// non-ASCII and <>& as they are, which encoding/json does not write (U+2028).
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	const special, short = "\"\\\n\r\t\b\f", "\"\\nrtbf"
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(append(b, s[from:i]...), '\\')
		if at := strings.IndexByte(special, c); at >= 0 {
			b = append(b, short[at])
		} else {
			b = append(b, 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		from = i + 1
	}
	return append(append(b, s[from:]...), '"')
}
