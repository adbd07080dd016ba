package terminal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// GuardOptions are how a smart terminal asks before a refund (guard.md), and how its people are. The zero value of a
// member means its default.
type GuardOptions struct {
	Cashiers   map[string]int // weights of scenario.Cashiers; obey 6, overrule 2, release 2, bypass 1
	Supervisor string         // id of the supervisor; empty: none is called
	PIN        string         // his
	Deadline   time.Duration  // for an answer; 300 ms
	Stop       bool           // at the deadline nothing is refunded; else the terminal goes on
	Presents   float64        // share of customers who show their code or card again where they are asked to; 0.5, negative none
	Faults     GuardFaults
}

// GuardFaults are what goes wrong with answers, each a rate from 0 to 1 per ask.
type GuardFaults struct {
	Lose   float64 // the terminal loses the answer and does not confirm it
	Late   float64 // the terminal looks at the answer after its deadline only
	Repeat float64 // the terminal sends the ask twice
	Power  float64 // the power goes while a refund is held
}

// ParseGuardFaults reads "lose=0.1,late=0.1,repeat=0.2,power=0.05".
func ParseGuardFaults(list []string) (GuardFaults, error) {
	var f GuardFaults
	for _, one := range strings.FieldsFunc(strings.Join(list, ","), func(r rune) bool { return r == ',' }) {
		name, rate, _ := strings.Cut(one, "=")
		where := map[string]*float64{"lose": &f.Lose, "late": &f.Late, "repeat": &f.Repeat, "power": &f.Power}[name]
		p, err := strconv.ParseFloat(rate, 64)
		if where == nil || err != nil || !(p >= 0 && p <= 1) {
			return f, fmt.Errorf("fault %q: lose, late, repeat or power with a rate from 0 to 1", one)
		}
		*where = p
	}
	return f, nil
}

// ParseCashiers reads weights, "obey=6,bypass=1".
func ParseCashiers(text string) (map[string]int, error) {
	out := map[string]int{}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, weight, weighed := strings.Cut(one, "=")
		n, err := strconv.Atoi(weight)
		if !weighed {
			n, err = 1, nil
		}
		if err != nil || n < 0 || !slices.Contains(scenario.Cashiers(), name) {
			return nil, fmt.Errorf("cashiers %q: %s, each with a weight", one, strings.Join(scenario.Cashiers(), ", "))
		}
		out[name] = n
	}
	return out, nil
}

// answering is the talk with the agent; a smartLink has it.
type answering interface {
	// ask returns the answer; ok is false if none came in time.
	ask(from wire.Envelope, a wire.Ask, g *scenario.Guarded) (wire.GuardAnswer, bool, error)
	// order sends a release or cancel and returns what became of it.
	order(from wire.Envelope, src, id string, body any) (wire.GuardAnswer, bool, error)
	// powerCut takes the power away and brings it back.
	powerCut() error
}

// guardian is the part of a terminal that asks.
type guardian struct {
	o        GuardOptions
	talk     answering
	replaces string              // id of the held ask that the next one corrects
	recorded []*scenario.Guarded // of a journal that is gone on with: what was decided then
	gone     map[string]bool     // names of refunds that were not made
}

// Guard makes the terminal ask before its refunds and voids.
func (t *Terminal) Guard(o GuardOptions) {
	if len(o.Cashiers) == 0 {
		o.Cashiers = map[string]int{"obey": 6, "overrule": 2, "release": 2, "bypass": 1}
	}
	if o.Deadline == 0 {
		o.Deadline = 300 * time.Millisecond
	}
	if o.Presents == 0 {
		o.Presents = 0.5
	}
	t.guard = &guardian{o: o, gone: map[string]bool{}}
}

// guarded plays a refund or void, and what its cashier does instead if it is held and he corrects it.
func (t *Terminal) guarded(s scenario.Step, play func(scenario.Step) (*scenario.Entry, error)) ([]scenario.Entry, error) {
	e, err := play(s)
	if err != nil || e == nil {
		return nil, err
	}
	out := []scenario.Entry{*e}
	if e.Guard == nil || !e.Guard.Correct {
		return out, nil
	}
	right := scenario.Step{Do: s.Do, As: s.As, Of: s.Of, Cashier: "cancel"}
	if d := t.named[s.Of]; s.Do == "refund" && s.Amount > 0 {
		right.Amount = min(s.Amount, d.left)
	}
	t.guard.replaces = e.Guard.Ask
	again, err := play(right)
	t.guard.replaces = ""
	if err != nil {
		return nil, err
	}
	return append(out, *again), nil
}

