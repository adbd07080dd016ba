package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// wrongAndRight is a journal in which a wrong refund is reversed and made again to the payer, at
// first without an answer; then its batch is settled, and the payer comes back.
func wrongAndRight() []refund.Record {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	undo := refundOf(1, 2, card(1), at(1))
	undo.Kind, undo.Original, undo.Party = refund.KindReversal, refund.Original{}, nil
	right := refundOf(1, 3, card(1), at(2))
	right.Outcome, right.Amount = refund.Unknown, 351
	known := right
	known.Outcome, known.Copy = refund.Approved, refund.CopyUpload
	settled := saleOf(4, at(3))
	settled.Kind, settled.Party, settled.Totals, settled.HasAmount = refund.KindSettlement, nil, &refund.Totals{DebitAmount: 1000, DebitCount: 1, CreditAmount: 351, CreditCount: 1}, false
	back := saleOf(5, at(4))
	back.Party = &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(card(1))}
	return []refund.Record{saleOf(1, at(-60)), refundOf(1, 2, card(77), at(0)), undo, right, known, settled, back}
}

// namesOf returns the types of events in their order, of followed ones what they are.
func namesOf(t *testing.T, list []refund.Notice) (names []string) {
	t.Helper()
	for i := range list {
		name := list[i].Type
		if name == typeFollowed {
			var data struct{ What string }
			must(t, json.Unmarshal(list[i].Data, &data))
			name = data.What
		}
		names = append(names, name)
	}
	return names
}

var becameOfIt = []string{refund.CaseOpened, refund.CaseCleared, "undone", "refund_after", "refund_after", "settled", "payer_seen"}

// TestWhatBecomesOfACase: each event in the transaction of its record, in its order, undone
// right behind the case's own event; seen again they change nothing.
func TestWhatBecomesOfACase(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	for _, r := range wrongAndRight() {
		apply(t, d, r)
	}
	if got := namesOf(t, due(t, d)); !slices.Equal(got, becameOfIt) {
		t.Fatalf("published %q, want %q", got, becameOfIt)
	}
	must(t, d.Close())
	d = openTest(t, o)
	for _, r := range wrongAndRight() {
		r.Copy = refund.CopyReprint
		apply(t, d, r)
	}
	if got := namesOf(t, due(t, d)); !slices.Equal(got, becameOfIt) {
		t.Errorf("published after copies %q", got)
	}
}

// TestWhatBecameOfACaseAfterASalvage: a store that is built again publishes it in its new
// stream, each once; of the refund made again what is known of it now.
func TestWhatBecameOfACaseAfterASalvage(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, wrongAndRight()...)
	stream := d.Stream()
	must(t, d.Close())
	file := filepath.Join(o.Dir, storeFile)
	db, err := os.ReadFile(file)
	must(t, err)
	spoilt := false
	for at := 2 * sqlite.PageSize; at+sqlite.PageSize <= len(db) && !spoilt; at += sqlite.PageSize {
		if p := db[at : at+sqlite.PageSize]; bytes.Contains(p, []byte("undone")) && !bytes.Contains(p, []byte(`"kind"`)) {
			p[sqlite.PageSize/2] ^= 1 // of the table followed
			spoilt = true
		}
	}
	if !spoilt {
		t.Fatal("no page to damage was found")
	}
	must(t, os.WriteFile(file, db, 0o600))
	d = openTest(t, o)
	if len(d.Damage()) == 0 || d.Damage()[0].Lost != 0 || d.Stream() == stream {
		t.Fatalf("damage %+v, stream %s", d.Damage(), d.Stream())
	}
	list := slices.DeleteFunc(due(t, d), func(n refund.Notice) bool { return n.Class == refund.NoticeEvent })
	want := []string{refund.CaseOpened, refund.CaseCleared, "undone", "refund_after", "settled", "payer_seen"}
	if got := namesOf(t, list); !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
	for _, n := range list {
		if !n.Historical || n.Stream != d.Stream() {
			t.Errorf("%s is not historical, or of stream %s", n.Type, n.Stream)
		}
	}
}

// TestWhatBecameOfACaseInANewStream: where a store was put back, what waits gets the ids of the
// new stream, and what comes is counted on from there.
func TestWhatBecameOfACaseInANewStream(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, wrongAndRight()...)
	sendTallies(t, d, start.AddDate(0, 0, 2))
	before := due(t, d)
	must(t, d.Close())
	d = openTest(t, o)
	renewed, err := d.RolledBack(context.Background(), refund.Trace{By: "case-summary", Stream: d.Stream(), LastSeq: 99, AckedSeq: 0})
	must(t, err)
	gone := wrongAndRight()[4]
	gone.Outcome = refund.Closed
	apply(t, d, gone)
	list := slices.DeleteFunc(due(t, d), func(n refund.Notice) bool { return n.Class == refund.NoticeEvent })
	if got, want := namesOf(t, list), append(slices.Clone(becameOfIt), typeTally, "refund_after"); !renewed || !slices.Equal(got, want) {
		t.Fatalf("renewed %v, published %q, want %q", renewed, got, want)
	}
	counts := map[string]int64{}
	for i := range list {
		n := &list[i]
		if i < len(before) && n.ID == before[i].ID {
			t.Errorf("%s kept its id", n.Type)
		}
		want := n.ID
		switch n.Type {
		case typeTally:
			want = keyedID(d.keys.caseKey, []string{"tally", n.Subject, d.Stream(), "1"})
		case typeFollowed:
			var data struct {
				CaseID   string `json:"case_id"`
				What     string
				Evidence []struct{ Record int64 }
			}
			must(t, json.Unmarshal(n.Data, &data))
			seq := fmt.Sprint(data.Evidence[0].Record)
			counts[data.What+seq]++
			want = keyedID(d.keys.caseKey, []string{"follow", data.CaseID, d.Stream(), data.What, seq, fmt.Sprint(counts[data.What+seq])})
		}
		if n.ID != want {
			t.Errorf("%s has the id %s, want %s", n.Type, n.ID, want)
		}
	}
}

