package store

import (
	"database/sql"
	"time"

	"yuanlu/protocol/topics"
)

// terminalRow is what is kept of a terminal's presence.
type terminalRow struct {
	n                      int64
	state, session, reason string
	since, stateSeen       int64
	verdict                string
	interval, healthSeen   int64
}

// takeStatus stores what a terminal publishes about itself.
func (a *applying) takeStatus(s *Status) error {
	if _, err := a.exec(`INSERT INTO terminal VALUES(?,?,'','','',0,0,'',0,0,'','','','') ON CONFLICT(terminal) DO NOTHING`, s.Terminal, a.n); err != nil {
		return err
	}
	switch s.What {
	case StatusState:
		return a.takeState(s)
	case StatusHealth:
		return a.takeHealth(s)
	case StatusLink:
		return a.takeLink(s)
	case StatusSummary:
		return a.takeSummary(s)
	case StatusInfo:
		_, err := a.exec(`UPDATE terminal SET info = ? WHERE terminal = ?`, string(s.Payload), s.Terminal)
		return err
	case StatusConfig:
		_, err := a.exec(`UPDATE terminal SET config = ? WHERE terminal = ?`, string(s.Payload), s.Terminal)
		return err
	}
	return nil
}

func (a *applying) terminal(name string) (r terminalRow, err error) {
	_, err = a.row(`SELECT n, state, session, reason, since, state_seen, verdict, interval_s, health_seen FROM terminal WHERE terminal = ?`,
		[]any{name}, &r.n, &r.state, &r.session, &r.reason, &r.since, &r.stateSeen, &r.verdict, &r.interval, &r.healthSeen)
	return r, err
}

// seen returns when something was published: now if it came live; what it states itself if it
// was left over, but never later than now; zero if that is not known.
func seen(s *Status, ts time.Time) int64 {
	if !s.Retained {
		return millis(s.Received)
	}
	return min(millis(ts), millis(s.Received))
}

// takeState stores presence. A lost of another session is an old connection's
// will and is ignored.
func (a *applying) takeState(s *Status) error {
	r, err := a.terminal(s.Terminal)
	if err != nil {
		return err
	}
	now := s.State
	if len(s.Payload) == 0 {
		now = topics.State{}
	}
	if now.State == topics.StateLost && now.Session != r.session && r.state != "" {
		return nil
	}
	at := seen(s, now.TS.Time)
	if s.Retained && now.Session == r.session {
		if at < r.stateSeen && now.State != r.state {
			return nil // something newer of this session is known
		}
		at = max(at, r.stateSeen)
	}
	if now.State != r.state || now.Session != r.session || now.Reason != r.reason {
		a.n++
		r.n = a.n
	}
	_, err = a.exec(`UPDATE terminal SET n = ?, state = ?, session = ?, reason = ?, since = ?, state_seen = ? WHERE terminal = ?`,
		r.n, now.State, now.Session, now.Reason, millis(now.Since.Time), at, s.Terminal)
	return err
}

func (a *applying) takeHealth(s *Status) error {
	r, err := a.terminal(s.Terminal)
	if err != nil {
		return err
	}
	at := seen(s, s.Health.TS.Time)
	if s.Retained && at < r.healthSeen {
		return nil
	}
	if s.Health.Verdict != r.verdict {
		a.n++
		r.n = a.n
	}
	_, err = a.exec(`UPDATE terminal SET n = ?, verdict = ?, interval_s = ?, health_seen = ?, health = ? WHERE terminal = ?`,
		r.n, s.Health.Verdict, s.Health.IntervalS, at, string(s.Payload), s.Terminal)
	return err
}

