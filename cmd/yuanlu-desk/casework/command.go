package casework

import (
	"regexp"
	"sort"
	"strings"
)

// command is what a person orders (casework.md § 5), decoded.
type command struct {
	by, do, no, key string
	expect          int64  // -1: not given
	same            string // a hash of all but at and expect, for the same key again
	texts           []string
	number          string // of a contact
	args            args
	two             bool // it must be proposed
}

// args does what a command orders, when all that is common was checked: guards, then
// events.
type args interface {
	run(d *Desk, p *Person, c *Case) Refusal
}

// kind is what is common to all commands of one name.
type kind struct {
	roles  []string
	states []string // nil: all
	bare   bool     // has neither case nor expect
	loose  bool     // expect may be absent; done on merged cases too
	owner  bool     // must own the case
	money  bool     // finance need not own it
	read   func(*form) args
}

var (
	working   = []string{manager, analyst, supervisor}
	payers    = []string{manager, analyst, supervisor, finance}
	everybody = []string{cashier, manager, analyst, checker, supervisor, finance}
	judges    = []string{checker, supervisor}

	openStates = []string{stateNew, stateVerifying, stateWorking}
	atWork     = []string{stateVerifying, stateWorking}
)

// kindOf returns the kind of a command; false if the page has none of that name.
func kindOf(do string) (kind, bool) {
	switch do {
	case "open":
		return kind{roles: []string{cashier, manager, analyst, supervisor}, bare: true, read: readOpen}, true
	case "take":
		return kind{roles: working, bare: true, read: func(*form) args { return &takeArgs{} }}, true
	case "person":
		return kind{roles: []string{admin}, bare: true, read: readPerson}, true
	case "claim":
		return kind{roles: working, states: openStates, read: func(*form) args { return &claimArgs{} }}, true
	case "assign":
		return kind{roles: []string{supervisor}, states: openStates, read: func(f *form) args { return &assignArgs{f.text("to", 0, 64)} }}, true
	case "release":
		return kind{roles: working, states: openStates, owner: true, read: func(*form) args { return &releaseArgs{} }}, true
	case "note":
		return kind{roles: everybody, loose: true, read: func(f *form) args { return &noteArgs{noted{f.words()}} }}, true
	case "file":
		return kind{roles: everybody, loose: true, read: readFile}, true
	case "contact":
		return kind{roles: everybody, loose: true, read: readContact}, true
	case "identify":
		return kind{roles: working, states: openStates, owner: true, read: readIdentify}, true
	case "wait":
		return kind{roles: working, states: []string{stateVerifying}, owner: true, read: readWait}, true
	case "resume":
		return kind{roles: working, states: []string{stateVerifying}, owner: true, read: func(*form) args { return &resumeArgs{} }}, true
	case "count":
		return kind{roles: working, states: openStates, owner: true, read: readCount}, true
	case "escalate":
		return kind{roles: working, states: atWork, owner: true, read: readEscalate}, true
	case "answered":
		return kind{roles: working, states: atWork, owner: true, read: func(f *form) args { return &answeredArgs{answered{f.integer("file", 1, most), f.words()}} }}, true
	}
	return kindOfMoney(do)
}

// kindOfMoney is kindOf for the tracks and for what needs two people.
func kindOfMoney(do string) (kind, bool) {
	track := kind{roles: working, states: []string{stateWorking}, owner: true}
	paid := kind{roles: payers, states: []string{stateWorking}, owner: true, money: true}
	switch do {
	case "request":
		track.read = func(f *form) args { return &requestArgs{f.order(do)} }
	case "refused":
		track.read = func(f *form) args { return &refusedArgs{refused{answer, f.seq("contact"), f.seq("file"), f.words()}} }
	case "sent":
		track.read = func(f *form) args { return &sentArgs{sent{f.integer("amount", 1, most), f.text("number", 1, 64)}} }
	case "declined":
		track.read = func(f *form) args { return &declinedArgs{declined{f.seq("contact"), f.seq("file")}} }
	case "unreachable":
		track.read = func(*form) args { return &unreachableArgs{} }
	case "received":
		paid.read = func(f *form) args {
			return &receivedArgs{received{f.integer("amount", 1, most), f.integer("file", 1, most)}}
		}
	case "settled":
		paid.read = func(f *form) args { return &settledArgs{settled{f.seq("contact"), f.seq("file")}} }
	case "failed":
		paid.read = func(f *form) args { return &failedArgs{failed{f.words()}} }
	case "propose":
		return kind{roles: working, read: readPropose}, true
	case "approve":
		return kind{roles: judges, read: func(f *form) args { return &approveArgs{f.integer("proposal", 1, most)} }}, true
	case "reject":
		return kind{roles: judges, read: func(f *form) args { return &rejectArgs{rejected{f.integer("proposal", 1, most), f.words()}} }}, true
	case "withdraw":
		return kind{roles: working, read: func(f *form) args { return &withdrawArgs{f.integer("proposal", 1, most)} }}, true
	default:
		return kind{}, false
	}
	if track.read != nil {
		return track, true
	}
	return paid, true
}

