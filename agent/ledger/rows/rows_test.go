package rows

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func store(t testing.TB) *sqlite.Conn {
	t.Helper()
	schema, err := os.ReadFile("../migrations/0001.sql")
	must(t, err)
	c, err := sqlite.Open(filepath.Join(t.TempDir(), "a.db"), sqlite.ReadWrite)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Script(string(schema)))
	return c
}

var noon = time.Date(2026, 8, 23, 12, 0, 0, 0, time.UTC)

// TestRecordsComeBack: as they were written, and a changed one not at all.
func TestRecordsComeBack(t *testing.T) {
	c := store(t)
	sale := refund.Record{Kind: refund.KindSale, At: "2026-08-23T12:00:00Z", MerchantID: "M"}
	want := []Record{
		{Seq: 1, Link: 2, Received: 3, Body: refund.EncodeStored(nil, &sale)},
		{Seq: 2, CopyOf: 1, UndoneBy: 7, Link: 2, Received: 3, Flags: Synced | YearClock, MAC: []byte{9}, CaseID: "C", Keys: []byte{4},
			Note: "training", Observed: "1 2 3 4", Body: refund.EncodeStored(nil, &sale)},
	}
	for i := range want {
		must(t, want[i].Insert(c, packed.Append(nil, want[i].Body), nil))
	}
	const all = `SELECT ` + RecordColumns + ` FROM record`
	got, err := Records(c, all)
	must(t, err)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if r, err := got[0].Decode(); err != nil || r.MerchantID != "M" || got[0].Date(&r, time.UTC) != "2026-08-23" {
		t.Errorf("%+v %v", r, err)
	}
	must(t, c.Do(`UPDATE record SET body = replace(body, 'M', 'N') WHERE seq = 2`))
	var e *Error
	if _, err := Records(c, all); !errors.As(err, &e) || e.Seq != 2 || !errors.Is(err, sqlite.ErrDamaged) || !errors.Is(err, sqlite.ErrUnavailable) {
		t.Errorf("a changed body: %v", err)
	}
}

// TestEntriesComeBack: as they were written, and a changed one not at all.
func TestEntriesComeBack(t *testing.T) {
	c := store(t)
	list := []refund.Notice{
		{Entry: 5, Sequence: 5, Class: refund.NoticeCase, Stream: "S", ID: "a", Type: "case.opened", Subject: "case/C", Time: noon, ClockSynced: true, Data: []byte(`{"a":1}`)},
		{Entry: FirstEvent + 1, Class: refund.NoticeEvent, Stream: "S", ID: "b", Type: "x", Subject: "y", Time: noon, Historical: true, Data: []byte(`{}`)},
	}
	for i := range list {
		must(t, InsertEntry(c, "outbox", list[i].Entry, "C", &list[i], packed.Append(nil, list[i].Data)))
	}
	var got []refund.Notice
	read := func() error {
		got = nil
		return c.Each(`SELECT `+EntryColumns+` FROM outbox ORDER BY entry`, func(r *sqlite.Row) error {
			n, err := ScanEntry(r, "S")
			got = append(got, n)
			return err
		})
	}
	must(t, read())
	if d := cmp.Diff(list, got); d != "" {
		t.Error(d)
	}
	size, _, err := c.Int(`SELECT total(size) FROM outbox`)
	if must(t, err); size != EntrySize(&list[0])+EntrySize(&list[1]) {
		t.Errorf("size %d", size)
	}
	must(t, c.Do(`UPDATE outbox SET data = '{"a":2}' WHERE entry = 5`))
	if err := read(); !errors.Is(err, sqlite.ErrDamaged) {
		t.Errorf("a changed entry: %v", err)
	}
}

// TestPackedMACs: each comes back, and the usual form takes half the room.
func TestPackedMACs(t *testing.T) {
	for _, mac := range []string{"", "k1:00112233445566778899aabbccddeeff", "k1000000:00112233445566778899aabbccddeeff",
		"k01:00112233445566778899aabbccddeeff", "k1:00112233445566778899AABBCCDDEEFF", "k1:00", "other", "k:"} {
		if got := UnpackMAC(PackMAC(mac)); got != mac {
			t.Errorf("%q comes back as %q", mac, got)
		}
	}
	if n := len(PackMAC("k1:00112233445566778899aabbccddeeff")); n != 17 {
		t.Errorf("%d bytes", n)
	}
}

// TestPackedKeys: each comes back, and a damaged end ends the list.
func TestPackedKeys(t *testing.T) {
	keys := []refund.Key{{Kind: refund.KeyRRN, Value: "1\x1f"}, {Kind: refund.KeyStan, Value: ""}}
	packed := PackKeys(keys)
	for cut := range len(packed) + 1 {
		n := 0
		must(t, EachKey(packed[:cut], func(value []byte) error {
			if want := string(AppendKey(nil, keys[n])); string(value) != want {
				t.Errorf("key %d is %q, want %q", n, value, want)
			}
			n++
			return nil
		}))
		if cut == len(packed) && n != len(keys) {
			t.Errorf("%d keys", n)
		}
	}
}

// TestTotals: the sums of a settlement come back; what is not four numbers is none.
func TestTotals(t *testing.T) {
	want := refund.Totals{DebitAmount: 1, DebitCount: 2, CreditAmount: 3, CreditCount: 4}
	if got := UnpackTotals(PackTotals(&want)); got == nil || *got != want {
		t.Errorf("%+v", got)
	}
	if PackTotals(nil) != "" || UnpackTotals("") != nil || UnpackTotals("1 2 x") != nil {
		t.Error("no sums are some")
	}
}
