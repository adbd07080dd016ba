package terminal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// till is an agent that holds what the contract demands to be held, and knows one PIN.
type till struct {
	asks   []wire.Ask
	orders []string
	action string // of what need not be held; empty: by the contract
	cuts   int
	mute   bool
}

func (k *till) ask(_ wire.Envelope, a wire.Ask, g *scenario.Guarded) (wire.GuardAnswer, bool, error) {
	k.asks = append(k.asks, a)
	out := wire.GuardAnswer{Ask: a.About.ID, Src: "guard.answer", Action: "proceed"}
	switch {
	case k.mute:
		return wire.GuardAnswer{}, false, nil
	case g.MustHold:
		out.Action = "hold"
		if err := json.Unmarshal([]byte(`{"state":"open","left_s":300}`), &out.Hold); err != nil {
			return out, false, err
		}
	case k.action != "":
		out.Action = k.action
	case !g.MayPass:
		out.Action = "confirm"
	}
	return out, true, nil
}

func (k *till) order(_ wire.Envelope, src, id string, body any) (wire.GuardAnswer, bool, error) {
	state := "cancelled"
	if r, ok := body.(wire.GuardRelease); ok {
		if state = "open"; r.PIN == "628401" && r.By == "s-1" {
			state = "released"
		}
	}
	k.orders = append(k.orders, src[6:]+":"+state)
	return wire.GuardAnswer{Ask: id, Src: "guard.state", State: state}, true, nil
}

func (k *till) powerCut() error { k.cuts++; return nil }

