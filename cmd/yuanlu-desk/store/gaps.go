package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"yuanlu/protocol/topics"
)

// Range is a run of sequences that are not here.
type Range struct {
	First int64      `json:"first"`
	Last  int64      `json:"last"`
	Why   string     `json:"why,omitzero"`   // of a hole
	Noted *time.Time `json:"noted,omitzero"` // of a hole
}

// StreamRow is how complete one stream is.
type StreamRow struct {
	N        int64      `json:"n,omitzero"` // of the last change of its gaps
	Terminal string     `json:"terminal"`
	Stream   string     `json:"stream"`
	Settled  int64      `json:"settled"` // acknowledged up to here
	Highest  int64      `json:"highest"` // greatest sequence that came
	Events   int64      `json:"events"`
	Repeats  int64      `json:"repeats"`
	Reused   int64      `json:"reused"` // sequences that two different events had
	First    time.Time  `json:"first_seen"`
	Last     time.Time  `json:"last_seen"`
	Since    *time.Time `json:"gap_since,omitzero"`
	Gaps     []Range    `json:"gaps"`           // still expected
	More     bool       `json:"more,omitzero"`  // there are more gaps than are listed
	Holes    []Range    `json:"holes,omitzero"` // will not come, or came never
	// PutAside are the sequences within Gaps that the terminal's summary lists as
	// quarantined, ascending: they do not come unless a person acts.
	PutAside []int64 `json:"put_aside,omitzero"`
}

// mostRanges bounds the gaps that are listed of one stream.
const mostRanges = 200

// StreamFilter picks streams; zero members do not restrict.
type StreamFilter struct {
	Terminal     string
	Incomplete   bool // with gaps or holes only
	Changed      bool // by the last change, those after ChangedAfter
	ChangedAfter int64
	After        StreamPlace // behind this terminal and stream, in their order
	Limit        int         // 1 to MaxLimit, 0: 100
}

// StreamPlace is where a page of streams ends.
type StreamPlace struct{ Terminal, Stream string }

// Streams returns streams by terminal and name, or by the last change of their gaps.
func (s *Store) Streams(ctx context.Context, f StreamFilter) (list []StreamRow, err error) {
	w := &where{}
	w.text("terminal", f.Terminal)
	order := "terminal, stream"
	if f.Changed {
		w.add("gap_n > ?", f.ChangedAfter)
		order = "gap_n"
	}
	if f.Incomplete {
		w.add("(highest > settled OR reused > 0 OR EXISTS(SELECT 1 FROM hole h WHERE h.terminal = stream.terminal AND h.stream = stream.stream))")
	}
	if f.After.Terminal != "" {
		w.add("(terminal > ? OR terminal = ? AND stream > ?)", f.After.Terminal, f.After.Terminal, f.After.Stream)
	}
	list = []StreamRow{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT gap_n, terminal, stream, settled, highest, events, repeats, reused, first_seen, last_seen, gap_since FROM stream` +
			w.String() + ` ORDER BY ` + order + ` LIMIT ?`
		err := t.rows(q, append(w.args, limitOf(f.Limit)), func(r *sql.Rows) error {
			var one StreamRow
			var first, last, since int64
			if err := r.Scan(&one.N, &one.Terminal, &one.Stream, &one.Settled, &one.Highest, &one.Events, &one.Repeats, &one.Reused, &first, &last, &since); err != nil {
				return err
			}
			one.First, one.Last, one.Gaps = timeOf(first), timeOf(last), []Range{}
			if since != 0 {
				at := timeOf(since)
				one.Since = &at
			}
			list = append(list, one)
			return nil
		})
		for i := range list {
			if err == nil {
				err = t.ranges(&list[i])
			}
			if err == nil && len(list[i].Gaps) > 0 {
				err = t.putAside(&list[i])
			}
		}
		return err
	})
	return list, err
}

// ranges fills in what a stream lacks.
func (t *tx) ranges(s *StreamRow) error {
	if s.Highest > s.Settled {
		next := s.Settled + 1
		err := t.rows(`SELECT seq FROM ahead WHERE terminal = ? AND stream = ? ORDER BY seq LIMIT 10000`, []any{s.Terminal, s.Stream}, func(r *sql.Rows) error {
			var have int64
			if err := r.Scan(&have); err != nil {
				return err
			}
			if have > next && len(s.Gaps) < mostRanges {
				s.Gaps = append(s.Gaps, Range{First: next, Last: have - 1})
			} else if have > next {
				s.More = true
			}
			next = have + 1
			return nil
		})
		if err != nil {
			return err
		}
		s.More = s.More || next <= s.Highest
	}
	return t.rows(`SELECT first, last, why, noted FROM hole WHERE terminal = ? AND stream = ? ORDER BY first LIMIT ?`,
		[]any{s.Terminal, s.Stream, mostRanges}, func(r *sql.Rows) error {
			var one Range
			var noted int64
			if err := r.Scan(&one.First, &one.Last, &one.Why, &noted); err != nil {
				return err
			}
			at := timeOf(noted)
			one.Noted = &at
			s.Holes = append(s.Holes, one)
			return nil
		})
}

// putAside fills in which gaps the terminal itself has put aside.
func (t *tx) putAside(s *StreamRow) error {
	var payload string
	found, err := t.row(`SELECT summary FROM terminal WHERE terminal = ?`, []any{s.Terminal}, &payload)
	if err != nil || !found || payload == "" {
		return err
	}
	var summary topics.CaseSummary
	if err := json.Unmarshal([]byte(payload), &summary); err != nil {
		return fmt.Errorf("store: the summary of %s: %w", s.Terminal, err)
	}
	if summary.Stream != s.Stream {
		return nil
	}
	for _, seq := range slices.Sorted(slices.Values(summary.QuarantinedSeqs)) {
		if slices.ContainsFunc(s.Gaps, func(g Range) bool { return g.First <= seq && seq <= g.Last }) {
			s.PutAside = append(s.PutAside, seq)
		}
	}
	return nil
}
