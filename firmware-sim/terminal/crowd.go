package terminal

import (
	"fmt"
	"time"

	"yuanlu/firmware-sim/scenario"
)

// Next lets the next seeded customer come and returns what the terminal did; the day's settlement and the next
// morning come by themselves. It always returns at least one entry.
func (t *Terminal) Next() ([]scenario.Entry, error) {
	for {
		if len(t.queue) == 0 {
			t.plan()
		}
		s := t.queue[0]
		t.queue = t.queue[1:]
		if s.As == "" && s.Do != "settle" && s.Do != "wait" {
			s.As = fmt.Sprintf("t%d", t.seq+1)
		}
		out, err := t.Do(s)
		if err != nil || len(out) > 0 {
			return out, err
		}
	}
}

// plan thinks of what comes next.
func (t *Terminal) plan() {
	t.now = t.now.Add(time.Duration(20+t.rng.IntN(900)) * time.Second)
	if t.seq == 0 {
		// The journal of an agent begins with the first record: one that has a time of its own on every wire.
		t.queue = append(t.queue, scenario.Step{Do: "sale", Pay: "chip", As: "t1"})
		return
	}
	switch h := t.now.Sub(t.opened); {
	case h > 12*time.Hour:
		t.queue = append(t.queue, scenario.Step{Do: "settle"})
		next := t.opened.AddDate(0, 0, 1)
		t.opened = next
		t.queue = append(t.queue, scenario.Step{Do: "wait", For: max(0, next.Sub(t.now)-time.Minute).String()})
		return
	case t.full():
		t.queue = append(t.queue, scenario.Step{Do: "settle"})
		return
	}
	switch n := t.rng.IntN(100); {
	case n < 78 || len(t.recent) < 5:
		t.planSale()
	case n < 90:
		t.planRefund()
	case n < 95:
		t.planVoid()
	default:
		t.planOther()
	}
}

func (t *Terminal) planSale() {
	ways := takes(t.o.Model, t.o.Wire)
	s := scenario.Step{Do: "sale", Pay: ways[t.rng.IntN(len(ways))], As: fmt.Sprintf("t%d", t.seq+1)}
	if s.Pay == "swipe" && t.seq%5 == 0 {
		s.Pay = "keyed" // ordered by telephone
	}
	channel, _, _ := channelOf(s.Pay)
	if channel != "card" && t.rng.IntN(3) == 0 {
		s.Entry = "qr_scanned"
	}
	if channel == "wechat" && t.o.Wire == "smart" && t.rng.IntN(4) == 0 {
		s.Amount, s.Coupon = int64(10+t.rng.IntN(50))*100, int64(1+t.rng.IntN(9))*100
	}
	switch n := t.rng.IntN(100); {
	case n < 5:
		s.Outcome = "declined"
	case n < 7 && t.o.Wire != "smart":
		s.Outcome = "unknown"
		if t.o.Wire == "cup8583" {
			t.queue = append(t.queue, s, scenario.Step{Do: "reversal", Of: s.As})
			return
		}
	case n < 10 && channel != "card" && t.o.Wire != "cup8583":
		s.Outcome = "pending"
		t.queue = append(t.queue, s, scenario.Step{Do: "query", Of: s.As})
		return
	default:
		s.Shape = t.saleShape(s)
	}
	t.queue = append(t.queue, s)
}

// back looks for a transaction that a customer may come back for: approved, something left, and as wanted.
func (t *Terminal) back(want func(*deal) bool) *deal {
	for range 40 {
		d := t.recent[t.rng.IntN(len(t.recent))]
		k := d.entry.Record.Kind
		if (k == "sale" || k == "completion") && d.entry.Step.As != "" && d.left > 0 && !d.voided && want(d) {
			return d
		}
	}
	return nil
}

func (t *Terminal) planRefund() {
	d := t.back(func(*deal) bool { return true })
	if d == nil {
		t.planSale()
		return
	}
	s := scenario.Step{Do: "refund", Of: d.entry.Step.As, Amount: d.left}
	if t.rng.IntN(2) == 0 && d.left >= 200 {
		s.Amount = d.left / 100 / 2 * 100
	}
	if t.rng.Float64() < t.o.Wrong {
		t.planWrong(d, s)
		return
	}
	switch n := t.rng.IntN(20); {
	case n == 0:
		s.Outcome = "declined"
	case n == 1 && d.entry.Record.Channel == "card":
		s.Date = "typo"
	case n == 2 && d.entry.Record.Channel == "card":
		s.Entry = "swipe"
	case n < 6 && d.entry.Record.Channel != "card":
		s.Account = "none"
	case n == 6 && d.entry.Record.Channel == "wechat" && t.o.Wire != "smart":
		s.Account = "other_app"
	case n == 7 && d.entry.Record.Channel == "wechat":
		s.Route = "BALANCE"
	case n < 12 && d.entry.Record.Channel == "wechat":
		s.Route = "ORIGINAL"
	}
	if s.Outcome == "" {
		s.Shape = t.backShape(d, s)
	}
	t.queue = append(t.queue, s)
}