// atCounter plays a script at a smart terminal that asks.
func atCounter(t *testing.T, k *till, o GuardOptions, steps ...scenario.Step) []scenario.Entry {
	t.Helper()
	term, err := New(Options{Model: "smart", Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if o.Presents == 0 {
		o.Presents = -1
	}
	term.Guard(o)
	term.guard.talk = k
	var out []scenario.Entry
	for _, s := range steps {
		e, err := term.Do(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e...)
	}
	return out
}

// TestCashiers: what each of them does with a refund to a stranger's card.
func TestCashiers(t *testing.T) {
	supervisor := GuardOptions{Supervisor: "s-1", PIN: "628401"}
	for _, c := range []struct {
		cashier, ends, orders string
	}{
		{"obey", "prevented proceeded", ""},
		{"cancel", "prevented", "cancel:cancelled"},
		{"overrule", "prevented", "cancel:cancelled"},
		{"bypass", "bypassed", ""},
		{"release", "released_wrongly", "release:released"},
		{"mistype", "released_wrongly", "release:open release:released"},
		{"leave", "prevented", ""},
	} {
		t.Run(c.cashier, func(t *testing.T) {
			k := &till{}
			out := atCounter(t, k, supervisor, scenario.Step{Do: "sale", As: "s", By: "anna", Pay: "chip", Amount: 1000},
				scenario.Step{Do: "refund", Of: "s", As: "r", To: "boris", Entry: "keyed", Form: "clear", Amount: 350, Cashier: c.cashier})
			var ends []string
			for _, e := range out[1:] {
				ends = append(ends, e.Guard.End)
				if made := e.Guard.Made(); made == e.Silent || made != (e.Truth != nil) || made && e.Record.Ask != e.Guard.Ask {
					t.Errorf("%+v", e)
				}
			}
			first := out[1].Guard
			if got := strings.Join(ends, " "); got != c.ends || strings.Join(k.orders, " ") != c.orders || !first.MustHold || first.Label != scenario.Wrong {
				t.Errorf("%s, %v, %+v", got, k.orders, first)
			}
			if c.cashier == "bypass" && (!out[1].Truth.Case || out[1].Truth.Codes[0] != "hold_bypassed") {
				t.Errorf("%+v", out[1].Truth)
			}
			if c.cashier == "obey" && (k.asks[1].About.Replaces != k.asks[0].About.ID || out[2].Truth.Label != scenario.Right || *k.asks[1].Amount != 350) {
				t.Errorf("%+v", k.asks[1])
			}
		})
	}
}

// TestWalletAsk: of a wallet it is not known who will get the money; a customer who is asked to shows his code again.
func TestWalletAsk(t *testing.T) {
	k := &till{action: "confirm"}
	out := atCounter(t, k, GuardOptions{Presents: 1}, scenario.Step{Do: "sale", As: "s", By: "anna", Pay: "wechat", Amount: 1000},
		scenario.Step{Do: "refund", Of: "s", Cashier: "overrule", Amount: 100}, scenario.Step{Do: "refund", Of: "s", Cashier: "overrule", Presented: "boris", Amount: 100})
	if len(k.asks) != 4 || k.asks[0].Party.Scheme != "" || k.asks[0].Presented.Scheme != "" || k.asks[1].Presented.Scheme != "wechat_openid" ||
		k.asks[1].About.Replaces != k.asks[0].About.ID || k.asks[3].Presented.ID == k.asks[1].Presented.ID {
		t.Errorf("%+v", k.asks)
	}
	if g := out[1].Guard; g.End != scenario.Overruled || g.Presented != "anna" || out[1].Record.Ask != k.asks[1].About.ID {
		t.Errorf("%+v", g)
	}
}

// TestRouteIsNotAsked: only the host's answer tells that the money goes to a card of somebody; that a
// refund which was no repayment then is too much, no answer to the ask can foresee.
func TestRouteIsNotAsked(t *testing.T) {
	out := atCounter(t, &till{action: "proceed"}, GuardOptions{}, scenario.Step{Do: "sale", As: "s", By: "anna", Pay: "wechat", Amount: 2000},
		scenario.Step{Do: "refund", Of: "s", To: "merchant", Amount: 2000},
		scenario.Step{Do: "refund", Of: "s", Amount: 700, Route: "OTHER_BANKCARD", Account: "none"})
	if last := out[len(out)-1]; last.Truth.Label != scenario.Wrong || last.Guard.Label == scenario.Wrong || last.Guard.MustHold {
		t.Errorf("%+v, %+v", last.Truth, last.Guard)
	}
}

// TestNoAnswer: it goes on, or stops, as it is set; what is not known to the agent is no bypass.
func TestNoAnswer(t *testing.T) {
	steps := []scenario.Step{{Do: "sale", As: "s", By: "anna", Pay: "chip"}, {Do: "refund", Of: "s", As: "r"}, {Do: "reversal", Of: "r"}}[:2]
	if out := atCounter(t, &till{mute: true}, GuardOptions{}, steps...); out[1].Guard.End != scenario.Unanswered || out[1].Silent {
		t.Errorf("%+v", out[1].Guard)
	}
	steps = append(steps, scenario.Step{Do: "query", Of: "r"}) // about a refund that was not made: skipped
	if out := atCounter(t, &till{mute: true}, GuardOptions{Stop: true}, steps...); len(out) != 2 || out[1].Guard.End != scenario.Prevented {
		t.Errorf("%+v", out)
	}
	k := &till{}
	out := atCounter(t, k, GuardOptions{Faults: GuardFaults{Power: 1}}, steps[0], scenario.Step{Do: "refund", Of: "s", To: "boris", Form: "clear", Cashier: "cancel"})
	if k.cuts != 1 || len(k.asks) != 2 || k.asks[0].About != k.asks[1].About || !out[1].Guard.PowerCut {
		t.Errorf("%d cuts, %+v", k.cuts, k.asks)
	}
}

// TestGuardedCrowd: seeded customers and cashiers; every end occurs, and a journal that is gone on with is the same.
func TestGuardedCrowd(t *testing.T) {
	play := func(had []scenario.Entry) ([]scenario.Entry, map[string]int) {
		term, err := New(Options{Model: "smart", Seed: 5, Wrong: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		term.Guard(GuardOptions{Supervisor: "s-1", PIN: "628401", Cashiers: map[string]int{"obey": 2, "overrule": 2, "release": 2, "bypass": 2, "mistype": 1, "leave": 1}})
		term.guard.talk = &till{}
		src := Customers(term)
		if err := src.Resume(had); err != nil {
			t.Fatal(err)
		}
		var out []scenario.Entry
		ends := map[string]int{}
		for len(out) < 1200-len(had) {
			e, err := src.Next()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e...)
			for _, one := range e {
				if g := one.Guard; g != nil {
					ends[g.End]++
					if g.MustHold && g.Label == scenario.Right || g.MayPass && g.Label == scenario.Wrong {
						t.Errorf("%+v", g)
					}
				}
			}
		}
		return out, ends
	}
	all, ends := play(nil)
	for _, end := range []string{scenario.Proceeded, scenario.Overruled, scenario.Prevented, scenario.ReleasedRightly, scenario.ReleasedWrongly, scenario.Bypassed} {
		if ends[end] == 0 && end != scenario.ReleasedRightly {
			t.Errorf("none is %s: %v", end, slices.Collect(maps.Keys(ends)))
		}
	}
	rest, _ := play(all[:500])
	a, err := json.Marshal(all[500:1100])
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(rest[:600])
	if err != nil || string(a) != string(b) {
		t.Error("the journal is gone on with otherwise", err)
	}
}

func TestGuardFlags(t *testing.T) {
	f, err := ParseGuardFaults([]string{"lose=0.1,late=1", "power=0"})
	if err != nil || f != (GuardFaults{Lose: 0.1, Late: 1}) {
		t.Error(f, err)
	}
	w, err := ParseCashiers("obey=3,bypass")
	if err != nil || fmt.Sprint(w) != "map[bypass:1 obey:3]" {
		t.Error(w, err)
	}
	for _, bad := range []string{"lose=2", "lose", "x=1"} {
		if _, err := ParseGuardFaults([]string{bad}); err == nil {
			t.Error(bad)
		}
	}
	for _, bad := range []string{"rob=1", "obey=-1", "obey=x"} {
		if _, err := ParseCashiers(bad); err == nil {
			t.Error(bad)
		}
	}
}

// TestAsksOnALine: frames out, answers back, confirmed; a lost answer is not confirmed and the ask is sent again.
func TestAsksOnALine(t *testing.T) {
	var in wire.Incoming
	var id byte
	confirmed := make(chan byte, 64)
	asks := 0
	reply := func(p []byte) []byte {
		var out []byte
		for _, f := range in.Push(p) {
			switch f.Kind {
			case wire.SmartConfirm:
				confirmed <- f.Ack
				continue
			case wire.SmartHandshake:
				f.ID = 0
			}
			out, _ = wire.AppendSmart(out, wire.SmartConfirm, f.ID, 0, nil)
			if !strings.Contains(string(f.Data), `"src":"guard.ask"`) {
				continue
			}
			asks++
			var m struct {
				Body wire.Ask `json:"body"`
			}
			if json.Unmarshal(f.Data, &m) == nil {
				id++
				out, _ = wire.AppendSmart(out, wire.SmartData, 0, id, fmt.Appendf(nil, `{"v":1,"src":"guard.answer","body":{"ask":%q,"action":"proceed"}}`, m.Body.About.ID))
			}
		}
		return out
	}
	for _, lose := range []float64{0, 1} {
		t.Run(fmt.Sprint("lose ", lose), func(t *testing.T) {
			asks = 0
			term, err := New(Options{Model: "smart", Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			term.Guard(GuardOptions{Deadline: time.Duration(5-4*lose) * time.Second / 2, Faults: GuardFaults{Lose: lose}})
			socket, err := wire.Plug("pty", "", 9600)
			if err != nil {
				t.Fatal(err)
			}
			var ends []string
			p, err := NewPlayer(PlayerOptions{Terminal: term, Model: "smart", Socket: socket, Wait: true,
				Source: Script(term, []scenario.Step{{Do: "sale", As: "s", By: "anna", Pay: "chip"}, {Do: "refund", Of: "s"}}),
				Sent: func(e *scenario.Entry, o Outcome) {
					if e.Guard != nil {
						ends = append(ends, fmt.Sprint(e.Guard.End, " ", e.Guard.Asks, " ", o.Confirmed))
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			listen(t, socket.Place(), reply)
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want, got := "[proceeded 1 true]", len(confirmed)
			if lose == 1 {
				want = "[unanswered 2 true]"
			}
			if fmt.Sprint(ends) != want || (got > 0) != (lose == 0) {
				t.Errorf("%v, %d answers confirmed, %d asks", ends, got, asks)
			}
			for len(confirmed) > 0 {
				<-confirmed
			}
		})
	}
}
