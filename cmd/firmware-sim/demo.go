package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"yuanlu/firmware-sim/demo"
	"yuanlu/firmware-sim/wire"
)

// runDemo shows the whole thing on one machine.
func runDemo(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flags("demo", stderr)
	var o demo.Options
	f.StringVar(&o.Agent, "agent", "", "the yuanlu program")
	f.StringVar(&o.Desk, "desk", "", "the yuanlu-desk program; without it a small back office inside takes the cases")
	f.StringVar(&o.Verify, "verify", "", "the yuanlu-verify program: at the end one case is exported as evidence and verified; with --desk")
	f.BoolVar(&o.Keep, "keep", false, "keep the directory with configurations, logs, stores and the truth")
	f.BoolVar(&o.Stay, "stay", false, "after the table leave the desk running with its page, until Ctrl-C; with --desk")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed gives the same customers")
	f.BoolVar(&o.JSON, "json", false, "cases and table as JSON Lines")
	f.DurationVar(&o.Limit, "limit", 0, "end after so long, whatever has come; 0: 90s")
	var faults list
	f.Var(&faults, "fault", "split|merge|repeat|stall=RATE on every line; may be repeated")
	if err := parse(f, args); err != nil {
		return err
	}
	if o.Agent == "" || f.NArg() > 0 || (o.Stay || o.Verify != "") && o.Desk == "" {
		return fmt.Errorf("%w: demo --agent BIN [--desk BIN] [--verify BIN] [--stay] [--keep] [--seed N] [--fault …] [--limit 90s]", errUsage)
	}
	var err error
	if o.Faults, err = wire.ParseFaults(faults); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	for _, bin := range []string{o.Agent, o.Desk, o.Verify} {
		if _, err := os.Stat(bin); err != nil && bin != "" {
			return err
		}
	}
	if out, ok := stdout.(*os.File); ok {
		i, err := out.Stat()
		o.Colour = err == nil && i.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	}
	o.Out = stdout
	err = demo.Run(ctx, o)
	if errors.Is(err, demo.ErrDiffers) {
		return errors.Join(errPrinted, err)
	}
	return err
}
