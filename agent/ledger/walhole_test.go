package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// walStore is a store as a kill leaves it, with what the tests know of it.
type walStore struct {
	files   map[string][]byte
	earlier []byte           // the WAL in the round before
	bodies  map[int64][]byte // of the records, as stored in the end
	cases   map[string]int64 // case ids of the wrong refunds, with the refund's record
	stream  string
}

// Sales and refunds of the store: refund i is of sale i; every third goes to another card.
const (
	holeSales   = 90
	holeRefunds = 45
)

func wrongly(i int) bool { return i%3 == 0 }

// makeWALStore fills a store commit by commit, so that its WAL has been begun again
// several times, and copies its files while it is open.
func makeWALStore(t *testing.T) *walStore {
	t.Helper()
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	must(t, d.w.Script("PRAGMA wal_autocheckpoint = 150"))
	w := &walStore{bodies: map[int64][]byte{}, cases: map[string]int64{}, stream: d.Stream()}
	wal := d.file() + "-wal"
	commit := func(records ...refund.Record) {
		before := walRound(t, wal)
		copied, err := os.ReadFile(wal)
		must(t, err)
		apply(t, d, records...)
		if walRound(t, wal) != before {
			w.earlier = copied
		}
	}
	for i := range holeSales {
		if commit(saleOf(i, start)); i%10 == 5 { // pages that are written once and not again
			var many []refund.Record
			for n := range 24 {
				many = append(many, saleOf(1000+24*i+n, start))
			}
			commit(many...)
		}
		if i%2 == 1 {
			commit(holeRefund(i/2, i/2, start.Add(time.Minute)))
		}
		if i == 40 { // some are published and acknowledged
			n := due(t, d)
			sent(t, d, n[0].Entry, n[1].Entry)
			acked(t, d, n[1].Sequence)
		}
	}
	for n := 0; framesUsed(t, wal) < 120; n++ {
		commit(saleOf(5000+n, start))
	}
	for r, err := range d.Records(context.Background(), 1) {
		must(t, err)
		row, err := loadRow(d.w, r.Seq)
		must(t, err)
		w.bodies[r.Seq] = row.Body
		if row.CaseID != "" {
			if known, err := loadCase(d.w, row.CaseID); err == nil && known != nil {
				w.cases[row.CaseID] = r.Seq
			}
		}
	}
	w.files = readFiles(t, o.Dir)
	if len(w.earlier) == 0 || len(w.cases) != holeRefunds/3 {
		t.Fatalf("the WAL was begun again: %t; %d cases", len(w.earlier) > 0, len(w.cases))
	}
	return w
}

func holeRefund(n, sale int, at time.Time) refund.Record {
	to := card(sale)
	if wrongly(n) {
		to = card(sale + 500000)
	}
	return refundOf(sale, 20000+n, to, at)
}

func walRound(t *testing.T, path string) (salts uint64) {
	t.Helper()
	f, size, err := sqlite.OpenWAL(path)
	must(t, err)
	defer f.Close()
	head, err := sqlite.ReadWALHead(f, size)
	must(t, err)
	return head.Salts
}

// framesUsed is how many frames of the file are of its newest round.
func framesUsed(t *testing.T, path string) (n int) {
	t.Helper()
	f, size, err := sqlite.OpenWAL(path)
	must(t, err)
	defer f.Close()
	_, err = sqlite.ReadWAL(f, size, func(fr *sqlite.Frame, _ []byte) error {
		if fr.Chain {
			n = fr.N
		}
		return nil
	})
	must(t, err)
	return n
}

// readFiles reads the files below a store's folder, the ballast left out.
func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == ballastFile || strings.HasSuffix(path, "-shm") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	must(t, err)
	return files
}

const walFile = storeFile + "-wal"

// intact returns the records whose row, as last written, lies in the database file or in a
// frame of the WAL that is as it was.
func (w *walStore) intact(wal []byte) map[int64]bool {
	was, whole := w.files[walFile], map[int64]bool{}
	pages := [][]byte{w.files[storeFile]}
	for at := sqlite.WALHeader; at+sqlite.FrameLen <= len(was); at += sqlite.FrameLen {
		if at+sqlite.FrameLen <= len(wal) && bytes.Equal(was[at:at+sqlite.FrameLen], wal[at:at+sqlite.FrameLen]) {
			pages = append(pages, was[at+sqlite.FrameHeader:at+sqlite.FrameLen])
		}
	}
	for seq, body := range w.bodies {
		whole[seq] = slices.ContainsFunc(pages, func(p []byte) bool { return bytes.Contains(p, body) })
	}
	return whole
}

