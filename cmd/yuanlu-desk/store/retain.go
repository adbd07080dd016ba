package store

import (
	"context"
	"database/sql"
	"time"
)

// Retain removes what is older than keep: cases of the case desk that were closed before
// then, with their files; bills with their entries, and digests of days; other events; cases whose newest event came before then, with all
// their events, unless the case desk still has them; refused messages, what was done by hand,
// and terminals and complete streams without a message since. It removes at
// most step of each kind in one transaction; removed 0: nothing is left to remove.
func (s *Store) Retain(ctx context.Context, now time.Time, keep time.Duration, step int) (removed int64, err error) {
	cut := millis(now.Add(-keep))
	_, err = s.change(ctx, func(a *applying) error {
		removed = 0
		if err := a.oldWork(s, cut/1000, step, &removed); err != nil {
			return err
		}
		if err := a.oldCases(cut, step, &removed); err != nil {
			return err
		}
		for _, q := range []string{
			`DELETE FROM event WHERE n IN (SELECT n FROM event WHERE received < ? AND (kind = 'event' OR case_id = '') ORDER BY received LIMIT ?)`,
			`DELETE FROM quarantine WHERE n IN (SELECT n FROM quarantine WHERE last_seen < ? ORDER BY n LIMIT ?)`,
			`DELETE FROM action WHERE n IN (SELECT n FROM action WHERE at < ? AND told = 1 ORDER BY n LIMIT ?)`,
			`DELETE FROM hole WHERE (terminal, stream) IN (SELECT terminal, stream FROM stream s WHERE ` + forgotten + ` ORDER BY terminal, stream LIMIT ?)`,
			`DELETE FROM stream WHERE (terminal, stream) IN (SELECT terminal, stream FROM stream s WHERE ` + forgotten + ` ORDER BY terminal, stream LIMIT ?)`,
			`DELETE FROM link WHERE terminal IN (SELECT terminal FROM terminal WHERE ` + silent + ` ORDER BY terminal LIMIT ?)`,
			`DELETE FROM terminal WHERE terminal IN (SELECT terminal FROM terminal WHERE ` + silent + ` ORDER BY terminal LIMIT ?)`,
			`DELETE FROM bill_entry WHERE n IN (SELECT e.n FROM bill_entry e JOIN bill b ON b.sha256 = e.sha256 WHERE b.received < ? ORDER BY e.n LIMIT ?)`,
			`DELETE FROM bill WHERE n IN (SELECT b.n FROM bill b WHERE b.received < ? AND NOT EXISTS(SELECT 1 FROM bill_entry e WHERE e.sha256 = b.sha256) ORDER BY b.n LIMIT ?)`,
			`DELETE FROM terminal_day WHERE (terminal, day, stream, rev, part) IN (SELECT terminal, day, stream, rev, part FROM terminal_day WHERE received < ? ORDER BY terminal, day, stream, rev, part LIMIT ?)`,
		} {
			n, err := a.exec(q, cut, step)
			if err != nil {
				return err
			}
			removed += n
		}
		return a.oldDays(now.Add(-keep))
	})
	return removed, err
}

// oldDays removes what was found of days before a moment.
func (a *applying) oldDays(cut time.Time) error {
	for _, table := range []string{"day_line", "day_total", "day_due", "bill_name"} {
		if _, err := a.exec(`DELETE FROM `+table+` WHERE day < ?`, cut.UTC().Format(time.DateOnly)); err != nil {
			return err
		}
	}
	return nil
}

// Conditions with one value: the moment.
const (
	forgotten = `last_seen < ? AND highest = settled AND NOT EXISTS(SELECT 1 FROM event e WHERE e.terminal = s.terminal AND e.stream = s.stream)`
	silent    = `(state_seen > 0 OR health_seen > 0) AND CASE WHEN state_seen > health_seen THEN state_seen ELSE health_seen END < ?`
)

// oldCases removes cases by the moment in which their newest event came.
func (a *applying) oldCases(cut int64, step int, removed *int64) error {
	var old []key // terminal and case id
	err := a.rows(`SELECT c.terminal, c.case_id FROM event e JOIN cases c ON c.last_n = e.n WHERE e.received < ? AND e.kind = 'case'
 AND NOT EXISTS(SELECT 1 FROM work_refund w WHERE w.refund = c.case_id) ORDER BY e.received LIMIT ?`,
		[]any{cut, step}, func(r *sql.Rows) error {
			var k key
			err := r.Scan(&k.terminal, &k.stream)
			old = append(old, k)
			return err
		})
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, k := range old {
		n, err := a.exec(`DELETE FROM event WHERE terminal = ? AND case_id = ?`, k.terminal, k.stream)
		if err != nil {
			return err
		}
		if _, err := a.exec(`DELETE FROM cases WHERE terminal = ? AND case_id = ?`, k.terminal, k.stream); err != nil {
			return err
		}
		*removed += n
		touched[k.terminal] = true
	}
	for terminal := range touched {
		if _, err := a.exec(`DELETE FROM held WHERE terminal = ?`, terminal); err != nil {
			return err
		}
		if _, err := a.exec(`INSERT INTO held SELECT terminal, count(*), CAST(sum(octet_length(payload)) AS BIGINT) FROM event
 WHERE kind = 'case' AND terminal = ? GROUP BY terminal`, terminal); err != nil {
			return err
		}
	}
	return nil
}

// oldWork removes cases of the case desk that were closed before a moment, in Unix seconds, with
// the keys of their commands; those that were merged into another with that one. Open ones stay
// (casework.md § 13). What terminals sent stays known by its ids: an event that was taken
// changes nothing, however late it comes again (casework.md § 4).
func (a *applying) oldWork(s *Store, cut int64, step int, removed *int64) error {
	d, err := a.desk(s)
	if err != nil {
		return err
	}
	var old []string
	err = a.rows(`SELECT case_no FROM work_case w WHERE closed > 0 AND closed < ?
 AND NOT EXISTS(SELECT 1 FROM work_case m WHERE m.case_no = w.merged_into) ORDER BY closed, case_no LIMIT ?`, []any{cut, step}, func(r *sql.Rows) error {
		var no string
		err := r.Scan(&no)
		old = append(old, no)
		return err
	})
	if err != nil {
		return err
	}
	for _, no := range old {
		for _, k := range d.KeysOf(no) {
			if _, err := a.exec(`DELETE FROM work_key WHERE person = ? AND name = ?`, k.Person, k.Key); err != nil {
				return err
			}
		}
		for _, q := range []string{`DELETE FROM work_filed WHERE case_no = ?`, `DELETE FROM work_refund WHERE case_no = ?`,
			`DELETE FROM work_case WHERE case_no = ?`, `DELETE FROM work_event WHERE case_no = ?`} {
			n, err := a.exec(q, no)
			if err != nil {
				return err
			}
			*removed += n
		}
		a.w++
		if _, err := a.exec(`INSERT INTO work_gone(n, case_no) VALUES(?,?)`, a.w, no); err != nil {
			return err
		}
		d.Forget(no)
	}
	if len(old) > 0 {
		s.work.upto = a.w
		_, err = a.exec(`DELETE FROM work_file WHERE added < ? AND NOT EXISTS(SELECT 1 FROM work_filed f WHERE f.sha256 = work_file.sha256)`, cut*1000)
	}
	return err
}
