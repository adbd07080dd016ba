package ledger

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/randomjournal"
)

// outcome is what a store holds about a journal in the end, without rev.
type outcome struct {
	records, verdicts, gaps []string
}

func (o *outcome) differs(other *outcome) string {
	for _, p := range []struct {
		what      string
		got, want []string
	}{{"record", o.records, other.records}, {"verdict", o.verdicts, other.verdicts}, {"integrity", o.gaps, other.gaps}} {
		for i := range max(len(p.got), len(p.want)) {
			g, w := "nothing", "nothing"
			if i < len(p.got) {
				g = p.got[i]
			}
			if i < len(p.want) {
				w = p.want[i]
			}
			if g != w {
				return fmt.Sprintf("%s:\n streaming %s\n     check %s", p.what, g, w)
			}
		}
	}
	return ""
}

// outcomeOf reads what d holds. What waited for its grace has been released before.
func outcomeOf(d *DB, gaps []refund.Integrity) (*outcome, error) {
	ctx := context.Background()
	var o outcome
	for r, err := range d.Records(ctx, 1) {
		if err != nil {
			return nil, err
		}
		o.records = append(o.records, fmt.Sprintf("%d copy of %d, undone by %d, %q, case %v", r.Seq, r.CopyOf, r.UndoneBy, r.Note, r.CaseID != ""))
	}
	for j, err := range d.Verdicts(ctx, 1) {
		if err != nil {
			return nil, err
		}
		if j.Unreleased {
			return nil, fmt.Errorf("verdict %d is still held", j.Verdict.Seq)
		}
		j.Verdict.Rev = 0
		o.verdicts = append(o.verdicts, string(j.Verdict.AppendJSON(nil)))
	}
	for i := range gaps {
		o.gaps = append(o.gaps, string(gaps[i].AppendJSON(nil)))
	}
	slices.Sort(o.gaps)
	return &o, nil
}

func gapsOf(applied []refund.Applied) (gaps []refund.Integrity) {
	for i := range applied {
		if applied[i].Integrity != nil {
			gaps = append(gaps, *applied[i].Integrity)
		}
	}
	return gaps
}

// checked is a fresh check of the whole journal.
func checked(dir string, journal []refund.Record) (*outcome, error) {
	ctx := context.Background()
	d, err := OpenTemporary(ctx, Options{Dir: dir, Judge: newJudge()})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	applied, err := d.Apply(ctx, together(d, journal))
	if err != nil {
		return nil, err
	}
	if _, err := releaseAll(ctx, d); err != nil {
		return nil, err
	}
	return outcomeOf(d, gapsOf(applied))
}

func releaseAll(ctx context.Context, d *DB) (all []refund.Applied, err error) {
	err = d.ReleaseAll(ctx, func(a []refund.Applied) error { all = append(all, a...); return nil })
	return all, err
}

// together puts sealed records into one arrival.
func together(d *DB, journal []refund.Record) []refund.Arrival {
	a := refund.Arrival{Link: "pos"}
	for _, r := range journal {
		a.Sightings = append(a.Sightings, refund.Sighting{Record: refund.Seal(r, d.Keys()), Received: start, ClockSynced: true})
	}
	return []refund.Arrival{a}
}

// stream is one terminal: records that come in batches, accidents between
// them, a clock that goes on.
type stream struct {
	rng      *rand.Rand
	o        Options
	d        *DB
	now      time.Time // of the terminal
	since    time.Time // of this process
	gaps     []refund.Integrity
	moves    int // copies of the files made
	root     string
	happened []string // for a report
}

func newStream(root string, seed uint64) (*stream, error) {
	s := &stream{rng: rand.New(rand.NewPCG(seed, 4)), root: root, now: start}
	s.o = Options{Dir: filepath.Join(root, "s0"), Judge: newJudge(), Now: func() time.Time { return s.now }}
	// What is written is read through the kernel in any case: syncing would only
	// make the test slow.
	s.o.Synchronous = "OFF"
	return s, s.open()
}

func (s *stream) open() (err error) {
	s.since = s.now
	s.d, err = Open(context.Background(), s.o)
	if err == nil && len(s.d.Damage()) > 0 {
		err = fmt.Errorf("damage %+v", s.d.Damage())
	}
	return err
}

