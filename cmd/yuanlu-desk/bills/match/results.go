package match

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/protocol/daydigest"
)

// The results (bills.md § 6).
const (
	Recovered         = "recovered"
	Ambiguous         = "ambiguous"
	StatusDiffers     = "status_differs"
	AmountDiffers     = "amount_differs"
	Rerouted          = "rerouted"
	Confirmed         = "confirmed"
	MissingOnBill     = "missing_on_bill"
	NoBill            = "no_bill"
	MissingOnTerminal = "missing_on_terminal"
)

// Result is what bills and terminals together say of one refund (bills.md § 6). What a side
// does not have is empty or 0.
type Result struct {
	Day             string
	Result          string
	Key             string
	Terminal        string
	Refund          string
	Row             string
	Channel         string
	Amount          int64
	BillAmount      int64
	Outcome         string
	BillStatus      string
	Route           string
	RecoveredAmount int64
	Certain         bool
	Candidates      []string

	// What the result is about; no members of the line.
	Of    *Refund       // as its terminal reported it; nil: none did
	Entry *bills.Entry  // nil: no bill shows it
	Back  []bills.Entry // by which money came back
	Place Place         // where it was made, of an entry without a refund: as its terminal names itself
}

// Place is a merchant and a terminal_id as terminals name them.
type Place struct{ MerchantID, TerminalID string }

// AppendJSON appends the line of a result, without its end.
func (v *Result) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":"result"`...)
	b = bills.AppendText(b, "day", v.Day)
	b = bills.AppendText(b, "result", v.Result)
	b = bills.AppendText(b, "key", v.Key)
	b = bills.AppendText(b, "terminal", v.Terminal)
	b = bills.AppendText(b, "refund", v.Refund)
	b = bills.AppendText(b, "row", v.Row)
	b = bills.AppendText(b, "channel", v.Channel)
	b = bills.AppendNumber(b, "amount", v.Amount)
	b = bills.AppendNumber(b, "bill_amount", v.BillAmount)
	b = bills.AppendText(b, "outcome", v.Outcome)
	b = bills.AppendText(b, "bill_status", v.BillStatus)
	b = bills.AppendText(b, "route", v.Route)
	b = bills.AppendNumber(b, "recovered_amount", v.RecoveredAmount)
	b = append(b, `,"certain":`...)
	b = strconv.AppendBool(b, v.Certain)
	b = bills.AppendList(b, "candidates", v.Candidates)
	return append(b, '}')
}

// edge is how near to an end of its day a refund may be dated by the other side's clock on
// the neighbour.
const edge = 10 * time.Minute

// day is one day that is matched.
type day struct {
	date     string
	start    time.Time
	book     *Book
	days     []*terminalDay // of all days given
	game     *game
	sameSale map[string]int           // refunds by original.channel_txn
	back     map[string][]*Entry      // money back, by the numbers that name a refund
	sold     map[string]string        // terminals by the keys of their sales
	named    map[string]string        // terminals by terminal_id
	lone     map[string][]*refundSide // refunds and
	loose    map[string][]*entrySide  // entries without a partner, by channel and amount
}

// Match returns the results and the totals of a day (yyyy-MM-dd, at +08:00), in the order
// of bills.md § 6.
func Match(date string, digests []*Digest, book *Book) (results []*Result, totals []*Total) {
	start, err := time.Parse(time.RFC3339, date+"T00:00:00+08:00")
	if err != nil {
		return nil, nil
	}
	book.settle()
	d := &day{date: date, start: start, book: book, days: terminalDays(digests)}
	refunds := refundsOf(d.days)
	d.game = newGame(refunds, book.entries)
	d.game.play()
	d.index(refunds)
	for _, r := range d.game.refunds {
		if r.Day != date {
			continue
		}
		if v := d.refund(r); v != nil {
			results = append(results, v)
		}
	}
	results = append(results, d.unseen()...)
	return results, d.totals()
}

// index prepares what is looked up by a number.
func (d *day) index(refunds []*Refund) {
	d.sameSale, d.back, d.sold, d.named = map[string]int{}, map[string][]*Entry{}, map[string]string{}, map[string]string{}
	d.lone, d.loose = map[string][]*refundSide{}, map[string][]*entrySide{}
	for _, r := range refunds {
		if r.OriginalTxn != "" {
			d.sameSale[r.OriginalTxn]++
		}
	}
	for _, e := range d.book.entries {
		for _, name := range backNames(e) {
			d.back[name] = append(d.back[name], e)
		}
	}
	d.indexTerminals()
	for _, r := range d.game.refunds {
		if !r.out && r.able() && r.movedAs() != no {
			at := likeness(r.Channel, r.Amount)
			d.lone[at] = append(d.lone[at], r)
		}
	}
	for _, e := range d.game.entries {
		if !e.out && e.Moved() && e.Channel != "unknown" {
			at := likeness(e.Channel, e.Amount)
			d.loose[at] = append(d.loose[at], e)
		}
	}
}

