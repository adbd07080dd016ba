package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
	"yuanlu/protocol/daydigest"
)

// Bounds of what is kept of a day in memory while its digest is made.
const (
	mostDayRefunds = 20_000
	mostDayKeys    = 200_000
	mostDayTotals  = 100
	// mostPart is the JSON of one part behind "parts". With what stands before it and the envelope, at most
	// 800 bytes, the message has 32 KiB at most.
	mostPart = 31 << 10
)

// dayKey is the key of a sale.
type dayKey [daydigest.KeyLen]byte

// dayRefund is where a refund of a day is.
type dayRefund struct {
	at  time.Time
	id  string
	seq int64
}

// dayContent is what a day consists of: the refunds themselves are read again when they are written.
type dayContent struct {
	totals  []daydigest.Total
	refunds []dayRefund
	sales   []dayKey
	why     DayReason
}

// uncounted is an event whose amount must be looked up before the sums have it.
type uncounted struct {
	seq   int64
	total int
}

// gatherDay collects what a day consists of (bills.md § 5).
func (t *tx) gatherDay(on string) (*dayContent, error) {
	c := &dayContent{}
	var lookUp []uncounted
	err := t.rowsOf(on, func(row *rows.Record, r *refund.Record) {
		if row.Undated() {
			c.why |= DayClock // its date may be wrong
		}
		if r.Kind.Judged() {
			if len(c.refunds) == mostDayRefunds {
				c.why |= dayTooMany
				return
			}
			at, _ := r.Time() // it is of a date
			c.refunds = append(c.refunds, dayRefund{at, t.refundID(row, r), row.Seq})
		} else {
			c.addKeys(r)
		}
		if row.UndoneBy != 0 || !follow.Counted(r) {
			return
		}
		if i, lacks := c.count(r); i >= 0 && (lacks || t.d.adjusted && r.Kind.IsSale()) {
			lookUp = append(lookUp, uncounted{row.Seq, i})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, one := range lookUp {
		if err := t.addAmount(c, one); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(c.totals, func(a, b daydigest.Total) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.MerchantID, b.MerchantID), cmp.Compare(a.TerminalID, b.TerminalID))
	})
	slices.SortFunc(c.refunds, func(a, b dayRefund) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	slices.SortFunc(c.sales, func(a, b dayKey) int { return slices.Compare(a[:], b[:]) })
	c.sales = slices.Compact(c.sales)
	c.why |= t.reasonsOf(on)
	return c, nil
}

// refundID is the id that the case of a refund has, whether there is one or not.
func (t *tx) refundID(row *rows.Record, r *refund.Record) string {
	if row.CaseID != "" {
		return row.CaseID
	}
	return caseID(t.d.keys.caseKey, r)
}

// reasonsOf returns what the journal itself shows of why a day is not complete.
func (t *tx) reasonsOf(on string) (why DayReason) {
	b := &t.n.bounds
	if b.FirstAt == "" || b.FirstAt[:min(len(b.FirstAt), len(time.DateOnly))] >= on || on <= b.RemovedDay {
		why |= dayHistory
	}
	if on <= t.d.rebuilt {
		why |= dayStore
	}
	return why
}

func channelOf(r *refund.Record) string {
	if r.Channel == "" {
		return string(refund.ChannelUnknown)
	}
	return string(r.Channel)
}

// addKeys adds the keys of an approved wallet sale.
func (c *dayContent) addKeys(r *refund.Record) {
	channel := channelOf(r)
	if r.Outcome != refund.Approved || !daydigest.Wallet(channel) {
		return
	}
	for _, n := range []struct{ kind, number string }{{daydigest.ByTransaction, r.ChannelTxn}, {daydigest.ByOrder, r.OrderNo}} {
		switch {
		case n.number == "":
		case len(c.sales) == mostDayKeys:
			c.why |= dayTooMany
		default:
			c.sales = append(c.sales, dayKey([]byte(daydigest.SaleKey(n.kind, channel, n.number))))
		}
	}
}

// count adds a record to its sums and returns which they are, -1 where there are too many. lacks: it states no amount.
func (c *dayContent) count(r *refund.Record) (i int, lacks bool) {
	channel := channelOf(r)
	i = slices.IndexFunc(c.totals, func(s daydigest.Total) bool {
		return s.Channel == channel && s.MerchantID == r.MerchantID && s.TerminalID == r.TerminalID
	})
	if i < 0 {
		if len(c.totals) == mostDayTotals {
			c.why |= dayTooMany
			return -1, false
		}
		i, c.totals = len(c.totals), append(c.totals, daydigest.Total{Channel: channel, MerchantID: r.MerchantID, TerminalID: r.TerminalID})
	}
	s := &c.totals[i]
	if r.Kind.IsSale() {
		s.SaleCount, s.SaleAmount = s.SaleCount+1, s.SaleAmount+r.Amount
	} else {
		s.RefundCount, s.RefundAmount = s.RefundCount+1, s.RefundAmount+r.Amount
	}
	return i, !r.HasAmount && r.Kind.IsVoid()
}

// addAmount adds to the sums what a record lacks: of a void that states no amount that of its sale, of
// a sale what adjusts have changed.
func (t *tx) addAmount(c *dayContent, one uncounted) error {
	e, err := t.h.event(one.seq)
	if err != nil || e == nil {
		return err
	}
	s := &c.totals[one.total]
	if e.Record.Kind.IsSale() {
		amount, err := t.saleAmount(e)
		s.SaleAmount += amount - e.Record.Amount
		return err
	}
	j, ok, err := loadVerdict(t.c, one.seq)
	if err != nil || !ok {
		return err
	}
	amount, err := t.voidedAmount(&j.Verdict)
	s.RefundAmount += amount
	return err
}

// voidedAmount is the amount of the sale that a void cancels, 0 where that is not known.
func (t *tx) voidedAmount(v *refund.Verdict) (int64, error) {
	if v.Original == nil {
		return 0, nil
	}
	sale, err := t.h.event(v.Original.Seq)
	if err != nil || sale == nil {
		return 0, err
	}
	return t.saleAmount(sale)
}

// saleAmount is the amount of a sale as adjusts have left it.
func (t *tx) saleAmount(sale *refund.Event) (int64, error) {
	if t.d.o.Judge == nil {
		return sale.Record.Amount, nil
	}
	return t.d.o.Judge.SaleAmount(t.h, sale)
}

// refundText is the JSON of a refund.
func (t *tx) refundText(one *dayRefund) ([]byte, error) {
	row, err := loadRow(t.c, one.seq)
	if err != nil || row == nil {
		return nil, err
	}
	r, err := row.Decode()
	if err != nil {
		return nil, err
	}
	j, judged, err := loadVerdict(t.c, one.seq)
	if err != nil {
		return nil, err
	}
	given := func(v string) string {
		if refund.Given(v) {
			return v
		}
		return ""
	}
	o := &r.Original
	v := daydigest.Refund{
		ID: one.id, Kind: string(r.Kind), Outcome: string(r.Outcome), Undone: row.UndoneBy != 0, Channel: channelOf(&r), MerchantID: r.MerchantID, TerminalID: r.TerminalID,
		At: r.At, Amount: max(r.Amount, 0), Currency: r.Currency, STAN: r.Stan, Batch: r.Batch, RRN: r.RRN, RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund,
		Original: daydigest.Original{OrderNo: given(o.OrderNo), ChannelTxn: given(o.ChannelTxn), STAN: given(o.Stan), Batch: given(o.Batch), RRN: given(o.RRN), Date: given(o.Date)},
		Route:    string(r.RefundRoute),
	}
	if judged && !j.Unreleased {
		v.Recipient, v.Decision = string(j.Verdict.Recipient), string(j.Verdict.Decision)
	}
	if judged && !r.HasAmount && r.Kind.IsVoid() {
		if v.Amount, err = t.voidedAmount(&j.Verdict); err != nil {
			return nil, err
		}
	}
	if v.PayerAmount = v.Amount; r.HasPayerAmount {
		v.PayerAmount = max(r.PayerAmount, 0)
	}
	return outbox.Marshal(&v)
}

// dayCut cuts a day into parts: refunds first, then sales (bills.md § 5).
type dayCut struct {
	head   []byte // complete and why
	totals []byte
	part   []byte // what is made
	in     int    // things in its list of refunds
	sales  bool   // its list of refunds is closed
	n      int64
	sum    hash.Hash
	store  func(part int64, tail []byte) error // nil: nothing is stored
}

// cutDay cuts a day into parts, hands each to store where there is one, and returns how many there are, and the
// sum of the content.
func (t *tx) cutDay(c *dayContent, store func(part int64, tail []byte) error) (parts int64, sum string, err error) {
	cut := &dayCut{sum: sha256.New(), store: store, head: c.head()}
	if cut.totals, err = outbox.Marshal(c.totals); err != nil {
		return 0, "", err
	}
	if len(c.totals) == 0 {
		cut.totals = []byte("[]")
	}
	cut.hash(cut.head)
	cut.hash(cut.totals)
	cut.begin()
	for i := range c.refunds {
		text, err := t.refundText(&c.refunds[i])
		if err == nil && len(text) > 0 {
			err = cut.refund(text)
		}
		if err != nil {
			return 0, "", err
		}
	}
	for i := range c.sales {
		if err := cut.sale(c.sales[i][:]); err != nil {
			return 0, "", err
		}
	}
	if err := cut.end(); err != nil {
		return 0, "", err
	}
	return cut.n, hex.EncodeToString(cut.sum.Sum(nil)), nil
}

// head is the JSON of complete and why, up to the totals.
func (c *dayContent) head() []byte {
	var why []string
	for i, name := range daydigest.Reasons() {
		if c.why&(1<<i) != 0 {
			why = append(why, `"`+name+`"`)
		}
	}
	complete := "true"
	if len(why) > 0 {
		complete = "false"
	}
	return []byte(`"complete":` + complete + `,"why":[` + strings.Join(why, ",") + `],"totals":`)
}

func (c *dayCut) hash(text []byte) {
	_, _ = c.sum.Write(text) // a hash never fails
	_, _ = c.sum.Write([]byte{'\n'})
}

func (c *dayCut) begin() {
	c.n++
	totals := c.totals
	if c.n > 1 {
		totals = []byte("[]")
	}
	c.part = append(append(append(c.part[:0], c.head...), totals...), `,"refunds":[`...)
	c.in, c.sales = 0, false
}

func (c *dayCut) refund(text []byte) error {
	c.hash(text)
	if len(c.part)+len(text) > mostPart && c.in > 0 {
		if err := c.next(); err != nil {
			return err
		}
	}
	if c.in++; c.in > 1 {
		c.part = append(c.part, ',')
	}
	c.part = append(c.part, text...)
	return nil
}

func (c *dayCut) closeRefunds() {
	if !c.sales {
		c.part, c.sales = append(c.part, `],"sales":"`...), true
	}
}

func (c *dayCut) sale(key []byte) error {
	c.hash(key)
	if len(c.part)+len(key) > mostPart {
		if err := c.next(); err != nil {
			return err
		}
	}
	c.closeRefunds()
	c.part = append(c.part, key...)
	return nil
}

func (c *dayCut) next() error {
	err := c.end()
	c.begin()
	return err
}

func (c *dayCut) end() error {
	c.closeRefunds()
	c.part = append(c.part, `"}`...)
	if c.store == nil || c.n > mostDigestParts {
		return nil
	}
	return c.store(c.n, c.part)
}

// partHead is the JSON of a part before what is stored of it.
func partHead(terminal, on string, rev, part, parts int64) []byte {
	text, err := json.Marshal(struct {
		Terminal string `json:"terminal"`
		Day      string `json:"day"`
		Rev      int64  `json:"rev"`
		Part     int64  `json:"part"`
		Parts    int64  `json:"parts"`
	}{terminal, on, rev, part, parts})
	if err != nil {
		return nil // texts and numbers always marshal
	}
	text[len(text)-1] = ','
	return text
}
