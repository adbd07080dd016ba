package health

import (
	"fmt"
	"io/fs"
	"strings"

	"yuanlu/agent/config"
)

// Guarding is what is known of the guard of those links that have one.
type Guarding struct {
	Supervisors []string      `json:"supervisors"` // ids of the configuration that have a PIN
	PINs        *PINTrouble   `json:"pins,omitempty"`
	Links       []GuardedLink `json:"links"`
}

// GuardedLink is the guard of one link. The figures are of 30 days (ledger.Guarded).
type GuardedLink struct {
	Name      string   `json:"name"`
	Level     string   `json:"level"` // advise, hold, office
	Counted   bool     `json:"counted"`
	Refunds   int64    `json:"refunds"`   // that came; not known unless Counted
	Unasked   int64    `json:"unasked"`   // of these, that belong to no ask
	Operators []string `json:"operators"` // whose refunds no supervisor could release; "": without a number
}

// Asks is what the guard has answered and refused since the start, from wherever it came.
type Asks struct {
	Answers map[string]uint64 `json:"answers"` // by action; those not judged as "unchecked"
	Refused map[string]uint64 `json:"refused"` // asks, releases, cancels and requests, by code
}

// PINTrouble is why the file of PINs is not as it must be (guard.md § 3): readable by its owner
// alone, who is the daemon's user.
type PINTrouble struct {
	Path  string      `json:"path"`
	Mode  fs.FileMode `json:"mode"`
	Owner string      `json:"owner"`
	Want  string      `json:"want"`            // the daemon's user
	Error string      `json:"error,omitempty"` // why it cannot be read; the others are not known then
}

// words returns what is wrong and what mends it.
func (f *PINTrouble) words() (text, remedy config.Text) {
	switch {
	case f.Error != "":
		return textf("the PINs of supervisors cannot be read: %s", "无法读取主管 PIN：%s", same(f.Error)),
			both("yuanlu guard pin ID sets a PIN again; move a damaged file away before", "先移走损坏的文件，再用 yuanlu guard pin 标识 重新设置")
	case f.Owner != f.Want:
		return textf("%s belongs to %s, the daemon runs as %s", "%s 属于用户 %s，守护进程以 %s 运行", f.Path, f.Owner, f.Want),
			same(fmt.Sprintf("sudo chown %s: %s; sudo chmod 0600 %s", f.Want, f.Path, f.Path))
	}
	return textf("%s may be read by others than its owner (mode %04o)", "%s 可被属主以外的用户读取（权限 %04o）", f.Path, ModeBits(f.Mode)),
		same("sudo chmod 0600 " + f.Path)
}

// mostNamed is how many operators a text names.
const mostNamed = 8

// namedOperators writes operators for people.
func namedOperators(all []string) config.Text {
	var en, zh []string
	for i, o := range all {
		switch {
		case i == mostNamed:
			en, zh = append(en, fmt.Sprintf("%d more", len(all)-i)), append(zh, fmt.Sprintf("另有 %d 个", len(all)-i))
		case i > mostNamed:
		case o == "":
			en, zh = append(en, "one without a number"), append(zh, "未注明收银员")
		default:
			en, zh = append(en, o), append(zh, o)
		}
	}
	return config.Text{EN: strings.Join(en, ", "), ZH: strings.Join(zh, "、")}
}

// guardProblems adds, for each link with a guard, that no supervisor could release what was
// seen, and that refunds were made without an ask. Source: guard.md, Level.
func guardProblems(p *problems, s *Snapshot, _ *config.Config) {
	g := s.Guarding
	if g == nil {
		return
	}
	if g.PINs != nil {
		text, remedy := g.PINs.words()
		p.add(Degraded, "guard_pins", "", text, remedy)
	}
	for i := range g.Links {
		l := &g.Links[i]
		releaseProblem(p, g, l)
		if l.Unasked > 0 {
			p.add(Note, "guard_unasked", l.Name,
				textf("link %s: %d of %d refunds in 30 days were not asked about before they were made", "链路 %s：30 天内 %[3]d 笔退款中有 %[2]d 笔事前未核查", l.Name, l.Unasked, l.Refunds),
				both("have the firmware or the till's software ask before each refund (guard.ask, or the local API); yuanlu cases list shows those that went wrong",
					"让固件或收银软件在每笔退款前核查（guard.ask 或本地接口）；yuanlu cases list 列出出错的退款"))
		}
	}
}

// releaseProblem adds that no person on site could release a hold of a link. At level office the
// back office still can.
func releaseProblem(p *problems, g *Guarding, l *GuardedLink) {
	level := Degraded
	switch l.Level {
	case config.GuardOffice:
		level = Note
	case config.GuardHold:
	default:
		return // nothing is held
	}
	switch {
	case len(g.Supervisors) == 0:
		p.add(level, "guard_no_supervisor", l.Name,
			textf("link %s (guard = \"%s\"): no supervisor has a PIN, so nobody here can release a held refund", "链路 %s（guard = \"%s\"）：没有设置了 PIN 的主管，无人可在现场放行", l.Name, l.Level),
			both("add a [[guard.supervisor]] and set his PIN: sudo yuanlu guard pin ID. Who is alone in the shop needs guard = \"office\" or \"advise\"",
				"添加 [[guard.supervisor]] 并设置 PIN：sudo yuanlu guard pin 标识。店内只有一人时用 guard = \"office\" 或 \"advise\""))
	case len(l.Operators) > 0:
		p.add(level, "guard_no_supervisor", l.Name,
			textf("link %s (guard = \"%s\"): no supervisor with a PIN could release refunds of these cashiers of the last 30 days: %s", "链路 %s（guard = \"%s\"）：没有设置了 PIN 的主管可放行 30 天内以下收银员的退款：%s", l.Name, l.Level, namedOperators(l.Operators)),
			both("a supervisor releases no refund under a number that is his, shared ones too: add another [[guard.supervisor]] with a PIN, give each person a number of his own, and have the till state it",
				"主管不能放行用自己号码（含共用号码）办理的退款：再添加一名有 PIN 的 [[guard.supervisor]]，每人使用各自的号码，并由收银机注明"))
	}
}

// lookAtGuard has the guard's problems, and a line for each link with a guard that has none.
func lookAtGuard(e *Examination) {
	s := e.Snapshot
	if s == nil && e.m.Guarding != nil { // no daemon has looked
		s = &Snapshot{Guarding: e.m.Guarding}
		s.Problems = Problems(s, e.Config)
		e.Snapshot = s
		defer func() { e.Snapshot = nil }()
	}
	if s == nil || s.Guarding == nil {
		return
	}
	e.problems("guard_")
	for i := range s.Guarding.Links {
		l := &s.Guarding.Links[i]
		if bad := new(problems); l.Unasked == 0 {
			if releaseProblem(bad, s.Guarding, l); len(*bad) > 0 {
				continue
			}
			name := textf("guard of link %s", "链路 %s 的核查", l.Name)
			if !l.Counted {
				e.add(Note, name, same(l.Level), config.Text{})
				continue
			}
			if l.Refunds == 0 {
				e.fine(name, textf("%s; no refund in 30 days", "%s；30 天内没有退款", l.Level))
				continue
			}
			e.fine(name, textf("%s; all %d refunds of 30 days were asked about", "%s；30 天内 %d 笔退款均已核查", l.Level, l.Refunds))
		}
	}
}
