package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/dryrun"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/screen"
)

// A dry run is measured by its time: the heap, a few megabytes, may grow by dryRunGCPercent
// between two runs of the collector. Above dryRunMemory bytes of Go's own memory it runs as
// often as it must.
const (
	dryRunGCPercent = 800
	dryRunMemory    = 48 << 20
)

func checkVerb() *verb {
	return &verb{name: "check", machine: true, usage: "[--final] [FILE|-]",
		en: "records in, verdicts out, both as JSON Lines; nothing else is touched",
		zh: "输入记录、输出判定，均为 JSON Lines；不改动任何数据", run: (*program).check}
}

func (p *program) check(ctx context.Context, args []string) (err error) {
	v := checkVerb()
	f := p.flags(v)
	final := f.Bool("final", false, p.lang.T("only the last verdict of each refund and void, in seq order", "每笔退款和撤销只输出最后一次判定，按序号排列"))
	rest, err := p.parse(v, f, args, 0, 1)
	if err != nil {
		return err
	}
	name := ""
	if len(rest) == 1 {
		name = rest[0]
	}
	in, err := p.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	run, err := p.startDryRun(ctx, *final)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	left, err := run.Lines(ctx, in, func(err error) { p.complain("check", catalogue.Translated(err.Error())) }, p.recordsProgress())
	if err != nil {
		return err
	}
	if err := run.Finish(ctx); err != nil {
		return err
	}
	p.showLeftOut(left.Counts())
	if left.Refused > 0 {
		return errPrinted(exitData)
	}
	return nil
}

// startDryRun starts judging records in a temporary store.
func (p *program) startDryRun(ctx context.Context, final bool) (*dryrun.Run, error) {
	if p.whole && p.env("GOGC") == "" {
		debug.SetGCPercent(dryRunGCPercent)
		debug.SetMemoryLimit(dryRunMemory)
	}
	return dryrun.Start(ctx, dryrun.Options{Dir: p.env("TMPDIR"), Judge: newJudge(refund.DefaultSettings()), Out: p.stdout, Final: final, Now: p.now})
}

// recordsProgress returns what shows on a terminal, at most once a second, how many records
// of a long input were read.
func (p *program) recordsProgress() func(n int64) {
	if !screen.IsTerminal(p.stderr) {
		return func(int64) {}
	}
	began := p.now()
	next := began.Add(2 * time.Second)
	return func(n int64) {
		if n%1024 != 0 {
			return
		}
		now := p.now()
		if now.Before(next) {
			return
		}
		next = now.Add(time.Second)
		fmt.Fprintf(p.stderr, "\r%s %d (%.0f/s) ", p.lang.T("records", "记录"), n, float64(n)/now.Sub(began).Seconds())
	}
}
