package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// without returns the store's files with every page and frame zeroed in which a record with this
// body stands.
func (w *walStore) without(body []byte) map[string][]byte {
	files, text := maps.Clone(w.files), packed.Append(nil, body)
	db, wal := bytes.Clone(files[storeFile]), bytes.Clone(files[walFile])
	for at := 0; at+sqlite.PageSize <= len(db); at += sqlite.PageSize {
		if p := db[at : at+sqlite.PageSize]; bytes.Contains(p, text) {
			clear(p)
		}
	}
	for at := sqlite.WALHeader; at+sqlite.FrameLen <= len(wal); at += sqlite.FrameLen {
		if p := wal[at : at+sqlite.FrameLen]; bytes.Contains(p, text) {
			clear(p)
		}
	}
	files[storeFile], files[walFile] = db, wal
	return files
}

// TestSalvageLostSale: of a sale that is lost nothing is released that would need it: what
// was released about its refund before stands, a case stays what it was, and a right refund
// that comes now is no alarm.
func TestSalvageLostSale(t *testing.T) {
	ctx := context.Background()
	w := makeWALStore(t)
	for _, n := range []int{30, 31, 44} { // refund n is of sale n; 30 is wrong
		sale := int64(0)
		for seq, body := range w.bodies {
			if bytes.Contains(body, []byte(saleOf(n, start).RRN)) && !bytes.Contains(body, []byte(`"refund"`)) {
				sale = seq
			}
		}
		d := usable(t, laidOut(t, w.without(w.bodies[sale])))
		if row, err := loadRow(d.w, sale); err != nil || row != nil || len(d.Damage()) == 0 || d.Damage()[0].Lost == 0 {
			t.Fatalf("sale %d (record %d) is there: %v, %+v", n, sale, err, d.Damage())
		}
		seq := int64(0)
		for r, err := range d.Records(ctx, 1) {
			if must(t, err); r.Record.RRN == refundOf(n, 20000+n, card(1), start).RRN {
				seq = r.Seq
			}
		}
		if seq == 0 {
			continue // it lay beside the sale
		}
		j, ok, err := loadVerdict(d.w, seq)
		must(t, err)
		want := refund.Same
		if wrongly(n) {
			want = refund.Different
		}
		if !ok || j.Verdict.Recipient != want || j.Verdict.Original == nil || j.Verdict.Original.Seq != sale {
			t.Errorf("refund %d of the lost sale: %+v", n, j.Verdict)
		}
		cases := 0
		for id, of := range w.cases {
			if c, err := loadCase(d.w, id); err == nil && c != nil && of == seq {
				cases++
			}
		}
		if (cases > 0) != wrongly(n) {
			t.Errorf("refund %d has %d cases", n, cases)
		}
		got, err := d.Apply(ctx, arrivalOf(d, holeRefund(3001, n, start.Add(time.Hour))))
		must(t, err)
		v, _, err := loadVerdict(d.w, got[0].Seq)
		must(t, err)
		if v.Verdict.Decision == refund.Alarm || v.Verdict.Recipient != refund.Unverifiable {
			t.Errorf("a right refund of the lost sale: %+v", v.Verdict)
		}
	}
}

// TestSalvageLostRefund: a case that waited is sent though the record of its refund is
// lost, with its old id.
func TestSalvageLostRefund(t *testing.T) {
	w := makeWALStore(t)
	before := map[string]string{}
	whole := usable(t, laidOut(t, w.files))
	for _, n := range due(t, whole) {
		before[n.Subject] = n.ID
	}
	sent := 0
	for id, seq := range w.cases {
		waiting := before["case/"+id]
		d := usable(t, laidOut(t, w.without(w.bodies[seq])))
		if row, err := loadRow(d.w, seq); err != nil || row != nil {
			t.Fatalf("record %d is there: %v", seq, err)
		}
		for _, n := range due(t, d) {
			if n.Subject == "case/"+id {
				sent++
				if n.ID != waiting || !n.Historical || n.Sequence == 0 {
					t.Errorf("sent as %s (historical %t), was %s", n.ID, n.Historical, waiting)
				}
			}
		}
	}
	if sent == 0 {
		t.Error("no case was sent")
	}
	t.Logf("%d of %d cases sent; the others were acknowledged, or lay beside the refund", sent, len(w.cases))
}

