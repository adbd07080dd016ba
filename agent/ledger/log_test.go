package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/protocol/evidence"
)

// rootOf is RFC 6962 § 2.1 word for word, as a second implementation.
func rootOf(leaves [][]byte) evidence.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		left, right := rootOf(leaves[:k]), rootOf(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

// allLeaves returns the bytes of every leaf, and fails where one is not of its form.
func allLeaves(t testing.TB, d *DB) (list [][]byte) {
	t.Helper()
	v, err := d.viewLog(context.Background())
	must(t, err)
	must(t, d.read(context.Background(), func(c *conn) error {
		for n := range v.edge.Size() {
			leaf, hash, err := logRows{c, v.after}.leaf(n, d.names)
			if err != nil {
				return err
			}
			if leaf == nil || evidence.LeafHash(leaf) != hash {
				t.Fatalf("leaf %d: %q is not of its hash", n, leaf)
			}
			l, err := evidence.ParseLeaf(leaf)
			if err != nil || l.N != n {
				t.Fatalf("leaf %d is %s: %v", n, leaf, err)
			}
			list = append(list, leaf)
		}
		return nil
	}))
	return list
}

func wholeLog(t testing.TB, d *DB) *LogCheck {
	t.Helper()
	k, err := d.CheckLog(context.Background())
	must(t, err)
	if k.Wrongs > 0 {
		t.Fatalf("the log does not hold: %v", k.Wrong)
	}
	return k
}

// deskOf is a co-signer, and the message that it answers with.
type deskOf struct {
	t      testing.TB
	signer *evidence.Signer
}

func newDeskOf(t testing.TB) *deskOf {
	s, err := evidence.NewSigner("yuanlu-desk/shop", make([]byte, 32))
	must(t, err)
	return &deskOf{t, s}
}

// answer co-signs the checkpoint of now and hands it to the store.
func (k *deskOf) answer(d *DB) *evidence.Note {
	k.t.Helper()
	a, err := d.Checkpoint(context.Background(), 0)
	must(k.t, err)
	of, _ := evidence.TerminalOf(a.Note.Origin)
	if _, err := evidence.ParseAnnouncement(a.Append(nil), of); err != nil {
		k.t.Fatalf("%s: %v", a.Append(nil), err)
	}
	n, err := k.signer.Cosign(a.Note, 1_800_000_000)
	must(k.t, err)
	cosigner := k.signer.Key(evidence.KeyCosign)
	is, _, err := d.Cosigned(context.Background(), n.Origin, n.String(), "", &cosigner)
	must(k.t, err)
	if is != evidence.Base {
		k.t.Fatalf("a co-signed note of size %d is answer %d", n.Size, is)
	}
	return n
}

// proved fetches the proofs of a case and checks each against its note.
func proved(t testing.TB, d *DB, q ProofQuery, cosigner evidence.Key) *Proofs {
	t.Helper()
	p, err := d.Proofs(context.Background(), q)
	must(t, err)
	notes := map[int64]*evidence.Note{}
	key, err := evidence.ParseKey(p.VKey, evidence.KeyLog)
	must(t, err)
	last := &evidence.Note{}
	for _, k := range p.Checkpoints {
		n, err := evidence.ParseNote(k.Note)
		must(t, err)
		must(t, n.SignedBy(key))
		_, err = n.CosignedBy(cosigner)
		must(t, err)
		must(t, evidence.CheckConsistency(k.Proof, k.From, last.Root, n.Size, n.Root))
		notes[n.Size], last = n, n
	}
	for _, l := range p.Leaves {
		must(t, evidence.CheckInclusion(l.Proof, l.Size, notes[l.Size].Root, l.N, evidence.LeafHash(l.Leaf)))
	}
	return p
}

// TestTheLogTellsAll: what random records cause is logged, in a tree whose roots a second
// implementation has, too; also after the store was closed and opened on the way.
func TestTheLogTellsAll(t *testing.T) {
	o := testOptions(t.TempDir())
	o.Terminal = "t-00423"
	d := openTest(t, o)
	desk := newDeskOf(t)
	m := &mixLoad{d.Keys(), 0, rand.New(rand.NewPCG(7, 8))}
	roots := map[int64]evidence.Hash{}
	for i := range 20 {
		if i%7 == 6 {
			d = reopened(t, d, o)
		}
		all := m.arrivals(1+m.rng.IntN(40), .4, .3)
		for range m.rng.IntN(4) { // copies, of what is stored and of the same commit
			all = append(all, all[m.rng.IntN(len(all))])
		}
		_, err := d.Apply(context.Background(), all)
		must(t, err)
		must(t, d.NoteLog(context.Background(), "clock", []byte(`{"from":"a","to":"b"}`)))
		n := desk.answer(d)
		roots[n.Size] = n.Root
	}
	leaves := allLeaves(t, d)
	for size, root := range roots {
		if got := rootOf(leaves[:size]); got != root {
			t.Errorf("root of %d is %v, want %v", size, root, got)
		}
	}
	kinds := map[string]int{}
	for _, leaf := range leaves {
		l, err := evidence.ParseLeaf(leaf)
		must(t, err)
		kinds[l.Type]++
	}
	count := func(sql string) int {
		n, _, err := d.w.Int(sql)
		must(t, err)
		return int(n)
	}
	if got, want := kinds[evidence.LeafRecord], count(`SELECT count(*) FROM record`); got != want {
		t.Errorf("%d record leaves of %d records", got, want)
	}
	if got, want := kinds[evidence.LeafVerdict], count(`SELECT total(rev) FROM verdict`); got != want || want == 0 {
		t.Errorf("%d verdict leaves of %d revisions", got, want)
	}
	if got, want := kinds[evidence.LeafCase], int(d.now.outbox.Last); got != want || want == 0 {
		t.Errorf("%d case leaves of %d sequences", got, want)
	}
	if k := wholeLog(t, d); int(k.Size) != len(leaves) || int(k.Bytes) != len(leaves) || k.Cosigned != int64(len(leaves)) {
		t.Errorf("the check found %+v of %d leaves", k, len(leaves))
	}
	ids, err := d.w.Texts(`SELECT case_id FROM cases`)
	must(t, err)
	for _, id := range ids {
		p := proved(t, d, ProofQuery{CaseID: id, After: -1}, desk.signer.Key(evidence.KeyCosign))
		has, got, of := map[string]bool{}, map[int64]bool{}, map[string]bool{}
		for _, l := range p.Leaves {
			is, err := evidence.ParseLeaf(l.Leaf)
			must(t, err)
			has[is.Type], got[l.N] = true, true
			if is.Type == evidence.LeafRecord {
				of[is.D.Get("seq").Text] = true
			}
			if is.Type == evidence.LeafCase && is.D.Get("subject").Text != "case/"+id {
				t.Errorf("leaf %d is of another case", l.N)
			}
		}
		for n, leaf := range leaves { // whatever the index holds: none is left out
			is, err := evidence.ParseLeaf(leaf)
			must(t, err)
			about := is.Type == evidence.LeafVerdict && of[is.D.Get("verdict").Get("seq").Text] || is.Type == evidence.LeafCase && is.D.Get("subject").Text == "case/"+id
			if about && !got[int64(n)] {
				t.Errorf("leaf %d is about case %s, and is not proved for it", n, id)
			}
		}
		if !has[evidence.LeafRecord] || !has[evidence.LeafVerdict] || !has[evidence.LeafCase] || p.Leaves[0].N != 0 {
			t.Errorf("the leaves of case %s are of kinds %v", id, has)
		}
	}
}

// TestALeafIsAsItWas: a record that copies complete, and one that gets its date again, keep the leaf
// that they had.
func TestALeafIsAsItWas(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	first := saleOf(1, start)
	first.Operator = ""
	_, err := d.Apply(context.Background(), arrivalOf(d, first))
	must(t, err)
	before := allLeaves(t, d)
	whole := saleOf(1, start)
	whole.Operator = "77"
	_, err = d.Apply(context.Background(), arrivalOf(d, whole))
	must(t, err)
	row, err := loadRow(d.w, 1)
	must(t, err)
	if r, err := row.Decode(); err != nil || r.Operator != "77" {
		t.Fatalf("the copy completed nothing: %+v %v", r, err)
	}
	if d := cmp.Diff(before, allLeaves(t, d)[:len(before)]); d != "" {
		t.Error(d)
	}
	wholeLog(t, d)
}

// TestAStoreThatIsPutBack: the note beside the database finds an old copy of the store at its
// opening, and a co-signed note does while it is in use; each begins a new log with a new key.
func TestAStoreThatIsPutBack(t *testing.T) {
	ctx := context.Background()
	for _, beside := range []bool{true, false} {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		desk := newDeskOf(t)
		wrongRefund(t, d, 1)
		must(t, d.Close())
		old, err := os.ReadFile(d.file())
		must(t, err)
		d = openTest(t, o)
		wrongRefund(t, d, 10)
		note := desk.answer(d)
		was, err := d.LogState(ctx)
		must(t, err)
		must(t, d.Close())
		must(t, os.WriteFile(d.file(), old, 0o600))
		if !beside {
			must(t, os.Remove(d.cosignedFile()))
		}
		d = openTest(t, o)
		if !beside {
			is, _, err := d.Cosigned(ctx, note.Origin, note.String(), "", nil)
			must(t, err)
			if is != evidence.Contradicted {
				t.Errorf("a note above the log is answer %d", is)
			}
		}
		now, err := d.LogState(ctx)
		must(t, err)
		if now.Origin == was.Origin || now.Key.Public.Equal(was.Key.Public) {
			t.Errorf("beside %t: log and key are those of before", beside)
		}
		l, err := evidence.ParseLeaf(allLeaves(t, d)[0])
		must(t, err)
		if l.D.Get("why").Text != "contradicted" || l.D.Get("before").Text != note.String() {
			t.Errorf("leaf 0 is %s", l.D.Raw)
		}
		if n, _, err := d.w.Int(`SELECT count(*) FROM outbox WHERE type = 'log.contradicted'`); n != 1 || err != nil {
			t.Errorf("%d events, %v", n, err)
		}
		wrongRefund(t, d, 20)
		desk.answer(d)
		d = reopened(t, d, o)
		if again, err := d.LogState(ctx); err != nil || again.Origin != now.Origin {
			t.Errorf("another new log: %v", err)
		}
		wholeLog(t, d)
	}
}

// TestAChangedRowIsFound: a row that was changed with sqlite3, and one that is gone.
func TestAChangedRowIsFound(t *testing.T) {
	for name, sql := range map[string]string{
		"received of a record": `UPDATE record SET received = received + 1000 WHERE seq = 2`,
		"hash of a record":     `UPDATE record SET leaf = substr(leaf, 1, 20) || x'00112233445566778899aabbccddeeff' || substr(leaf, 37) WHERE seq = 2`,
		"hash of a leaf":       `UPDATE leaf SET hash = zeroblob(32) WHERE n = 3`,
		"bytes of a leaf":      `UPDATE leaf SET body = '{}' WHERE n = 3`,
		"a record is gone":     `DELETE FROM record WHERE seq = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			d := openTest(t, testOptions(t.TempDir()))
			wrongRefund(t, d, 1)
			newDeskOf(t).answer(d)
			wholeLog(t, d)
			must(t, d.w.Script(sql))
			k, err := d.CheckLog(context.Background())
			must(t, err)
			if k.Wrongs == 0 {
				t.Error("the check finds nothing")
			}
		})
	}
}

// TestRetentionKeepsTheHashes: roots and proofs of what is left are as before, and what is gone is
// counted.
func TestRetentionKeepsTheHashes(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	m := &mixLoad{d.Keys(), 0, rand.New(rand.NewPCG(3, 4))}
	for range 5 {
		_, err := d.Apply(ctx, m.arrivals(60, .3, 0))
		must(t, err)
	}
	v, err := d.viewLog(ctx)
	must(t, err)
	root, err := v.edge.Root()
	must(t, err)
	now = now.Add(600 * day)
	late := saleOf(999_999, now)
	a := arrivalOf(d, late)
	a[0].Sightings[0].Received = now
	_, err = d.Apply(ctx, a)
	must(t, err)
	for more := 1; more > 0; {
		more, err = d.Retain(ctx, now, 100)
		must(t, err)
	}
	if n, _, err := d.w.Int(`SELECT count(*) FROM record`); n > 60 || err != nil {
		t.Fatalf("%d records are left, %v", n, err)
	}
	d = reopened(t, d, o)
	v2, err := d.viewLog(ctx)
	must(t, err)
	must(t, d.read(ctx, func(c *conn) error {
		got, err := v2.reader(c).Root(v.edge.Size())
		if err == nil && got != root {
			t.Error("the root of what was removed is another")
		}
		return err
	}))
	k := wholeLog(t, d)
	if k.Bytes > k.Size/2 {
		t.Errorf("%d of %d leaves have bytes", k.Bytes, k.Size)
	}
	last, _, err := logLeaf(d, k.Size-1)
	must(t, err)
	if l, err := evidence.ParseLeaf(last); err != nil || l.D.Get("what").Text != "retained" {
		t.Errorf("the last leaf is %s, %v", last, err)
	}
}

func logLeaf(d *DB, n int64) (leaf []byte, hash evidence.Hash, err error) {
	err = d.read(context.Background(), func(c *conn) (err error) {
		leaf, hash, err = logRows{c, d.log.after}.leaf(n, d.names)
		return err
	})
	return leaf, hash, err
}

// TestASalvageBeginsANewLog under the same key, with the newest checkpoint of the old one.
func TestASalvageBeginsANewLog(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	makeCases(t, d, 1, 3)
	note := newDeskOf(t).answer(d)
	was, err := d.LogState(ctx)
	must(t, err)
	d.breakOff(fmt.Errorf("%w: injected", sqlite.ErrDamaged))
	wrongRefund(t, d, 50)
	now, err := d.LogState(ctx)
	must(t, err)
	if now.Origin == was.Origin || !now.Key.Public.Equal(was.Key.Public) {
		t.Error("a new log under the same key is wanted")
	}
	leaves := allLeaves(t, d)
	l, err := evidence.ParseLeaf(leaves[0])
	must(t, err)
	if l.D.Get("why").Text != "salvage" || l.D.Get("before").Text != note.String() {
		t.Errorf("leaf 0 is %s", leaves[0])
	}
	d = reopened(t, d, o)
	if again, err := d.LogState(ctx); err != nil || again.Origin != now.Origin {
		t.Errorf("another new log: %v", err)
	}
	wholeLog(t, d)
}

// TestProofsRefused: each error of the command.
func TestProofsRefused(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	got := wrongRefund(t, d, 1)
	id := got[1].Cases[0].CaseID
	ask := func(q ProofQuery, want error) {
		t.Helper()
		if _, err := d.Proofs(ctx, q); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", q, err, want)
		}
	}
	ask(ProofQuery{CaseID: id}, ErrNotCosigned)
	size := newDeskOf(t).answer(d).Size
	ask(ProofQuery{CaseID: "NONE"}, ErrNotFound)
	for _, sizes := range [][]int64{{size - 1}, {size + 1}, {size, size}, {0}, make([]int64, 17)} {
		ask(ProofQuery{CaseID: id, Sizes: sizes}, ErrBadSize)
	}
	ask(ProofQuery{CaseID: id, Sizes: []int64{size}}, nil)
}

// TestPutBackByHandIsLoggedAgain, with the new sequence.
func TestPutBackByHandIsLoggedAgain(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 2)
	due(t, d)
	nacked(t, d, 1)
	must(t, d.Requeue(ctx, 1))
	leaves := allLeaves(t, d)
	l, err := evidence.ParseLeaf(leaves[len(leaves)-1])
	must(t, err)
	if l.Type != evidence.LeafCase || l.D.Get("sequence").Text != "00000000000000000003" {
		t.Errorf("the last leaf is of kind %s, sequence %s", l.Type, l.D.Get("sequence").Text)
	}
	wholeLog(t, d)
}

// TestAnchors: the desk's log is anchored once an hour, a contradiction at once.
func TestAnchors(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	desk := newDeskOf(t)
	log, err := desk.signer.Named("yuanlu-desk/shop/01J8ZK0Q4T7V9X2C5N8P3R6S1W")
	must(t, err)
	cosigner := desk.signer.Key(evidence.KeyCosign)
	anchors := func(size int64, root byte, want int64) {
		t.Helper()
		n, err := log.Sign(evidence.Checkpoint{Origin: log.String(), Size: size, Root: evidence.Hash{root}})
		must(t, err)
		_, _, err = d.Cosigned(ctx, d.log.origin, "", n.String(), &cosigner)
		must(t, err)
		got, _, err := d.w.Int(`SELECT count(*) FROM leaf WHERE ref = -2`)
		must(t, err)
		if got != want {
			t.Errorf("size %d: %d anchors, want %d", size, got, want)
		}
	}
	anchors(5, 1, 1)
	anchors(5, 1, 1)
	anchors(8, 2, 1) // within the hour
	now = now.Add(time.Hour)
	anchors(9, 3, 2)
	anchors(9, 4, 3) // another root
	anchors(7, 5, 4) // smaller
	if n, _, err := d.w.Int(`SELECT count(*) FROM outbox WHERE type = 'desk.log_forked'`); n != 2 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
	allLeaves(t, d)
}
