package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// reading is a second reading of the table of casework.md § 12: after each step it looks at all
// that the store holds, without an index, and returns what must have been published by that step.
type reading struct {
	told    map[string]toldThen // by case_id
	undone  map[string]bool     // case and record
	once    map[string]bool     // what and case
	after   map[int64]string    // state of a later refund as published, with its sale before it
	counts  map[string]int64    // by case, what and record
	undoers map[int64]int64     // who undid each refund before this step
	entry   int64               // of the outbox, as read so far
}

// toldThen is a case as its last event had it.
type toldThen struct{ seq, sale int64 }

func newReading() *reading {
	return &reading{map[string]toldThen{}, map[string]bool{}, map[string]bool{}, map[int64]string{}, map[string]int64{}, map[int64]int64{}, 0}
}

// picture is what a store holds.
type picture struct {
	events   []StoredRecord
	verdicts map[int64]refund.Judged
}

func pictureOf(d *DB) (*picture, error) {
	p := &picture{verdicts: map[int64]refund.Judged{}}
	for r, err := range d.Records(context.Background(), 1) {
		if err != nil {
			return nil, err
		}
		if r.CopyOf == 0 {
			p.events = append(p.events, r)
		}
	}
	for j, err := range d.Verdicts(context.Background(), 1) {
		if err != nil {
			return nil, err
		}
		p.verdicts[j.Verdict.Seq] = j
	}
	return p, nil
}

func (p *picture) event(seq int64) *StoredRecord {
	for i := range p.events {
		if p.events[i].Seq == seq {
			return &p.events[i]
		}
	}
	return nil
}

// publishedEvent is one entry of the outbox.
type publishedEvent struct {
	entry      int64
	id, typ    string
	CaseID     string `json:"case_id"`
	What, Rule string
	Text       refund.Text
	Record     *struct{ Kind string }
	RefundCase string `json:"refund_case"`
	Recipient  string
	Verdict    struct {
		Seq       int64
		Recipient string
		Cancelled bool
		Original  *struct{ Seq int64 }
	}
	Evidence []struct{ Record int64 }
}

func publishedAfter(d *DB, entry int64) (list []publishedEvent, err error) {
	err = d.w.Each(`SELECT `+rows.EntryColumns+` FROM outbox WHERE entry > ?1 AND entry < ?2 ORDER BY entry`, func(r *sqlite.Row) error {
		n, err := rows.ScanEntry(r, "")
		if err != nil {
			return err
		}
		list = append(list, publishedEvent{entry: n.Entry, id: n.ID, typ: n.Type})
		return json.Unmarshal(n.Data, &list[len(list)-1])
	}, entry, rows.FirstEvent)
	return list, err
}

// step compares what a step has published with what it must have.
func (r *reading) step(d *DB) error {
	p, err := pictureOf(d)
	if err != nil {
		return err
	}
	list, err := publishedAfter(d, r.entry)
	if err != nil {
		return err
	}
	var got []string
	for i := range list {
		e := &list[i]
		r.entry = e.entry
		if e.typ != typeFollowed {
			was := r.told[e.CaseID]
			was.seq = e.Verdict.Seq
			if o := e.Verdict.Original; o != nil {
				was.sale = o.Seq
			}
			r.told[e.CaseID] = was
			continue
		}
		line, err := r.line(d, p, e)
		if err != nil {
			return err
		}
		if e.What == "undone" && (i == 0 || list[i-1].CaseID != e.CaseID) && r.wasChanged(list, e.CaseID) {
			return fmt.Errorf("undone of %s does not stand behind its case's event", e.CaseID)
		}
		got = append(got, line)
	}
	want := r.wanted(p)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("published %q, want %q", got, want)
	}
	return nil
}

// wasChanged reports whether a step has published an event of the case itself.
func (r *reading) wasChanged(list []publishedEvent, caseID string) bool {
	return slices.ContainsFunc(list, func(e publishedEvent) bool { return e.CaseID == caseID && e.typ != typeFollowed })
}

// line is one followed event, with its id checked.
func (r *reading) line(d *DB, p *picture, e *publishedEvent) (string, error) {
	seq := e.Evidence[0].Record
	key := e.CaseID + e.What + strconv.FormatInt(seq, 10)
	r.counts[key]++
	parts := []string{"follow", e.CaseID, d.Stream(), e.What, strconv.FormatInt(seq, 10), strconv.FormatInt(r.counts[key], 10)}
	if id := keyedID(d.keys.caseKey, parts); id != e.id {
		return "", fmt.Errorf("id of %s is not that of the %d.", key, r.counts[key])
	}
	if e.Text.EN == "" || e.Text.ZH == "" || strings.ContainsAny(e.Text.EN+e.Text.ZH, "{}") {
		return "", fmt.Errorf("text %q", e.Text)
	}
	told := r.told[e.CaseID]
	switch e.What {
	case "undone":
		return "undone RC-701 " + e.CaseID + " " + strconv.FormatInt(seq, 10) + wrongRule(e, "RC-701"), nil
	case "settled":
		if !settles(p.event(seq), p.event(told.seq)) {
			return "", fmt.Errorf("record %d does not settle %s", seq, e.CaseID)
		}
		return "settled " + e.CaseID + wrongRule(e, "RC-704"), nil
	case "payer_seen":
		if !showsPayer(p.event(seq), p.event(told.seq), p.event(told.sale)) {
			return "", fmt.Errorf("record %d does not show the payer of %s", seq, e.CaseID)
		}
		return "payer_seen " + e.CaseID + wrongRule(e, "RC-705"), nil
	}
	if own := p.event(seq); own == nil || own.CaseID != e.RefundCase {
		return "", fmt.Errorf("refund_case %s of record %d", e.RefundCase, seq)
	}
	rule := "RC-702"
	if e.Verdict.Recipient == "different" {
		rule = "RC-703"
	}
	return fmt.Sprintf("refund_after %s %d", e.CaseID, seq) + wrongRule(e, rule), nil
}