func (a *applying) takeLink(s *Status) error {
	var state string
	found, err := a.row(`SELECT state FROM link WHERE terminal = ? AND name = ?`, []any{s.Terminal, s.Link}, &state)
	if err != nil {
		return err
	}
	if len(s.Payload) == 0 || s.LinkNow.State == topics.StateOffline && s.LinkNow.Reason == "removed" {
		_, err := a.exec(`DELETE FROM link WHERE terminal = ? AND name = ?`, s.Terminal, s.Link)
		return err
	}
	if !found {
		if room, err := a.roomForLink(s); err != nil || !room {
			return err
		}
	}
	if state != s.LinkNow.State {
		a.n++
		if _, err := a.exec(`UPDATE terminal SET n = ? WHERE terminal = ?`, a.n, s.Terminal); err != nil {
			return err
		}
	}
	_, err = a.exec(`INSERT INTO link VALUES(?,?,?,?,?,?) ON CONFLICT(terminal, name) DO UPDATE
 SET state = excluded.state, reason = excluded.reason, seen = excluded.seen, payload = excluded.payload`,
		s.Terminal, s.Link, s.LinkNow.State, s.LinkNow.Reason, millis(s.Received), string(s.Payload))
	return err
}

// takeSummary stores what the terminal publishes about its outbox. What is acknowledged
// there it has forgotten: if it is not here, it never will be. If that is less than
// what is settled here, an acknowledgement was lost and is sent again.
func (a *applying) takeSummary(s *Status) error {
	if _, err := a.exec(`UPDATE terminal SET summary = ? WHERE terminal = ?`, string(s.Payload), s.Terminal); err != nil {
		return err
	}
	if len(s.Payload) == 0 || s.Summary.Stream == "" {
		return nil
	}
	if s.Summary.AckedSeq <= 0 { // nothing is known here of a stream that has sent nothing
		if st, ok := a.streams[key{s.Terminal, s.Summary.Stream}]; ok {
			st.ackDue = true
			return nil
		}
		var settled int64
		found, err := a.row(`SELECT settled FROM stream WHERE terminal = ? AND stream = ?`, []any{s.Terminal, s.Summary.Stream}, &settled)
		if err != nil || !found {
			return err
		}
	}
	if room, err := a.roomForStream(s.Terminal, s.Summary.Stream); err != nil || !room {
		return err
	}
	st, err := a.stream(s.Terminal, s.Summary.Stream, s.Received)
	if err != nil {
		return err
	}
	switch acked := s.Summary.AckedSeq; {
	case acked > st.settled:
		return st.jump(a, acked, s.Received, HoleElsewhere)
	case acked < st.settled:
		st.ackDue = true
		if s.Summary.LastSeq < st.settled && !s.Retained {
			return a.putBack(st, s)
		}
	}
	return nil
}

// putBack reports a terminal that knows less of its stream than is settled here, unless its
// summary is from before the events that it lacks. One that the broker kept may be; and of
// desks that share a store one may take a summary after another has stored what came behind it.
// A store that was put back publishes one live, when the terminal connects.
func (a *applying) putBack(st *stream, s *Status) error {
	var newest int64
	if _, err := a.row(`SELECT COALESCE(MAX(time), 0) FROM event WHERE terminal = ? AND stream = ? AND seq > ? AND seq <= ?`,
		[]any{st.terminal, st.stream, s.Summary.LastSeq, st.settled}, &newest); err != nil {
		return err
	}
	if ts := millis(s.Summary.TS.Time); ts == 0 || ts > newest {
		a.answer.PutBack = append(a.answer.PutBack, Ack{Terminal: st.terminal, Stream: st.stream, Seq: st.settled})
	}
	return nil
}

// aheadUpTo lists what is there beyond what is settled, in order.
func (a *applying) aheadUpTo(k key, last int64) (list []int64, err error) {
	err = a.rows(`SELECT seq FROM ahead WHERE terminal = ? AND stream = ? AND seq <= ? ORDER BY seq`, []any{k.terminal, k.stream, last}, func(r *sql.Rows) error {
		var seq int64
		if err := r.Scan(&seq); err != nil {
			return err
		}
		list = append(list, seq)
		return nil
	})
	return list, err
}