// consult asks about a refund or void that is about to be made, and does what its cashier does. nil: this terminal
// does not ask.
func (t *Terminal) consult(s scenario.Step, r *wire.Record, payer, recipient string, facts scenario.Facts) (*scenario.Guarded, error) {
	if t.guard == nil {
		return nil, nil
	}
	c := &consultation{t: t, step: s, record: r, rng: rand.New(rand.NewPCG(t.o.Seed, uint64(t.stan)<<8|7)),
		from: wire.Envelope{TerminalID: r.TerminalID, MerchantID: r.MerchantID, Operator: r.Operator, Training: r.Training}}
	c.ask = askOf(r)
	c.g = &scenario.Guarded{Ask: fmt.Sprintf("q%s-%s-1", r.At.Format("060102"), t.number(r)), Replaces: t.guard.replaces}
	c.label(payer, recipient, facts)
	if len(t.guard.recorded) > 0 {
		c.g = t.guard.recorded[0]
		t.guard.recorded = t.guard.recorded[1:]
		r.Ask = c.g.Ask
		return c.g, nil
	}
	if err := c.run(); err != nil {
		return nil, err
	}
	r.Ask = c.g.Ask
	return c.g, nil
}

// number tells a refund from the others of its day.
func (t *Terminal) number(r *wire.Record) string {
	if r.Stan != "" {
		return r.Stan
	}
	return fmt.Sprintf("%06d", t.stan)
}

// askOf is the question about a record: what its firmware knows before it is made. Of a wallet it does not know who
// will get the money: the channel returns it to the payer of the order.
func askOf(r *wire.Record) wire.Ask {
	a := wire.Ask{Kind: r.Kind, Channel: r.Channel, Entry: r.Entry, PayerAmount: r.PayerAmount, Currency: r.Currency, At: r.At,
		Stan: r.Stan, Batch: r.Batch, OrderNo: r.OrderNo, RefundNo: r.RefundNo, Original: r.Original}
	if r.Amount != 0 || r.Kind == "refund" {
		amount := r.Amount
		a.Amount = &amount
	}
	if r.Channel == "card" {
		a.Party = r.Party
	}
	return a
}

// consultation is one refund at the counter.
type consultation struct {
	t      *Terminal
	step   scenario.Step
	record *wire.Record
	rng    *rand.Rand
	from   wire.Envelope
	ask    wire.Ask
	g      *scenario.Guarded
}

// label states what the contract demands of the answer.
func (c *consultation) label(payer, recipient string, facts scenario.Facts) {
	r := *c.record
	r.Outcome, r.ResponseCode, r.Party = "approved", "00", c.ask.Party
	// What only the answer of the host brings: by which way the money goes, and its numbers.
	r.RefundRoute, r.ChannelRefund, r.RRN, r.AuthCode, r.Funding = "", "", "", "", ""
	v := c.t.book.Preview(r)
	if v == nil {
		c.g.Label = scenario.CannotTell
		return
	}
	facts.Payer, facts.Recipient, facts.Moved = payer, recipient, true
	c.g.Label = scenario.Label(facts, v).Label
	c.g.MustHold = len(v.Findings) > 0 && v.Findings[0].Severity >= judge.High
	c.g.MayPass = !v.Case()
}

// run asks, shows the text, and has the cashier act.
func (c *consultation) run() error {
	answer, ok, err := c.say()
	if err != nil {
		return err
	}
	if ok && answer.Action == "confirm" && c.presents() {
		// He is asked to show his code or card, and it is asked again in place of the first ask.
		c.g.Ask, c.ask.About.Replaces = strings.TrimSuffix(c.g.Ask, "1")+"2", c.g.Ask
		if answer, ok, err = c.say(); err != nil {
			return err
		}
	}
	switch {
	case !ok || answer.Action == "refused":
		c.g.End = scenario.Unanswered
		if c.t.guard.o.Stop && !ok {
			c.g.End = scenario.Prevented
		}
		return nil
	case answer.Action == "proceed":
		c.g.End = scenario.Proceeded
		return nil
	case answer.Action == "confirm":
		return c.confirm()
	}
	return c.held(answer)
}

// say asks once, repeats included.
func (c *consultation) say() (wire.GuardAnswer, bool, error) {
	c.ask.About = wire.AskAbout{ID: c.g.Ask, Replaces: c.ask.About.Replaces, DeadlineMS: c.t.guard.o.Deadline.Milliseconds()}
	if c.ask.About.Replaces == "" {
		c.ask.About.Replaces = c.g.Replaces
	}
	answer, ok, err := c.t.guard.talk.ask(c.from, c.ask, c.g)
	c.g.Action, c.g.Text = answer.Action, answer.Text.EN
	if answer.Hold != nil {
		c.g.State = answer.Hold.State
	}
	return answer, ok, err
}

