package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// dayMessage is the data of one part as a back office reads it.
type dayMessage struct {
	Terminal, Day    string
	Rev, Part, Parts int64
	Complete         bool
	Why              []string
	Totals           []map[string]any
	Refunds          []map[string]any
	Sales            string
}

// office is a back office that keeps what counts of each day: it loses messages and forgets to acknowledge.
type office struct {
	parts  map[string]map[int64]map[int64]dayMessage // by day, rev, part
	ids    map[string]string
	stream string // the newest: another one makes it begin again
	seqs   map[int64]bool
	bytes  int // of the largest message
}

func newOffice() *office {
	return &office{parts: map[string]map[int64]map[int64]dayMessage{}, ids: map[string]string{}, seqs: map[int64]bool{}}
}

// take reads one message, which must be the same each time.
func (o *office) take(t *testing.T, n *refund.Notice) {
	t.Helper()
	var m dayMessage
	if err := json.Unmarshal(n.Data, &m); err != nil {
		t.Fatalf("%v: %s", err, n.Data)
	}
	if n.Stream != o.stream {
		*o = *newOffice()
		o.stream = n.Stream
	}
	text := fmt.Sprint(n.Sequence, n.Type, n.Subject, n.Time, string(n.Data))
	if was, ok := o.ids[n.ID]; ok && was != text {
		t.Errorf("%s came as %s and as %s", n.ID, was, text)
	}
	if want := map[bool]string{true: "yuanlu.day.closed.v1", false: "yuanlu.day.revised.v1"}[m.Rev == 1]; n.Type != want || n.Subject != "day/"+m.Day || n.Class != refund.NoticeDay {
		t.Errorf("%+v, want %s", n, want)
	}
	o.ids[n.ID], o.seqs[n.Sequence], o.bytes = text, true, max(o.bytes, len(n.Data))
	if o.parts[m.Day] == nil {
		o.parts[m.Day] = map[int64]map[int64]dayMessage{}
	}
	if o.parts[m.Day][m.Rev] == nil {
		o.parts[m.Day][m.Rev] = map[int64]dayMessage{}
	}
	o.parts[m.Day][m.Rev][m.Part] = m
}

// settled is the newest sequence up to which all have come.
func (o *office) settled() (seq int64) {
	for o.seqs[seq+1] {
		seq++
	}
	return seq
}

// day puts the parts of the highest whole rev together.
func (o *office) day(on string) (whole dayMessage, ok bool) {
	for rev, parts := range o.parts[on] {
		if ok && rev < whole.Rev || int64(len(parts)) != parts[1].Parts {
			continue
		}
		whole, ok = parts[1], true
		whole.Refunds, whole.Sales = nil, ""
		for part := int64(1); part <= whole.Parts; part++ {
			whole.Refunds, whole.Sales = append(whole.Refunds, parts[part].Refunds...), whole.Sales+parts[part].Sales
		}
	}
	return whole, ok
}

// read takes what is due, loses some of it, and acknowledges what has come.
func (o *office) read(t *testing.T, d *DB, now time.Time, lose func() bool) {
	t.Helper()
	ctx := context.Background()
	for {
		list, _, err := d.Due(ctx, now, 1000, nil)
		must(t, err)
		sent := 0
		for i := range list {
			n := &list[i]
			must(t, d.Sent(ctx, n.Stream, []int64{n.Entry}, now.Add(30*time.Second)))
			sent++
			if n.Class == refund.NoticeDay && !lose() {
				o.take(t, n)
			}
		}
		if seq := o.settled(); seq > 0 && !lose() {
			if _, err := d.Acked(ctx, o.stream, seq, "k1"); err != nil && !errors.Is(err, refund.ErrOtherStream) {
				t.Fatal(err)
			}
		}
		if sent == 0 {
			return
		}
	}
}

// makeDigests makes all that are due.
func makeDigests(t *testing.T, d *DB, now time.Time) (made []string) {
	t.Helper()
	for more := true; more; {
		var one *DigestMade
		var err error
		one, more, err = d.MakeDigest(context.Background(), now, 2*time.Hour)
		must(t, err)
		if one != nil {
			made = append(made, fmt.Sprintf("%s/%d", one.Day, one.Rev))
		}
	}
	return made
}

