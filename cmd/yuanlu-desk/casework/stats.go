package casework

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"time"
)

// Stats are the statistics of casework.md § 9, over the cases that a person sees.
type Stats struct {
	Closed   int64     `json:"closed"`
	Outcomes []Outcome `json:"outcomes"`
	Rules    []Rule    `json:"rules"`
	Money    []Money   `json:"money"`
	Training []Trained `json:"training"`
}

// Outcome counts closed cases.
type Outcome struct {
	Outcome string `json:"outcome"`
	Cases   int64  `json:"cases"`
}

// Rule counts refunds by the class of their case, for one code of a finding.
type Rule struct {
	Code         string `json:"code"`
	Wrong        int64  `json:"wrong"`
	False        int64  `json:"false"`
	OK           int64  `json:"ok"`
	Inconclusive int64  `json:"inconclusive"`
}

// Money are the sums of the wrong cases of a currency, in minor units.
type Money struct {
	Currency  string `json:"currency"`
	Stake     int64  `json:"stake"`
	Recovered int64  `json:"recovered"`
	Lost      int64  `json:"lost"`
	Repaid    int64  `json:"repaid"`
	Payable   int64  `json:"payable"`
}

// Trained is somebody who needs training, in a store.
type Trained struct {
	Store   string `json:"store"`
	Actor   string `json:"actor"`
	Wrong   int64  `json:"wrong"`
	Refunds int64  `json:"refunds"`
}

// span is from and to, both included: dates, and their days since 1970-01-01.
type span struct {
	from, to string
	first    int64
	last     int64
}

func (s span) has(days int64) bool { return days >= s.first && days <= s.last }

// stats counts for a person; nil sees all.
func (d *Desk) stats(p *Person, when span) (*Stats, Refusal) {
	if p != nil && !p.has(manager, analyst, checker, supervisor, finance, auditor) {
		return nil, NotAllowed
	}
	s := &Stats{Outcomes: []Outcome{}, Rules: []Rule{}, Money: []Money{}, Training: []Trained{}}
	outcomes, rules, money := map[string]int64{}, map[string]*Rule{}, map[string]*Money{}
	for _, c := range d.order {
		if c.open() || c.isMerged() || p != nil && !p.sees(c) {
			continue
		}
		if on, _ := d.cal.date(c.closedAt); !when.has(on) {
			continue
		}
		s.Closed++
		outcomes[c.outcome]++
		c.countRules(rules)
		c.countMoney(money)
	}
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		s.Outcomes = append(s.Outcomes, Outcome{o, outcomes[o]})
	}
	for _, code := range slices.Sorted(maps.Keys(rules)) {
		s.Rules = append(s.Rules, *rules[code])
	}
	for _, currency := range slices.Sorted(maps.Keys(money)) {
		if m := *money[currency]; m != (Money{Currency: currency}) {
			s.Money = append(s.Money, m)
		}
	}
	d.training(p, when, s)
	return s, ""
}

// Prevents returns the store of a refund that was held, and whether the statistics of a person
// ("": of all) count it: he sees that store, as in Training. Source: guard.md § 6.
func (d *Desk) Prevents(by, merchant, terminal string) (store string, counts bool) {
	p, refusal := d.asker(by)
	store = d.shop(merchant, terminal)
	return store, refusal == "" && (p == nil || p.of(store))
}

// DateOf returns the date of a time in the desk's zone.
func (d *Desk) DateOf(t time.Time) string { return t.In(d.cal.zone).Format(time.DateOnly) }

// countRules counts the codes of the first report of each refund, by class.
func (c *Case) countRules(rules map[string]*Rule) {
	class := classOf(c.outcome)
	for _, r := range c.refunds {
		if r.role != roleRefund || class == classWrong && !c.wrong(r.id) {
			continue
		}
		seen := map[string]bool{}
		for _, code := range r.codes {
			if seen[code] {
				continue
			}
			seen[code] = true
			n := rules[code]
			if n == nil {
				n = &Rule{Code: code}
				rules[code] = n
			}
			switch class {
			case classWrong:
				n.Wrong++
			case classFalse:
				n.False++
			case classOK:
				n.OK++
			case classInconclusive:
				n.Inconclusive++
			}
		}
	}
}

