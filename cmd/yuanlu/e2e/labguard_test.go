package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

const labGuardConfig = `
[terminal]
id = "t-lab"
merchant_id = "898000000000001"
[store]
dir = %q
[[link]]
name = "smart"
wire = "smart"
port = "usb:1209:5053:SIM-10000001"
guard = "hold"
[[guard.supervisor]]
id = "s-1"
name = "Wang"
operators = ["90"]
`

// TestLabGuard: asks, answers, releases and cancels over USB, by bulk transfers of libusb in a
// machine of its own: each way of a cashier with a wrong refund, and what became of its hold.
func TestLabGuard(t *testing.T) {
	kernel := labKernel(t)
	b := newLabBench(t)
	guestEnded := b.boot(kernel, fmt.Sprintf(labGuardConfig, guestStore), nil, 7*time.Minute)
	b.task("shell booted true")
	eventually(t, 3*time.Minute, "the guest has booted", func() bool { return b.handed("shell/booted") != nil })
	if out := b.shell("printf '" + guardPIN + `\n` + guardPIN + `\n' | yuanlu guard pin s-1 --config ` + guestConfig); !strings.Contains(out, "is set") {
		t.Errorf("guard pin: %s", out)
	}
	socket, err := wire.PlugUSB("127.0.0.1:0", "SIM-10000001", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	term, err := terminal.New(terminal.Options{Model: "smart", Seed: 54, TerminalID: "10000001", Wrong: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	term.Guard(terminal.GuardOptions{Supervisor: "s-1", PIN: guardPIN, Deadline: 5 * time.Second, Presents: -1})
	(&plug{firmware: &firmware{t: t, term: term, socket: socket}, bench: b}).attach()
	ways := []string{"obey", "overrule", "bypass", "release", "mistype", "leave"}
	states := []string{"corrected", "cancelled", "bypassed", "released", "released", "open"}
	ends := map[string]string{}
	p, err := terminal.NewPlayer(terminal.PlayerOptions{Terminal: term, Model: "smart", Source: terminal.Script(term, wrongAt(ways...)), Socket: socket,
		Seed: 3, Wait: true, Sent: func(e *scenario.Entry, _ terminal.Outcome) {
			if g := e.Guard; g != nil && e.Step.To == "stranger" {
				ends[e.Step.Cashier] = g.Ask
				if g.Action != "hold" {
					t.Errorf("%s: %+v", e.Step.Cashier, g)
				}
			}
		}})
	if err == nil {
		err = p.Run(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	out := b.verb("hold list --all --json")
	for line := range strings.Lines(out) {
		var h heldAsk
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for i, way := range ways {
			if ends[way] == h.Ask && h.State != states[i] {
				t.Errorf("%s: %+v", way, h)
			}
		}
	}
	if n := strings.Count(out, "\n"); n < len(ways) || len(ends) != len(ways) {
		t.Errorf("%d holds, %v asked", n, ends)
	}
	cases := b.verb("cases list -n 100 --json")
	if !strings.Contains(cases, "hold_bypassed") {
		t.Errorf("no case of the bypass: %s", cases)
	}
	b.task("stop")
	result := <-guestEnded
	if result.err != nil || result.Exit != 0 || t.Failed() {
		t.Errorf("guest: exit %d, %v, console:\n%s\nlog of the agent:\n%s", result.Exit, result.err, result.Output, b.handed("log"))
	}
	store := laidDown(t, map[string][]byte{"yuanlu.db": b.handed("store/yuanlu.db"), "yuanlu.db-wal": b.handed("store/yuanlu.db-wal")})
	searchForSecrets(t, slices.Concat(term.Secrets(), []string{guardPIN}), []string{store}, map[string][]byte{"log": b.handed("log"), "console": []byte(result.Output)})
	t.Logf("%v in the guest", result.Took.Round(time.Second))
}
