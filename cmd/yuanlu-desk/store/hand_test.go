package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// by is somebody who does something at a moment.
func by(at time.Time) store.Hand {
	return store.Hand{Who: "wang", Why: "terminal was scrapped", At: at}
}

func (r *rig) unsent() string {
	r.t.Helper()
	acks, upTo, err := r.s.UnsentAcks(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.s.AcksSent(r.t.Context(), upTo); err != nil {
		r.t.Fatal(err)
	}
	return acked(store.Answer{Acks: acks})
}

// An event that will never come holds up every acknowledgement of its stream until
// a person decides so; then they go on, and what was missing stays listed.
func TestCloseGapByHand(t *testing.T) {
	both(t, func(r *rig) {
		ctx := t.Context()
		for _, n := range []int64{1, 2, 5, 8} {
			r.take(c(desktest.Case{Seq: n}))
		}
		late := r.now.Add(store.Patience)
		for name, tc := range map[string]struct {
			terminal, stream string
			last             int64
			hand             store.Hand
			want             error
			text             string
		}{
			"too early":   {"t-1", "S1", 4, by(r.now.Add(time.Minute)), store.ErrHand, "may still come until 2026-08-23T12:30:00Z"},
			"nothing":     {"t-1", "S1", 2, by(late), store.ErrHand, "nothing is missing up to 2"},
			"beyond":      {"t-1", "S1", 8, by(late), store.ErrHand, "beyond the last gap"},
			"no stream":   {"t-1", "S2", 4, by(late), store.ErrNotFound, `"S2"`},
			"no terminal": {"t-2", "S1", 4, by(late), store.ErrNotFound, `"t-2"`},
			"nobody":      {"t-1", "S1", 4, store.Hand{Why: "x", At: late}, store.ErrHand, "who"},
			"no reason":   {"t-1", "S1", 4, store.Hand{Who: "x", At: late}, store.ErrHand, "why"},
			"long reason": {"t-1", "S1", 4, store.Hand{Who: "x", Why: strings.Repeat("x", 600), At: late}, store.ErrHand, "why"},
		} {
			if _, err := r.s.CloseGap(ctx, tc.terminal, tc.stream, tc.last, false, tc.hand); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r.want("nothing has changed", r.gaps(), []string{"S1 3-4", "S1 6-7"})
		r.want("nothing to acknowledge", r.unsent(), "-")
		closed, err := r.s.CloseGap(ctx, "t-1", "S1", 4, false, by(late))
		if err != nil || closed.First != 3 || closed.Last != 4 {
			t.Fatalf("%+v %v", closed, err)
		}
		r.want("to acknowledge", r.unsent(), "t-1/S1 5")
		r.want("acknowledged once", r.unsent(), "-")
		r.want("the rest is waited for", r.gaps(), []string{"S1 6-7", "S1 (3-4)"})
		// It comes after all: it is taken, and the hole is smaller.
		r.want("late", acked(r.take(c(desktest.Case{Seq: 3}))), "t-1/S1 5")
		r.want("a smaller hole", r.gaps(), []string{"S1 6-7", "S1 (4-4)"})
		if _, err := r.s.CloseGap(ctx, "t-1", "S1", 7, true, by(r.now)); err != nil { // insisting
			t.Error(err)
		}
		r.want("after insisting", r.unsent(), "t-1/S1 8")
		r.want("both are listed", r.gaps(), []string{"S1 (4-4)", "S1 (6-7)"})
		list, err := r.s.Actions(ctx, "t-1", 0, 0)
		if err != nil || len(list) != 2 || list[1].Who != "wang" || list[1].First != 3 || list[1].Last != 4 || !list[1].Sent || list[0].What != store.ActionClose {
			t.Errorf("%+v %v", list, err)
		}
		if n := r.totals(); n.Incomplete != 0 || n.Events != 5 {
			t.Errorf("%+v", n)
		}
	})
}

// put lays a message into quarantine as an older desk would have.
func (r *rig) put(topic string, payload []byte, code string) int64 {
	r.t.Helper()
	_, err := r.s.Apply(r.t.Context(), []store.Message{{Refusal: &store.Refusal{Terminal: "t-1", Topic: topic, Code: code, Message: "x", Payload: payload, Received: r.now}}})
	if err != nil {
		r.t.Fatal(err)
	}
	list, err := r.s.Quarantine(r.t.Context(), store.RefusedFilter{Limit: 1})
	if err != nil || len(list) != 1 {
		r.t.Fatal(list, err)
	}
	return list[0].N
}

func TestReleaseAndDiscardByHand(t *testing.T) {
	both(t, func(r *rig) {
		ctx := t.Context()
		bad := strings.Replace(string(desktest.Case{Seq: 1}.JSON()), `"decision":"alarm"`, `"decision":"odd"`, 1)
		r.want("refused", acked(r.take(said{"t-1/up/case", bad, false})), "t-1/S1 1 nack 1 schema")
		list, err := r.s.Quarantine(ctx, store.RefusedFilter{Code: "schema"})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		kept, err := r.s.Kept(ctx, list[0].N)
		if err != nil || string(kept.Payload) != bad || kept.Seq != 1 || kept.Code != "schema" {
			t.Errorf("%+v %v", kept.Refused, err)
		}
		release := func(n int64) error { return consumer.Release(ctx, r.s, r.decode, n, by(r.now)) }
		for name, tc := range map[string]struct {
			n    int64
			want error
			text string
		}{
			"does not fit":  {list[0].N, store.ErrHand, "still does not fit (schema)"},
			"there is none": {9999, store.ErrNotFound, "9999"},
			"a state":       {r.put("up/state", []byte(`{"v":1}`), "schema"), store.ErrHand, "only events"},
			"cut":           {r.put("up/case", []byte(strings.Repeat("x", 70_000)), "too_large"), store.ErrHand, "first 65536 of 70000"},
		} {
			if err := release(tc.n); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A desk that knows more than the one that refused it.
		n := r.put("up/case", desktest.Case{Seq: 1}.JSON(), "schema")
		if err := release(n); err != nil {
			t.Fatal(err)
		}
		if err := release(n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
		r.want("the terminal gets it", r.unsent(), "t-1/S1 1")
		if err := release(r.put("up/case", desktest.Case{Seq: 1}.JSON(), "altered")); !errors.Is(err, store.ErrHand) || !strings.Contains(err.Error(), "stored already") {
			t.Errorf("altered: %v", err)
		}
		before := r.totals()
		if err := r.s.Discard(ctx, list[0].N, store.Hand{Who: "w"}); !errors.Is(err, store.ErrHand) {
			t.Errorf("without a reason: %v", err)
		}
		if err := r.s.Discard(ctx, list[0].N, by(r.now)); err != nil {
			t.Error(err)
		}
		if err := r.s.Discard(ctx, list[0].N, by(r.now)); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		if after := r.totals(); after.Quarantined != before.Quarantined-1 || after.Cases != 1 {
			t.Errorf("%+v", after)
		}
		actions, err := r.s.Actions(ctx, "", 0, 0)
		if err != nil || len(actions) != 2 || actions[0].What != store.ActionDiscard || actions[1].What != store.ActionRelease {
			t.Errorf("%+v %v", actions, err)
		}
	})
}

// What a terminal can take up is bounded, whatever it sends, and another terminal
// does not notice.
func TestLimits(t *testing.T) {
	both(t, func(r *rig) {
		size := int64(len(desktest.Case{Seq: 1}.JSON()))
		r.s.SetLimits(store.Limits{CaseBytes: 3*size + 10, Others: 5, Streams: 2, Links: 2, Refused: 3, AllRefused: 5, Payload: 100, Apart: 2})
		for n := range int64(3) {
			r.take(c(desktest.Case{Seq: n + 1}))
		}
		a := r.take(c(desktest.Case{Seq: 4}))
		r.want("no room: not acknowledged", acked(a), "-")
		r.want("and reported", a.Full, []string{"t-1"})
		r.want("a repeat is welcome", acked(r.take(c(desktest.Case{Seq: 2, Attempt: 2}))), "t-1/S1 3")
		r.want("another terminal has room", acked(r.take(c(desktest.Case{Seq: 1, Terminal: "t-2"}))), "t-2/S1 1")
		r.s.SetLimits(store.Limits{CaseBytes: 1 << 20, Others: 5, Streams: 2, Links: 2, Refused: 3, AllRefused: 5, Payload: 100, Apart: 2})
		r.want("more room", acked(r.take(c(desktest.Case{Seq: 4}))), "t-1/S1 4")

		r.take(c(desktest.Case{Seq: 1, Stream: "S2"}))
		a = r.take(c(desktest.Case{Seq: 1, Stream: "S3"}))
		r.want("a third stream", acked(a)+fmt.Sprint(a.Full), "-[t-1]")
		bad := func(seq int64, stream string) said {
			return said{"t-1/up/case", strings.Replace(string(desktest.Case{Seq: seq, Stream: stream}.JSON()), `"decision":"alarm"`, `"decision":"odd"`, 1), false}
		}
		r.want("nor by a refused one", acked(r.take(bad(1, "S4"))), "-")
		r.want("nor by a summary", r.take(summary("S5", 9)).Refused, 0)
		streams, err := r.s.Streams(t.Context(), store.StreamFilter{Terminal: "t-1"})
		if err != nil || len(streams) != 2 {
			t.Errorf("%+v %v", streams, err)
		}
		for n := range int64(10) {
			r.take(bad(10+2*n, "S1"), said{"t-1/up/event", string(desktest.Event("t-1", fmt.Sprint("e", n), "link.lost", map[string]int64{"n": n})), false},
				said{fmt.Sprintf("t-1/up/link/l%d/state", n), fmt.Sprintf(`{"v":1,"name":"l%d","state":"online","reason":"","port":"x","frames_good":1,"frames_bad":0}`, n), false},
				said{"t-3/up/case", fmt.Sprint("garbage", n), false})
		}
		one, err := r.s.Terminal(t.Context(), "t-1", r.now)
		if err != nil || len(one.Links) != 2 {
			t.Errorf("%+v %v", one.Links, err)
		}
		events, err := r.s.Events(t.Context(), store.EventFilter{Kind: "event"})
		if err != nil || len(events) != 5 || !strings.Contains(string(events[4].Event), `"id":"e9"`) {
			t.Errorf("%d events %v", len(events), err)
		}
		for terminal, most := range map[string]int{"t-1": 3, "t-3": 3, "": 5} {
			list, err := r.s.Quarantine(t.Context(), store.RefusedFilter{Terminal: terminal})
			if err != nil || len(list) > most {
				t.Errorf("%q: %d refused %v", terminal, len(list), err)
			}
		}
		// Refused sequences far apart are noted twice; the others stay part of the gap.
		r.want("gaps", r.gaps(), []string{"S1 5-9", "S1 11-11"})
	})
}

func TestRetain(t *testing.T) {
	both(t, func(r *rig) {
		ctx := t.Context()
		old := r.now
		r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2}), c(desktest.Case{Terminal: "t-9", Seq: 1}),
			said{"t-1/up/event", string(desktest.Event("t-1", "e1", "link.lost", map[string]int{})), false}, said{"t-1/up/case", "garbage", false},
			said{"t-9/up/state", `{"v":1,"state":"online","session":"s"}`, false}, said{"t-1/up/state", `{"v":1,"state":"online","session":"s"}`, false})
		r.now = old.Add(300 * 24 * time.Hour)
		r.take(c(desktest.Case{Seq: 3, CaseID: desktest.CaseID(2), Kind: "revised"}), said{"t-1/up/state", `{"v":1,"state":"online","session":"s"}`, false})
		if n, err := r.s.Retain(ctx, r.now, 301*24*time.Hour, 10); n != 0 || err != nil {
			t.Errorf("nothing is old: %d %v", n, err)
		}
		total := int64(0)
		for {
			n, err := r.s.Retain(ctx, r.now, 299*24*time.Hour, 1)
			if err != nil {
				t.Fatal(err)
			}
			if total += n; n == 0 {
				break
			}
		}
		// The event, the garbage and t-9's state; the cases are open.
		n := r.totals()
		if total != 3 || n.Cases != 3 || n.Events != 4 || n.Quarantined != 0 || n.Terminals != 1 || n.Streams != 2 {
			t.Errorf("%d removed, %+v", total, n)
		}
		r.want("the stream goes on", acked(r.take(c(desktest.Case{Seq: 4}))), "t-1/S1 4")
		if one, err := r.s.Case(ctx, desktest.CaseID(2), ""); err != nil || len(one[0].History) != 2 {
			t.Errorf("%+v %v", one, err)
		}
	})
}

// downgrade makes a closed store one of version 2, from before the case desk and the list of
// migrations, and then does more.
func (r *rig) downgrade(more ...string) {
	r.t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(r.place, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, r.place)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	list := []string{"DROP TABLE goose_db_version", "DELETE FROM desk WHERE id = 2", `UPDATE meta SET value = '2' WHERE name = 'version'`}
	for _, name := range []string{"setup", "event", "input", "case", "refund", "year", "gone", "key", "read", "file", "filed", "login", "session", "failure", "identity"} {
		list = append(list, "DROP TABLE work_"+name)
	}
	list = append(list, "DROP TABLE bill", "DROP TABLE bill_entry", "DROP TABLE terminal_day", "DROP TABLE day_due", "DROP TABLE day_line", "DROP TABLE day_total", "DROP TABLE bill_name")
	for _, name := range []string{"log", "log_note", "log_step", "log_leaf", "log_alarm", "case_leaf", "leaf_ask", "desk_log", "desk_leaf", "desk_stamp", "export"} {
		list = append(list, "DROP TABLE "+name)
	}
	for _, q := range append(list, more...) {
		if _, err := db.Exec(q); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A store of version 1 is brought to this one with everything in it.
func TestOpensAStoreOfVersion1(t *testing.T) {
	both(t, func(r *rig) {
		r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2}))
		r.s.Close()
		r.downgrade(`DROP TABLE held`, `DROP TABLE action`, `DROP INDEX event_kind`, `DROP INDEX event_received`, `DELETE FROM meta WHERE name = 'id'`,
			`UPDATE meta SET value = '1' WHERE name = 'version'`)
		r.open()
		id := r.s.ID()
		size := int64(len(desktest.Case{Seq: 1}.JSON()))
		r.s.SetLimits(store.Limits{CaseBytes: 2*size + 10, Others: 5, Streams: 2, Links: 2, Refused: 3, AllRefused: 5, Payload: 100, Apart: 2})
		r.want("what was there counts", acked(r.take(c(desktest.Case{Seq: 3}))), "-")
		r.s.Close()
		r.open()
		if id == "" || r.s.ID() != id {
			t.Errorf("id %q, then %q", id, r.s.ID())
		}
		if n := r.totals(); n.Events != 2 {
			t.Errorf("%+v", n)
		}
	})
}

// By presence as it is at the moment.
func TestTerminalsByPresence(t *testing.T) {
	both(t, func(r *rig) {
		r.take(said{"t-1/up/state", `{"v":1,"state":"online","session":"s"}`, false}, said{"t-2/up/state", `{"v":1,"state":"lost","session":"s"}`, false})
		r.now = r.now.Add(170 * time.Second)
		r.take(said{"t-3/up/state", `{"v":1,"state":"online","session":"s"}`, false})
		for presence, want := range map[string]string{"online": "t-1 t-3", "lost": "t-2", "unknown": "", "": "t-1 t-2 t-3"} {
			r.want(presence, r.names(presence, r.now.Add(10*time.Second)), want)
		}
		r.want("online later", r.names("online", r.now.Add(11*time.Second)), "t-3")
		r.want("unknown later", r.names("unknown", r.now.Add(11*time.Second)), "t-1 t-2")
	})
}

func (r *rig) names(presence string, now time.Time) string {
	r.t.Helper()
	list, err := r.s.Terminals(context.Background(), store.TerminalFilter{Presence: presence}, now)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, one := range list {
		names = append(names, one.Terminal)
	}
	return strings.Join(names, " ")
}
