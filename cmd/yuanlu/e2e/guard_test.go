package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// guardPIN is as long as a PIN may be, so that it stands in no file by chance.
const guardPIN = "628401739512"

// counter is a smart terminal that asks before its refunds, at an agent that holds what is wrong.
type counter struct {
	*station
	term    *terminal.Terminal
	port    string // the link that the agent reads
	socket  *wire.Socket
	entries []scenario.Entry
}

// newCounter starts an agent with level hold and a supervisor with a PIN.
func newCounter(t *testing.T, seed uint64, o terminal.GuardOptions) *counter {
	t.Helper()
	return newCounterAt(t, seed, o, "")
}

// newCounterAt is newCounter with a broker at a URL, "" none.
func newCounterAt(t *testing.T, seed uint64, o terminal.GuardOptions, broker string) *counter {
	t.Helper()
	c := &counter{}
	c.port = filepath.Join(t.TempDir(), "pos")
	c.plug(t)
	var err error
	if c.term, err = terminal.New(terminal.Options{Model: "smart", Seed: seed, Wrong: 0.5}); err != nil {
		t.Fatal(err)
	}
	o.Supervisor, o.PIN = "s-1", guardPIN
	if o.Deadline == 0 {
		o.Deadline = 5 * time.Second // a loaded machine
	}
	if o.Presents == 0 {
		o.Presents = -1
	}
	c.term.Guard(o)
	c.station = newStation(t, settings{port: c.port, wire: "smart", link: `guard = "hold"`, broker: broker,
		extra: "[[guard.supervisor]]\nid = \"s-1\"\nname = \"Wang\"\noperators = [\"90\"]\n"})
	if out := c.verb(t, guardPIN+"\n"+guardPIN+"\n", 0, "guard", "pin", "s-1"); strings.Contains(out, guardPIN) {
		t.Error("the PIN is printed")
	}
	c.startOnline()
	return c
}