// planWrong plans a refund that is wrong, or that the wire does not let anyone decide.
func (t *Terminal) planWrong(d *deal, s scenario.Step) {
	stranger := fmt.Sprintf("c%04d", t.rng.IntN(2000))
	card := d.entry.Record.Channel == "card"
	more := []scenario.Step{s}
	one := &more[0]
	switch n := t.rng.IntN(12); {
	case n < 3:
		one.To = stranger
	case n == 3 && card:
		one.To, one.Entry = stranger, "keyed"
	case n == 4:
		one.Amount = d.entry.Record.Amount + 100
	case n == 5:
		one.Amount = d.left
		more = append(more, *one)
	case n == 6 && card:
		*one = scenario.Step{Do: "refund", Of: "invented", To: stranger, Amount: s.Amount}
	case n == 7 && card:
		*one = scenario.Step{Do: "refund", Of: "nothing", To: d.customer.Name, Amount: s.Amount}
	case n == 8 && card && t.o.Wire != "cup8583":
		one.Form = "tail"
	case n == 9 && card && t.o.Wire != "cup8583":
		one.To, one.Form = d.customer.Name+"-twin", "masked"
	case n == 9 && d.entry.Record.Channel == "wechat":
		one.Route = "OTHER_BANKCARD"
	case n == 10 && !card && t.o.Wire != "cup8583":
		one.Pay, one.Entry, one.Ref = "chip", "chip", "order"
	case n == 11 && card && t.o.Wire != "cup8583":
		one.To = "merchant"
	default:
		one.To = stranger
	}
	if t.o.Wire == "smart" && !card {
		t.smartWrong(d, one)
	}
	t.queue = append(t.queue, more...)
}

// smartWrong replaces what the channels' own objects cannot carry: a WeChat refund shows no openid.
func (t *Terminal) smartWrong(d *deal, s *scenario.Step) {
	if d.entry.Record.Channel == "wechat" && s.Pay == "" && s.To != "" {
		s.To = "merchant"
	}
}

func (t *Terminal) planVoid() {
	d := t.back(func(d *deal) bool { return !d.cleared && d.left == d.entry.Record.Amount })
	if d == nil {
		t.planSale()
		return
	}
	s := scenario.Step{Do: "void", Of: d.entry.Step.As}
	if d.entry.Record.Kind == "completion" {
		s.Do = "completion_void"
	}
	if t.rng.Float64() < t.o.Wrong/2 && d.entry.Record.Channel == "card" {
		s.To = fmt.Sprintf("c%04d", t.rng.IntN(2000))
	}
	t.queue = append(t.queue, s)
	if t.rng.Float64() < t.o.Wrong/2 {
		t.queue = append(t.queue, scenario.Step{Do: "refund", Of: s.Of, Amount: d.left})
	}
}

// planOther thinks of what traditional terminals do besides: hotels and restaurants.
func (t *Terminal) planOther() {
	name := fmt.Sprintf("t%d", t.seq+1)
	amount := int64(10+t.rng.IntN(90)) * 1000
	if t.o.Model != "traditional" {
		t.planSale()
		return
	}
	switch t.rng.IntN(4) {
	case 0:
		t.queue = append(t.queue, scenario.Step{Do: "preauth", As: name, Pay: "chip", Amount: amount},
			scenario.Step{Do: "completion", Of: name, As: name + "c", Amount: amount * 8 / 10})
	case 1:
		t.queue = append(t.queue, scenario.Step{Do: "preauth", As: name, Pay: "swipe", Amount: amount},
			scenario.Step{Do: "preauth_void", Of: name})
	case 2:
		t.queue = append(t.queue, scenario.Step{Do: "train", On: true}, scenario.Step{Do: "sale", As: name, Pay: "chip"},
			scenario.Step{Do: "refund", Of: name}, scenario.Step{Do: "train"})
	default:
		t.queue = append(t.queue, scenario.Step{Do: "sale", As: name, Pay: "chip", Amount: amount},
			scenario.Step{Do: "adjust", Of: name, Amount: amount * 11 / 10})
	}
}
