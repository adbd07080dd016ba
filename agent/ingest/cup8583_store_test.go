package ingest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/frame"
)

// storeTalk is a wire whose memory is a real store: each step is one transaction.
type storeTalk struct {
	t       *testing.T
	dir     string
	db      *ledger.DB
	wire    ingest.Wire
	clock   ingest.Clock
	records []string
}

func (s *storeTalk) Get(key string) ([]byte, bool) {
	v, ok, err := s.db.Memory(s.t.Context(), "pos", key)
	if err != nil {
		s.t.Fatal(err)
	}
	return v, ok
}

// open opens the store, as the first or another process would.
func (s *storeTalk) open() {
	s.t.Helper()
	db, err := ledger.Open(s.t.Context(), ledger.Options{Dir: s.dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()),
		Now: func() time.Time { return s.clock.Now }, Synchronous: "NORMAL"})
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := ingest.DefaultProfile("cup8583")
	if err != nil {
		s.t.Fatal(err)
	}
	s.db = db
	if s.wire, err = ingest.NewWire("cup8583", p, s, ingest.WithTokenizer(db.Keys())); err != nil {
		s.t.Fatal(err)
	}
}

func (s *storeTalk) close() {
	s.t.Helper()
	if err := s.db.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *storeTalk) take(step ingest.Step) {
	s.t.Helper()
	a := refund.Arrival{Link: "pos", Memory: step.Memory}
	for _, d := range step.Records {
		r := refund.Seal(d.Record, s.db.Keys())
		s.records = append(s.records, string(refund.EncodeStored(nil, &r)))
		a.Sightings = append(a.Sightings, refund.Sighting{Record: r, Received: s.clock.Now, ClockSynced: true, AtFromClock: d.AtFromClock})
	}
	if _, err := s.db.Apply(s.t.Context(), []refund.Arrival{a}); err != nil {
		s.t.Fatal(err)
	}
}

// TestCupThroughAStoreThatIsReopened: with the store closed and opened again before
// each message the records are the same, and no file of it holds a card number.
func TestCupThroughAStoreThatIsReopened(t *testing.T) {
	keys := t.TempDir()
	run := func(reopen bool) []string {
		s := &storeTalk{t: t, dir: t.TempDir(), clock: ingest.Clock{Now: cupStart, HasNow: true, Synced: true, Zone: ingest.DefaultZone()}}
		if err := os.CopyFS(filepath.Join(s.dir, "keys"), os.DirFS(keys)); err != nil {
			t.Fatal(err)
		}
		s.open()
		for _, v := range loadVectors(t, "cup8583") {
			if v.name != "cup8583-again" && v.name != "cup8583-cards" {
				continue
			}
			for _, b := range frames(v.bytes) {
				if reopen {
					s.close()
					s.open()
				}
				s.clock.Now = s.clock.Now.Add(17 * time.Second)
				step, err := s.wire.Frame(frame.Frame{Data: b, Raw: b}, s.clock)
				if err != nil {
					t.Fatal(err)
				}
				s.take(step)
			}
		}
		s.clock.Now = s.clock.Now.Add(time.Hour)
		step, next := s.wire.Due(s.clock)
		if s.take(step); !next.IsZero() {
			t.Errorf("something waits until %v", next)
		}
		s.close()
		noneInFiles(t, s.dir, "6200000000000005", "6205500000000000004", "6205510000000008", "TEST00000000000000")
		if err := os.CopyFS(keys, os.DirFS(filepath.Join(s.dir, "keys"))); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		return s.records
	}
	want := run(false)
	if len(want) < 20 {
		t.Fatalf("%d records", len(want))
	}
	if d := cmp.Diff(want, run(true)); d != "" {
		t.Errorf("without -, with +\n%s", d)
	}
}

func noneInFiles(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s holds a clear identifier", d.Name())
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
