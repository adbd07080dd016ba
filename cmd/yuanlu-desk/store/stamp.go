package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"time"

	packs "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/protocol/evidence"
)

// stampEvery is how often the desk's log is stamped, if it grew (evidence.md § 4, Outside time).
const stampEvery = 24 * time.Hour

// UseCosigner is SetCosigner for whom no new log may begin: ErrKey where the desk's log is of another key, or
// there is none.
func (s *Store) UseCosigner(ctx context.Context, key *evidence.Signer) error {
	err := s.read(ctx, func(t *tx) error {
		own, err := t.currentLog()
		if err == nil {
			_, err = own.signer(key)
		}
		return err
	})
	if err == nil {
		s.signer = key
	}
	return err
}

// Stamp has the newest note of the desk's log stamped where a stamp is due, and keeps it. It returns the size of
// the log that is stamped, 0: none was due. Errors: those of the stamper and of the store. Two desks on one
// database may both stamp; one of the stamps is kept.
func (s *Store) Stamp(ctx context.Context, now time.Time, stamper packs.Stamper) (size int64, err error) {
	if s.signer == nil {
		return 0, nil
	}
	var id int64
	note := ""
	if err := s.read(ctx, func(t *tx) error {
		own, err := t.currentLog()
		if err != nil || own.id == 0 {
			return err
		}
		var last, at int64
		if _, err := t.row(`SELECT size, at FROM desk_stamp WHERE log = ? ORDER BY size DESC LIMIT 1`, []any{own.id}, &last, &at); err != nil {
			return err
		}
		if own.size == last || now.Sub(timeOf(at)) < stampEvery && last > 0 && !timeOf(at).After(now) {
			return nil
		}
		id, size = own.id, own.size
		note, err = own.note(s.signer)
		return err
	}); err != nil || note == "" {
		return 0, err
	}
	token, err := stamper([]byte(note))
	if err != nil {
		return 0, err
	}
	_, err = s.change(ctx, func(a *applying) error {
		_, err := a.exec(`INSERT INTO desk_stamp(log, size, at, note, token) VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`, id, size, millis(now), note, base64.StdEncoding.EncodeToString(token))
		return err
	})
	return size, err
}

// Trusted returns a trust file (evidence.md § 6) of what this desk knows: its co-signers, and the terminals' logs
// that a person has compared. signers and stampers are the caller's.
func (s *Store) Trusted(ctx context.Context, signers, stampers []string) (*Trust, error) {
	t := &Trust{V: 1, Signers: append([]string{}, signers...), Cosigners: []string{}, Stampers: append([]string{}, stampers...)}
	err := s.read(ctx, func(x *tx) (err error) {
		if t.Cosigners, err = texts(x, `SELECT DISTINCT cosigner FROM desk_log ORDER BY cosigner`); err == nil {
			t.Logs, err = texts(x, `SELECT vkey FROM log WHERE trusted <> '' ORDER BY vkey`)
		}
		return err
	})
	return t, err
}

// TrustLog notes that a person has compared the key of a terminal's log with what the terminal itself shows
// (yuanlu evidence key). ErrNotFound: no log of this key is known.
func (s *Store) TrustLog(ctx context.Context, vkey, who string) error {
	_, err := s.change(ctx, func(a *applying) error {
		n, err := a.exec(`UPDATE log SET trusted = ? WHERE vkey = ?`, who, vkey)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
	return err
}

func texts(t *tx, query string) (list []string, err error) {
	list = []string{}
	err = t.rows(query, nil, func(r *sql.Rows) error {
		var one string
		err := r.Scan(&one)
		list = append(list, one)
		return err
	})
	return list, err
}

// LogState is how the desk's own log is (evidence.md § 4).
type LogState struct {
	Origin      string     `json:"origin"` // "": there is none
	Size        int64      `json:"size"`
	Note        string     `json:"note"` // the newest; "": this process has no key for it
	StampedSize int64      `json:"stamped_size"`
	StampedAt   *time.Time `json:"stamped_at"` // of the newest stamp; nil: there is none
	Alarms      int64      `json:"alarms"`     // about logs of terminals, that have not ended
}

// LogState returns how the desk's own log is, and how many alarms there are about those of terminals.
func (s *Store) LogState(ctx context.Context) (l LogState, err error) {
	err = s.read(ctx, func(t *tx) error {
		own, err := t.currentLog()
		if err != nil {
			return err
		}
		l = LogState{Origin: own.origin, Size: own.size}
		if _, err := t.row(`SELECT count(*) FROM log_alarm WHERE ended = 0`, nil, &l.Alarms); err != nil {
			return err
		}
		var at int64
		found, err := t.row(`SELECT size, at FROM desk_stamp WHERE log = ? ORDER BY size DESC LIMIT 1`, []any{own.id}, &l.StampedSize, &at)
		if err != nil {
			return err
		}
		if found {
			when := timeOf(at)
			l.StampedAt = &when
		}
		if s.signer != nil {
			l.Note, err = own.note(s.signer)
		}
		return err
	})
	return l, err
}
