package ledger

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// Errors of Match.
var (
	ErrOften        = errors.New("ledger: numbers were compared too often: at most 5 an hour and 20 a day")
	ErrNoIdentifier = errors.New("ledger: nothing of this party can be compared: it has no identifier, or a masked number alone")
	ErrNoPayer      = errors.New("ledger: the sale of this record is not known, so its payer is not")
	ErrNoRecipient  = errors.New("ledger: this record is no refund: it has a payer, and no recipient")
)

// How often numbers may be compared (evidence.md § 1): six hidden digits of a number are found by a million
// questions.
const (
	matchesAnHour = 5
	matchesADay   = 20
)

// matchTimes is the name in meta of when numbers were compared in the last day, in Unix seconds. It outlives
// a log.
const matchTimes = "match.times"

// Match compares a number that a person has typed with the payer or the recipient of record seq, and logs the
// answer as a leaf (evidence.md § 1). The payer of a refund is that of its original. Errors:
// ErrNotFound, ErrNoPayer, ErrNoRecipient, ErrNoIdentifier, ErrOften, ErrNoLog; with these nothing was
// compared.
func (d *DB) Match(ctx context.Context, seq int64, payer bool, number refund.Secret) (same bool, err error) {
	err = d.write(ctx, func(t *tx) error {
		if !t.logs() {
			return ErrNoLog
		}
		e, err := t.partyOf(seq, payer)
		if err != nil {
			return err
		}
		if err := t.countMatch(); err != nil {
			return err
		}
		var ok bool
		if e.Record.Party != nil {
			same, ok = e.Record.Party.Identified(number, t.d.keys)
		}
		if !ok {
			return ErrNoIdentifier
		}
		return t.logLeaf(evidence.LeafMatch, seq, evidence.AppendMatch(nil, seq, payer, same))
	})
	return same, err
}

// partyOf returns the record whose party is compared.
func (t *tx) partyOf(seq int64, payer bool) (*refund.Event, error) {
	e, err := t.h.event(seq)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, ErrNotFound
	}
	isRefund := e.Record.Kind != refund.KindSale
	switch {
	case !payer && !isRefund:
		return nil, ErrNoRecipient
	case !payer || !isRefund:
		return e, nil
	}
	j, ok, err := loadVerdict(t.c, seq)
	if err != nil {
		return nil, err
	}
	if !ok || j.Verdict.Original == nil {
		return nil, ErrNoPayer
	}
	if e, err = t.h.event(j.Verdict.Original.Seq); err == nil && e == nil {
		err = ErrNoPayer
	}
	return e, err
}

// countMatch notes one more comparison, if there may be one. A time that lies ahead counts, so that a clock that
// was set back allows no more.
func (t *tx) countMatch() error {
	text, err := metaText(t.c, matchTimes)
	if err != nil {
		return err
	}
	now := t.d.o.Now()
	var kept []string
	hour := 0
	for _, one := range strings.Fields(text) {
		at, err := strconv.ParseInt(one, 10, 64)
		if err != nil || now.Sub(time.Unix(at, 0)) >= 24*time.Hour {
			continue
		}
		kept = append(kept, one)
		if now.Sub(time.Unix(at, 0)) < time.Hour {
			hour++
		}
	}
	if hour >= matchesAnHour || len(kept) >= matchesADay {
		return ErrOften
	}
	return setMeta(t.c, matchTimes, strings.Join(append(kept, strconv.FormatInt(now.Unix(), 10)), " "))
}
