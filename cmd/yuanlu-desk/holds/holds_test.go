package holds

import (
	"fmt"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// held is the event of a hold: of so many fen of the sale rrn, or of none, opened after some time.
func held(ask, state, rrn string, fen int64, after time.Duration) Event {
	kind, ended, original := "opened", "", "null"
	if state != "open" {
		kind, ended = "ended", began.Add(after+time.Minute).Format(time.RFC3339)
	}
	if rrn != "" {
		original = fmt.Sprintf(`{"terminal_id":"T1","at":"2026-11-24T10:00:00+08:00","rrn":%q,"amount":1000}`, rrn)
	}
	return Event{"t-1", fmt.Appendf(nil, `{"type":"yuanlu.hold.%s.v1","data":{"ask":%q,"merchant_id":"M1","terminal_id":"T1",
		"hold":{"state":%q,"level":"hold","opened":%q,"until":%q,"ended":%q,"by":"s-1","reason":"","text":"","wrong_pins":0},
		"refund":{"merchant_id":"M1","terminal_id":"T1","amount":%d,"currency":"CNY","party":{"token":"k1:aa"}},"original":%s,
		"answer":{"findings":[{"code":"recipient_mismatch","severity":"critical"},{"code":"keyed_refund","severity":"medium"}]}}}`,
		kind, ask, state, began.Add(after).Format(time.RFC3339), began.Add(after+5*time.Minute).Format(time.RFC3339), ended, fen, original)}
}

func TestFold(t *testing.T) {
	list := Fold([]Event{held("a-1", "released", "1", 100, 0), held("a-1", "open", "1", 100, 0), held("a-2", "open", "", 200, time.Minute),
		{"t-1", []byte(`{"type":"yuanlu.case.opened.v1","data":{"ask":"x"}}`)}, {"t-1", []byte("{")}}, began.Add(2*time.Minute))
	if len(list) != 2 || list[0].Ask != "a-2" || list[0].Left != 240 || list[0].Ended != nil || list[1].State != "released" || list[1].Left != 0 || list[1].Ended == nil {
		t.Errorf("%+v", list)
	}
	if late := Fold([]Event{held("a", "open", "", 1, 0)}, began.Add(time.Hour)); late[0].Left != 0 {
		t.Error(late[0].Left)
	}
}

// TestPreventedWhere: by store, and only what is asked about; the same refund tried again within
// the time counts once, though its first try was before it.
func TestPreventedWhere(t *testing.T) {
	list := Fold([]Event{held("before", "cancelled", "1", 100, -time.Hour), held("again", "cancelled", "1", 100, time.Hour),
		held("north", "cancelled", "2", 20, time.Hour), held("south", "corrected", "3", 3, 2*time.Hour), held("unseen", "expired", "4", 4, 0)}, began)
	stores := map[string]string{"again": "north", "before": "north", "north": "north", "south": "south", "unseen": ""}
	p := Prevented(list, nil, func(h *Hold) (string, bool) { return stores[h.Ask], h.Ask != "unseen" && !h.Opened.Before(began) })
	if fmt.Sprint(p.Sums) != "[{north recipient_mismatch CNY 1 20} {south recipient_mismatch CNY 1 3}]" || fmt.Sprint(p.Total) != "[{  CNY 2 23}]" {
		t.Errorf("%v %v", p.Sums, p.Total)
	}
}

// TestPrevented: only what ended without a refund, once a day for the same sale and amount.
func TestPrevented(t *testing.T) {
	named := Event{"t-1", []byte(`{"type":"yuanlu.case.opened.v1","data":{"guard":{"ask":"named"},"refund":{"merchant_id":"M1","terminal_id":"T1"}}}`)}
	list := Fold([]Event{
		held("a-1", "cancelled", "1", 100, 0), held("again", "expired", "1", 100, time.Hour), held("other amount", "expired", "1", 150, time.Hour),
		held("next day", "corrected", "1", 100, 25*time.Hour), held("no sale", "cancelled", "", 700, 0), held("no sale again", "cancelled", "", 700, time.Hour),
		held("released", "released", "2", 1, 0), held("bypassed", "bypassed", "3", 1, 0), held("replaced", "replaced", "4", 1, 0), held("open", "open", "5", 1, 0),
		held("named", "expired", "6", 1, 0),
	}, began)
	p := Prevented(list, []Event{named}, func(*Hold) (string, bool) { return "shop", true })
	if len(p.Total) != 1 || p.Total[0] != (Sum{Currency: "CNY", Holds: 4, Amount: 100 + 150 + 100 + 700}) {
		t.Errorf("%+v", p.Total)
	}
	if len(p.Sums) != 1 || p.Sums[0] != (Sum{Store: "shop", Code: "recipient_mismatch", Currency: "CNY", Holds: 4, Amount: 1050}) {
		t.Errorf("%+v", p.Sums)
	}
}