// indexTerminals notes which terminal made a sale and which names a terminal_id.
func (d *day) indexTerminals() {
	for _, t := range d.days { // by terminal, day: the first one stands
		for _, p := range t.parts {
			for _, s := range p.sales {
				setFirst(d.sold, s, t.terminal)
			}
			for i := range p.totals {
				setFirst(d.named, p.totals[i].terminalID, t.terminal)
			}
			for _, r := range p.refunds {
				setFirst(d.named, r.TerminalID, t.terminal)
			}
		}
	}
}

func setFirst(m map[string]string, key, value string) {
	if _, known := m[key]; !known && key != "" {
		m[key] = value
	}
}

// likeness is what a refund and a row that may be meant have in common.
func likeness(channel string, amount int64) string {
	return channel + " " + strconv.FormatInt(amount, 10)
}

// backNames are the texts by which an entry of money that came back may name its refund.
func backNames(e *Entry) (names []string) {
	if e.Kind == bills.Adjust && e.Direction == bills.In && e.Original.ChannelTxn != "" {
		return []string{"a" + e.Channel + "\x1f" + e.Original.ChannelTxn}
	}
	if e.Kind != bills.RefundBack {
		return nil
	}
	for _, n := range []struct{ kind, number string }{{"c", e.ChannelRefund}, {"r", e.RefundNo}, {"t", e.Original.ChannelTxn}} {
		if n.number != "" && (n.kind != "t" || e.Format == bills.AlipayFund) {
			names = append(names, n.kind+e.Channel+"\x1f"+n.number)
		}
	}
	return names
}

// recovered returns the sum of the entries by which the money of a refund came back.
func (d *day) recovered(r *refundSide) (sum int64, found []*Entry) {
	if !r.able() || r.movedAs() == no && r.entry == nil {
		return 0, nil
	}
	take := func(kind, number string, same func(*Entry) bool) {
		if number == "" {
			return
		}
		for _, e := range d.back[kind+r.Channel+"\x1f"+number] {
			if same(e) && !slices.Contains(found, e) {
				found = append(found, e)
			}
		}
	}
	take("c", r.ChannelRefund, func(*Entry) bool { return true })
	take("r", r.RefundNo, func(e *Entry) bool { return !differ(r.OriginalTxn, e.Original.ChannelTxn) })
	if d.sameSale[r.OriginalTxn] == 1 {
		take("t", r.OriginalTxn, func(e *Entry) bool { return e.Amount == r.Amount })
	}
	if r.entry != nil {
		take("a", r.entry.ChannelRefund, func(*Entry) bool { return true })
	}
	for _, e := range found {
		sum += e.Amount
	}
	return sum, found
}

// refund returns the result of a refund; nil where there is nothing to report.
func (d *day) refund(r *refundSide) *Result {
	v := &Result{Day: d.date, Key: r.key, Terminal: r.Terminal, Refund: r.ID, Channel: r.Channel, Amount: r.Amount, Outcome: r.Outcome, Certain: true, Of: r.Refund}
	var back []*Entry
	v.RecoveredAmount, back = d.recovered(r)
	for _, b := range back {
		v.Back = append(v.Back, b.Entry)
	}
	e, m := r.entry, r.movedAs()
	if e != nil {
		v.Row, v.BillAmount, v.BillStatus, v.Route, v.Entry = e.Row, e.Amount, e.Status, e.Route, &e.Entry.Entry
	}
	covered, marked := false, false
	if e == nil && m != no && r.able() {
		covered, marked = d.covered(r)
	}
	switch {
	case v.RecoveredAmount > 0:
		v.Result = Recovered
	case r.ambiguous != nil:
		v.Result, v.Candidates, v.Certain = Ambiguous, r.ambiguous, false
	case m == no && (e == nil || !e.Moved()):
		return nil
	case e == nil && covered:
		v.Result, v.Certain, v.Candidates = MissingOnBill, marked, d.likeRefund(r)
	case e == nil:
		v.Result, v.Certain, v.Candidates = NoBill, false, d.likeRefund(r)
	case (m == no) == e.Moved():
		v.Result = StatusDiffers
	case e.Amount != r.Amount:
		v.Result = AmountDiffers
	case e.Route == "OTHER_BALANCE", e.Route == "OTHER_BANKCARD":
		v.Result = Rerouted
	default:
		v.Result = Confirmed
	}
	return v
}