// asOfThePage is what bills.md § 5 has a digest hold, of all that a store has: a second reading of the page.
func asOfThePage(p *picture, on string) (totals, refunds []string, sales string) {
	type place struct{ channel, merchant, terminal string }
	type sums struct{ sales, saleAmount, refunds, refundAmount int64 }
	all := map[place]*sums{}
	channel := func(r *refund.Record) string {
		return map[bool]string{true: "unknown", false: string(r.Channel)}[r.Channel == ""]
	}
	keys := map[string]bool{}
	for i := range p.events {
		e := &p.events[i]
		r := &e.Record
		isSale := r.Kind == "sale" || r.Kind == "completion"
		isRefund := r.Kind == "refund" || r.Kind == "void" || r.Kind == "completion_void"
		if r.Training || !isSale && !isRefund || len(r.At) < 10 || r.At[:10] != on {
			continue
		}
		if _, err := time.Parse(time.RFC3339Nano, r.At); err != nil {
			continue
		}
		amount := r.Amount
		j, judged := p.verdicts[e.Seq]
		if isRefund {
			if r.Kind != "refund" && !r.HasAmount && judged && j.Verdict.Original != nil {
				amount = adjustedAmount(p, p.event(j.Verdict.Original.Seq))
			}
			recipient, decision := string(j.Verdict.Recipient), string(j.Verdict.Decision)
			if !judged || j.Unreleased {
				recipient, decision = "", ""
			}
			at, _ := time.Parse(time.RFC3339Nano, r.At)
			refunds = append(refunds, fmt.Sprintf("%020d %s %s %s undone=%t %s %d %s %s %s %s|%s %s", at.UnixNano(), e.CaseID, r.Kind, r.Outcome, e.UndoneBy != 0, channel(r), max(amount, 0),
				r.At, r.RefundNo, r.ChannelRefund, string(r.RefundRoute), recipient, decision))
		} else if r.Outcome == "approved" && strings.Contains(" wechat alipay unionpay_qr jd ecny ", " "+channel(r)+" ") {
			for kind, number := range map[string]string{"t": r.ChannelTxn, "o": r.OrderNo} {
				if number != "" {
					sum := sha256.Sum256([]byte(kind + channel(r) + "\x1f" + number))
					keys[base64.RawURLEncoding.EncodeToString(sum[:9])] = true
				}
			}
		}
		if r.Outcome != "approved" || e.UndoneBy != 0 || strings.HasPrefix(e.Note, "unusable") {
			continue
		}
		at := place{channel(r), r.MerchantID, r.TerminalID}
		if all[at] == nil {
			all[at] = &sums{}
		}
		if isSale {
			all[at].sales, all[at].saleAmount = all[at].sales+1, all[at].saleAmount+adjustedAmount(p, e)
		} else {
			all[at].refunds, all[at].refundAmount = all[at].refunds+1, all[at].refundAmount+amount
		}
	}
	for at, s := range all {
		totals = append(totals, fmt.Sprintf("%s %s %s %d %d %d %d", at.channel, at.merchant, at.terminal, s.sales, s.saleAmount, s.refunds, s.refundAmount))
	}
	var sorted []string
	for k := range keys {
		sorted = append(sorted, k)
	}
	sort.Strings(sorted)
	slices.Sort(refunds)
	slices.Sort(totals)
	return totals, refunds, strings.Join(sorted, "")
}

// adjustedAmount is a sale's amount as its last adjust left it (verdicts.md § 3).
func adjustedAmount(p *picture, sale *StoredRecord) int64 {
	if sale == nil {
		return 0
	}
	amount := sale.Record.Amount
	for i := range p.events {
		a := &p.events[i]
		r := &a.Record
		if r.Kind != "adjust" || r.Outcome != "approved" || a.UndoneBy != 0 || r.Training || strings.HasPrefix(a.Note, "unusable") || a.Seq <= sale.Seq || r.MerchantID != sale.Record.MerchantID {
			continue
		}
		var byStan, byRRN *StoredRecord
		for k := range p.events {
			e := &p.events[k]
			s := &e.Record
			if e.Seq >= a.Seq || s.Kind != "sale" && s.Kind != "completion" || s.Training || strings.HasPrefix(e.Note, "unusable") || s.MerchantID != r.MerchantID {
				continue
			}
			if given(r.Original.Stan) && given(r.Original.Batch) && s.TerminalID == r.TerminalID && s.Stan == r.Original.Stan && s.Batch == r.Original.Batch {
				byStan = e
			}
			if given(r.Original.RRN) && s.RRN == r.Original.RRN {
				byRRN = e
			}
		}
		if byStan == nil {
			byStan = byRRN
		}
		if byStan != nil && byStan.Seq == sale.Seq {
			amount = r.Amount
		}
	}
	return amount
}

