package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"yuanlu/firmware-sim/terminal"
)

// guardFlags are how a smart terminal asks before its refunds.
type guardFlags struct {
	on                               bool
	cashiers, supervisor, pin, later string
	deadline                         time.Duration
	presents                         float64
	faults                           list
}

func (g *guardFlags) add(f *flag.FlagSet) {
	f.BoolVar(&g.on, "guard", false, "smart: ask the agent before each refund and void, and do what it answers")
	f.StringVar(&g.cashiers, "cashiers", "", "how the cashiers are, with weights: obey=6,overrule=2,release=2,bypass=1 (also cancel, mistype, leave)")
	f.StringVar(&g.supervisor, "supervisor", "", "id of the supervisor who releases what is held")
	f.StringVar(&g.pin, "pin-file", "", "file whose first line is his PIN")
	f.DurationVar(&g.deadline, "deadline", 0, "how long the terminal waits for an answer; 0: 300ms")
	f.StringVar(&g.later, "at-deadline", "send", "without an answer: send the refund, or stop")
	f.Float64Var(&g.presents, "presents", 0.5, "share of customers who show their code or card again when asked to; negative: none")
	f.Var(&g.faults, "guard-fault", "lose|late|repeat|power=RATE: the answer is lost or looked at late, the ask sent twice, the power cut while held; may be repeated")
}

// apply makes the terminal ask, if it is to.
func (g *guardFlags) apply(t *terminal.Terminal) error {
	if !g.on {
		return nil
	}
	if t.Wire() != "smart" || g.later != "send" && g.later != "stop" {
		return fmt.Errorf("%w: --guard is for the smart wire, --at-deadline is send or stop", errUsage)
	}
	o := terminal.GuardOptions{Supervisor: g.supervisor, Deadline: g.deadline, Stop: g.later == "stop", Presents: g.presents}
	var err error
	if o.Cashiers, err = terminal.ParseCashiers(g.cashiers); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.Faults, err = terminal.ParseGuardFaults(g.faults); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if g.pin != "" {
		data, err := os.ReadFile(g.pin)
		if err != nil {
			return err
		}
		o.PIN, _, _ = strings.Cut(string(data), "\n")
	}
	t.Guard(o)
	return nil
}
