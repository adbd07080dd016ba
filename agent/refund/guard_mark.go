package refund

// GuardMark is what the guard knew of a refund or void when it was first seen, and what is
// never changed after it (guard.md § 3, guard.md § 6).
type GuardMark struct {
	Level string // of its link then
	// What follows is of the ask that it belongs to; empty if it belongs to none.
	Ask      string // its id
	Action   string // what it was answered
	At       string // when it was asked, as its ask states
	State    string // of its hold then, "" without one
	Reason   string // of the release
	Releaser string // who released it: a supervisor's id, or "office/" and the desk's person
	// Bypassed is the severity of hold_bypassed; 0: the refund was not held, or it was released.
	Bypassed Severity
	// NotAsAsked: the record names an ask that it was not made as.
	NotAsAsked bool
}

// Usable reports whether a record's values are possible (verdicts.md § 1.2).
func Usable(r *Record) bool { return unusable(r) == "" }

// OfGuard returns the mark while it makes findings: of an outcome with which money may have
// moved (guard.md § 3). Else it is the zero value.
func (r *Record) OfGuard() GuardMark {
	if r.Guard == nil || !moneyMayMove(r.Outcome) {
		return GuardMark{}
	}
	return *r.Guard
}

var guardNames = []string{"level", "ask", "action", "at", "state", "reason", "releaser", "bypassed", "not_as_asked"}

func (m *GuardMark) text(i int) *string {
	return [...]*string{&m.Level, &m.Ask, &m.Action, &m.At, &m.State, &m.Reason, &m.Releaser}[i]
}

// appendGuard appends the store's form of a mark as a member of its record.
func appendGuard(dst []byte, m *GuardMark) []byte {
	at := len(dst) + len(`,"guard":`)
	dst = append(dst, `,"guard":{`...)
	for i, name := range guardNames[:len(guardNames)-2] {
		dst = appendText(dst, `,"`+name+`":`, *m.text(i))
	}
	dst = appendText(dst, `,"bypassed":`, m.Bypassed.String())
	if m.NotAsAsked {
		dst = append(dst, `,"not_as_asked":true`...)
	}
	return closeObject(dst, at)
}

// guard reads a mark.
func (d *reader) guard(m *GuardMark) bool {
	_, ok := d.object(guardNames, func(i int) bool {
		switch i {
		case len(guardNames) - 1:
			return d.Bool(&m.NotAsAsked)
		case len(guardNames) - 2:
			at := d.At()
			var name string
			if !d.text(&name) {
				return false
			}
			s, err := ParseSeverity(name)
			m.Bypassed = s
			return err == nil || d.Fail(at, "another word", "a severity")
		}
		return d.text(m.text(i))
	})
	return ok
}