// checkHole opens the store with this WAL (nil: none) and compares it with what must be
// left. It returns what was lost.
func (w *walStore) checkHole(t *testing.T, wal []byte) (reported bool, lost int) {
	t.Helper()
	files := maps.Clone(w.files)
	if files[walFile] = wal; wal == nil {
		delete(files, walFile)
	}
	dir := laidOut(t, files)
	d, err := Open(context.Background(), testOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	reported = len(d.Damage()) > 0
	have, cases := map[int64]bool{}, map[string]bool{}
	for r, err := range d.Records(context.Background(), 1) {
		must(t, err)
		have[r.Seq] = true
	}
	must(t, d.w.Each(`SELECT case_id FROM cases`, func(s *sqlite.Row) error { cases[s.Text(0)] = true; return nil }))
	for seq, intact := range w.intact(wal) {
		if !have[seq] {
			lost++
		}
		if intact && !have[seq] {
			t.Errorf("record %d is lost, its row is intact", seq)
		}
	}
	for id, seq := range w.cases {
		if have[seq] && !cases[id] {
			t.Errorf("case %s of record %d is lost", id, seq)
		}
	}
	if !reported && (lost > 0 || d.Stream() != w.stream) {
		t.Errorf("%d records lost, stream %s was %s, and nothing is reported", lost, d.Stream(), w.stream)
	}
	w.checkCases(t, d)
	checkAnswers(t, d)
	if text, err := d.w.Text("PRAGMA integrity_check"); text != "ok" || err != nil {
		t.Errorf("integrity: %s %v", text, err)
	}
	return reported, lost
}

// checkCases: no case reports of a right refund that its money went to another card or
// that it has no sale, and what is published is evidence of what is in the store.
func (w *walStore) checkCases(t *testing.T, d *DB) {
	t.Helper()
	for _, n := range due(t, d) {
		if n.Class != refund.NoticeCase {
			continue
		}
		seq, known := w.cases[strings.TrimPrefix(n.Subject, "case/")]
		if !known && bytes.Contains(n.Data, []byte(`"decision":"alarm"`)) {
			t.Errorf("a right refund raises an alarm: %s", n.Data)
		}
		if known && seq == 0 {
			t.Errorf("case %s has no record", n.Subject)
		}
	}
}

// checkAnswers applies twelve refunds whose answers are known: it must be that answer,
// or reported that it cannot be known.
func checkAnswers(t *testing.T, d *DB) {
	t.Helper()
	for i := range 12 {
		sale := holeRefunds + 3*i
		got := apply(t, d, holeRefund(3000+i, sale, start.Add(time.Hour)))
		j, ok, err := loadVerdict(d.w, got[0].Seq)
		must(t, err)
		want := refund.Same
		if wrongly(i) {
			want = refund.Different
		}
		v := j.Verdict
		if !ok || v.Recipient != want && (v.Recipient != refund.Unverifiable || v.Decision == refund.Pass || v.Decision == refund.Alarm) {
			t.Errorf("refund of sale %d is %s (%s), %s, want %s", sale, v.Recipient, v.Reason, v.Decision, want)
		}
	}
}

// TestKillRule09_HolesInTheWAL puts a zeroed, a random or a stale block of 4 KiB at
// every place of a WAL, and flips bits: it is reported, or nothing is lost; and what lies in
// intact frames is kept. YUANLU_SOAK=1: 2 000 times, else a tenth.
func TestKillRule09_HolesInTheWAL(t *testing.T) {
	w := makeWALStore(t)
	n, seed := 200, uint64(1)
	if os.Getenv(soakEnv) != "" {
		n, seed = 2000, uint64(time.Now().UnixNano())
	}
	r := rand.New(rand.NewPCG(seed, 4))
	was := w.files[walFile]
	blocks := (len(was) + 4095) / 4096
	reported, total := map[string]int{}, map[string]int{}
	lost := map[string]int{}
	for i := range n {
		kind := []string{"zero", "random", "stale", "flip"}[i%4]
		wal := bytes.Clone(was)
		at := i / 4 * 4096 % (blocks * 4096)
		if n < 4*blocks {
			at = r.IntN(blocks) * 4096
		}
		block := wal[at:min(at+4096, len(wal))]
		switch kind {
		case "zero":
			clear(block)
		case "random":
			fill := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
			_, _ = fill.Read(block)
		case "stale":
			if at < len(w.earlier) {
				copy(block, w.earlier[at:])
			}
		case "flip":
			wal[r.IntN(len(wal))] ^= 1 << r.IntN(8)
		}
		s, l := w.checkHole(t, wal)
		if t.Failed() {
			t.Fatalf("%s, block %d (trial %d, seed %d)", kind, at/4096, i, seed)
		}
		total[kind]++
		lost[kind] += l
		if s {
			reported[kind]++
		}
	}
	for kind := range total {
		t.Logf("%s: %d of %d reported; %.1f of %d records lost on average", kind, reported[kind], total[kind], float64(lost[kind])/float64(total[kind]), len(w.bodies))
	}
}

// TestKillRule09_WALCutOff: a WAL that is shorter than it was, or gone, is reported.
func TestKillRule09_WALCutOff(t *testing.T) {
	w := makeWALStore(t)
	was := w.files[walFile]
	used := 0
	for at := sqlite.WALHeader; at+sqlite.FrameLen <= len(was); at += sqlite.FrameLen {
		if bytes.Equal(was[at+8:at+16], was[16:24]) {
			used = at + sqlite.FrameLen
		}
	}
	cuts := []int{0, 5, sqlite.WALHeader, sqlite.WALHeader + sqlite.FrameLen, sqlite.WALHeader + 3*sqlite.FrameLen + 100, used / 2, used - 1, used - sqlite.FrameLen}
	for _, cut := range cuts {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			if reported, _ := w.checkHole(t, was[:cut]); !reported {
				t.Error("nothing is reported")
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		if reported, _ := w.checkHole(t, nil); !reported {
			t.Error("nothing is reported")
		}
	})
	t.Run("of an earlier round", func(t *testing.T) {
		if reported, _ := w.checkHole(t, w.earlier); !reported {
			t.Error("nothing is reported")
		}
	})
	t.Run("only what is of earlier rounds cut off", func(t *testing.T) {
		if reported, lost := w.checkHole(t, was[:used]); reported || lost > 0 {
			t.Errorf("reported %t, lost %d", reported, lost)
		}
	})
}

// TestMarkNeverSaysTooMuch: after a power cut the mark is of an earlier commit, of an
// earlier round, or not there: a torn end is no damage then, and a whole WAL never is.
func TestMarkNeverSaysTooMuch(t *testing.T) {
	w := makeWALStore(t)
	was := w.files[walFile]
	var l storeLock
	l.read(w.files[lockFile])
	exact := l.left
	if !exact.open || exact.mark.Frames < 100 {
		t.Fatalf("the mark is %+v", exact)
	}
	var commits []sqlite.Frame
	_, err := sqlite.ReadWAL(bytes.NewReader(was), int64(len(was)), func(fr *sqlite.Frame, _ []byte) error {
		if fr.Chain && fr.Commit != 0 {
			commits = append(commits, *fr)
		}
		return nil
	})
	must(t, err)
	last, before := commits[len(commits)-1], commits[len(commits)-2]
	if uint32(last.N) != exact.mark.Frames || last.Sum.Number() != exact.mark.Sum {
		t.Fatalf("the mark is %+v, the last commit %+v", exact.mark, last)
	}
	torn := bytes.Clone(was)
	for i := range 600 { // inverted, not cleared: a page may have nothing but zeros there
		torn[sqlite.WALHeader+before.N*sqlite.FrameLen+100+i] ^= 0xff
	}
	mark := exact.mark
	for name, m := range map[string]sqlite.Mark{
		"none":                 {},
		"of the commit before": {Salts: mark.Salts, Frames: uint32(before.N), Sum: before.Sum.Number()},
		"of an earlier round":  {Salts: binary.BigEndian.Uint64(w.earlier[16:]), Frames: 17, Sum: 4711},
	} {
		files := maps.Clone(w.files)
		files[lockFile] = []byte("0000000001\n" + leftOpen{open: true, mark: m}.text())
		for wal, left := range map[string][]byte{"whole": was, "torn": torn} {
			files[walFile] = left
			d := usable(t, laidOut(t, files))
			if len(d.Damage()) > 0 || d.Stream() != w.stream {
				t.Errorf("mark %s, WAL %s: %+v", name, wal, d.Damage())
			}
		}
	}
	if reported, _ := w.checkHole(t, torn); !reported {
		t.Error("with the exact mark a torn last commit is not reported")
	}
}
