package casework

import (
	"regexp"
	"slices"
)

// The roles of casework.md § 2.
const (
	cashier    = "cashier"
	manager    = "manager"
	analyst    = "analyst"
	checker    = "checker"
	supervisor = "supervisor"
	finance    = "finance"
	auditor    = "auditor"
	admin      = "admin"
)

// everywhere stands for all stores.
const everywhere = "*"

// Operator is a cashier number of a person at a merchant; an empty terminal means all.
type Operator struct {
	MerchantID string `json:"merchant_id"`
	TerminalID string `json:"terminal_id"`
	Operator   string `json:"operator"`
}

// Person works at the desk (casework.md § 2).
type Person struct {
	ID        string     `json:"id"`
	Staff     string     `json:"staff"`
	Roles     []string   `json:"roles"`
	Stores    []string   `json:"stores"`
	Operators []Operator `json:"operators"`
	Active    bool       `json:"active"`
}

var idForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// person reads one object of casework.md § 2.
func person(v value) (Person, bool) {
	f := object(v)
	p := Person{ID: f.text("id", 1, 32), Staff: f.text("staff", 1, 64), Roles: f.texts("roles"), Stores: f.texts("stores"),
		Operators: []Operator{}, Active: f.bool("active")}
	f.check(idForm.MatchString(p.ID) && !among(p.ID, []string{"terminal", "system", "desk"}) && len(p.Roles) > 0)
	for _, r := range p.Roles {
		f.check(among(r, []string{cashier, manager, analyst, checker, supervisor, finance, auditor, admin}))
	}
	f.list("operators", func(v value) {
		o := object(v)
		p.Operators = append(p.Operators, Operator{o.text("merchant_id", 1, 64), o.text("terminal_id", 0, 64), o.text("operator", 1, 64)})
		f.check(o.done())
	})
	distinct(f, p.Roles)
	distinct(f, p.Stores)
	distinct(f, p.Operators)
	return p, f.done()
}

// conflict reports whether admin or auditor does not stand alone.
func (p *Person) conflict() bool {
	return len(p.Roles) > 1 && (p.has(admin) || p.has(auditor))
}

// has reports whether a person has one of some roles.
func (p *Person) has(roles ...string) bool {
	return slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// of reports whether a store is among a person's.
func (p *Person) of(store string) bool {
	return slices.Contains(p.Stores, everywhere) || store != "" && slices.Contains(p.Stores, store)
}

// sees reports whether a person sees a case of these stores.
func (p *Person) sees(c *Case) bool {
	if slices.Contains(p.Stores, everywhere) {
		return true
	}
	return slices.ContainsFunc(p.Stores, func(s string) bool { return c.stores[s] })
}

// mayOwn reports whether a person can own a case, seen or not.
func (p *Person) mayOwn() bool { return p.Active && p.has(manager, analyst, supervisor) }

// people is everybody that the desk knows, and every registration ever made.
type people struct {
	byID       map[string]*Person
	staff      map[string]string // staff number → id, for ever
	number     map[string]string // id → staff number, for ever
	registered map[string][]Operator
	ids        []string // sorted
}

func newPeople() people {
	return people{byID: map[string]*Person{}, staff: map[string]string{}, number: map[string]string{}, registered: map[string][]Operator{}}
}

// set makes or replaces a person.
func (p *people) set(one Person) {
	if i, found := slices.BinarySearch(p.ids, one.ID); !found {
		p.ids = slices.Insert(p.ids, i, one.ID)
	}
	p.byID[one.ID] = &one
	p.staff[one.Staff], p.number[one.ID] = one.ID, one.Staff
	for _, o := range one.Operators {
		if !slices.Contains(p.registered[one.ID], o) {
			p.registered[one.ID] = append(p.registered[one.ID], o)
		}
	}
}

// active returns a person who may log in.
func (p *people) active(id string) (*Person, bool) {
	one, ok := p.byID[id]
	return one, ok && one.Active
}

// office is the operator that a person is everywhere.
const office = "office/"

// is reports whether a person is, or ever was, registered as an operator of a merchant's
// terminal (casework.md § 2).
func (p *people) is(id, merchant, terminal, operator string) bool {
	if operator == "" {
		return false
	}
	if operator == office+id {
		return true
	}
	return slices.ContainsFunc(p.registered[id], func(o Operator) bool {
		return o.MerchantID == merchant && o.Operator == operator && (o.TerminalID == terminal || o.TerminalID == "" || terminal == "")
	})
}

// actor returns the first person, by id, who was ever registered as an operator, and
// merchant/terminal/operator if there is none.
func (p *people) actor(merchant, terminal, operator string) (name string, known bool) {
	for _, id := range p.ids {
		if p.is(id, merchant, terminal, operator) {
			return id, true
		}
	}
	return merchant + "/" + terminal + "/" + operator, false
}

// involved reports whether a person may have had a hand in a refund (casework.md § 3, 2).
func (d *Desk) involved(p *Person, c *Case) bool {
	return slices.ContainsFunc(c.refunds, func(r *refund) bool {
		s := &r.last.Refund
		for _, operator := range []string{s.Operator, s.Approver, s.Releaser} {
			if d.people.is(p.ID, s.MerchantID, s.TerminalID, operator) {
				return true
			}
		}
		_, known := d.people.actor(s.MerchantID, s.TerminalID, s.Operator)
		return !known && p.has(cashier, manager) && p.of(r.store)
	})
}