// covered reports whether complete bills cover the refunds of a refund's channel on the day
// and on those neighbours on which a bill may have it, and whether bills with an end mark do.
func (d *day) covered(r *refundSide) (covered, marked bool) {
	dates := append([]string{d.date}, d.neighbours(r.At)...)
	if byCard(r.Channel) {
		dates = append(dates, d.neighbour(1))
	}
	covered, marked = true, true
	for _, date := range dates {
		c, m := d.book.covers(r.Channel, date, bills.Refund)
		covered, marked = covered && c, marked && m
	}
	return covered, marked
}

func (d *day) neighbour(days int) string {
	return d.start.AddDate(0, 0, days).Format(time.DateOnly)
}

// neighbours returns the dates that are within 10 minutes of a time.
func (d *day) neighbours(at time.Time) (dates []string) {
	if apart(at, d.start) <= edge {
		dates = append(dates, d.neighbour(-1))
	}
	if apart(at, d.start.Add(24*time.Hour)) <= edge {
		dates = append(dates, d.neighbour(1))
	}
	return dates
}

// near is how far apart the times of a suggestion may be.
const near = 30 * time.Minute

// likeRefund returns the rows that may be meant by a refund, as suggestions.
func (d *day) likeRefund(r *refundSide) (rows []string) {
	if !r.able() {
		return nil
	}
	for _, e := range d.loose[likeness(r.Channel, r.Amount)] {
		if apart(e.when, r.At) <= near {
			rows = append(rows, e.Row)
		}
	}
	slices.Sort(rows)
	return rows
}

// unseen returns the entries of the day that no terminal reported.
func (d *day) unseen() (results []*Result) {
	var entries []*entrySide
	for _, e := range d.game.entries {
		if !e.out && e.Moved() && e.At[:10] == d.date {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *entrySide) int {
		return cmp.Or(cmp.Compare(channelRank(a.Channel), channelRank(b.Channel)), cmp.Compare(a.At, b.At), cmp.Compare(a.Row, b.Row))
	})
	for _, e := range entries {
		v := &Result{Day: d.date, Result: MissingOnTerminal, Terminal: d.terminalOf(e), Row: e.Row, Channel: e.Channel, BillAmount: e.Amount, BillStatus: e.Status, Route: e.Route, Entry: &e.Entry.Entry}
		v.Place = d.placeOf(v.Terminal, e.Channel)
		v.Certain = v.Terminal != "" && e.Channel != "unknown" && d.reported(e.when)
		for _, r := range d.lone[likeness(e.Channel, e.Amount)] {
			if apart(e.when, r.At) <= near {
				v.Candidates = append(v.Candidates, r.ID)
			}
		}
		slices.Sort(v.Candidates)
		results = append(results, v)
	}
	return results
}

// terminalOf returns the terminal that sold what an entry returns, else the one that names
// its terminal_id.
func (d *day) terminalOf(e *entrySide) string {
	best := ""
	for _, n := range []struct{ kind, number string }{{"t", e.Original.ChannelTxn}, {"o", e.Original.OrderNo}} {
		if n.number == "" {
			continue
		}
		if t := d.sold[daydigest.SaleKey(n.kind, e.Channel, n.number)]; t != "" && (best == "" || t < best) {
			best = t
		}
	}
	if best == "" {
		best = d.named[e.TerminalID]
	}
	return best
}

// reported reports whether terminals have reported all of the day, and of the neighbours on which
// they may have what was at a time.
func (d *day) reported(at time.Time) bool {
	if !d.whole() {
		return false
	}
	for _, date := range d.neighbours(at) {
		whole := map[string]bool{}
		for _, t := range d.days {
			if t.day == date {
				whole[t.terminal] = t.whole
			}
		}
		for _, t := range d.days {
			if t.day == d.date && !whole[t.terminal] {
				return false
			}
		}
	}
	return true
}

// whole reports whether there is a digest of the day, and every one is whole and complete.
func (d *day) whole() bool {
	one := false
	for _, t := range d.days {
		if t.day == d.date {
			if one = true; !t.whole || !t.complete {
				return false
			}
		}
	}
	return one
}