func wrongRule(e *publishedEvent, want string) string {
	if e.Rule != want {
		return " under " + e.Rule
	}
	return ""
}

// wanted is the table, line by line.
func (r *reading) wanted(p *picture) (want []string) {
	for id, told := range r.told {
		e := p.event(told.seq)
		if by := e.UndoneBy; by != 0 && r.undoers[e.Seq] != by && !r.undone[id+" "+strconv.FormatInt(by, 10)] {
			r.undone[id+" "+strconv.FormatInt(by, 10)] = true
			want = append(want, fmt.Sprintf("undone RC-701 %s %d", id, by))
		}
		once := func(what string, is func(s *StoredRecord) bool) {
			for i := range p.events {
				if !r.once[what+id] && is(&p.events[i]) {
					r.once[what+id] = true
					want = append(want, what+" "+id)
				}
			}
		}
		once("settled", func(s *StoredRecord) bool { return settles(s, e) })
		if sale := p.event(told.sale); sale != nil {
			once("payer_seen", func(s *StoredRecord) bool { return showsPayer(s, e, sale) })
		}
	}
	for i := range p.events {
		e := &p.events[i]
		r.undoers[e.Seq] = e.UndoneBy
		if line := r.wantedAfter(p, e); line != "" {
			want = append(want, line)
		}
	}
	return want
}

// wantedAfter is the line refund_after for one refund or void, "" if nothing is to be published.
func (r *reading) wantedAfter(p *picture, e *StoredRecord) string {
	j, ok := p.verdicts[e.Seq]
	if _, own := r.told[e.CaseID]; !ok || own || j.Unreleased {
		return ""
	}
	v := &j.Verdict
	before, state := int64(0), ""
	_, _ = fmt.Sscanf(r.after[e.Seq], "%d", &before)
	if _, rest, ok := strings.Cut(r.after[e.Seq], "|"); ok {
		state = rest
	}
	sale := before
	if v.Original != nil {
		sale = v.Original.Seq
	}
	first, firstID := int64(0), ""
	for id, told := range r.told {
		if sale != 0 && told.sale == sale && told.seq < e.Seq && (first == 0 || told.seq < first) {
			first, firstID = told.seq, id
		}
	}
	now := fmt.Sprint(v.Recipient, v.Evidence, v.Decision, v.Cancelled, e.Record.Outcome)
	if firstID == "" || now == state {
		return ""
	}
	r.after[e.Seq] = fmt.Sprintf("%d|%s", sale, now)
	return fmt.Sprintf("refund_after %s %d", firstID, e.Seq)
}

func settles(s, of *StoredRecord) bool {
	a, b := &s.Record, &of.Record
	return a.Kind == "settlement" && a.Outcome == "approved" && !a.Training && s.Seq > of.Seq && b.Batch != "" &&
		a.MerchantID+"\n"+a.TerminalID+"\n"+a.Batch == b.MerchantID+"\n"+b.TerminalID+"\n"+b.Batch
}

func showsPayer(s, of, sale *StoredRecord) bool {
	r := &s.Record
	switch {
	case r.Kind != "sale" && r.Kind != "preauth" && r.Kind != "completion", r.Outcome != "approved", r.Entry == "keyed", r.Training, s.Note != "", s.Seq == sale.Seq:
		return false
	}
	from, err := time.Parse(time.RFC3339Nano, of.Record.At)
	at, err2 := time.Parse(time.RFC3339Nano, r.At)
	if err != nil || err2 != nil || !at.After(from) || at.After(from.AddDate(0, 0, 60)) {
		return false
	}
	c := refund.Compare(sale.Record.Party, r.Party)
	return c.Evidence == "strong" && (c.Recipient == "same" || c.Recipient == "equivalent")
}

