package ledger

import (
	"maps"
	"slices"
	"strconv"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// What became of a case is queued in the transaction of the record that causes it. What has
// been queued is noted in the table followed, so each is published as often as casework.md § 12
// has it, whatever comes late, again, or dated again: each question below is asked of the
// store as it is, from both sides, when either of the two records that it joins is new or changes.

// follows reports whether what becomes of cases is published: not of a dry run.
func (t *tx) follows() (bool, error) {
	if t.d.temporary || len(t.d.following.sales) == 0 {
		return false, nil
	}
	version, err := t.c.version()
	return version >= followVersion, err
}

// noteUndone notes a refund or void that the record at hand undoes. It is called before the
// event is stored.
func (t *tx) noteUndone(e *refund.Event) error {
	if e.UndoneBy == 0 || !e.Record.Kind.Judged() || t.d.temporary {
		return nil
	}
	before, _, err := t.c.Int(`SELECT undone_by FROM record WHERE seq = ?1`, e.Seq)
	if err != nil || before == e.UndoneBy {
		return err
	}
	if t.undone == nil {
		t.undone = map[int64]bool{}
	}
	t.undone[e.Seq] = true
	return nil
}

// follow queues what became of cases by a record: by the events and verdicts that it has made
// or changed, which are stored.
func (t *tx) follow(ch *refund.Changes, why *circumstances, done *refund.Applied) error {
	for i := range ch.Events {
		t.d.following.paid(&ch.Events[i].Event.Record)
	}
	if ok, err := t.follows(); !ok {
		t.undone = nil
		return err
	}
	if err := t.recallSales(); err != nil {
		return err
	}
	judged := map[int64]*refund.Judged{}
	for i := range ch.Events {
		if e := ch.Events[i].Event; e.Record.Kind.Judged() {
			judged[e.Seq] = nil
		}
	}
	for i := range ch.Verdicts {
		judged[ch.Verdicts[i].Verdict.Seq] = &ch.Verdicts[i]
	}
	for _, seq := range slices.Sorted(maps.Keys(judged)) {
		if err := t.followJudged(seq, judged[seq], why, done); err != nil {
			return err
		}
	}
	for i := range ch.Events {
		e := ch.Events[i].Event
		if err := t.followOther(e, ch.Events[i].New, why, done); err != nil {
			return err
		}
	}
	t.undone = nil
	return nil
}

// followRedated is follow for what records that were dated again have changed. applied are the
// answers about their verdicts.
func (t *tx) followRedated(applied []refund.Applied, ch *refund.Changes) ([]refund.Applied, error) {
	a := refund.Applied{}
	why := circumstances{time: t.d.o.Now(), synced: t.n.synced, historical: true}
	if err := t.follow(&refund.Changes{Events: ch.Events}, &why, &a); err != nil {
		return nil, err
	}
	if len(a.Followed) > 0 {
		applied = append(applied, a)
	}
	return applied, nil
}

// openedCase is a case that was opened, with the rows of its refund.
type openedCase struct {
	k     *caseRow
	row   *rows.Record
	event *refund.Event
}

// openedCase returns the case of a refund or void, nil if none was opened, or another refund under
// the same number is the newest of its case.
func (t *tx) openedCase(seq int64) (*openedCase, error) {
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil || row.CaseID == "" {
		return nil, err
	}
	k, err := loadCase(t.c, row.CaseID)
	if err != nil || k == nil || k.seq != seq {
		return nil, err
	}
	e, err := t.h.event(seq)
	if err != nil || e == nil {
		return nil, err
	}
	return &openedCase{k, row, e}, nil
}

// followJudged follows one refund or void that is new or has changed; j is its verdict if that is
// new.
func (t *tx) followJudged(seq int64, j *refund.Judged, why *circumstances, done *refund.Applied) error {
	told, err := t.openedCase(seq)
	if err != nil {
		return err
	}
	if told == nil {
		return t.followRefund(seq, j, why, done)
	}
	if err := t.followUndone(seq, why, done); err != nil {
		return err
	}
	return t.followCase(told, why, done)
}

// followUndone queues that a case's refund was undone, once for each record that undoes it.
func (t *tx) followUndone(seq int64, why *circumstances, done *refund.Applied) error {
	if !t.undone[seq] {
		return nil
	}
	told, err := t.openedCase(seq)
	if err != nil || told == nil || told.event.UndoneBy == 0 {
		return err
	}
	known, _, err := t.c.Int(`SELECT EXISTS(SELECT 1 FROM followed WHERE case_id = ?1 AND what = ?2 AND seq = ?3)`, told.k.id, string(follow.Undone), told.event.UndoneBy)
	if err != nil || known != 0 {
		return err
	}
	by, err := t.h.event(told.event.UndoneBy)
	if err != nil || by == nil {
		return err
	}
	return t.queueRecord(told, follow.Undone, by, follow.SayUndone(told.event, by), why, done)
}

// followCase looks for what may have come before a case was opened, or before its refund or sale
// was known as it is now.
func (t *tx) followCase(told *openedCase, why *circumstances, done *refund.Applied) error {
	var sale *refund.Event
	var err error
	if told.k.original != 0 {
		if sale, err = t.h.event(told.k.original); err != nil {
			return err
		}
	}
	t.d.following.watch(told.event, sale)
	late := told.event.Seq < t.n.seq
	if late {
		if err := t.findSettled(told, why, done); err != nil {
			return err
		}
	}
	if sale == nil {
		return nil
	}
	if t.d.following.mayBePaidAfter(&told.event.Record) {
		if err := t.findPayer(told, sale, why, done); err != nil {
			return err
		}
	}
	if !late {
		return nil
	}
	after, err := t.found(t.h.Find(refund.KeysOfRefunds(sale)...))
	for i := 0; i < len(after) && err == nil; i++ {
		if e := after[i]; e.Seq > told.event.Seq && e.Record.Kind.Judged() {
			err = t.followRefund(e.Seq, nil, why, done)
		}
	}
	return err
}

// found gathers events, so that something else can be asked between them.
func (t *tx) found(events func(func(*refund.Event, error) bool)) (list []*refund.Event, err error) {
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// findSettled looks for a settlement of a case's batch.
func (t *tx) findSettled(told *openedCase, why *circumstances, done *refund.Applied) error {
	if told.event.Record.Batch == "" {
		return nil
	}
	events, err := t.found(t.h.Find(refund.KeysOfBatch(&told.event.Record)...))
	for i := 0; i < len(events) && err == nil; i++ {
		err = t.followSettled(told, events[i], why, done)
	}
	return err
}

// findPayer looks for a record that shows a case's payer again.
func (t *tx) findPayer(told *openedCase, sale *refund.Event, why *circumstances, done *refund.Applied) error {
	tokens := sale.Record.Party.AllTokens()
	if len(tokens) == 0 {
		return nil
	}
	events, err := t.found(t.h.Payers(tokens))
	for i := 0; i < len(events) && err == nil; i++ {
		err = t.followPayer(told, events[i], why, done)
	}
	return err
}

// followOther follows an event that is no refund or void.
func (t *tx) followOther(e *refund.Event, isNew bool, why *circumstances, done *refund.Applied) error {
	if e.Record.Kind == refund.KindSettlement && e.Record.Batch != "" {
		return t.eachPublished(t.d.following.inBatch(&e.Record), func(told *openedCase) error { return t.followSettled(told, e, why, done) })
	}
	if !e.Record.Kind.Pays() {
		return nil
	}
	if follow.MayShow(&e.Record) {
		err := t.eachPublished(t.d.following.shownBy(&e.Record), func(told *openedCase) error { return t.followPayer(told, e, why, done) })
		if err != nil {
			return err
		}
	}
	if isNew {
		return nil // its cases have got their verdict with it
	}
	return t.eachPublished(t.d.following.refunds(e.Seq), func(told *openedCase) error {
		if told.k.original != e.Seq {
			return nil
		}
		return t.followCase(told, why, done)
	})
}

// eachPublished calls do for those of these refunds that have a case. The list may change meanwhile.
func (t *tx) eachPublished(refunds []int64, do func(*openedCase) error) error {
	for _, seq := range slices.Clone(refunds) {
		told, err := t.openedCase(seq)
		if err == nil && told != nil {
			err = do(told)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followSettled queues that a case's batch is settled, once, if s settles it.
func (t *tx) followSettled(told *openedCase, s *refund.Event, why *circumstances, done *refund.Applied) error {
	if !follow.Settles(s, told.event) {
		return nil
	}
	if known, err := t.wasFollowed(told.k.id, follow.Settled); known || err != nil {
		return err
	}
	t.after(func() { t.d.following.settled(told.event) })
	return t.queueRecord(told, follow.Settled, s, follow.SaySettled(told.event, s), why, done)
}

// followPayer queues that a case's payer came back, once, if s shows that.
func (t *tx) followPayer(told *openedCase, s *refund.Event, why *circumstances, done *refund.Applied) error {
	if told.k.original == 0 {
		return nil
	}
	sale, err := t.h.event(told.k.original)
	if err != nil || sale == nil || !follow.Shows(s, &told.event.Record, sale) {
		return err
	}
	if known, err := t.wasFollowed(told.k.id, follow.PayerSeen); known || err != nil {
		return err
	}
	t.after(func() { t.d.following.seen(told.event, sale) })
	return t.queueRecord(told, follow.PayerSeen, s, follow.SaySeen(told.event, s), why, done)
}

// wasFollowed reports whether such an event of a case was queued.
func (t *tx) wasFollowed(caseID string, what follow.What) (bool, error) {
	n, _, err := t.c.Int(`SELECT EXISTS(SELECT 1 FROM followed WHERE case_id = ?1 AND what = ?2)`, caseID, string(what))
	return n != 0, err
}

// followedCount is how many such events about one record were queued.
func (t *tx) followedCount(caseID string, what follow.What, seq int64) (int64, error) {
	n, _, err := t.c.Int(`SELECT n FROM followed WHERE case_id = ?1 AND what = ?2 AND seq = ?3`, caseID, string(what), seq)
	return n, err
}

// followRefund queues what is known of a refund or void that has no case of its own, if its
// sale is that of a case with an earlier refund, at first and whenever it changes. j is its
// verdict, nil: it is as the store has it.
func (t *tx) followRefund(seq int64, j *refund.Judged, why *circumstances, done *refund.Applied) error {
	if j == nil {
		stored, found, err := loadVerdict(t.c, seq)
		if err != nil || !found {
			return err
		}
		j = &stored
	}
	if j.Unreleased || j.Verdict.Original != nil && len(t.d.following.refunds(j.Verdict.Original.Seq)) == 0 {
		return nil
	}
	var sale int64
	var published string
	_, err := t.c.First(`SELECT sale, told FROM refund_after WHERE seq = ?1`, func(r *sqlite.Row) error { sale, published = r.Int(0), r.Text(1); return nil }, seq)
	if err != nil {
		return err
	}
	if j.Verdict.Original != nil { // a cancelled one keeps the sale that it had
		sale = j.Verdict.Original.Seq
	}
	first, err := t.firstPublished(sale, seq)
	if err != nil || first == nil {
		return err
	}
	later, err := t.withoutCase(seq)
	if err != nil || later == nil {
		return err
	}
	state := follow.State(&j.Verdict, &later.event.Record)
	if state == published {
		return nil
	}
	if err := t.c.Do(`INSERT OR REPLACE INTO refund_after(seq, sale, told) VALUES(?1, ?2, ?3)`, seq, sale, state); err != nil {
		return err
	}
	later.judged = j
	return t.queueAfter(first, later, why, done)
}

// withoutCase returns a refund or void, nil if it is one of a case itself.
func (t *tx) withoutCase(seq int64) (*laterRefund, error) {
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil || row.CaseID == "" {
		return nil, err
	}
	if own, err := loadCase(t.c, row.CaseID); own != nil || err != nil {
		return nil, err
	}
	e, err := t.h.event(seq)
	if err != nil || e == nil {
		return nil, err
	}
	return &laterRefund{row: row, event: e}, nil
}

// firstPublished returns the case of a sale whose refund is first, of those before a record; nil:
// there is none.
func (t *tx) firstPublished(sale, before int64) (*openedCase, error) {
	if sale == 0 {
		return nil, nil
	}
	for _, seq := range t.d.following.refunds(sale) {
		if seq >= before {
			break
		}
		told, err := t.openedCase(seq)
		if err != nil || told != nil && told.k.original == sale {
			return told, err
		}
	}
	return nil, nil
}

// forgetFollowed removes what was noted of a record that retention removes, and of its cases.
func (t *tx) forgetFollowed(row *rows.Record, cases []string) error {
	if version, err := t.c.version(); err != nil || version < followVersion || row.CaseID == "" {
		return err
	}
	for _, id := range cases {
		if err := t.c.Do(`DELETE FROM followed WHERE case_id = ?1`, id); err != nil {
			return err
		}
	}
	return t.c.Do(`DELETE FROM refund_after WHERE seq = ?1`, row.Seq)
}

// followID names a followed event (casework.md § 12); n counts those of the same case, kind and
// record in the stream, from 1.
func followID(key []byte, caseID, stream string, what follow.What, seq, n int64) string {
	return keyedID(key, []string{"follow", caseID, stream, string(what), strconv.FormatInt(seq, 10), strconv.FormatInt(n, 10)})
}