func given(v string) bool { return strings.Trim(v, "0-") != "" }

// asReported is the same of what the back office has.
func asReported(m *dayMessage) (totals, refunds []string) {
	for _, s := range m.Totals {
		totals = append(totals, fmt.Sprintf("%s %s %s %.0f %.0f %.0f %.0f", s["channel"], s["merchant_id"], s["terminal_id"], s["sale_count"], s["sale_amount"], s["refund_count"], s["refund_amount"]))
	}
	for _, r := range m.Refunds {
		at, _ := time.Parse(time.RFC3339Nano, r["at"].(string))
		refunds = append(refunds, fmt.Sprintf("%020d %s %s %s undone=%t %s %.0f %s %s %s %s|%s %s", at.UnixNano(), r["id"], r["kind"], r["outcome"], r["undone"], r["channel"], r["amount"],
			r["at"], r["refund_no"], r["channel_refund"], r["route"], r["recipient"], r["decision"]))
	}
	return totals, refunds
}

// TestDigestsOfRandomJournals: whatever comes in whatever order, through restarts and crashes, with messages and
// acknowledgements lost, what the back office has of each day in the end is what the page makes of all records.
func TestDigestsOfRandomJournals(t *testing.T) {
	days, journals := 0, uint64(5)
	if os.Getenv(soakEnv) != "" {
		journals = 200
	}
	for seed := range journals {
		s, err := newStream(t.TempDir(), seed)
		must(t, err)
		rng := rand.New(rand.NewPCG(seed, 55))
		lose := func() bool { return rng.IntN(4) == 0 }
		journal := randomjournal.Records(seed+50_000, 60)
		now := start
		for i := range journal {
			if at, ok := journal[i].Time(); ok && at.After(now.AddDate(0, 0, -1)) && at.Year() == 2026 {
				now = at.AddDate(0, 0, 1)
			}
		}
		o := newOffice()
		for part := range slices.Chunk(journal, 8) {
			must(t, s.play(part))
			now = now.Add(3 * time.Hour)
			makeDigests(t, s.d, now)
			o.read(t, s.d, now.Add(time.Second), lose)
		}
		now = now.Add(7 * time.Hour)
		makeDigests(t, s.d, now)
		for range 20 { // what was lost comes again
			now = now.Add(7 * time.Hour)
			o.read(t, s.d, now, lose)
		}
		makeDigests(t, s.d, now.Add(30*time.Hour))
		o.read(t, s.d, now.Add(40*time.Hour), func() bool { return false })
		p, err := pictureOf(s.d)
		must(t, err)
		for on := range o.parts {
			got, ok := o.day(on)
			if !ok {
				t.Errorf("journal %d: %s is not whole", seed, on)
				continue
			}
			totals, refunds := asReported(&got)
			wantTotals, wantRefunds, wantSales := asOfThePage(p, on)
			slices.Sort(totals)
			if !slices.Equal(totals, wantTotals) || !slices.Equal(refunds, wantRefunds) || got.Sales != wantSales {
				t.Errorf("journal %d: %s is\n%q\n%q\n%s\nwant\n%q\n%q\n%s", seed, on, totals, refunds, got.Sales, wantTotals, wantRefunds, wantSales)
			}
			days += len(refunds)
		}
		must(t, s.d.Close())
	}
	if days == 0 {
		t.Error("no day had a refund")
	}
}

