package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/firmware-sim/scenario"
)

// ledger prints what the simulated terminals really did: the journals that are named, or those of the last runs.
func ledger(_ context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flags("ledger", stderr)
	f.Bool("json", true, "JSON Lines, which it always is")
	refunds := f.Bool("refunds", false, "only refunds and voids: those that have a truth")
	if err := parse(f, args); err != nil {
		return err
	}
	files := f.Args()
	if len(files) == 0 {
		dir, err := journalDir()
		if err != nil {
			return err
		}
		if files, err = filepath.Glob(filepath.Join(dir, "*.jsonl")); err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("no terminal has been run here: %w", os.ErrNotExist)
		}
	}
	for _, name := range files {
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		entries, err := scenario.ReadEntries(in)
		in.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		scenario.Final(entries)
		for i := range entries {
			if *refunds && entries[i].Truth == nil {
				continue
			}
			if err := scenario.WriteEntry(stdout, &entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
