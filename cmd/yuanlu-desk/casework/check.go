package casework

import (
	"bufio"
	"bytes"
	"io"
)

// Answer is what a line is answered with (casework.md § 10). Members are in the order of
// the page.
type Answer struct {
	N       int64      `json:"n"`
	Events  []Event    `json:"events"`
	Refused Refusal    `json:"refused,omitempty"`
	Again   int64      `json:"again,omitempty"`
	Case    any        `json:"case,omitempty"`
	Cases   *[]string  `json:"cases,omitempty"`
	Stats   *Stats     `json:"stats,omitempty"`
	Reads   *[]Reading `json:"reads,omitempty"`
}

// Check answers JSON Lines (casework.md § 10): one line for each that is not blank. bad is
// true if a line was none of the page's.
func Check(in io.Reader, out io.Writer) (bad bool, err error) {
	d := New()
	lines, w := bufio.NewReader(in), bufio.NewWriter(out)
	for n := int64(1); err == nil; n++ {
		var line []byte
		line, err = lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return bad, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		a := d.Line(n, line)
		bad = bad || a.Refused == BadInput
		if _, err := w.Write(append(encode(a), '\n')); err != nil {
			return bad, err
		}
	}
	return bad, w.Flush()
}

// Line answers one line, the n-th.
func (d *Desk) Line(n int64, text []byte) Answer {
	a := Answer{N: n, Events: []Event{}}
	v, err := parse(text)
	if err != nil || v.kind != '{' {
		a.Refused = BadInput
		return a
	}
	if len(v.members) == 1 && among(v.members[0].name, []string{"settings", "calendar", "stores", "people"}) {
		if !d.setup(v.members[0].name, v.members[0].value) {
			a.Refused = BadInput
		}
		return a
	}
	act, at, ok := d.decode(v)
	if !ok {
		a.Refused = BadInput
		return a
	}
	d.begun = true
	d.events = []Event{}
	d.run(at)
	act(&a)
	d.consequences()
	a.Events = d.events
	return a
}

// decode reads a line that is no set-up: when it is, and what it does.
func (d *Desk) decode(v value) (act func(*Answer), at int64, ok bool) {
	f := object(v)
	at = d.clock
	if t, given := f.maybe("at"); given {
		at, ok = moment(t.string())
		f.check(ok)
	} else if _, command := v.member("do"); command {
		f.bad = true
	}
	for _, k := range []struct {
		name string
		read func(*form) func(*Answer)
	}{{"do", d.readDo}, {"event", d.readEvent}, {"tick", d.readTick}, {"show", d.readShow}, {"list", d.readList}, {"find", d.readFind},
		{"bill", d.readBill}, {"stats", d.readStats}, {"reads", d.readReads}} {
		if _, there := v.member(k.name); there {
			act = k.read(f)
			break
		}
	}
	return act, at, act != nil && f.done()
}

// must is a line whose time must be given.
func (f *form) must(name string) { _, ok := f.v.member(name); f.check(ok) }

func (d *Desk) readDo(f *form) func(*Answer) {
	c, ok := readCommand(f)
	f.check(ok)
	return func(a *Answer) {
		if a.Refused, a.Again = d.do(c); a.Refused == "" && a.Again == 0 && c.key != "" {
			d.newKey = Key{c.by, c.key, c.same, a.N}
			d.RememberKey(d.newKey)
		}
	}
}

func (d *Desk) readEvent(f *form) func(*Answer) {
	f.must("at")
	e, ok := terminalEvent(f.get("event"))
	f.check(ok)
	return func(*Answer) { d.terminal(e) }
}

func (d *Desk) readTick(f *form) func(*Answer) {
	f.must("at")
	f.check(f.bool("tick"))
	return func(*Answer) {}
}

// asker returns who asks; nil if no one is named: then all is seen.
func (d *Desk) asker(by string) (*Person, Refusal) {
	if by == "" {
		return nil, ""
	}
	p, ok := d.people.active(by)
	if !ok {
		return nil, UnknownPerson
	}
	return p, ""
}

// by reads who asks, where it may be absent.
func (f *form) by() string {
	if v, ok := f.maybe("by"); ok {
		return f.string(v, "by", 1, 64)
	}
	return ""
}

// ask answers a question of a person and notes it in the reading log.
func (d *Desk) ask(a *Answer, by, what, of string, answer func(*Person) Refusal) {
	p, refusal := d.asker(by)
	if refusal == "" {
		refusal = answer(p)
	}
	if a.Refused = refusal; refusal == "" {
		d.read(by, what, of)
	}
}

func (d *Desk) readShow(f *form) func(*Answer) {
	by, no := f.by(), f.text("show", 1, 64)
	return func(a *Answer) {
		d.ask(a, by, "show", no, func(p *Person) (refusal Refusal) {
			a.Case, refusal = d.show(p, no)
			return refusal
		})
	}
}

func (d *Desk) readList(f *form) func(*Answer) {
	by, name := f.text("by", 1, 64), f.one("list", ListNames()...)
	return func(a *Answer) {
		d.ask(a, by, "list", name, func(p *Person) Refusal {
			list, refusal := d.list(p, name)
			return a.found(list, refusal)
		})
	}
}

func (d *Desk) readFind(f *form) func(*Answer) {
	by, text := f.text("by", 1, 64), f.text("find", 3, 64)
	return func(a *Answer) {
		d.ask(a, by, "find", text, func(p *Person) Refusal {
			list, refusal := d.find(p, text)
			return a.found(list, refusal)
		})
	}
}

func (a *Answer) found(list []*Case, refusal Refusal) Refusal {
	if refusal == "" {
		numbers := numbersOf(list)
		a.Cases = &numbers
	}
	return refusal
}

func (d *Desk) readStats(f *form) func(*Answer) {
	by := f.by()
	o := object(f.get("stats"))
	when := span{from: o.text("from", 10, 10), to: o.text("to", 10, 10)}
	var first, last bool
	when.first, first = date(when.from)
	when.last, last = date(when.to)
	f.check(o.done() && first && last)
	return func(a *Answer) {
		d.ask(a, by, "stats", when.from+".."+when.to, func(p *Person) (refusal Refusal) {
			a.Stats, refusal = d.stats(p, when)
			return refusal
		})
	}
}

func (d *Desk) readReads(f *form) func(*Answer) {
	by := f.text("by", 1, 64)
	f.check(f.bool("reads"))
	return func(a *Answer) {
		p, refusal := d.asker(by)
		if refusal == "" && !p.has(auditor, supervisor) {
			refusal = NotAllowed
		}
		if a.Refused = refusal; refusal == "" {
			reads := append([]Reading{}, d.reads...)
			a.Reads = &reads
		}
	}
}