// TestADigestIsMadeWhenItsTimeHasCome: at day.at of the next day, for 40 days back, also of days without anything; what changes
// one makes a revision 10 minutes later, once an hour at most; what does not, nothing.
func TestADigestIsMadeWhenItsTimeHasCome(t *testing.T) {
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	apply(t, d, saleOf(1, start), refundOf(1, 2, card(1), start))
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, 8, day, hour, minute, 0, 0, start.Location())
	}
	want := func(when time.Time, list ...string) {
		t.Helper()
		now = when
		if got := makeDigests(t, d, now); !slices.Equal(got, list) && !(len(list) == 0 && len(got) == 0) {
			t.Errorf("at %s %v, want %v", when.Format("02 15:04"), got, list)
		}
	}
	now = at(24, 1, 59)
	first := makeDigests(t, d, now)
	if len(first) != 39 || first[0] != "2026-07-15/1" || first[38] != "2026-08-22/1" {
		t.Errorf("%d: %v", len(first), first)
	}
	want(at(24, 2, 0), "2026-08-23/1")
	want(at(24, 2, 30))
	apply(t, d, saleOf(4, start)) // late
	want(at(24, 2, 59))
	want(at(24, 3, 0), "2026-08-23/2")
	apply(t, d, saleOf(4, start)) // a copy changes nothing
	want(at(24, 4, 30))
	now = at(24, 5, 0)
	apply(t, d, saleOf(5, start))
	want(at(24, 5, 9))
	now = at(24, 5, 9)
	apply(t, d, saleOf(6, start))
	want(at(24, 5, 18))
	must(t, d.Close())
	d = openTest(t, o)
	want(at(24, 5, 27)) // after a restart the quiet begins again
	want(at(24, 5, 28), "2026-08-23/3")
	want(at(25, 2, 0), "2026-08-24/1")
	if n, err := d.ResendDays(context.Background(), "2026-08-22", "2026-08-30"); err != nil || n != 3 {
		t.Errorf("%d %v", n, err)
	}
	want(at(25, 2, 1), "2026-08-22/2", "2026-08-23/4", "2026-08-24/2")
	must(t, d.NoteDay(context.Background(), "2026-08-24", DayLinkDown))
	want(at(25, 3, 5), "2026-08-24/3")
	must(t, d.NoteDay(context.Background(), "2026-08-25", DayClock|DayLinkDown))
	want(at(26, 2, 0), "2026-08-25/1")
	office := newOffice()
	office.read(t, d, now, func() bool { return false })
	for on, why := range map[string]string{"2026-08-22": "[history]", "2026-08-23": "[history]", "2026-08-24": "[link_down]", "2026-08-25": "[link_down clock]"} {
		if m, ok := office.day(on); !ok || fmt.Sprint(m.Why) != why || m.Complete != (len(m.Why) == 0) {
			t.Errorf("%s: %v %v, want %s", on, ok, m.Why, why)
		}
	}
	if n := d.days.Stat(); n.Waiting != 0 || n.AckedSeq != n.LastSeq {
		t.Errorf("%+v", n)
	}
}

// TestALargeDayIsCut: each message of a day with thousands of records has at most 32 KiB, and together they are the day.
func TestALargeDayIsCut(t *testing.T) {
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	var keys int
	for n := 0; n < 2000; n += 100 {
		var list []refund.Record
		for i := n; i < n+100; i++ {
			sale := saleOf(i, start)
			if i%2 == 0 {
				sale.Channel, sale.Party, sale.ChannelTxn, sale.OrderNo = refund.ChannelWeChat, nil, fmt.Sprintf("42%026d", i), fmt.Sprintf("O%d", i)
				keys += 2
			}
			list = append(list, sale)
			if i%10 == 1 {
				list = append(list, refundOf(i, 100_000+i, card(i), start.Add(time.Duration(i)*time.Second)))
			}
		}
		apply(t, d, list...)
	}
	now = start.AddDate(0, 0, 1).Add(12 * time.Hour)
	makeDigests(t, d, now)
	office := newOffice()
	office.read(t, d, now, func() bool { return false })
	m, ok := office.day(start.Format(time.DateOnly))
	if !ok || len(m.Refunds) != 200 || len(m.Sales) != keys*12 || m.Parts < 4 {
		t.Errorf("%v: %d refunds, %d bytes of keys for %d, %d parts", ok, len(m.Refunds), len(m.Sales), keys, m.Parts)
	}
	if office.bytes > 32<<10-600 || office.bytes < 28<<10 {
		t.Errorf("the largest part has %d bytes", office.bytes)
	}
	sorted := true
	for i := 12; i < len(m.Sales); i += 12 {
		sorted = sorted && m.Sales[i-12:i] < m.Sales[i:i+12]
	}
	if !sorted {
		t.Error("the keys of sales are not ascending")
	}
}

