package casework

import "slices"

// do runs a command (casework.md § 5, in the order of its checks 2 to 11). again is the
// line of the first answer where a key comes again.
func (d *Desk) do(c *command) (refusal Refusal, again int64) {
	if c.two {
		return NeedsTwo, 0
	}
	if c.clear() {
		return ClearNumber, 0
	}
	p, ok := d.people.active(c.by)
	if !ok {
		return UnknownPerson, 0
	}
	if c.key != "" {
		if k, used := d.keys[personKey{c.by, c.key}]; used && k.command != c.same {
			return KeyReused, 0
		} else if used {
			return "", k.line
		}
	}
	k, _ := kindOf(c.do)
	if !p.has(k.roles...) {
		return NotAllowed, 0
	}
	var on *Case
	if !k.bare {
		if on = d.cases[c.no]; on == nil || !p.sees(on) {
			return NotFound, 0
		}
		if refusal := k.fits(c, p, on); refusal != "" {
			return refusal, 0
		}
	}
	d.key = c.key
	if refusal := c.args.run(d, p, on); refusal != "" {
		d.key = ""
		return refusal, 0
	}
	return "", 0
}

// fits checks version, state and owner (casework.md § 5, 7 to 10).
func (k *kind) fits(c *command, p *Person, on *Case) Refusal {
	switch {
	case c.expect >= 0 && (c.expect > on.version || on.lastSeen > c.expect):
		return Stale
	case on.isMerged() && !k.loose:
		return Merged
	case k.states != nil && !slices.Contains(k.states, on.state):
		return WrongState
	case k.owner && on.owner != p.ID && !(k.money && p.has(finance)):
		return NotOwner
	}
	return ""
}

type (
	takeArgs    struct{}
	claimArgs   struct{}
	releaseArgs struct{}
	resumeArgs  struct{}
	assignArgs  struct{ to string }
	noteArgs    struct{ noted }
	fileArgs    struct{ filed }
	contactArgs struct{ contacted }
	identArgs   struct{ identified }
	waitArgs    struct {
		waiting
		until int64
	}
	countArgs    struct{ counted }
	escalateArgs struct{ escalated }
	answeredArgs struct{ answered }
	personArgs   struct{ person Person }
)

func (a *takeArgs) run(d *Desk, p *Person, _ *Case) Refusal {
	list, _ := d.list(p, "next")
	if len(list) == 0 {
		return Nothing
	}
	d.write(list[0].No, p.ID, "claimed", &claimed{p.ID})
	return ""
}

func (a *claimArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.owner != "" {
		return Owned
	}
	d.write(c.No, p.ID, "claimed", &claimed{p.ID})
	return ""
}

func (a *assignArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if a.to == c.owner {
		return Owned
	}
	if a.to != "" {
		if to := d.people.byID[a.to]; to == nil || !to.mayOwn() || !to.sees(c) {
			return BadPerson
		}
	}
	d.write(c.No, p.ID, "assigned", &assigned{a.to})
	return ""
}

func (a *releaseArgs) run(d *Desk, p *Person, c *Case) Refusal {
	d.write(c.No, p.ID, "assigned", &assigned{""})
	return ""
}

func (a *noteArgs) run(d *Desk, p *Person, c *Case) Refusal {
	d.write(c.No, p.ID, "noted", &a.noted)
	return ""
}

func (a *fileArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case !slices.Contains(FileTypes(), a.Type):
		return FileType
	case a.Size > d.set.FileMiB<<20:
		return FileSize
	case slices.ContainsFunc(c.files, func(f file) bool { return f.SHA256 == a.SHA256 }):
		return FileThere
	}
	d.write(c.No, p.ID, "filed", &a.filed)
	return ""
}

// FileTypes are those of files that are taken (casework.md § 5).
func FileTypes() []string {
	return []string{"application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain", "audio/mpeg", "audio/mp4"}
}

func (a *contactArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if a.File > 0 && c.file(a.File) == nil {
		return BadFile
	}
	d.write(c.No, p.ID, "contacted", &a.contacted)
	return ""
}

func (a *identArgs) run(d *Desk, p *Person, c *Case) Refusal {
	contact := c.contact(a.Contact)
	if a.Contact > 0 && contact == nil {
		return BadContact
	}
	if a.Method == callback && (contact == nil || contact.Party != "payer" || contact.Direction != "out" || !contact.OnFile || contact.Result == noAnswer) {
		return BadContact
	}
	if (a.File > 0 || a.Method != callback) && c.file(a.File) == nil {
		return BadFile
	}
	d.write(c.No, p.ID, "identified", &a.identified)
	return ""
}