// putRight returns a random journal of one shop where refunds go wrong, are undone, and are made
// again, in which little else is wrong; some records come late.
func putRight(seed uint64, n int) []refund.Record {
	rng := rand.New(rand.NewPCG(seed, 12))
	var list []refund.Record
	at := start
	pick := func(of ...refund.Outcome) refund.Outcome { return of[rng.IntN(len(of))] }
	for i := range n {
		at = at.Add(time.Duration(rng.IntN(5*3600)) * time.Second)
		sale := rng.IntN(4)
		var r, last refund.Record
		if i > 0 {
			last = list[i-1]
		}
		switch x := rng.IntN(20); {
		case i < 4:
			r = saleOf(i, at)
			r.Amount = 100_000
		case x < 16 && last.Kind == refund.KindRefund && last.Outcome == refund.Approved && last.Copy == "": // undone at once
			r = last
			r.Kind, r.Original, r.Party, r.At = refund.KindReversal, refund.Original{}, nil, at.Format(time.RFC3339)
		case x < 16 && last.Kind == refund.KindReversal: // and made again
			r = refundOf(sale, 100+i, card(sale), at)
			r.Outcome, r.Amount = pick("approved", "unknown", "pending", "abnormal"), int64(100+i)
			if made := list[i-2]; rng.IntN(3) > 0 && made.Original.RRN != "" {
				n, _ := strconv.Atoi(made.Original.RRN)
				r.Original, r.Party.ID = made.Original, refund.NewSecret(card(n-260000000000))
			}
		case x < 3: // the payer comes back, or somebody else
			r = saleOf(100+i, at)
			r.Party = &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(card(rng.IntN(6)))}
			if rng.IntN(3) == 0 {
				r.Kind = refund.KindPreauth
			}
		case x < 10:
			r = refundOf(sale, 100+i, card(sale+50*rng.IntN(2)), at)
			r.Outcome, r.Amount = pick("approved", "approved", "unknown", "pending", "declined"), int64(100+i)
			if rng.IntN(4) == 0 {
				r.Kind = refund.KindVoid
			}
		case x < 14 && len(list) > 0: // something of before is undone, or is heard of again
			old := list[rng.IntN(len(list))]
			r = old
			r.Kind, r.Original, r.Party, r.At = refund.KindReversal, refund.Original{}, nil, at.Format(time.RFC3339)
			if rng.IntN(3) == 0 {
				r.Kind, r.Stan, r.RRN, r.Original = refund.KindVoidRefund, fmt.Sprintf("%06d", 100+i), "", refund.Original{RRN: old.RRN}
			}
			r.Outcome = pick("approved", "approved", "approved", "pending")
		case x < 17 && len(list) > 0:
			r = list[rng.IntN(len(list))]
			r.Copy, r.Outcome = refund.CopyUpload, pick("approved", "closed", "abnormal", r.Outcome)
		case x == 17:
			r = saleOf(100+i, at)
			r.Kind, r.Party, r.Totals = refund.KindSettlement, nil, &refund.Totals{}
		default:
			r = saleOf(100+i, at.Add(-time.Duration(rng.IntN(72))*time.Hour))
			r.Party = &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(card(rng.IntN(6)))}
		}
		list = append(list, r)
	}
	for range n / 4 {
		i := rng.IntN(n)
		j := min(n-1, i+rng.IntN(9))
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// followJournal plays a journal with accidents, compares after each step, and returns how many
// events of each kind there were.
func followJournal(t *testing.T, seed uint64, journal []refund.Record) (seen map[string]int) {
	t.Helper()
	s, err := newStream(t.TempDir(), seed)
	must(t, err)
	defer func() { must(t, s.d.Close()) }()
	r := newReading()
	for i, one := range journal {
		_, err := s.d.Apply(context.Background(), together(s.d, []refund.Record{one}))
		must(t, err)
		if err := r.step(s.d); err != nil {
			t.Fatalf("journal %d, record %d: %v", seed, i+1, err)
		}
		s.now = s.now.Add(time.Duration(s.rng.IntN(240)) * time.Second)
		must(t, s.accident())
		if err := r.step(s.d); err != nil {
			t.Fatalf("journal %d, after record %d, %v: %v", seed, i+1, s.happened, err)
		}
	}
	seen = map[string]int{}
	for key, n := range r.counts {
		for _, what := range []string{"undone", "refund_after", "settled", "payer_seen"} {
			if strings.Contains(key, what) {
				seen[what] += int(n)
			}
		}
	}
	return seen
}

// TestTwinFollowed: what becomes of cases is published as a second reading of casework.md § 12
// has it, through restarts, crashes and moves to another terminal.
func TestTwinFollowed(t *testing.T) {
	journals, records := 12, 40
	if os.Getenv(soakEnv) != "" {
		journals, records = 1000, 100
	}
	all := map[string]int{}
	for seed := range uint64(journals) {
		journal := putRight(seed, records)
		if seed%3 == 0 {
			journal = randomjournal.Records(seed+70_000, records)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // its stores are removed behind it
			for what, n := range followJournal(t, seed+70_000, journal) {
				all[what] += n
			}
		})
	}
	for _, what := range []string{"undone", "refund_after", "settled", "payer_seen"} {
		if all[what] < journals/2 {
			t.Errorf("%d events %s: the journals hardly ask for them", all[what], what)
		}
	}
	t.Log(all)
}
