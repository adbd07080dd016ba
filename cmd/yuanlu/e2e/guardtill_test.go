package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// TestE2EGuardTillOfTheReadme: the client of the README asks about a right refund and about a wrong one, which a
// supervisor releases at the console, or the cashier cancels.
func TestE2EGuardTillOfTheReadme(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	client := textOf(readmeBlocks(t, "For a till's software"), "python")
	if n := strings.Count(client, "\n"); n < 30 || n > 45 {
		t.Errorf("the client has %d lines", n)
	}
	file := filepath.Join(t.TempDir(), "till.py")
	if err := os.WriteFile(file, []byte(client), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCounter(t, 7, terminal.GuardOptions{})
	sale := c.play(t, []scenario.Step{{Do: "sale", By: "anna", Pay: "chip", Amount: 3000, Form: "clear"}}, 0, wire.Faults{})[0].Record
	till := func(card string) (*exec.Cmd, *capture) {
		out := &capture{}
		cmd := exec.Command(python, file, filepath.Join(c.store, "guard.sock"), sale.TerminalID, sale.RRN, "1000", card)
		cmd.Stdout, cmd.Stderr = out, out
		return cmd, out
	}
	right, out := till(sale.Party.ID)
	if err := right.Run(); err != nil || !strings.Contains(out.String(), "It goes back to the payer.") {
		t.Errorf("%v: %s", err, out)
	}
	for _, way := range []string{"release", "cancel"} {
		t.Run(way, func(t *testing.T) {
			wrong, out := till("6200000000000005")
			if err := wrong.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 20*time.Second, "the till waits", func() bool { return strings.Contains(out.String(), "waiting") })
			var held heldAsk
			for _, h := range c.holds(t) {
				if h.State == "open" {
					held = h
				}
			}
			if way == "release" {
				c.verb(t, guardPIN+"\n", 0, "hold", "release", held.Ask, "--by", "s-1", "--reason", "reissued_card")
			} else {
				c.verb(t, "", 0, "hold", "cancel", held.Ask)
			}
			err := wrong.Wait()
			if (err == nil) != (way == "release") || !strings.Contains(out.String(), "somebody else") || (err != nil) != strings.Contains(out.String(), "not released: cancelled") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	if bytes.Contains([]byte(c.log.String()), []byte(sale.Party.ID)) {
		t.Error(fmt.Sprint("a card number is in the log of ", c.id))
	}
}
