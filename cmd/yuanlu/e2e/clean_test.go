package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
)

// cleanTerminal is one simulated terminal whose customers get every refund right, its
// wire decoded and judged in this process.
type cleanTerminal struct {
	t    *testing.T
	sim  *terminal.Terminal
	say  *terminal.Speaker
	wire ingest.Wire
	db   *ledger.DB
	last ingest.Clock

	entries []scenario.Entry // all, in order
	batch   []refund.Sighting
}

func newCleanTerminal(t *testing.T, model, wireName string) *cleanTerminal {
	t.Helper()
	sim, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: 2026, Wrong: -1})
	must(t, err)
	say, err := terminal.NewSpeaker(model, wireName)
	must(t, err)
	profile, err := ingest.DefaultProfile(wireName)
	must(t, err)
	db, err := ledger.OpenTemporary(t.Context(), ledger.Options{Dir: t.TempDir(), Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	w, err := ingest.NewWire(wireName, profile, nil, ingest.WithTokenizer(db.Keys()))
	must(t, err)
	return &cleanTerminal{t: t, sim: sim, say: say, wire: w, db: db}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take keeps the records of a step and judges them some at a time.
func (c *cleanTerminal) take(s ingest.Step, err error) {
	must(c.t, err)
	for _, d := range s.Records {
		c.batch = append(c.batch, refund.Sighting{Record: refund.Seal(d.Record, c.db.Keys()), Received: c.sim.Now(), ClockSynced: true})
	}
	if len(c.batch) >= 256 {
		c.judge()
	}
}

func (c *cleanTerminal) judge() {
	_, err := c.db.Apply(context.Background(), []refund.Arrival{{Link: "pos", Sightings: c.batch}})
	must(c.t, err)
	c.batch = c.batch[:0]
}

// play lets customers come until so many refunds and voids were made.
func (c *cleanTerminal) play(refunds int) {
	scanner := c.wire.Scanner()
	for made := 0; made < refunds; {
		entries, err := c.sim.Next()
		must(c.t, err)
		for i := range entries {
			e := &entries[i]
			c.entries = append(c.entries, *e)
			if e.Truth != nil && e.Record.Copy == "" {
				made++
			}
			now := c.sim.Now()
			c.last = ingest.Clock{Now: now, Synced: true, HasNow: true, Zone: ingest.DefaultZone()}
			due, _ := c.wire.Due(c.last)
			c.take(due, nil)
			frames, err := c.say.Frames(e)
			must(c.t, err)
			for _, f := range frames {
				scanner.Push(f.Bytes)
				for got, ok := scanner.Next(); ok; got, ok = scanner.Next() {
					c.take(c.wire.Frame(got, c.last))
				}
			}
		}
	}
	c.take(c.wire.End(c.last), nil)
	c.judge()
	must(c.t, c.db.ReleaseAll(context.Background(), func([]refund.Applied) error { return nil }))
}

// truths returns what the contract demands of each refund and void, in the order in
// which they were first seen.
func (c *cleanTerminal) truths() (all []*scenario.Entry) {
	scenario.Final(c.entries)
	for i := range c.entries {
		if e := &c.entries[i]; e.Truth != nil && e.Record.Copy == "" {
			all = append(all, e)
		}
	}
	return all
}

// TestE2ECleanRefunds: refunds and voids that all reach who paid, over all channels
// and wires: what the wire shows enough of passes, and the rest gets the decision that
// the contract demands of it (a token of a phone beside a card number, another card of
// the same person, a refund that names no sale).
func TestE2ECleanRefunds(t *testing.T) {
	each := 2_500
	if os.Getenv("YUANLU_SOAK") != "" {
		each = 25_000
	}
	for _, one := range [][2]string{{"e-sign", "mispos"}, {"traditional", "mispos"}, {"traditional", "cup8583"}, {"smart", "smart"}} {
		t.Run(one[0]+"-"+one[1], func(t *testing.T) {
			c := newCleanTerminal(t, one[0], one[1])
			c.play(each)
			c.compare()
		})
	}
}

func (c *cleanTerminal) compare() {
	t := c.t
	want := c.truths()
	counts := map[string]int{}
	n, wrong := 0, 0
	for j, err := range c.db.Verdicts(context.Background(), 1) {
		must(t, err)
		v := &j.Verdict
		counts[fmt.Sprintf("%s %s %s", v.Decision, v.Recipient, v.Reason+string(v.Evidence))]++
		if n >= len(want) {
			n++
			continue
		}
		e := want[n]
		n++
		var codes []string
		for _, f := range v.Findings {
			codes = append(codes, f.Code)
		}
		x := e.Truth
		if x.Label == scenario.Right && v.Decision != refund.Pass || string(v.Decision) != x.Decision || string(v.Recipient) != x.Recipient || v.Reason != x.Reason || !slices.Equal(codes, x.Codes) {
			if wrong++; wrong <= 5 {
				t.Errorf("entry %d (%s): %s\n want %+v", e.Seq, x.Label, v.AppendJSON(nil), *x)
			}
		}
	}
	if n != len(want) || wrong > 0 {
		t.Errorf("%d verdicts, want %d; %d wrong", n, len(want), wrong)
	}
	t.Logf("%d refunds and voids in %d entries", n, len(c.entries))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%8d %s", counts[what], what)
	}
}
