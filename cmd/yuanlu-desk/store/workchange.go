package store

import (
	"context"
	"database/sql"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// WorkChange is a journal of the case desk that grew: its last change up to N.
type WorkChange struct {
	N       int64
	Case    string // casework.DeskJournal: people
	Version int64
	Stores  []string // of the case
}

// WorkChanges returns what changed in the case desk behind a number, in order, whichever desk
// changed it: of at most limit events, each journal once, as it is now. Everything up to upto is
// in it; behind a number below 0 there is nothing, and upto is the newest. A case that is kept
// no longer is left out.
func (s *Store) WorkChanges(ctx context.Context, after int64, limit int) (list []WorkChange, upto int64, err error) {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	err = s.read(ctx, func(t *tx) error {
		if _, err := t.row(`SELECT n FROM desk WHERE id = 2`, nil, &upto); err != nil || after < 0 || upto <= after {
			return err
		}
		events := 0
		err := t.rows(`SELECT case_no, max(n), count(*) FROM (SELECT case_no, n FROM work_event WHERE n > ? ORDER BY n LIMIT ?) AS part
 GROUP BY case_no ORDER BY 2`, []any{after, limit}, func(r *sql.Rows) error {
			var one WorkChange
			var count int
			err := r.Scan(&one.Case, &one.N, &count)
			events += count
			list = append(list, one)
			return err
		})
		if err != nil || len(list) == 0 {
			return err
		}
		if events == limit {
			upto = list[len(list)-1].N
		}
		d, err := s.desk(t)
		if err != nil {
			return err
		}
		list = placed(d, list)
		return nil
	})
	return list, upto, err
}

// placed adds versions and stores, and leaves out what the desk does not know any more.
func placed(d *casework.Desk, list []WorkChange) []WorkChange {
	kept := list[:0]
	for _, one := range list {
		var ok bool
		if one.Version, one.Stores, ok = d.Where(one.Case); ok {
			kept = append(kept, one)
		}
	}
	return kept
}
