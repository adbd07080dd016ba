package dryrun

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// What a line of a random journal may state; small sets, so that much meets.
type (
	payer struct {
		Scheme    string `json:"scheme"`
		Namespace string `json:"namespace,omitempty"`
		ID        string `json:"id"`
	}
	pointer struct {
		Stan     string `json:"stan,omitempty"`
		Batch    string `json:"batch,omitempty"`
		RRN      string `json:"rrn,omitempty"`
		OrderNo  string `json:"order_no,omitempty"`
		Terminal string `json:"terminal_id,omitempty"`
	}
	asking struct {
		ID       string `json:"id"`
		Replaces string `json:"replaces,omitempty"`
		Find     bool   `json:"find,omitempty"`
	}
	entry struct {
		V             int      `json:"v"`
		Kind          string   `json:"kind"`
		Outcome       string   `json:"outcome,omitempty"`
		Training      bool     `json:"training,omitempty"`
		Merchant      string   `json:"merchant_id"`
		Terminal      string   `json:"terminal_id"`
		Channel       string   `json:"channel,omitempty"`
		Amount        *int64   `json:"amount,omitempty"`
		Currency      string   `json:"currency,omitempty"`
		At            string   `json:"at"`
		Stan          string   `json:"stan,omitempty"`
		Batch         string   `json:"batch,omitempty"`
		RRN           string   `json:"rrn,omitempty"`
		OrderNo       string   `json:"order_no,omitempty"`
		RefundNo      string   `json:"refund_no,omitempty"`
		ChannelRefund string   `json:"channel_refund,omitempty"`
		Original      *pointer `json:"original,omitempty"`
		Party         *payer   `json:"party,omitempty"`
		Ask           any      `json:"ask,omitempty"` // asking: an ask; string: of a record or hold_end
		State         string   `json:"state,omitempty"`
		By            string   `json:"by,omitempty"`
		Bad           bool     `json:"no_such_member,omitempty"`
	}
)

// text is the line as it is read.
func (e *entry) text() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // of strings and numbers alone
	}
	return string(b)
}

// writer makes journals; the same seed makes the same one.
type writer struct {
	*rand.Rand
	now    time.Time
	events int
	all    []entry
}

func oneOf[T any](w *writer, of ...T) T { return of[w.IntN(len(of))] }

func (w *writer) often(percent int) bool { return w.IntN(100) < percent }

// tick moves the clock, most often a little, often to an edge of the rules, sometimes back.
func (w *writer) tick() string {
	s := oneOf(w, 0, 0, 1, 5, 30, 120, 121, 180, -5, -300)
	if w.often(15) {
		s = oneOf(w, 299, 300, 301, 600, 601, -301, 86400, 86401, -86400, 7200)
	}
	w.now = w.now.Add(time.Duration(s) * time.Second)
	if w.often(20) {
		return w.now.UTC().Format(time.RFC3339)
	}
	return w.now.Format(time.RFC3339)
}

func amountOf(fen int64) *int64 { return &fen }

// sales are what the refunds are of, once for real and once for practice.
func (w *writer) sales() {
	for i, p := range []*payer{
		{"pan", "", "6200000000000005"}, {"pan", "", "6205500000000000004"}, {"wechat_openid", "wx1", "o-1"}, {"unionpay_token", "", "t-1"}, nil,
	} {
		for _, training := range []bool{false, true} {
			w.all = append(w.all, entry{V: 1, Kind: "sale", Outcome: "approved", Training: training, Merchant: "M1", Terminal: "T1", Channel: "card", Amount: amountOf(2000),
				Currency: "CNY", At: w.now.Add(-24 * time.Hour).Format(time.RFC3339), Stan: fmt.Sprint("00000", i+1), Batch: "000001", RRN: fmt.Sprint("r", i), OrderNo: fmt.Sprint("o", i), Party: p})
		}
	}
}

// pointers makes by what a refund names its original.
func (w *writer) pointers() *pointer {
	i := w.IntN(4)
	p := &pointer{}
	if w.often(60) {
		p.RRN = fmt.Sprint("r", i)
	}
	if w.often(30) {
		p.OrderNo = fmt.Sprint("o", i)
	}
	if w.often(15) {
		p.Stan, p.Batch, p.Terminal = fmt.Sprint("00000", i+1), oneOf(w, "", "000001"), oneOf(w, "", "T1")
	}
	if w.often(10) {
		p.OrderNo = "000"
	}
	return p
}

func (w *writer) payer() *payer {
	return oneOf(w, nil, &payer{"pan", "", "6200000000000005"}, &payer{"pan", "", "6205500000000000004"}, &payer{"pan", "", "6200000000000005"}, &payer{"pan", "", "6205500000000000004"}, &payer{"pan", "", "6205500000000000004"},
		&payer{"wechat_openid", "wx1", "o-1"}, &payer{"wechat_openid", "wx1", "o-2"}, &payer{"wechat_openid", "wx2", "o-1"},
		&payer{"unionpay_token", "", "t-1"}, &payer{"unionpay_token", "", "t-2"})
}