func (c *Case) countMoney(money map[string]*Money) {
	if classOf(c.outcome) != classWrong {
		return
	}
	m := money[c.finding.Currency]
	if m == nil {
		m = &Money{Currency: c.finding.Currency}
		money[m.Currency] = m
	}
	m.Stake += c.money.stake
	m.Recovered += c.money.recovered
	m.Lost += c.lostNow()
	m.Repaid += c.money.paid
	m.Payable += c.payable
}

// shopFigures are what one store's actors did in a span.
type shopFigures struct{ refunds, wrong map[string]int64 }

// training names who needs training (casework.md § 9, Training).
func (d *Desk) training(p *Person, when span, s *Stats) {
	shops := map[string]shopFigures{}
	for i := range d.places {
		if store := d.places[i].Store; p == nil || p.of(store) {
			shops[store] = shopFigures{map[string]int64{}, map[string]int64{}}
		}
	}
	for k, t := range d.tallies {
		shop, sees := shops[d.shop(k.merchant, k.terminal)]
		if days, _ := date(k.date); !sees || !when.has(days) {
			continue
		}
		for _, o := range t.operators {
			actor, _ := d.people.actor(k.merchant, k.terminal, o.operator)
			shop.refunds[actor] += o.refunds
		}
	}
	for _, c := range d.order {
		if c.open() || classOf(c.outcome) != classWrong {
			continue
		}
		for _, r := range c.refunds {
			side := &r.last.Refund
			shop, sees := shops[r.store]
			if days, ok := date(side.day()); !ok || !sees || !when.has(days) || r.role != roleRefund || !c.wrong(r.id) {
				continue
			}
			actor, _ := d.people.actor(side.MerchantID, side.TerminalID, side.Operator)
			shop.wrong[actor]++
		}
	}
	for _, store := range slices.Sorted(maps.Keys(shops)) {
		s.Training = append(s.Training, shops[store].named(store, d.set.TrainMin)...)
	}
}

// named returns the actors of a store whom chance does not explain, sorted.
func (f shopFigures) named(store string, least int64) []Trained {
	var out []Trained
	var all, wrongs, actors int64
	for _, n := range f.refunds {
		if all += n; n > 0 {
			actors++
		}
	}
	for _, n := range f.wrong {
		wrongs += n
	}
	for actor, w := range f.wrong {
		r := f.refunds[actor]
		if w >= least && w <= r && wrongs <= all && unlikely(r, all, w, wrongs, actors) {
			out = append(out, Trained{store, actor, w, r})
		}
	}
	slices.SortFunc(out, func(a, b Trained) int { return cmp.Compare(a.Actor, b.Actor) })
	return out
}

// unlikely reports whether m · 100 · Σ C(W,k) rᵏ (R−r)^(W−k), k from w to W, is at most
// R^W: in whole numbers, as no rounding may name anybody.
func unlikely(r, all, w, wrongs, actors int64) bool {
	sum := new(big.Int)
	ours, others := big.NewInt(r), big.NewInt(all-r)
	for k := w; k <= wrongs; k++ {
		term := new(big.Int).Binomial(wrongs, k)
		term.Mul(term, new(big.Int).Exp(ours, big.NewInt(k), nil))
		term.Mul(term, new(big.Int).Exp(others, big.NewInt(wrongs-k), nil))
		sum.Add(sum, term)
	}
	sum.Mul(sum, big.NewInt(100*actors))
	return sum.Cmp(new(big.Int).Exp(big.NewInt(all), big.NewInt(wrongs), nil)) <= 0
}
