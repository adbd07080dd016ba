package store_test

import (
	"fmt"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// broken is a case event that does not fit its schema.
func broken(e desktest.Case) said {
	m := c(e)
	m.payload = strings.Replace(m.payload, `"decision":"alarm"`, `"decision":"odd"`, 1)
	return m
}

// under returns a message another sequence, and nothing else but the attempt.
func under(m said, seq int64) said {
	at := strings.Index(m.payload, `"sequence":"`) + len(`"sequence":"`)
	m.payload = m.payload[:at] + fmt.Sprintf("%020d", seq) + m.payload[at+20:]
	m.payload = strings.Replace(m.payload, `"attempt":1`, `"attempt":2`, 1)
	return m
}

// summary is what a terminal says of its outbox.
func summary(stream string, acked int64) said {
	return said{"t-1/up/case-summary", fmt.Sprintf(`{"v":1,"stream":%q,"last_seq":%d,"acked_seq":%d,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null}`,
		stream, acked, acked), false}
}

// rev makes an event one about the verdict with this number.
func rev(m said, n int) said {
	m.payload = strings.Replace(m.payload, `"rev":1`, fmt.Sprintf(`"rev":%d`, n), 1)
	return m
}

func (r *rig) one(caseID string) store.CaseRow {
	r.t.Helper()
	list, err := r.s.Case(r.t.Context(), caseID, "")
	if err != nil || len(list) != 1 {
		r.t.Fatalf("case %s: %d rows, %v", caseID, len(list), err)
	}
	return list[0]
}

// A case that was refused and that a person puts back into the terminal's queue comes
// with the id it had, under its old sequence or a new one. It is stored if it is not
// here, once, and acknowledged in any case.
func TestRequeuedByHand(t *testing.T) {
	both(t, func(r *rig) {
		refused := desktest.Case{Seq: 2, ID: "E-x", CaseID: desktest.CaseID(77)}
		a := r.take(c(desktest.Case{Seq: 1}), broken(refused), c(desktest.Case{Seq: 3}))
		r.want("refused", acked(a), "t-1/S1 3 nack 2 schema")
		r.want("still broken", acked(r.take(under(broken(refused), 4))), "t-1/S1 4 nack 4 schema")
		a = r.take(under(c(refused), 5))
		r.want("good now", fmt.Sprint(acked(a), " new ", a.New), "t-1/S1 5 new 1")
		r.want("the case", r.one(desktest.CaseID(77)).Seq, int64(5))

		// Its answer was lost, and it is put back once more; and one that was stored.
		for _, seq := range []int64{5, 6, 2} {
			a = r.take(under(c(refused), seq))
			r.want(fmt.Sprint("again as ", seq), fmt.Sprint(acked(a), " new ", a.New, " repeats ", a.Repeats, " refused ", a.Refused), fmt.Sprintf("t-1/S1 %d new 0 repeats 1 refused 0", max(seq, a.Acks[0].Seq)))
		}
		a = r.take(under(c(desktest.Case{Seq: 3}), 8))
		r.want("beyond a gap", acked(a), "t-1/S1 6")
		r.want("the gap", r.gaps(), []string{"S1 7-7"})
		r.want("closed", acked(r.take(c(desktest.Case{Seq: 7}))), "t-1/S1 8")
		n := r.totals()
		if n.Events != 4 || n.Cases != 4 || n.Quarantined != 2 {
			t.Errorf("%+v", n)
		}
		streams, err := r.s.Streams(t.Context(), store.StreamFilter{})
		if err != nil || len(streams) != 1 || streams[0].Reused != 0 || len(streams[0].Holes) != 0 {
			t.Errorf("%+v %v", streams, err)
		}
		// Under its old sequence, as an agent of before did it.
		old := desktest.Case{Seq: 9}
		r.take(broken(old))
		a = r.take(c(old))
		r.want("the old sequence", fmt.Sprint(acked(a), " new ", a.New), "t-1/S1 9 new 1")
		// Other contents under a new sequence are no repeat.
		other := old
		other.Severity = "critical"
		a = r.take(under(c(other), 10))
		r.want("altered", fmt.Sprint(acked(a), " refused ", a.Refused), "t-1/S1 10 refused 1")
	})
}

// What was put back says less than what has come since: the case stays as it is.
func TestRequeuedIsNotNewer(t *testing.T) {
	both(t, func(r *rig) {
		id := desktest.CaseID(5)
		opened := func(seq int64) desktest.Case { return desktest.Case{Seq: seq, ID: "E-opened", CaseID: id} }
		r.take(broken(opened(1)), rev(c(desktest.Case{Seq: 2, CaseID: id, Kind: "revised"}), 2), rev(c(desktest.Case{Seq: 3, CaseID: id, Kind: "cleared"}), 3))
		r.want("put back", acked(r.take(c(opened(4)))), "t-1/S1 4")
		got := r.one(id)
		r.want("the case", fmt.Sprint(got.State, " ", got.Seq, " ", got.Events, " ", got.Severity), "cleared 3 3 high")
		// A later verdict that comes late is newer, whatever its sequence.
		r.take(rev(c(desktest.Case{Seq: 6, CaseID: id, Kind: "revised"}), 4), rev(c(desktest.Case{Seq: 5, CaseID: id, Kind: "cleared"}), 5))
		r.want("the case", fmt.Sprint(r.one(id).State, " ", r.one(id).Seq), "cleared 5")
		// Of another record of the same refund, and of another life, as it comes.
		m := rev(c(desktest.Case{Seq: 7, CaseID: id}), 0)
		m.payload = strings.Replace(m.payload, `"seq":2`, `"seq":9`, 1)
		r.take(m)
		r.want("the case", fmt.Sprint(r.one(id).State, " ", r.one(id).Seq), "open 7")
		r.take(c(desktest.Case{Seq: 1, Stream: "S2", CaseID: id, Kind: "cleared"}))
		r.want("the case", fmt.Sprint(r.one(id).State, " ", r.one(id).Stream), "cleared S2")
	})
}

// Whatever a terminal says that it has put aside, or sends again, or says was
// acknowledged: the tables stay small.
func TestTablesOfAStreamAreBounded(t *testing.T) {
	both(t, func(r *rig) {
		const most = 4
		r.s.SetLimits(store.Limits{CaseBytes: 1 << 20, Others: 5, Streams: 2, Links: 2, Refused: 3, AllRefused: 5, Payload: 100, Apart: most})
		aside := func(n int, stream string, seq int64) said {
			text := string(desktest.Event("t-1", fmt.Sprint("e", n, stream), "outbox.quarantined", map[string]any{"sequence": seq}))
			return said{"t-1/up/event", strings.Replace(text, `"stream":"S1"`, fmt.Sprintf(`"stream":%q`, stream), 1), false}
		}
		rows := func() (streams, holes, gaps int) {
			list, err := r.s.Streams(t.Context(), store.StreamFilter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				holes, gaps = max(holes, len(s.Holes)), max(gaps, len(s.Gaps))
			}
			return len(list), holes, gaps
		}
		r.take(c(desktest.Case{Seq: 1}))
		for n := range 20 { // streams without end, by two ways
			r.take(aside(n, fmt.Sprint("T", n), 3))
			repeat := desktest.Case{Seq: 1, Stream: fmt.Sprint("U", n), ID: desktest.EventID("S1", 1), CaseID: desktest.CaseID(1)}
			r.take(c(repeat))
		}
		for n := range 20 { // sequences far apart without end, by two ways
			r.take(aside(100+n, "S1", int64(10+2*n)))
			r.take(under(c(desktest.Case{Seq: 1}), int64(500+2*n)))
		}
		streams, holes, gaps := rows()
		if streams != 2 || holes > most || gaps > most {
			t.Errorf("%d streams, %d holes, %d gaps", streams, holes, gaps)
		}
		for n := range 40 { // holes one after the other, of two kinds
			seq := int64(2000 + 3*n)
			r.take(summary("S1", seq), aside(200+n, "S1", seq+1))
		}
		if streams, holes, gaps = rows(); streams != 2 || holes > most || gaps > 1 { // T0 has one
			t.Errorf("%d streams, %d holes, %d gaps", streams, holes, gaps)
		}
		// Nothing is said to be here that is not: the last hole takes in the rest.
		last := r.gaps()[len(r.gaps())-1]
		if !strings.HasPrefix(last, "T0") && !strings.HasSuffix(last, "-2118)") {
			t.Errorf("the last hole is %s", last)
		}
		a := r.take(c(desktest.Case{Seq: 2050}), c(desktest.Case{Seq: 2119}))
		r.want("what comes after all is taken", fmt.Sprint(acked(a), " new ", a.New), "t-1/S1 2119 new 2")
	})
}