// TestSalvageUncommittedFrames: behind the last commit lies what a transaction has left
// that was rolled back, under the number of a record that was confirmed later: the
// confirmed one counts.
func TestSalvageUncommittedFrames(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	apply(t, d, saleOf(2, start), saleOf(3, start))
	apply(t, d, saleOf(4, start))
	files := readFiles(t, o.Dir)
	wal := files[walFile]
	head, err := sqlite.ReadWALHead(bytes.NewReader(wal), int64(len(wal)))
	must(t, err)
	row, err := loadRow(d.w, 4)
	must(t, err)
	// The frame with record 4 once more, in which it is another sale, committing nothing.
	stored, changed := packed.Append(nil, row.Body), false
	for at := sqlite.WALHeader; at+sqlite.FrameLen <= len(wal); at += sqlite.FrameLen {
		if p := wal[at : at+sqlite.FrameLen]; bytes.Contains(p, stored) {
			changed = true
			frame := bytes.Clone(p)
			other := stored // it and its checksum must take as many bytes in the row
			for n := 9000; n == 9000 || len(other) != len(stored) || rows.Sum(4, other)>>31 != rows.Sum(4, stored)>>31; n++ {
				other = packed.Append(nil, bytes.Replace(row.Body, []byte("000004"), fmt.Appendf(nil, "%06d", n), 1))
			}
			i := bytes.Index(frame, stored)
			copy(frame[i:], other)
			frame = bytes.Replace(frame, sumBytes(4, stored), sumBytes(4, other), 1)
			clear(frame[4:8])
			putFrameSum(head.Order, wal, frame)
			wal = append(wal, frame...)
			break
		}
	}
	if !changed {
		t.Fatal("record 4 is in no frame")
	}
	clear(wal[sqlite.WALHeader+sqlite.FrameLen : sqlite.WALHeader+2*sqlite.FrameLen])
	files[walFile] = wal
	d = usable(t, laidOut(t, files))
	got, err := loadRow(d.w, 4)
	must(t, err)
	if got == nil || !bytes.Equal(got.Body, row.Body) || len(d.Damage()) != 1 {
		t.Errorf("record 4 is %s; %+v", got.Body, d.Damage())
	}
}

// sumBytes is a record's checksum as it stands in its row, in front of the body.
func sumBytes(seq int64, body []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(rows.Sum(seq, body)))
}

// putFrameSum writes the checksum of a frame that follows the last one of wal.
func putFrameSum(order binary.ByteOrder, wal, frame []byte) {
	s := sqlite.WALSumAt(wal[len(wal)-sqlite.FrameLen+16:]).After(order, frame)
	binary.BigEndian.PutUint64(frame[16:], s.Number())
}

// TestSalvageRetained: a record that retention has removed does not come back out of the
// pages that it has left.
func TestSalvageRetained(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.Now = func() time.Time { return start.Add(600 * day) }
	d := openTest(t, o)
	for i := range 40 {
		apply(t, d, saleOf(i, start.Add(time.Duration(i)*20*day)))
	}
	must(t, d.w.Script("UPDATE record SET received = (1786000000 + seq * 1728000) * 1000"))
	d.now.newest = start.Add(800 * day)
	removed := 0
	for n := 1; n > 0; removed += n {
		var err error
		n, err = d.Retain(ctx, start.Add(800*day), 100)
		must(t, err)
	}
	left, _, err := d.w.Int(`SELECT count(*) FROM record`)
	must(t, err)
	must(t, d.w.Script("PRAGMA wal_checkpoint"))
	files := readFiles(t, o.Dir)
	if removed < 5 || left < 5 {
		t.Fatalf("%d removed, %d left", removed, left)
	}
	copy(files[storeFile][68:72], "ABCD") // page 1
	delete(files, walFile)
	dir := laidOut(t, files)
	o.Dir = dir
	after := openTest(t, o)
	kept, _, err := after.w.Int(`SELECT count(*) FROM record`)
	must(t, err)
	if kept != left || after.Damage()[0].Lost != 0 {
		t.Errorf("%d records, were %d; %+v", kept, left, after.Damage())
	}
}

// TestSalvageUnreadableNote: what lies in place of "pending" does not keep the store shut.
func TestSalvageUnreadableNote(t *testing.T) {
	for name, put := range obstacles() {
		dir := laidOut(t, storeFiles(t, true))
		q := filepath.Join(dir, quarantineDir, "20260823T010000Z-ABCDEFGH")
		must(t, os.MkdirAll(q, 0o700))
		if err := put(filepath.Join(q, pendingFile)); err != nil {
			t.Skip(err)
		}
		d := usable(t, dir)
		kept, _, err := d.w.Int(`SELECT count(*) FROM record`)
		must(t, err)
		if kept < scriptEvents {
			t.Errorf("%s: %d records kept", name, kept)
		}
	}
}
