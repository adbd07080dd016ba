package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/firmware-sim/bills"
)

// writeBills writes the bills of some days, what terminals report of them, and the plan of what was planted.
func writeBills(_ context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flags("bills", stderr)
	o := bills.Options{}
	f.IntVar(&o.Terminals, "terminals", 10, "`number` of terminals, 1 to 9999")
	f.IntVar(&o.Days, "days", 30, "`number` of days from 2026-08-01, 1 to 31")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed makes the same days")
	dir := f.String("out", "", "new `directory`: bills, days.jsonl, plan.jsonl")
	if err := parse(f, args); err != nil {
		return err
	}
	if *dir == "" || f.NArg() > 0 {
		return fmt.Errorf("%w: --out DIR is needed", errUsage)
	}
	month, err := bills.New(o)
	if err != nil {
		return err
	}
	if err := os.Mkdir(*dir, 0o755); err != nil {
		return err
	}
	var days, plan []byte
	files := 0
	for _, d := range month.Days {
		for _, b := range d.Bills {
			if err := os.WriteFile(filepath.Join(*dir, b.Name), b.Data, 0o644); err != nil {
				return err
			}
			files++
		}
		for _, line := range d.Digests {
			days = append(append(days, line...), '\n')
		}
	}
	for _, p := range month.Plan {
		line, err := json.Marshal(p)
		if err != nil {
			return err
		}
		plan = append(append(plan, line...), '\n')
	}
	for name, text := range map[string][]byte{"days.jsonl": days, "plan.jsonl": plan} {
		if err := os.WriteFile(filepath.Join(*dir, name), text, 0o644); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "%d bills, %d differences planted: %s\n", files, len(month.Plan), *dir)
	return err
}