// presents reports whether the customer shows his code or card, and puts it into the ask.
func (c *consultation) presents() bool {
	who := c.step.Presented
	d := c.t.named[c.step.Of]
	if who == "" && (d == nil || c.rng.Float64() >= c.t.guard.o.Presents) || c.ask.Presented.Scheme != "" {
		return false
	}
	person := c.t.customer(who)
	if who == "" {
		person = d.customer
		who = person.Name
	}
	pay := c.record.Channel
	if d != nil && d.entry.Step.Pay != "" {
		pay = d.entry.Step.Pay
	}
	if c.record.Channel == "card" {
		c.ask.Presented = c.t.cardParty(person, pay == "phone", "clear")
	} else {
		c.ask.Presented = c.t.party(person, pay, "clear")
	}
	c.t.note(&wire.Record{Party: c.ask.Presented})
	c.g.Presented = who
	return c.ask.Presented.Scheme != ""
}

// cashier draws who stands at the counter.
func (c *consultation) cashier() string {
	if c.step.Cashier != "" {
		return c.step.Cashier
	}
	sum := 0
	for _, name := range scenario.Cashiers() {
		sum += c.t.guard.o.Cashiers[name]
	}
	if sum == 0 {
		return "obey"
	}
	n := c.rng.IntN(sum)
	for _, name := range scenario.Cashiers() {
		if n -= c.t.guard.o.Cashiers[name]; n < 0 {
			return name
		}
	}
	return "obey"
}

// confirm is what a cashier does with a refund that he is to look at.
func (c *consultation) confirm() error {
	switch c.cashier() {
	case "overrule", "bypass", "release", "mistype":
		c.g.End = scenario.Overruled
		return nil
	}
	return c.cancel()
}

// held is what a cashier does with a held refund.
func (c *consultation) held(answer wire.GuardAnswer) error {
	if c.rng.Float64() < c.t.guard.o.Faults.Power {
		c.g.PowerCut = true
		if err := c.t.guard.talk.powerCut(); err != nil {
			return err
		}
		// A firmware that was switched off asks again what became of it.
		var ok bool
		var err error
		if answer, ok, err = c.say(); err != nil || !ok {
			c.g.End = scenario.Prevented
			return err
		}
	}
	if answer.Hold != nil && answer.Hold.State == "released" {
		c.released()
		return nil
	}
	who := c.cashier()
	switch who {
	case "obey":
		if d := c.t.named[c.step.Of]; d != nil && d.left > 0 && !d.voided && c.g.Replaces == "" {
			c.g.Correct, c.g.End = true, scenario.Prevented
			return nil
		}
	case "bypass":
		c.g.End = scenario.Bypassed
		return nil
	case "leave":
		c.g.End = scenario.Prevented
		return nil
	case "release", "mistype":
		return c.release(who)
	}
	return c.cancel()
}

func (c *consultation) cancel() error {
	c.g.End = scenario.Prevented
	state, ok, err := c.t.guard.talk.order(c.from, "guard.cancel", c.g.Ask, wire.AskID{Ask: c.g.Ask})
	if ok && state.State != "" {
		c.g.State = state.State
	}
	return err
}

func (c *consultation) released() {
	c.g.State, c.g.End = "released", scenario.ReleasedRightly
	if c.g.Label == scenario.Wrong {
		c.g.End = scenario.ReleasedWrongly
	}
}

// release calls the supervisor. Without one, or if he is refused, the refund is cancelled.
func (c *consultation) release(who string) error {
	o := &c.t.guard.o
	pin := o.PIN
	if c.from.Training {
		pin = "000000"
	}
	tries := []string{pin}
	if who == "mistype" {
		tries = []string{"739512", pin}
	}
	for _, pin := range tries {
		if o.Supervisor == "" {
			break
		}
		state, ok, err := c.t.guard.talk.order(c.from, "guard.release", c.g.Ask,
			wire.GuardRelease{Ask: c.g.Ask, By: o.Supervisor, PIN: pin, Reason: "consent", Text: "the customer agrees"})
		if err != nil {
			return err
		}
		if ok && state.State == "released" {
			c.released()
			return nil
		}
	}
	return c.cancel()
}

// prevented notes a refund or void that was not made.
func (t *Terminal) prevented(s scenario.Step, r wire.Record, payer, recipient string, g *scenario.Guarded) *scenario.Entry {
	t.seq++
	t.note(&r)
	t.guard.gone[s.As] = s.As != ""
	return &scenario.Entry{Seq: t.seq, Model: t.o.Model, Step: s, Record: r, Payer: payer, Recipient: recipient, Guard: g, Silent: true}
}

// skips reports whether a step is about a refund that was not made.
func (t *Terminal) skips(s scenario.Step) bool {
	return t.guard != nil && s.Of != "" && t.guard.gone[s.Of] && t.named[s.Of] == nil
}

// asksBy has the terminal ask over a link.
func (t *Terminal) asksBy(ctx context.Context, l *smartLink) {
	if t.guard != nil {
		t.guard.talk = &linkTalk{ctx: ctx, l: l, o: &t.guard.o}
	}
}
