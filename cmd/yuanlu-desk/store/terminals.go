package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"yuanlu/protocol/topics"
)

// Unknown is the presence of a terminal without a message for too long.
const Unknown = "unknown"

// TerminalRow is what a terminal last published about itself, and what that is worth now.
type TerminalRow struct {
	N          int64           `json:"n"`
	Terminal   string          `json:"terminal"`
	Presence   string          `json:"presence"` // State; unknown after three health intervals without one (topics.md, A consumer)
	Health     string          `json:"health"`   // verdict, or unknown
	State      string          `json:"state"`    // as it was published last
	Session    string          `json:"session,omitzero"`
	Reason     string          `json:"reason,omitzero"`
	Since      *time.Time      `json:"since,omitzero"`
	StateSeen  *time.Time      `json:"state_seen,omitzero"`
	HealthSeen *time.Time      `json:"health_seen,omitzero"`
	IntervalS  int64           `json:"interval_s"` // seconds between two health messages
	Links      []LinkRow       `json:"links"`
	HealthDoc  json.RawMessage `json:"health_said,omitzero"`
	Info       json.RawMessage `json:"info,omitzero"`
	Config     json.RawMessage `json:"config,omitzero"`
	Summary    json.RawMessage `json:"case_summary,omitzero"`
}

// LinkRow is one link of a terminal. The links of a terminal that is not there are
// not there either.
type LinkRow struct {
	Name     string     `json:"name"`
	Presence string     `json:"presence"`
	State    string     `json:"state"`
	Reason   string     `json:"reason,omitzero"`
	Seen     *time.Time `json:"seen,omitzero"`
}

// TerminalFilter picks terminals; zero members do not restrict.
type TerminalFilter struct {
	Terminal     string
	After        string // behind this name, by name
	Presence     string // as it is now: a state, or Unknown
	Changed      bool   // by the last change, those after ChangedAfter
	ChangedAfter int64
	Limit        int // 1 to MaxLimit, 0: 100
}

// defaultInterval is the health interval in seconds (topics.md, up/health) of a terminal
// whose health was never received.
const defaultInterval = 60

// judge sets what is worth something now.
func (r *TerminalRow) judge(now time.Time) {
	if r.IntervalS <= 0 {
		r.IntervalS = defaultInterval
	}
	most := 3 * time.Duration(r.IntervalS) * time.Second
	fresh := func(seen *time.Time) bool { return seen != nil && now.Sub(*seen) <= most }
	r.Presence = r.State
	if r.State == "" || !fresh(r.StateSeen) {
		r.Presence = Unknown
	}
	if r.Health == "" || !fresh(r.HealthSeen) {
		r.Health = Unknown
	}
	for i := range r.Links {
		l := &r.Links[i]
		switch r.Presence {
		case topics.StateOnline, topics.StateDegraded, topics.StateStarting:
			l.Presence = l.State
		case topics.StateLost:
			l.Presence = topics.StateLost
		default:
			l.Presence = Unknown
		}
	}
}