func (a *waitArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case c.wait != nil:
		return Waiting
	case int64(c.waits) >= d.set.Waits:
		return TooManyWaits
	case a.until <= d.clock:
		return BadTime
	case a.until > d.cal.days(d.clock, d.set.WaitDays):
		return TooLong
	}
	a.Until = d.cal.Format(a.until)
	d.write(c.No, p.ID, "waiting", &a.waiting)
	return ""
}

func (a *resumeArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.wait == nil {
		return NotWaiting
	}
	d.write(c.No, p.ID, "woke", &woke{"owner"})
	return ""
}

func (a *countArgs) run(d *Desk, p *Person, c *Case) Refusal {
	r := c.refund(a.Refund)
	switch {
	case r == nil || c.wrong(a.Refund):
		return BadRefund
	case r.role == a.As:
		return NoChange
	}
	d.write(c.No, p.ID, "counted", &a.counted)
	return ""
}

func (a *escalateArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.escalation != nil && !c.escalation.answered {
		return EscalatedAlready
	}
	d.write(c.No, p.ID, "escalated", &a.escalated)
	return ""
}

func (a *answeredArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case c.escalation == nil || c.escalation.answered:
		return NotEscalated
	case c.file(a.File) == nil:
		return BadFile
	}
	d.write(c.No, p.ID, "answered", &a.answered)
	return ""
}

func (a *personArgs) run(d *Desk, p *Person, _ *Case) Refusal {
	one := &a.person
	id, taken := d.people.staff[one.Staff]
	number, known := d.people.number[one.ID]
	switch {
	case one.ID == p.ID:
		return Self
	case one.conflict():
		return RolesConflict
	case taken && id != one.ID || known && number != one.Staff:
		return StaffTaken
	}
	d.write(DeskJournal, p.ID, "person_set", &personSet{*one})
	if one.mayOwn() {
		return ""
	}
	for _, c := range slices.Clone(d.order) {
		if c.owner == one.ID {
			d.write(c.No, bySystem, "assigned", &assigned{""})
		}
	}
	return ""
}

const callback = "callback"

func readPerson(f *form) args {
	one, ok := person(f.get("person"))
	f.check(ok)
	return &personArgs{one}
}

func readFile(f *form) args {
	a := &fileArgs{filed{f.text("name", 1, 200), f.text("type", 0, 64), f.integer("size", 1, most), f.text("sha256", 64, 64),
		f.one("kind", "receipt", "screenshot", "statement", "consent", "letter", "identity", "recording", "record", "other")}}
	f.check(hashForm.MatchString(a.SHA256))
	return a
}

func readContact(f *form) args {
	a := &contactArgs{contacted{f.one("party", "payer", "recipient", "store", "platform", "bank", "authority", "other"), f.one("direction", "in", "out"),
		f.one("channel", "phone", "wechat", "message", "email", "letter", "in_person"), f.text("number", 0, 32), f.bool("on_file"),
		f.one("result", noAnswer, "reached", "agreed", "refused", "confirmed"), f.words(), f.seq("file")}}
	f.check(numberForm.MatchString(a.Number))
	return a
}

func readIdentify(f *form) args {
	return &identArgs{identified{f.one("method", callback, "channel", "document"), f.seq("contact"), f.seq("file")}}
}

func readWait(f *form) args {
	a := &waitArgs{waiting: waiting{For: f.one("for", "store", "platform", "payer", "recipient", "bank", "other"), Text: f.words()}}
	var ok bool
	a.until, ok = moment(f.text("until", 1, 64))
	f.check(ok)
	return a
}

func readCount(f *form) args {
	return &countArgs{counted{f.text("refund", 1, 64), f.one("as", roleRefund, roleReissue), f.words()}}
}

func readEscalate(f *form) args {
	a := &escalateArgs{escalated{Body: f.one("body", "acquirer", "platform", "12315", "legal", "police", "other"), Ref: f.text("ref", 0, 64), Text: f.words()}}
	if v, ok := f.maybe("answer_by"); ok {
		a.AnswerBy = f.string(v, "answer_by", 10, 10)
		_, good := date(a.AnswerBy)
		f.check(good)
	}
	return a
}