// TestRule08_WhatBecameOfACaseFindsRoom: with a full outbox nothing of it is lost, and it keeps
// its order and its ids.
func TestRule08_WhatBecameOfACaseFindsRoom(t *testing.T) {
	root := t.TempDir()
	first := openTest(t, testOptions(filepath.Join(root, "roomy")))
	must(t, first.Close()) // the same keys and the same stream, so the same ids
	must(t, os.CopyFS(filepath.Join(root, "small"), os.DirFS(filepath.Join(root, "roomy"))))
	small := testOptions(filepath.Join(root, "small"))
	small.OutboxMaxCount = 2
	var ids [2][]string
	for i, o := range []Options{testOptions(filepath.Join(root, "roomy")), small} {
		d := openTest(t, o)
		for _, r := range wrongAndRight() {
			apply(t, d, r)
		}
		if st := stat(t, d); (st.Unsequenced > 0) != (i == 1) {
			t.Fatalf("%+v", st)
		}
		for _, n := range deliverAll(t, d) {
			ids[i] = append(ids[i], n.ID+" "+n.Subject)
		}
	}
	if len(ids[0]) != len(becameOfIt) || !slices.Equal(ids[0], ids[1]) {
		t.Errorf("delivered %q\nwith little room %q", ids[0], ids[1])
	}
}

// TestWhatRetentionForgetsOfACase: nothing of a case that is gone is left.
func TestWhatRetentionForgetsOfACase(t *testing.T) {
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	apply(t, d, wrongAndRight()...)
	sendTallies(t, d, start.AddDate(0, 0, 2))
	now = start.AddDate(2, 0, 0)
	a := arrivalOf(d, saleOf(900, now))
	a[0].Sightings[0].Received = now
	_, err := d.Apply(context.Background(), a)
	must(t, err)
	for removed := 1; removed > 0; {
		removed, err = d.Retain(context.Background(), now, 100)
		must(t, err)
	}
	for _, table := range []string{"cases", "followed", "refund_after", "tally"} {
		if n, _, err := d.w.Int(`SELECT count(*) FROM ` + table); err != nil || n != 0 {
			t.Errorf("%d rows are left in %s (%v)", n, table, err)
		}
	}
	if n, _, err := d.w.Int(`SELECT count(*) FROM day_run`); err != nil || n != 1 {
		t.Errorf("%d runs of days are left, want that of the record that stays (%v)", n, err)
	}
}

// TestADateThatIsMadeAgain: the payer was seen at a time that a wrong clock has made. Once it is
// right he was seen after the refund, and the tallies count the record on its day.
func TestADateThatIsMadeAgain(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	apply(t, d, wrongAndRight()[:2]...)
	back := refundOf(1, 9, card(1), start)
	back.Kind, back.Original = refund.KindSale, refund.Original{}
	again := refundOf(9, 10, card(1), start)
	applyAll(t, d, undatedAt(d, back, wrongBoots[0], 3*time.Hour), undatedAt(d, again, wrongBoots[0], 4*time.Hour))
	if got := namesOf(t, due(t, d)); !slices.Equal(got, []string{refund.CaseOpened}) {
		t.Fatalf("published %q", got)
	}
	redateAll(t, d)
	if got := namesOf(t, due(t, d)); !slices.Contains(got, "payer_seen") {
		t.Errorf("published %q", got)
	}
	sendTallies(t, d, start.AddDate(0, 0, 2))
	got, _ := tallies(t, d)
	if want := counted(t, d); len(got) != 1 || len(want) != 1 || got["tally/898000000000001/10000001/2026-08-23"] != "[{01 2 2}]" ||
		want["tally/898000000000001/10000001/2026-08-23"] != "[{01 2 2}]" {
		t.Errorf("tallies %v, counted %v", got, want)
	}
}

// TestACaseOfAnEarlierVersion: it has no sale any more because its refund was undone before the
// update. A refund that is made again after the update is published all the same.
func TestACaseOfAnEarlierVersion(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, wrongAndRight()[:3]...)
	must(t, d.write(context.Background(), func(tx *tx) error {
		return errors.Join(tx.c.Do(`UPDATE cases SET original = NULL`), tx.c.Do(`DELETE FROM followed`), setMeta(tx.c, lackSalesName, "1"))
	}))
	must(t, d.Close())
	d = openTest(t, o)
	apply(t, d, wrongAndRight()[3:]...)
	want := []string{refund.CaseOpened, refund.CaseCleared, "undone", "refund_after", "refund_after", "settled", "payer_seen"}
	if got := namesOf(t, due(t, d)); !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
	if left, err := metaText(d.w, lackSalesName); err != nil || left != "" {
		t.Errorf("it is looked for again: %q, %v", left, err)
	}
}