// play takes in the journal.
func (s *stream) play(journal []refund.Record) error {
	ctx := context.Background()
	for len(journal) > 0 {
		n := min(1+s.rng.IntN(8), len(journal))
		var batch []refund.Arrival
		for _, part := range [][]refund.Record{journal[:n/2], journal[n/2 : n]} {
			batch = append(batch, together(s.d, part)...)
		}
		applied, err := s.d.Apply(ctx, batch)
		if err != nil {
			return err
		}
		s.gaps = append(s.gaps, gapsOf(applied)...)
		journal = journal[n:]
		s.now = s.now.Add(time.Duration(s.rng.IntN(240)) * time.Second)
		if err := s.accident(); err != nil {
			return err
		}
	}
	_, _, err := s.d.ReleaseDue(ctx, s.now.Add(time.Hour).Sub(s.since))
	return err
}

// accident is what happens between two batches.
func (s *stream) accident() error {
	ctx := context.Background()
	switch s.rng.IntN(16) {
	case 0:
		s.happened = append(s.happened, "restart")
		if err := s.d.Close(); err != nil {
			return err
		}
		s.now = s.now.Add(time.Duration(s.rng.IntN(3600)) * time.Second)
		return s.open()
	case 1:
		s.happened = append(s.happened, "crash")
		return s.crash()
	case 2:
		s.happened = append(s.happened, "rotate")
		return s.d.Rotate(ctx)
	case 3:
		s.happened = append(s.happened, "carried")
		return s.carry()
	case 4, 5, 6, 7, 8:
		_, _, err := s.d.ReleaseDue(ctx, s.now.Sub(s.since))
		return err
	}
	return nil
}

// crash goes on with the files as they are at this moment, as a process that was
// killed leaves them.
func (s *stream) crash() error {
	s.moves++
	to := filepath.Join(s.root, fmt.Sprintf("s%d", s.moves))
	if err := os.CopyFS(to, os.DirFS(s.o.Dir)); err != nil {
		return err
	}
	if err := s.d.Close(); err != nil {
		return err
	}
	s.o.Dir = to
	return s.open()
}

// carry goes on with the store on another terminal.
func (s *stream) carry() error {
	if err := s.d.Close(); err != nil {
		return err
	}
	s.moves++
	to := filepath.Join(s.root, fmt.Sprintf("s%d", s.moves))
	if err := carryStore(s.o.Dir, to); err != nil {
		return err
	}
	s.o.Dir = to
	return s.open()
}

// cases compares what was published of each case with what is decided in the end.
func (s *stream) cases() error {
	for j, err := range s.d.Verdicts(context.Background(), 1) {
		if err != nil {
			return err
		}
		v := &j.Verdict
		row, err := loadRow(s.d.w, v.Seq)
		if err != nil {
			return err
		}
		k, err := loadCase(s.d.w, row.CaseID)
		switch {
		case err != nil:
			return err
		case k == nil && worstOf(v) >= refund.Medium:
			return fmt.Errorf("verdict %d has no case", v.Seq)
		case k != nil && k.seq == v.Seq && k.published != publishedOf(v):
			return fmt.Errorf("verdict %d: published was %q, it is %q", v.Seq, k.published, publishedOf(v))
		case k != nil && k.seq == v.Seq && k.open && v.Decision == refund.Pass && k.events > 1 && !strings.HasPrefix(k.published, string(refund.Pass)):
			return fmt.Errorf("case of %d is open and passes", v.Seq)
		}
	}
	return nil
}

// streams runs the journal record by record and compares with a check of the whole;
// "" if they agree.
func streams(t *testing.T, seed uint64, journal []refund.Record) string {
	t.Helper()
	root, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	s, err := newStream(root, seed)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = s.d.Close() }()
	if err := s.play(journal); err != nil {
		return fmt.Sprintf("%v after %v", err, s.happened)
	}
	got, err := outcomeOf(s.d, s.gaps)
	if err == nil {
		err = s.cases()
	}
	if err != nil {
		return fmt.Sprintf("%v after %v", err, s.happened)
	}
	want, err := checked(root, journal)
	if err != nil {
		return "check: " + err.Error()
	}
	if d := got.differs(want); d != "" {
		return fmt.Sprintf("%s\n after %v", d, s.happened)
	}
	return ""
}