// words reads the argument text, 1 to 2000 characters.
func (f *form) words() string { return f.text("text", 1, 2000) }

// needsTwo reports whether a command runs only as approved by a second person.
func needsTwo(do string) bool {
	return among(do, []string{"finding", "reissue", "write_off", "close", "reopen"})
}

// readCommand decodes a line with a member "do". at was read already.
func readCommand(f *form) (*command, bool) {
	c := &command{by: f.text("by", 1, 64), do: f.text("do", 1, 64), expect: -1}
	if k, ok := f.maybe("key"); ok {
		c.key = f.string(k, "key", 1, 64)
	}
	if c.two = needsTwo(c.do); c.two {
		c.no, c.expect = f.text("case", 1, 64), f.integer("expect", 0, most)
		f.order(c.do)
		return c, f.done()
	}
	k, known := kindOf(c.do)
	if !known {
		return nil, false
	}
	if !k.bare {
		c.no = f.text("case", 1, 64)
		if e, ok := f.maybe("expect"); ok {
			c.expect = f.within(e, 0, most)
		} else {
			f.check(k.loose)
		}
	}
	c.args = k.read(f)
	if !f.done() {
		return nil, false
	}
	c.collect(&f.v)
	return c, true
}

// collect keeps what is looked at before the command runs: texts that may hold a card
// number, and what must be equal where a key comes again.
func (c *command) collect(v *value) {
	var same strings.Builder
	v.canonical(&same, true)
	c.same = digest(same.String())
	var walk func(name string, v *value)
	walk = func(name string, v *value) {
		if v.kind == '"' && (name == "text" || name == "shown" || name == "name" && c.do == "file") {
			c.texts = append(c.texts, v.text)
		}
		for i := range v.members {
			walk(v.members[i].name, &v.members[i].value)
		}
	}
	walk("", v)
	if n, ok := v.member("number"); ok && c.do == "contact" {
		c.number = n.text
	}
}

// canonical writes a value so that equal ones are written alike; top leaves out at and
// expect.
func (v *value) canonical(b *strings.Builder, top bool) {
	switch v.kind {
	case '{':
		members := append([]member{}, v.members...)
		sort.Slice(members, func(i, j int) bool { return members[i].name < members[j].name })
		b.WriteByte('{')
		for i := range members {
			if m := &members[i]; !top || m.name != "at" && m.name != "expect" {
				b.Write(encode(m.name))
				b.WriteByte(':')
				m.canonical(b, false)
				b.WriteByte(',')
			}
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i := range v.list {
			v.list[i].canonical(b, false)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case '"':
		b.Write(encode(v.text))
	case '0':
		n, _ := v.integer() // all numbers of a command are integers
		b.Write(encode(n))
	default:
		b.WriteString(v.text)
	}
}

var digitRun = regexp.MustCompile(`[0-9]+`)

// cardNumber reports whether a text holds a card number (casework.md § 5).
func cardNumber(text string) bool {
	for _, run := range digitRun.FindAllString(text, -1) {
		if len(run) >= 13 && len(run) <= 19 && luhn(run) {
			return true
		}
	}
	return false
}

// luhn checks the check digit of a card number.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// clear reports whether a text holds a card number, or the number of a contact is not
// masked.
func (c *command) clear() bool {
	for _, t := range c.texts {
		if cardNumber(t) {
			return true
		}
	}
	return c.number != "" && (strings.Count(c.number, "*") < 4 || len(digitsOf(c.number)) > 7)
}

func digitsOf(s string) string { return strings.Join(digitRun.FindAllString(s, -1), "") }

// order reads the arguments of one command of a proposal (casework.md § 5, Propose).
func (f *form) order(do string) Order {
	o := Order{Do: do}
	switch do {
	case "finding":
		owed := int64(0)
		o.Wrong, o.Owed = f.texts("wrong"), &owed
		owed = f.integer("owed", 0, most)
	case "request":
		o.Route = f.one("route", "void", "reversal", "acquirer", "platform", "direct")
		ref := f.text("ref", 0, 64)
		o.Ref = &ref
	case "reissue":
		o.Amount = f.integer("amount", 1, most)
		o.Way = f.one("way", "original", "other")
		number := f.text("number", 0, 64)
		o.Number = &number
	case "write_off":
		o.Bearer = f.one("bearer", "merchant", "insurer", "platform", "other")
	case "close":
		o.Outcome = f.one("outcome", outcomeWrong, outcomeLegal, outcomeSameAccount, outcomeRerouted, outcomeAuthorised, outcomeRecordError,
			outcomeTest, outcomeInconclusive, outcomeDuplicate)
		into, given := f.maybe("into")
		f.check(given == (o.Outcome == outcomeDuplicate))
		if given {
			o.Into = f.string(into, "into", 1, 64)
		}
		o.Contact, o.File = f.seq("contact"), f.seq("file")
	case "reopen":
	default:
		f.bad = true
	}
	return o
}