// TestARefusedDigest: it is set aside with an event, is not sent, and goes again under a new sequence.
func TestARefusedDigest(t *testing.T) {
	o := testOptions(t.TempDir())
	now := start.AddDate(0, 0, 1).Add(12 * time.Hour)
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	ctx := context.Background()
	makeDigests(t, d, now)
	stream, last := d.days.Stream(), d.days.Last()
	if err := d.Nacked(ctx, stream, last+1, "schema", "x"); err != refund.ErrBeyond {
		t.Error(err)
	}
	if err := d.Nacked(ctx, stream, last, "schema", "x"); err != refund.ErrUnsent {
		t.Error(err)
	}
	list, _, err := d.Due(ctx, now, 10, nil)
	must(t, err)
	if len(list) != mostDaysDue || list[0].Sequence != 1 || list[0].Entry != rows.FirstDay+1 {
		t.Fatalf("%+v", list)
	}
	if _, err := d.Acked(ctx, stream, last+1, "k1"); err != refund.ErrBeyond {
		t.Error(err)
	}
	must(t, d.Nacked(ctx, stream, 1, "schema", "data: no"))
	must(t, d.Nacked(ctx, stream, 1, "schema", "data: no"))
	rowsOf, err := d.OutboxList(ctx, 100)
	must(t, err)
	var refused []OutboxRow
	for _, r := range rowsOf {
		if r.State == "quarantined" {
			refused = append(refused, r)
		}
	}
	if len(refused) != 1 || refused[0].Message != "schema: data: no" || refused[0].Notice.Entry != rows.FirstDay+1 {
		t.Errorf("%+v", refused)
	}
	must(t, d.Close())
	d = openTest(t, o)
	must(t, d.Requeue(ctx, rows.FirstDay+1))
	office := newOffice()
	office.stream, office.seqs[1] = stream, true // refused: settled
	office.read(t, d, now, func() bool { return false })
	if office.settled() != last+1 || d.days.Stat().Waiting != 0 || !strings.Contains(office.ids[list[0].ID], list[0].Subject) {
		t.Errorf("%d of %d, %+v", office.settled(), last+1, d.days.Stat())
	}
}

// TestDigestsOfAStorePutBack: the newest of the stream's sequences shows it; another stream begins, what waited
// is made again, and the days up to then are said to lack something.
func TestDigestsOfAStorePutBack(t *testing.T) {
	o := testOptions(t.TempDir())
	now := start.AddDate(0, 0, 1).Add(12 * time.Hour)
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	makeDigests(t, d, now)
	must(t, d.Close())
	d = openTest(t, o)
	old, last := d.days.Stream(), d.days.Last()
	ctx := context.Background()
	for _, trace := range []refund.Trace{{Stream: old, LastSeq: last, AckedSeq: last}, {Stream: "another", LastSeq: last + 1}} {
		if renewed, err := d.RolledBack(ctx, trace); err != nil || renewed {
			t.Errorf("%+v: %v %v", trace, renewed, err)
		}
	}
	if renewed, err := d.RolledBack(ctx, refund.Trace{By: "ack", Stream: old, LastSeq: last + 7}); err != nil || !renewed {
		t.Fatal(renewed, err)
	}
	if d.days.Stream() == old || d.days.Stat().Waiting != 0 {
		t.Errorf("%+v", d.days.Stat())
	}
	if got := makeDigests(t, d, now); len(got) != 40 || got[0] != "2026-07-15/2" {
		t.Errorf("%d: %v", len(got), got)
	}
	must(t, d.Close())
	d = openTest(t, o)
	office := newOffice()
	office.read(t, d, now, func() bool { return false })
	if m, ok := office.day("2026-08-23"); !ok || !reflect.DeepEqual(m.Why, []string{"history", "store"}) || m.Complete {
		t.Errorf("%v %+v", ok, m)
	}
}