// Terminals returns terminals by name, or by their last change; now decides what is
// stale.
func (s *Store) Terminals(ctx context.Context, f TerminalFilter, now time.Time) (list []TerminalRow, err error) {
	w := &where{}
	w.text("terminal", f.Terminal)
	order := "terminal"
	if f.Changed {
		w.add("n > ?", f.ChangedAfter)
		order = "n"
	}
	if f.After != "" {
		w.add("terminal > ?", f.After)
	}
	if f.Presence != "" {
		stale := stale("state", "state_seen")
		if f.Presence == Unknown {
			w.add(stale, millis(now))
		} else {
			w.add("state = ? AND NOT "+stale, f.Presence, millis(now))
		}
	}
	list = []TerminalRow{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT n, terminal, state, session, reason, since, state_seen, verdict, interval_s, health_seen, health, info, config, summary FROM terminal` +
			w.String() + ` ORDER BY ` + order + ` LIMIT ?`
		err := t.rows(q, append(w.args, limitOf(f.Limit)), func(r *sql.Rows) error {
			one, err := scanTerminal(r)
			list = append(list, one)
			return err
		})
		for i := range list {
			if err == nil {
				err = t.links(&list[i])
			}
			list[i].judge(now)
		}
		return err
	})
	return list, err
}

// stale is the condition under which a column of a terminal, seen at another, is worth nothing
// any more. Its value is the time now, in milliseconds.
func stale(column, seen string) string {
	return `(` + column + ` = '' OR ? - ` + seen + ` > 3000 * CASE WHEN interval_s > 0 THEN interval_s ELSE ` + strconv.Itoa(defaultInterval) + ` END)`
}

// Fleet is how many terminals there are by presence, and by the verdict of their health; what a
// later version may publish is counted as "other".
type Fleet struct{ Presence, Health map[string]int64 }

// Fleet counts the terminals as they are now.
func (s *Store) Fleet(ctx context.Context, now time.Time) (Fleet, error) {
	f := Fleet{map[string]int64{}, map[string]int64{}}
	err := s.read(ctx, func(t *tx) error {
		for _, one := range []struct {
			to           map[string]int64
			column, seen string
			known        []string
		}{
			{f.Presence, "state", "state_seen", []string{Unknown, topics.StateStarting, topics.StateOnline, topics.StateDegraded, topics.StateOffline, topics.StateLost}},
			{f.Health, "verdict", "health_seen", []string{Unknown, topics.HealthOK, topics.HealthDegraded, topics.HealthFailing}},
		} {
			for _, name := range append(one.known, "other") {
				one.to[name] = 0
			}
			q := `SELECT value, count(*) FROM (SELECT CASE WHEN ` + stale(one.column, one.seen) + ` THEN '` + Unknown + `' ELSE ` + one.column + ` END AS value FROM terminal) AS now GROUP BY value`
			if err := t.rows(q, []any{millis(now)}, func(r *sql.Rows) error {
				var value string
				var n int64
				err := r.Scan(&value, &n)
				if _, known := one.to[value]; !known {
					value = "other"
				}
				one.to[value] += n
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return f, err
}

// Terminal returns one terminal; ErrNotFound if it never published anything.
func (s *Store) Terminal(ctx context.Context, name string, now time.Time) (TerminalRow, error) {
	list, err := s.Terminals(ctx, TerminalFilter{Terminal: name, Limit: 1}, now)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: terminal %q", ErrNotFound, name)
	}
	if err != nil {
		return TerminalRow{}, err
	}
	return list[0], nil
}

func scanTerminal(r *sql.Rows) (TerminalRow, error) {
	var one TerminalRow
	var since, stateSeen, healthSeen int64
	var health, info, config, summary string
	if err := r.Scan(&one.N, &one.Terminal, &one.State, &one.Session, &one.Reason, &since, &stateSeen, &one.Health, &one.IntervalS,
		&healthSeen, &health, &info, &config, &summary); err != nil {
		return one, err
	}
	one.Since, one.StateSeen, one.HealthSeen = timePointer(since), timePointer(stateSeen), timePointer(healthSeen)
	one.HealthDoc, one.Info, one.Config, one.Summary = raw(health), raw(info), raw(config), raw(summary)
	one.Links = []LinkRow{}
	return one, nil
}

func (t *tx) links(one *TerminalRow) error {
	return t.rows(`SELECT name, state, reason, seen FROM link WHERE terminal = ? ORDER BY name`, []any{one.Terminal}, func(r *sql.Rows) error {
		var l LinkRow
		var seen int64
		if err := r.Scan(&l.Name, &l.State, &l.Reason, &seen); err != nil {
			return err
		}
		l.Seen = timePointer(seen)
		one.Links = append(one.Links, l)
		return nil
	})
}

func timePointer(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := timeOf(ms)
	return &t
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}
