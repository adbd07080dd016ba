package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// truth is what really happened, as `firmware-sim ledger` prints it.
func (r *run) truth() []scenario.Entry {
	r.t.Helper()
	out, err := exec.Command(binary(r.t, "firmware-sim"), "ledger", "--refunds", filepath.Join(r.dir, "truth.jsonl")).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	all, err := scenario.ReadEntries(bytes.NewReader(out))
	if err != nil {
		r.t.Fatal(err)
	}
	var list []scenario.Entry
	for _, e := range all {
		if e.Record.Copy == "" {
			list = append(list, e)
		}
	}
	return list
}

// caseData is what is compared of a case.
type caseData struct {
	Refund struct {
		Kind       string `json:"kind"`
		TerminalID string `json:"terminal_id"`
		Batch      string `json:"batch"`
		Stan       string `json:"stan"`
		RefundNo   string `json:"refund_no"`
		Amount     int64  `json:"amount"`
	} `json:"refund"`
	Verdict struct {
		Recipient string `json:"recipient"`
		Decision  string `json:"decision"`
	} `json:"verdict"`
}

func number(terminal, batch, stan, refundNo string) string {
	if stan == "" {
		return terminal + "/" + refundNo
	}
	return terminal + "/" + batch + "/" + stan
}

// compare sets the desk's cases against the truth, each way, and against the agent's
// store. It returns the number of wrong refunds.
func (r *run) compare(ledger []scenario.Entry, least int) (wrong int) {
	r.t.Helper()
	got, ids := r.casesAtDesk()
	for _, e := range ledger {
		n := number(e.Record.TerminalID, e.Record.Batch, e.Record.Stan, e.Record.RefundNo)
		c, there := got[n]
		delete(got, n)
		if e.Truth.Label == scenario.Wrong {
			wrong++
		}
		switch open := there && c.State == store.CaseOpen; {
		case e.Truth.Case && !open:
			r.t.Errorf("lost: %s, %s", n, e.Truth.Why)
		case !e.Truth.Case && open:
			r.t.Errorf("false: %s is a case, %s", n, e.Truth.Why)
		case e.Truth.Label == scenario.Wrong && !open, e.Truth.Label == scenario.Right && open:
			r.t.Errorf("%s refund %s: a case is %v", e.Truth.Label, n, open)
		case e.Truth.Case && (c.Recipient != e.Truth.Recipient || c.Decision != e.Truth.Decision):
			r.t.Errorf("%s: recipient %s %s, want %s %s", n, c.Recipient, c.Decision, e.Truth.Recipient, e.Truth.Decision)
		}
	}
	for n := range got {
		r.t.Errorf("invented: %s is a case at the desk and no refund of the truth", n)
	}
	if len(ids) < least {
		r.t.Errorf("%d cases, want %d at least", len(ids), least)
	}
	r.compareStores(ids)
	return wrong
}

// casesAtDesk returns every case by the number of its refund.
func (r *run) casesAtDesk() (got map[string]store.CaseRow, ids map[string]bool) {
	r.t.Helper()
	got, ids = map[string]store.CaseRow{}, map[string]bool{}
	for path := "/v1/cases?limit=200"; path != ""; {
		var page struct {
			Cases []store.CaseRow
			Next  *string
		}
		if err := r.desk.get(path, &page); err != nil {
			r.t.Fatal(err)
		}
		for _, c := range page.Cases {
			var d caseData
			if err := json.Unmarshal(c.Data, &d); err != nil {
				r.t.Fatal(err)
			}
			n := number(d.Refund.TerminalID, d.Refund.Batch, d.Refund.Stan, d.Refund.RefundNo)
			if before, twice := got[n]; twice {
				r.t.Errorf("%s is two cases: %s and %s", n, before.CaseID, c.CaseID)
			}
			got[n], ids[c.CaseID] = c, true
		}
		if path = ""; page.Next != nil {
			path = *page.Next
		}
	}
	return got, ids
}

// compareStores sets the desk's cases against those in the agent's store.
func (r *run) compareStores(ids map[string]bool) {
	r.t.Helper()
	db := r.agentStore()
	defer db.Close()
	rows, err := db.Query(`SELECT case_id FROM cases`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			r.t.Fatal(err)
		}
		if !ids[id] {
			r.t.Errorf("case %s of the agent's store is not at the desk", id)
		}
		delete(ids, id)
	}
	for id := range ids {
		r.t.Errorf("case %s at the desk is not in the agent's store", id)
	}
}

// checkEvents reads each stream at the desk in the order of its sequence: 1, 2, 3 …
// without one missing or twice, each case opened once and before anything else is
// published about it, and as many as the agent sent.
func (r *run) checkEvents() (count int64) {
	r.t.Helper()
	var gaps struct{ Streams []store.StreamRow }
	if err := r.desk.get("/v1/gaps?all=1", &gaps); err != nil {
		r.t.Fatal(err)
	}
	for _, s := range gaps.Streams {
		opened, last := map[string]bool{}, int64(0)
		for path := "/v1/events?order=sequence&terminal=" + s.Terminal + "&stream=" + s.Stream; path != ""; {
			var page struct {
				Events []struct{ Event topics.Event }
				Next   *string
			}
			if err := r.desk.get(path, &page); err != nil {
				r.t.Fatal(err)
			}
			for _, one := range page.Events {
				e := one.Event
				if last++; e.Sequence != fmt.Sprintf("%020d", last) || e.Stream != s.Stream {
					r.t.Fatalf("stream %s: sequence %s where %d is due", s.Stream, e.Sequence, last)
				}
				if e.Type == "yuanlu.case.tally.v1" {
					continue // about no case
				}
				if isOpening := e.Type == "yuanlu.case.opened.v1"; isOpening == opened[e.Subject] {
					r.t.Errorf("sequence %s: %s %s, opened before: %v", e.Sequence, e.Subject, e.Type, opened[e.Subject])
				}
				opened[e.Subject] = true
			}
			if path = ""; page.Next != nil {
				path = *page.Next
			}
		}
		if last != s.Settled || last != s.Highest || len(s.Holes) > 0 {
			r.t.Errorf("%d events in order, the stream is %+v", last, s)
		}
		count += last
	}
	if _, last, _ := r.outbox(); count != last {
		r.t.Errorf("the desk has %d case events, the agent told %d", count, last)
	}
	return count
}

// checkHeard looks at everything that was ever on the broker: each message fits its
// schema, and what the agent takes for acknowledged never goes back.
func (r *run) checkHeard(witness *brokertest.Client) {
	r.t.Helper()
	v, err := topics.NewValidator()
	if err != nil {
		r.t.Fatal(err)
	}
	acked := map[string]int64{}
	for _, h := range witness.Received() {
		if len(h.Payload) == 0 {
			continue
		}
		schema := topics.SchemaOfTopic("yuanlu", h.Topic)
		if h.Topic == "yuanlu/v1/t-1/dn/ack" {
			schema = "signed.v1"
		}
		if err := v.Check(schema, h.Payload); err != nil {
			r.t.Errorf("%s: %v", h.Topic, err)
		}
		var s topics.CaseSummary
		if strings.HasSuffix(h.Topic, "/case-summary") && !h.Retained && json.Unmarshal(h.Payload, &s) == nil {
			if s.AckedSeq < acked[s.Stream] {
				r.t.Errorf("the agent took %d for acknowledged, and then %d", acked[s.Stream], s.AckedSeq)
			}
			acked[s.Stream] = s.AckedSeq
		}
	}
}
