package ledger

import (
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// circumstances is what the events of one record, or of one release, have in common.
type circumstances struct {
	time       time.Time
	synced     bool
	historical bool
	seq        int64
	record     *refund.Record
}

// storeVerdicts stores verdicts, notes which of them are unreleased, and queues the case events
// of those that are released, in the same transaction (topics.md rule 1).
func (t *tx) storeVerdicts(verdicts []refund.Judged, why *circumstances, done *refund.Applied) error {
	for i := range verdicts {
		j := &verdicts[i]
		seq := j.Verdict.Seq
		if err := t.storeVerdict(j); err != nil {
			return err
		}
		if seq <= t.d.now.seq { // else its own record is being stored
			if err := t.verdictChanged(seq); err != nil {
				return err
			}
		}
		if j.Unreleased {
			if err := t.delayRelease(seq); err != nil {
				return err
			}
			continue
		}
		if err := t.release(j, why, done); err != nil {
			return err
		}
	}
	return nil
}

// release logs a stored verdict that is released, and queues what it changes of its case.
func (t *tx) release(j *refund.Judged, why *circumstances, done *refund.Applied) error {
	seq := j.Verdict.Seq
	if t.d.mayBeUnreleased(t, seq) {
		if err := t.endDelay(seq); err != nil {
			return err
		}
	}
	done.Verdicts = append(done.Verdicts, *j)
	if err := t.logVerdict(j); err != nil || t.d.temporary {
		return err
	}
	ch, err := t.caseStep(j, why)
	if err != nil {
		return err
	}
	if ch != nil {
		done.Cases = append(done.Cases, *ch)
	}
	return t.followUndone(seq, why, done)
}

// mayBeUnreleased reports whether a verdict may be among the unreleased ones.
func (d *DB) mayBeUnreleased(t *tx, seq int64) bool {
	return d.temporary || d.unreleased[seq] != nil || len(t.atEnd) > 0
}

// caseRow is one row of the table cases.
type caseRow struct {
	id             string
	seq, original  int64
	open           bool
	severity       refund.Severity
	events         int64
	opened, change int64
	published      string // what its newest event published, as compared with the next verdict
	at             int64  // of the table cases
}

// caseStep enters a released verdict into its refund's case and queues the event that the
// back office must receive, nil if there is none.
//
// A case is opened the first time a finding reaches min_severity. After that every
// change of recipient, evidence, decision, original or findings is published: as cleared
// if the decision falls to pass, else as revised. Source: topics.md, Types.
func (t *tx) caseStep(j *refund.Judged, why *circumstances) (*refund.CaseChange, error) {
	v := &j.Verdict
	row, err := loadRow(t.c, v.Seq)
	if err != nil {
		return nil, err
	}
	if row == nil || row.CaseID == "" {
		return nil, nil
	}
	old, err := loadCase(t.c, row.CaseID)
	if err != nil {
		return nil, err
	}
	worst, published := worstOf(v), publishedOf(v)
	step := refund.CaseChange{CaseID: row.CaseID, Severity: worst, Judged: *j}
	now := caseRow{id: row.CaseID, seq: v.Seq, open: true, severity: worst, events: 1, published: published, change: rows.Millis(why.time)}
	switch { // a cancelled verdict has no original: the case keeps the one it had
	case v.Original != nil:
		now.original = v.Original.Seq
	case old != nil:
		now.original = old.original
	}
	switch {
	case old == nil && worst < t.d.o.MinSeverity:
		return nil, nil
	case old == nil:
		step.Type, now.opened = refund.CaseOpened, now.change
		now.at = max(t.n.seq, t.h.index.upTo+1)
		if err := t.countDay(why.time, 0, 1); err != nil {
			return nil, err
		}
	case old.published == published:
		return nil, nil
	default:
		step.Type = refund.CaseRevised
		now.events, now.opened, now.at = old.events+1, old.opened, old.at
		wasPass := decisionOf(old.published) == refund.Pass
		switch {
		case v.Decision == refund.Pass && !wasPass:
			step.Type, now.open = refund.CaseCleared, false
		case v.Decision == refund.Pass:
			now.open = old.open
		}
	}
	if err := saveCase(t.c, &now); err != nil {
		return nil, err
	}
	countOpen(&t.out.Tallies, old, &now)
	t.d.following.opened(&now)
	return &step, t.queueCase(&step, &now, row, why)
}

// countOpen counts a case's step from old, nil if there was none, to what it is now.
func countOpen(n *outbox.Tallies, old, now *caseRow) {
	if old != nil && old.open {
		n.Open[old.severity]--
	}
	if now.open {
		n.Open[now.severity]++
	}
}

// worstOf is the severity of the worst finding, 0 without findings.
func worstOf(v *refund.Verdict) refund.Severity {
	var worst refund.Severity
	for i := range v.Findings {
		worst = max(worst, v.Findings[i].Severity)
	}
	return worst
}

// publishedOf is what of a verdict makes a new event when it changes. The decision
// stands first.
func publishedOf(v *refund.Verdict) string {
	var b strings.Builder
	b.WriteString(string(v.Decision) + " " + string(v.Recipient) + " " + string(v.Evidence) + " ")
	if v.Original != nil {
		b.WriteString(strconv.FormatInt(v.Original.Seq, 10) + "/" + v.Original.FoundBy)
	}
	for i := range v.Findings {
		b.WriteString(" " + v.Findings[i].Code + "=" + v.Findings[i].Severity.String())
	}
	return b.String()
}

func decisionOf(published string) refund.Decision {
	d, _, _ := strings.Cut(published, " ")
	return refund.Decision(d)
}

// caseColumns are those of the table cases as Conn's schema has them, and whether at is one.
func (c *conn) caseColumns() (columns string, at bool, err error) {
	const old = `case_id, seq, original, open, severity, events, opened, changed, told`
	version, err := c.version()
	if version < daysVersion {
		return old, false, err
	}
	return old + `, at`, true, err
}

func loadCase(c *conn, id string) (*caseRow, error) {
	columns, at, err := c.caseColumns()
	if err != nil {
		return nil, err
	}
	var k *caseRow
	_, err = c.First(`SELECT `+columns+` FROM cases WHERE case_id = ?1`, func(r *sqlite.Row) error {
		k = &caseRow{id: id, seq: r.Int(1), original: r.Int(2), open: r.Int(3) != 0, severity: refund.Severity(r.Int(4)),
			events: r.Int(5), opened: r.Int(6), change: r.Int(7), published: r.Text(8)}
		if at {
			k.at = r.Int(9)
		}
		return nil
	}, id)
	return k, err
}

func saveCase(c *conn, r *caseRow) error {
	columns, at, err := c.caseColumns()
	if err != nil {
		return err
	}
	sql, args := `INSERT OR REPLACE INTO cases(`+columns+`) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9`,
		[]any{r.id, r.seq, sqlite.PositiveInt(r.original), r.open, int64(r.severity), r.events, r.opened, r.change, r.published}
	if at {
		sql, args = sql+`, ?10`, append(args, r.at)
	}
	return c.Do(sql+`)`, args...)
}

// loadRow returns a record's row, nil if there is none.
func loadRow(c *conn, seq int64) (*rows.Record, error) {
	var row *rows.Record
	_, err := c.First(`SELECT `+rows.RecordColumns+` FROM record WHERE seq = ?1`, func(r *sqlite.Row) error {
		is, err := rows.ScanRecord(r)
		if err == nil {
			row = &is
		}
		return err
	}, seq)
	return row, err
}

// linkName is the name of a link by its number.
func (t *tx) linkName(id int64) string {
	if name, ok := t.d.names[id]; ok {
		return name
	}
	for name, n := range t.links {
		if n == id {
			return name
		}
	}
	return ""
}
