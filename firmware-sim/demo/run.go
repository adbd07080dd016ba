package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// Options are how the demo is run.
type Options struct {
	Agent  string // path of yuanlu
	Desk   string // path of yuanlu-desk; empty: a back office inside
	Verify string // path of yuanlu-verify; empty: no case is exported and verified; wants Desk
	Keep   bool   // keep the directory
	Stay   bool   // after the table leave the desk running with its page until the context ends; wants Desk
	Seed   uint64
	JSON   bool
	Colour bool
	Out    io.Writer
	Limit  time.Duration // end after so long, whatever has come; 0: two minutes less thirty seconds
	Faults wire.Faults   // of every line, beside frames in pieces; such that lose no byte, or cases will be missed
}

// ErrDiffers: cases and truth differ; what differs was printed.
var ErrDiffers = errors.New("cases and truth differ")

// Times of the demo: customers come for a while, then the last cases may take their time, then the office works some of
// them. Together below a minute on a quiet machine; a busy or emulated one may need more than that.
const (
	limit   = 90 * time.Second
	playFor = 12 * time.Second
	waitFor = 25 * time.Second
	settle  = 4 * time.Second // longer than pending_grace: what comes falsely has come by then
	grace   = "2s"

	// A line of the demo loses nothing, so a frame is given up late: on a machine that is busy or emulated a terminal
	// may stand still in the middle of one for longer than a real one ever does, and its settlement would not add up.
	silence = "30s"
	pieces  = 0.2 // share of the frames that come in pieces
)

// Run runs the demo until its end, at most for o.Limit. On failure the directory is kept.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "yuanlu-demo-")
	if err != nil {
		return err
	}
	out := &output{o: o}
	failed := show(ctx, o, dir, out)
	if failed == nil && !o.Keep {
		return os.RemoveAll(dir)
	}
	out.line("kept: %s", dir)
	return failed
}

func show(all context.Context, o Options, dir string, out *output) error {
	ctx, cancel := context.WithTimeout(all, cmp.Or(o.Limit, limit))
	defer cancel()
	desk := newBackOffice(out)
	broker, err := startBroker(desk)
	if err != nil {
		return err
	}
	defer func() { _ = broker.Close() }()
	crew, err := equip(ctx, o, dir, broker.url, out)
	if err != nil {
		return err
	}
	defer crew.close()
	desk.know(crew)
	var outside *outsideDesk
	if o.Desk != "" {
		desk.outside = true
		outside, err = startDesk(ctx, &o, broker.url, dir, desk)
		if err != nil {
			return err
		}
		defer outside.Close()
	}
	if err := crew.startAgents(o.Agent); err != nil {
		return err
	}
	if err := crew.play(ctx); err != nil {
		crew.tails(out)
		return err
	}
	out.line("the day is over; waiting for the last cases")
	desk.wait(ctx, crew.expected(), waitFor, settle)
	crew.stopAgents()
	result := compare(crew, desk)
	day, err := outside.work(ctx, crew, desk, out)
	if err != nil {
		result.differ = append(result.differ, fmt.Sprintf("office: %v", err))
	} else if day != nil {
		result.differ = append(result.differ, day.Differ...)
	}
	proof, err := outside.prove(ctx, day)
	if err != nil {
		result.differ = append(result.differ, fmt.Sprintf("evidence: %v", err))
	}
	result.leaks = findLeaks(crew, desk, dir)
	out.table(result)
	out.office(day)
	out.proof(day, proof)
	if !result.ok() {
		crew.tails(out)
		return ErrDiffers
	}
	if o.Stay && day != nil {
		out.open(outside.url, day)
		<-all.Done()
	}
	return nil
}

// expected lists the keys of the refunds that must become cases.
func (c *crew) expected() []string {
	var out []string
	for _, s := range c.stations {
		for _, e := range s.ledger() {
			if e.Truth != nil && e.Truth.Case {
				out = append(out, keyOf(&e))
			}
		}
	}
	return out
}

// keyOf names a refund in truth and case alike.
func keyOf(e *scenario.Entry) string {
	return refundKey(e.Record.TerminalID, e.Record.Batch, e.Record.Stan, e.Record.RefundNo)
}

// refundKey names a refund by its number at the terminal, or where the channel assigns none by the merchant's number.
func refundKey(terminal, batch, stan, refundNo string) string {
	if stan == "" {
		return terminal + "/" + refundNo
	}
	return terminal + "/" + batch + "/" + stan
}

// play lets all terminals play at once.
func (c *crew) play(all context.Context) error {
	ctx, cancel := context.WithCancel(all)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(c.stations))
	for i, s := range c.stations {
		wg.Go(func() {
			if errs[i] = s.play(ctx); errs[i] != nil {
				cancel() // the others need not go on
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the demo took too long: %w", ctx.Err())
	}
	return nil
}

// findLeaks searches the traffic and the agents' files for clear identifiers; it reports where, never what.
func findLeaks(c *crew, desk *backOffice, dir string) []string {
	var leaks []string
	secrets := newSecrets(c)
	desk.mu.Lock()
	for topic, payloads := range desk.traffic {
		if n := secrets.in(payloads); n > 0 {
			leaks = append(leaks, fmt.Sprintf("topic %s: %d", topic, n))
		}
	}
	desk.mu.Unlock()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() || filepath.Base(path) == truthFile {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := secrets.in(data); n > 0 {
			leaks = append(leaks, fmt.Sprintf("file %s: %d", path, n))
		}
		return nil
	})
	if err != nil {
		leaks = append(leaks, fmt.Sprintf("search: %v", err))
	}
	return leaks
}