// TestTwinStreamingEqualsCheck: records that come one after the other, with
// restarts, crashes, new keys, other terminals and passing time in between, leave the verdicts that
// a check of the whole journal has.
func TestTwinStreamingEqualsCheck(t *testing.T) {
	journals, records := 110, 80
	if os.Getenv(soakEnv) != "" {
		journals, records = 3000, 120
	}
	for seed := range uint64(journals) {
		journal := randomjournal.Records(seed+50_000, records)
		if d := streams(t, seed, journal); d != "" {
			for n := len(journal) - 1; n > 0; n-- { // the shortest beginning that shows it
				if shorter := streams(t, seed, journal[:n]); shorter == "" {
					t.Logf("the first %d records agree", n)
					break
				}
			}
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

// inMemory returns the lines that check prints, from the history in memory.
func inMemory(t *testing.T, journal []refund.Record) []byte {
	t.Helper()
	var out []byte
	add := func(lines []memhistory.Line) {
		for _, l := range lines {
			out = append(append(out, l.JSON...), '\n')
		}
	}
	m := memhistory.NewJournal(newJudge())
	keys := temporaryKeys(nil)
	for _, r := range journal {
		_, lines, err := m.Add(refund.Seal(r, keys))
		must(t, err)
		add(lines)
	}
	lines, err := m.Finish()
	must(t, err)
	add(lines)
	return out
}

// inStore returns the same lines from a temporary store.
func inStore(t *testing.T, journal []refund.Record, batch int) []byte {
	t.Helper()
	ctx := context.Background()
	d, err := OpenTemporary(ctx, Options{Dir: t.TempDir(), Judge: newJudge()})
	must(t, err)
	defer d.Close()
	var out []byte
	add := func(applied []refund.Applied) {
		for i := range applied {
			for k := range applied[i].Verdicts {
				out = append(applied[i].Verdicts[k].Verdict.AppendJSON(out), '\n')
			}
			if applied[i].Integrity != nil {
				out = append(applied[i].Integrity.AppendJSON(out), '\n')
			}
		}
	}
	for part := range slices.Chunk(journal, batch) {
		applied, err := d.Apply(ctx, together(d, part))
		must(t, err)
		add(applied)
	}
	applied, err := releaseAll(ctx, d)
	must(t, err)
	add(applied)
	return out
}

func sameLines(t *testing.T, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range w {
		if i >= len(g) || !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d of %d and %d:\n store  %s\n memory %s", i+1, len(g), len(w), g[min(i, len(g)-1)], w[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(g), len(w))
}

func readScenario(t *testing.T, file string) (journal []refund.Record) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			r, err := refund.ParseRecord(bytes.TrimSpace(line), refund.Reject)
			must(t, err)
			journal = append(journal, r)
		}
		if err == io.EOF {
			return journal
		}
		must(t, err)
	}
}

const scenarios = "../refund/testdata/scenarios"

// TestScenariosThroughTheStore: the store and the history in memory have the same
// bytes, however the records are batched.
func TestScenariosThroughTheStore(t *testing.T) {
	wants, err := filepath.Glob(scenarios + "/*.want.jsonl")
	if err != nil || len(wants) < 100 {
		t.Fatalf("%d scenarios (%v)", len(wants), err)
	}
	for _, want := range wants {
		t.Run(strings.TrimSuffix(filepath.Base(want), ".want.jsonl"), func(t *testing.T) {
			journal := readScenario(t, strings.TrimSuffix(want, ".want.jsonl")+".jsonl")
			lines := inMemory(t, journal)
			sameLines(t, inStore(t, journal, len(journal)), lines)
			sameLines(t, inStore(t, journal, 1), lines)
			if d := streams(t, 1, journal); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTwinStoreEqualsMemory: the same for random journals.
func TestTwinStoreEqualsMemory(t *testing.T) {
	journals, records := 60, 80
	if os.Getenv(soakEnv) != "" {
		journals, records = 2000, 120
	}
	for seed := range uint64(journals) {
		journal := randomjournal.Records(seed+90_000, records)
		sameLines(t, inStore(t, journal, 1+int(seed%9)), inMemory(t, journal))
	}
}
