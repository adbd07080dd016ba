package health

import (
	"strings"
	"testing"

	"yuanlu/agent/config"
)

// TestGuardIsLookedAt: each of what may be wrong with the guard of a link is a problem with its
// figures, and a line of doctor with and without a daemon, in both languages.
func TestGuardIsLookedAt(t *testing.T) {
	link := func(level string, refunds, unasked int64, operators ...string) []GuardedLink {
		return []GuardedLink{{Name: "pos", Level: level, Counted: true, Refunds: refunds, Unasked: unasked, Operators: operators}}
	}
	one := []string{"s-1"}
	for _, c := range []struct {
		name     string
		guarding Guarding
		code     string // "": a line that all is well
		level    string
		en, zh   string
	}{
		{"all asked", Guarding{one, nil, link("hold", 12, 0)}, "", Fine, "all 12 refunds", "12 笔退款均已核查"},
		{"some not", Guarding{one, nil, link("hold", 12, 3)}, "guard_unasked", Note, "3 of 12 refunds", "12 笔退款中有 3 笔"},
		{"at advise, too", Guarding{nil, nil, link("advise", 2, 2, "01")}, "guard_unasked", Note, "2 of 2 refunds", "2 笔退款中有 2 笔"},
		{"no PIN", Guarding{nil, nil, link("hold", 0, 0, "01")}, "guard_no_supervisor", Degraded, "no supervisor has a PIN", "没有设置了 PIN 的主管"},
		{"office without a supervisor", Guarding{nil, nil, link("office", 0, 0)}, "guard_no_supervisor", Note, `(guard = "office")`, `（guard = "office"）`},
		{"his own refunds", Guarding{one, nil, link("hold", 9, 0, "", "07")}, "guard_no_supervisor", Degraded, "one without a number, 07", "未注明收银员、07"},
		{"many", Guarding{one, nil, link("hold", 9, 0, strings.Split("1 2 3 4 5 6 7 8 9 10", " ")...)}, "guard_no_supervisor", Degraded, "8, 2 more", "8、另有 2 个"},
		{"open to others", Guarding{one, &PINTrouble{Path: "/s/keys/pins", Mode: 0o640, Owner: "yuanlu", Want: "yuanlu"}, link("hold", 0, 0)}, "guard_pins", Degraded, "(mode 0640)", "（权限 0640）"},
		{"another's", Guarding{one, &PINTrouble{Path: "/s/keys/pins", Mode: 0o600, Owner: "root", Want: "yuanlu"}, link("hold", 0, 0)}, "guard_pins", Degraded, "belongs to root", "属于用户 root"},
		{"damaged", Guarding{nil, &PINTrouble{Error: "line 1"}, link("advise", 0, 0)}, "guard_pins", Degraded, "cannot be read: line 1", "无法读取主管 PIN：第 1 行"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var found problems
			guardProblems(&found, &Snapshot{Guarding: &c.guarding}, nil)
			switch {
			case c.code == "" && len(found) > 0:
				t.Errorf("%+v", found)
			case c.code != "" && (len(found) != 1 || found[0].Code != c.code || found[0].Level != c.level || !strings.Contains(found[0].Text.EN, c.en) ||
				!strings.Contains(found[0].Text.ZH, c.zh) || found[0].Remedy.EN == "" || found[0].Remedy.ZH == ""):
				t.Errorf("%+v", found)
			}
			for _, s := range []*Snapshot{nil, {Guarding: &c.guarding, Problems: found}} {
				for _, chinese := range []bool{false, true} {
					e := Examination{Config: &config.Config{}, Chinese: chinese, Snapshot: s, m: Measured{Guarding: &c.guarding}}
					lines := e.Run(t.Context(), nil, "guard")
					want, text := map[bool]string{true: Fine, false: Warning}[c.code == ""], map[bool]string{false: c.en, true: c.zh}[chinese]
					if len(lines) == 0 || lines[0].Level != want || !strings.Contains(lines[0].Text, text) || c.code != "" && lines[0].Name != c.code {
						t.Errorf("chinese %v, with a daemon %v: %+v", chinese, s != nil, lines)
					}
				}
			}
		})
	}
}
