package match

import (
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// Entry is a statement entry that all bills given agree on, and its time.
type Entry struct {
	bills.Entry
	when time.Time
	kept bool // it takes part: no platform's bill has the same under another name
}

// Book collects bills as they are read (bills.Sink): each bill once, each row once.
type Book struct {
	refused func(*bills.Refusal)
	bills   []bills.Bill
	sums    map[string]bool // SHA-256 of bills
	pending []*Entry        // of the bill that is being read
	buf     []byte
	rows    map[string]*Entry
	entries []*Entry         // in the order in which they came
	has     map[int][]string // channels of the rows of an acquirer's bill, by index of bills
	// accounts are the merchants that the rows of a bill name, by index of bills.
	accounts map[int][]string
}

// NewBook returns an empty book. refused takes what is refused, in the order of reading.
func NewBook(refused func(*bills.Refusal)) *Book {
	return &Book{refused: refused, sums: map[string]bool{}, rows: map[string]*Entry{}, has: map[int][]string{}, accounts: map[int][]string{}}
}

// Refused passes a refusal on.
func (b *Book) Refused(r *bills.Refusal) { b.refused(r) }

// Entry takes an entry of the bill that is being read.
func (b *Book) Entry(e *bills.Entry) {
	kept := &Entry{Entry: *e}
	stated := texts(&kept.Entry)
	b.buf = b.buf[:0]
	for _, s := range stated {
		b.buf = append(b.buf, *s...) // a cell would hold its whole line in memory
	}
	all := string(b.buf)
	for _, s := range stated {
		*s, all = all[:len(*s)], all[len(*s):]
	}
	b.pending = append(b.pending, kept)
}

// Bill takes the summary behind its entries, and with it the bill.
func (b *Book) Bill(v *bills.Bill) {
	pending := b.pending
	b.pending = nil
	if b.sums[v.SHA256] {
		return
	}
	b.sums[v.SHA256] = true
	at := len(b.bills)
	b.bills, b.accounts[at] = append(b.bills, *v), accountsOf(pending)
	for _, e := range pending {
		if !slices.Contains(b.has[at], e.Channel) {
			b.has[at] = append(b.has[at], e.Channel)
		}
		before, again := b.rows[e.Row]
		if !again {
			b.known(e)
		} else if !Fill(&before.Entry, &e.Entry) {
			b.refused(&bills.Refusal{File: v.File, Member: v.Member, Line: e.Line, Code: bills.RowConflict})
		}
	}
}

// Known takes an entry that no bill of this book has, as it was made of all bills before.
func (b *Book) Known(e *bills.Entry) { b.known(&Entry{Entry: *e}) }

func (b *Book) known(e *Entry) {
	when, err := time.Parse(time.RFC3339, e.At)
	if err != nil {
		return // every entry has one
	}
	e.when = when
	b.rows[e.Row] = e
	b.entries = append(b.entries, e)
}

// KnownBill takes a bill whose entries are known, with the channels and the accounts (merchant_id) of its rows.
func (b *Book) KnownBill(v *bills.Bill, channels, accounts []string) {
	b.has[len(b.bills)], b.accounts[len(b.bills)] = channels, accounts
	b.bills = append(b.bills, *v)
}

// texts are the members of an entry that may be empty in one bill and stated in another.
func texts(e *bills.Entry) []*string {
	return []*string{&e.MerchantID, &e.TerminalID, &e.SettledAt, &e.OrderNo, &e.ChannelTxn, &e.RefundNo, &e.ChannelRefund, &e.STAN, &e.Batch, &e.RRN,
		&e.Original.OrderNo, &e.Original.ChannelTxn, &e.Original.STAN, &e.Original.Date, &e.Route, &e.Shown}
}

// Fill takes from another bill's copy of a row what is not stated in mine; false if the two
// contradict each other, and then nothing is taken.
func Fill(mine, other *bills.Entry) bool {
	here, there := texts(mine), texts(other)
	for i := range here {
		if *here[i] != "" && *there[i] != "" && *here[i] != *there[i] {
			return false
		}
	}
	if mine.Kind != other.Kind || mine.Direction != other.Direction || mine.Channel != other.Channel || mine.At != other.At || mine.Amount != other.Amount || mine.Currency != other.Currency ||
		mine.Status != other.Status && mine.Status != bills.Processing && other.Status != bills.Processing {
		return false
	}
	for i := range here {
		if *here[i] == "" {
			*here[i] = *there[i]
		}
	}
	if mine.Status == bills.Processing {
		mine.Status = other.Status
	}
	return true
}

// isFund reports whether a format is about the purse and not about transactions.
func isFund(format string) bool { return format == bills.WechatFund || format == bills.AlipayFund }

// platform returns the channel of a platform's trade bill, "" for other formats.
func platform(format string) string {
	switch format {
	case bills.WechatTrade:
		return "wechat"
	case bills.AlipayTrade:
		return "alipay"
	case bills.UnionpayZM:
		return "unionpay_qr"
	}
	return ""
}

// spans reports whether a bill is about a date and covers a kind.
func spans(v *bills.Bill, date, kind string) bool {
	return v.From != "" && v.From <= date && date <= v.To && slices.Contains(v.Covers, kind)
}

// settle decides which entries take part: those of an acquirer are left out where a
// platform's bill has the same transactions under other numbers.
func (b *Book) settle() {
	for _, e := range b.entries {
		e.kept = true
		kind := e.Kind
		if kind == bills.Void {
			kind = bills.Refund
		}
		if e.Format != bills.AcquirerCSV || kind != bills.Sale && kind != bills.Refund {
			continue
		}
		for i := range b.bills {
			if v := &b.bills[i]; platform(v.Format) == e.Channel && spans(v, e.At[:10], kind) {
				e.kept = false
			}
		}
	}
}

// covers reports whether complete bills cover a kind of a channel on a date, and whether
// one with an end mark of its own does.
func (b *Book) covers(channel, date, kind string) (covered, marked bool) {
	for i := range b.bills {
		v := &b.bills[i]
		if !v.Complete || !spans(v, date, kind) {
			continue
		}
		switch {
		case platform(v.Format) == channel:
			covered = true
			marked = marked || v.Format != bills.UnionpayZM
		case v.Format == bills.AcquirerCSV && (channel == "card" || slices.Contains(b.has[i], channel)):
			covered = true
		}
	}
	return covered, marked
}