// plug puts the terminal's line in; a play takes it out at its end.
func (c *counter) plug(t *testing.T) {
	t.Helper()
	socket, err := wire.Plug("pty", c.port, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.socket = socket
	t.Cleanup(func() { _ = socket.Close() })
}

// verb runs a verb on the station and returns what it prints.
func (c *counter) verb(t *testing.T, stdin string, code int, args ...string) string {
	t.Helper()
	cmd := c.command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if got := exitOf(cmd.Run()); got != code {
		t.Errorf("%v: exit status %d, want %d: %s", args, got, code, out.String())
	}
	return out.String()
}

// play plays steps, or seeded customers, until so many entries are sent.
func (c *counter) play(t *testing.T, steps []scenario.Step, count int, f wire.Faults) []scenario.Entry {
	t.Helper()
	source := terminal.Script(c.term, steps)
	if steps == nil {
		source = terminal.Customers(c.term)
	}
	from := len(c.entries)
	p, err := terminal.NewPlayer(terminal.PlayerOptions{Terminal: c.term, Model: "smart", Source: source, Socket: c.socket, Count: count,
		Faults: f, Seed: 3, Wait: true, Sent: func(e *scenario.Entry, _ terminal.Outcome) { c.entries = append(c.entries, *e) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.entries[from:]
}

// heldAsk is a line of `hold list --json`.
type heldAsk struct {
	Ask, State, By string
	LeftS          int64 `json:"left_s"`
	WrongPINs      int   `json:"wrong_pins"`
	Record         int64
}

func (c *counter) holds(t *testing.T) map[string]heldAsk {
	t.Helper()
	all := map[string]heldAsk{}
	for line := range strings.Lines(c.verb(t, "", 0, "hold", "list", "--all", "--json")) {
		var h heldAsk
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[h.Ask] = h
	}
	return all
}

// guardCase is a line of `cases list --json`.
type guardCase struct {
	Severity string
	Verdict  struct {
		Findings []struct{ Code, Severity string }
	}
	Refund struct{ Ask string }
}

// codes returns the findings of the case about each ask, "code severity".
func (c *counter) codes(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(c.verb(t, "", 0, "cases", "list", "-n", "10000", "--json")) {
		var one guardCase
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, f := range one.Verdict.Findings {
			all[one.Refund.Ask] = append(all[one.Refund.Ask], f.Code+" "+f.Severity)
		}
	}
	return all
}

// wrongAt is a sale and a refund of it to a stranger's card, with a cashier of that kind.
func wrongAt(cashiers ...string) (steps []scenario.Step) {
	for i, who := range cashiers {
		name := fmt.Sprintf("s%d", i)
		steps = append(steps, scenario.Step{Do: "sale", As: name, By: fmt.Sprintf("g%d", i), Pay: "chip", Amount: 3000, Form: "clear"},
			scenario.Step{Do: "refund", Of: name, To: "stranger", Entry: "keyed", Form: "clear", Amount: 1500, Cashier: who})
	}
	return steps
}

// TestE2EGuardAtTheCounter: every way of a cashier with a wrong refund, and its hold and case; then the supervisor at
// the console, a look, and no PIN anywhere.
func TestE2EGuardAtTheCounter(t *testing.T) {
	c := newCounter(t, 4, terminal.GuardOptions{})
	c.verb(t, "", 0, "capture", "start", "pos")
	ways := []string{"obey", "overrule", "bypass", "release", "mistype", "leave"}
	ends := map[string]string{}
	var left string
	for _, e := range c.play(t, wrongAt(ways...), 0, wire.Faults{}) {
		if g := e.Guard; g != nil && e.Step.To == "stranger" {
			ends[e.Step.Cashier] = g.Ask
			if !g.MustHold || g.Action != "hold" || !strings.Contains(g.Text, "somebody else") {
				t.Errorf("%s: %+v", e.Step.Cashier, g)
			}
		}
	}
	left = ends["leave"]
	holds, codes := c.holds(t), c.codes(t)
	for way, want := range map[string]string{"obey": "corrected", "overrule": "cancelled", "bypass": "bypassed", "release": "released", "mistype": "released", "leave": "open"} {
		h := holds[ends[way]]
		if h.State != want || (h.Record > 0) != (want == "bypassed" || want == "released") || (h.LeftS > 0) != (want == "open") || (h.WrongPINs == 1) != (way == "mistype") {
			t.Errorf("%s: %+v", way, h)
		}
		bypassed := slices.Contains(codes[ends[way]], "hold_bypassed critical")
		if bypassed != (way == "bypass") || (len(codes[ends[way]]) > 0) != (h.Record > 0) {
			t.Errorf("%s: case %v", way, codes[ends[way]])
		}
	}
	if out := c.verb(t, "", 0, "status", "--lang", "en"); !strings.Contains(out, "held refunds") || !strings.Contains(out, left) {
		t.Error(out)
	}
	if out := c.verb(t, "", 0, "status", "--json"); !strings.Contains(out, `"ask":"`+left+`"`) {
		t.Error(out)
	}
	if out := c.verb(t, "", 0, "tail", "-n", "200"); !strings.Contains(out, "a refund is held") || !strings.Contains(out, "5m0s") {
		t.Error(out)
	}
	if out := c.verb(t, "", 0, "hold", "show", left); !strings.Contains(out, "CNY 15.00") || !strings.Contains(out, "recipient_mismatch") {
		t.Error(out)
	}
	c.verb(t, "739512\n", 77, "hold", "release", left, "--by", "s-1", "--reason", "consent")
	c.verb(t, guardPIN+"\n", 0, "hold", "release", left, "--by", "s-1", "--reason", "1")
	c.verb(t, guardPIN+"\n", 65, "hold", "release", left, "--by", "s-1", "--reason", "1")
	if h := c.holds(t)[left]; h.State != "released" || h.By != "s-1" {
		t.Errorf("%+v", h)
	}
	if out := c.verb(t, "", 0, "status", "--lang", "en"); !strings.Contains(out, "6 held") || !strings.Contains(out, "refused (ended 1, wrong_pin 2)") {
		t.Error(out)
	}
	c.look(t)
	c.verb(t, "", 0, "capture", "stop")
	c.kill()
	if h := c.holds(t)[left]; h.State != "released" { // of the store, without a daemon
		t.Errorf("%+v", h)
	}
	searchForSecrets(t, append(c.term.Secrets(), guardPIN), []string{c.store, c.dir}, map[string][]byte{"log": []byte(c.log.String())})
}

// look asks from the console about the first sale.
func (c *counter) look(t *testing.T) {
	t.Helper()
	var sale *wire.Record
	for i := range c.entries {
		if r := &c.entries[i].Record; r.Kind == "sale" && sale == nil {
			sale = r
		}
	}
	number := sale.RRN
	if out := c.verb(t, sale.Party.ID+"\n", 0, "ask", "--refund-of", number, "--amount", "1.00", "--card", "--lang", "en"); !strings.Contains(out, "back to the payer") {
		t.Error(out)
	}
	if out := c.verb(t, "6200000000000005\n", 5, "ask", "--refund-of", number, "--amount", "1.00", "--card", "--lang", "zh"); !strings.Contains(out, "收款方不是原付款方") || strings.Contains(out, "6200000000000005") {
		t.Error(out)
	}
	if n := len(c.holds(t)); n != 6 {
		t.Errorf("%d holds: a look held something", n)
	}
	c.cardRead(t, number)
}

// cardRead asks about a sale while another customer has his card read.
func (c *counter) cardRead(t *testing.T, number string) {
	t.Helper()
	cmd := c.command("ask", "--refund-of", number, "--amount", "1.00", "--card-read", "pos", "--lang", "en")
	prompt, err := cmd.StderrPipe()
	var out bytes.Buffer
	if cmd.Stdout = &out; err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(prompt).ReadString('\n')
	c.plug(t)
	c.play(t, []scenario.Step{{Do: "sale", As: "read", By: "g77", Pay: "chip", Amount: 500, Form: "clear"}}, 0, wire.Faults{})
	code := exitOf(cmd.Wait())
	if !strings.Contains(line, "card read on link pos, within 60 s") || code != 5 || !strings.Contains(out.String(), "presented_mismatch") || !strings.Contains(out.String(), "5.00") {
		t.Errorf("exit status %d: %s%s", code, line, out.String())
	}
	c.verb(t, "", 3, "ask", "--refund-of", number, "--amount", "1.00", "--card-read", "nope")
}

// TestE2EGuardLostAndLate: an answer that never arrives lets the firmware go on, which is a finding at medium; one that
// arrived and was looked at too late is a bypass; after a power cut the firmware learns what became of its hold.
func TestE2EGuardLostAndLate(t *testing.T) {
	for _, one := range []struct {
		name  string
		f     terminal.GuardFaults
		who   string
		state string
		code  string
	}{
		{"lost", terminal.GuardFaults{Lose: 1}, "cancel", "bypassed", "hold_bypassed medium"},
		{"late", terminal.GuardFaults{Late: 1}, "cancel", "bypassed", "hold_bypassed critical"},
		{"power cut", terminal.GuardFaults{Power: 1}, "release", "released", ""},
		{"repeated", terminal.GuardFaults{Repeat: 1}, "cancel", "cancelled", ""},
	} {
		t.Run(one.name, func(t *testing.T) {
			o := terminal.GuardOptions{Faults: one.f}
			if one.f.Lose > 0 {
				o.Deadline = 2 * time.Second
			}
			c := newCounter(t, 5, o)
			var g *scenario.Guarded
			for _, e := range c.play(t, wrongAt(one.who), 0, wire.Faults{}) {
				if e.Guard != nil {
					g = e.Guard
				}
			}
			holds := c.holds(t)
			if len(holds) != 1 || holds[g.Ask].State != one.state {
				t.Errorf("%+v, %+v", holds, g)
			}
			if all := c.codes(t)[g.Ask]; one.code != "" && !slices.Contains(all, one.code) || one.code == "" && strings.Contains(strings.Join(all, " "), "hold_bypassed") {
				t.Errorf("case %v, want %s", all, one.code)
			}
		})
	}
}

// TestE2EGuardOnABadLine: frames are damaged, lost and repeated in both directions' terms, answers lost and late; at the
// end no refund is both held and sent without a word. YUANLU_SOAK=1: a day's refunds under each of ten seeds.
func TestE2EGuardOnABadLine(t *testing.T) {
	count, seeds := 120, 1
	if os.Getenv("YUANLU_SOAK") != "" {
		count, seeds = 600, 10
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", 6+seed), func(t *testing.T) { onABadLine(t, 6+seed, count) })
	}
}

func onABadLine(t *testing.T, seed uint64, count int) {
	c := newCounter(t, seed, terminal.GuardOptions{Deadline: time.Second, Faults: terminal.GuardFaults{Lose: 0.1, Late: 0.1, Repeat: 0.2, Power: 0.05},
		Cashiers: map[string]int{"obey": 2, "overrule": 2, "release": 2, "bypass": 3, "leave": 1}})
	// A cut power line comes back by itself; the agent looks for the port once a second.
	c.play(t, nil, count, wire.Faults{Split: 0.2, Repeat: 0.1, Flip: 2e-5, Drop: 1e-5})
	holds, codes := c.holds(t), c.codes(t)
	made, heldAndMade, bypassed := 0, 0, 0
	for _, e := range c.entries {
		g := e.Guard
		if g == nil || !g.Made() || e.Record.Outcome == "declined" || e.Record.Outcome == "closed" {
			continue
		}
		made++
		h, held := holds[g.Ask]
		said := slices.ContainsFunc(codes[g.Ask], func(code string) bool { return strings.HasPrefix(code, "hold_bypassed ") })
		if held && h.State != "released" {
			heldAndMade++
			if !said {
				t.Errorf("%s was held (%s), made (%s), and nothing is said of it: %v", g.Ask, h.State, g.End, codes[g.Ask])
			}
		}
		if g.End == scenario.Bypassed {
			bypassed++
			if !slices.Contains(codes[g.Ask], "hold_bypassed critical") {
				t.Errorf("%s was bypassed: %v", g.Ask, codes[g.Ask])
			}
		}
	}
	t.Logf("%d refunds made, %d holds, %d held and made without a release, all told of, %d of them bypassed by the cashier", made, len(holds), heldAndMade, bypassed)
	if made < count/20 || len(holds) == 0 {
		t.Errorf("%d refunds made, %d holds", made, len(holds))
	}
	c.kill()
	searchForSecrets(t, append(c.term.Secrets(), guardPIN), []string{c.store, c.dir}, map[string][]byte{"log": []byte(c.log.String())})
}