// refund makes what an ask and its record have in common.
func (w *writer) refund() entry {
	e := entry{V: 1, Kind: oneOf(w, "refund", "refund", "refund", "refund", "void"), Training: w.often(20), Merchant: oneOf(w, "M1", "M1", "M1", "M1", "M1", "M1", "M2"),
		Terminal: oneOf(w, "T1", "T1", "T1", "T2"), Channel: oneOf(w, "card", "card", "card", "card", "unknown", "", "wechat"), Amount: amountOf(oneOf(w, int64(300), 300, 400)),
		Currency: oneOf(w, "CNY", "CNY", "CNY", "", "RMB", "USD"), At: w.tick(), Original: w.pointers(), Party: w.payer()}
	if w.often(25) {
		e.RefundNo = oneOf(w, "n1", "n2", "n3")
	}
	if w.often(25) {
		e.Stan, e.Batch = oneOf(w, "000201", "000202"), oneOf(w, "000002", "000002", "")
	}
	if w.often(4) {
		e.Amount = amountOf(0)
	}
	if e.Kind == "void" && w.often(30) {
		e.Amount = nil
	}
	return e
}

// earlier returns one of the lines so far that is wanted, nil if none; most often a late one.
func (w *writer) earlier(want func(*entry) bool) *entry {
	var list []*entry
	for i := range w.all {
		if want(&w.all[i]) {
			list = append(list, &w.all[i])
		}
	}
	if len(list) == 0 {
		return nil
	}
	if w.often(70) {
		list = list[max(0, len(list)-3):]
	}
	return oneOf(w, list...)
}

func isAsk(e *entry) bool { _, ok := e.Ask.(asking); return ok && !e.Bad }

func isRefund(e *entry) bool { return e.ChannelRefund != "" && !e.Bad }

func idOf(e *entry) string { return e.Ask.(asking).ID }

// ask makes an ask: a new one, or one again.
func (w *writer) ask() entry {
	if old := w.earlier(isAsk); old != nil && w.often(12) {
		e := *old
		if w.often(25) {
			e.Amount = amountOf(350)
		}
		return e
	}
	e := w.refund()
	a := asking{ID: fmt.Sprint("a", w.IntN(30)), Find: w.often(8)}
	if old := w.earlier(isAsk); old != nil && w.often(30) && idOf(old) != a.ID {
		if a.Replaces = idOf(old); w.often(80) {
			e.Merchant, e.Terminal, e.Training = old.Merchant, old.Terminal, old.Training
		}
	}
	e.Ask = a
	return e
}

// made makes the record of an ask, most often as asked.
func (w *writer) made(of *entry) entry {
	e := *of
	e.At = w.tick()
	e.Ask = nil
	if w.often(35) {
		e.Ask = idOf(of)
	}
	change := []func(){
		func() { e.Amount = amountOf(400) }, func() { e.Terminal = "T2" }, func() { e.Party = w.payer() }, func() { e.Original = w.pointers() },
		func() { e.RefundNo = "" }, func() { e.Stan = "" }, func() { e.Channel = "unknown" }, func() { e.Currency = "CNY" }, func() { e.Kind = "void" }, func() { e.Training = !e.Training },
	}
	for w.often(40) {
		oneOf(w, change...)()
	}
	return e
}

// record makes a refund or void: of an ask, of nothing, or one that was seen before.
func (w *writer) record() entry {
	if old := w.earlier(isRefund); old != nil && w.often(15) {
		e := *old
		e.Outcome = oneOf(w, "approved", "closed", "unknown", "declined")
		if a := w.earlier(isAsk); a != nil && w.often(30) {
			e.Ask = idOf(a)
		}
		return e
	}
	e := w.refund()
	if of := w.earlier(isAsk); of != nil && w.often(75) {
		e = w.made(of)
	}
	w.events++
	e.ChannelRefund = fmt.Sprint("c", w.events)
	e.Outcome = oneOf(w, "approved", "approved", "approved", "approved", "unknown", "pending", "abnormal", "declined", "closed")
	if e.Outcome == "unknown" && w.often(50) {
		e.Amount = nil
	}
	return e
}

// end makes a hold_end.
func (w *writer) end() entry {
	e := entry{V: 1, Kind: "hold_end", Merchant: "M1", Terminal: "T1", Ask: "a0", State: oneOf(w, "released", "released", "cancelled"), By: "s-1", At: w.tick()}
	if of := w.earlier(isAsk); of != nil {
		e.Merchant, e.Terminal, e.Ask = of.Merchant, of.Terminal, idOf(of)
	}
	return e
}

// journal makes a whole one. Its last two lines are an ask and its record.
func journal(seed uint64, lines int) []entry {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 8, 23, 9, 0, 0, 0, time.FixedZone("", 8*60*60))}
	w.all = append(w.all, entry{V: 1, Kind: "sale", Outcome: "approved", Merchant: "M1", Terminal: "T1", Amount: amountOf(1), At: "2020-01-01T00:00:00+08:00"})
	w.sales()
	for range lines {
		var e entry
		switch n := w.IntN(100); {
		case n < 40:
			e = w.ask()
		case n < 80:
			e = w.record()
		default:
			e = w.end()
		}
		e.Bad = w.often(3)
		w.all = append(w.all, e)
	}
	last := w.refund()
	last.Training = false
	last.Ask = asking{ID: "last"}
	w.all = append(w.all, last)
	last.Ask, last.Outcome = nil, "approved"
	w.all = append(w.all, last)
	return w.all
}
