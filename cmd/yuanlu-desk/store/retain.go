package store

import (
	"context"
	"database/sql"
	"time"
)

// Retain removes what is older than keep: other events, cases whose newest event
// came before then with all their events, refused messages, what was done by hand,
// and terminals and complete streams without a message since. It removes at
// most step of each kind in one transaction; removed 0: nothing is left to remove.
func (s *Store) Retain(ctx context.Context, now time.Time, keep time.Duration, step int) (removed int64, err error) {
	cut := millis(now.Add(-keep))
	_, err = s.change(ctx, func(a *applying) error {
		removed = 0
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
		} {
			n, err := a.exec(q, cut, step)
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	return removed, err
}

// Conditions with one value: the moment.
const (
	forgotten = `last_seen < ? AND highest = settled AND NOT EXISTS(SELECT 1 FROM event e WHERE e.terminal = s.terminal AND e.stream = s.stream)`
	silent    = `(state_seen > 0 OR health_seen > 0) AND CASE WHEN state_seen > health_seen THEN state_seen ELSE health_seen END < ?`
)

// oldCases removes cases by the moment in which their newest event came.
func (a *applying) oldCases(cut int64, step int, removed *int64) error {
	var old []key // terminal and case id
	err := a.rows(`SELECT c.terminal, c.case_id FROM event e JOIN cases c ON c.last_n = e.n WHERE e.received < ? AND e.kind = 'case' ORDER BY e.received LIMIT ?`,
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
