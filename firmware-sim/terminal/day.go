package terminal

import (
	"fmt"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// settle closes the batch with its totals; the next one has the next number.
func (t *Terminal) settle(s scenario.Step) *scenario.Entry {
	r := t.record("settlement", "")
	totals := t.totals
	r.Totals = &totals
	t.fit(&r)
	e := t.enter(s, r, "", "", nil)
	t.open, t.totals = nil, wire.Totals{}
	t.batch = t.batch%999_999 + 1
	for _, d := range t.recent {
		d.cleared = true
	}
	return e
}

// full reports whether the batch cannot count any further: its totals have three digits for each count.
func (t *Terminal) full() bool { return t.totals.DebitCount >= 990 || t.totals.CreditCount >= 990 }

// reprint returns the open batch once more, each record as a copy. It is nothing that happened, so it has no number.
func (t *Terminal) reprint() []scenario.Entry {
	if t.o.Wire == "smart" {
		return nil // it sends again what was not confirmed, and nothing else
	}
	var out []scenario.Entry
	for _, e := range t.open {
		e.Record.Copy = "reprint"
		e.Asked, e.Truth, e.Revises = false, nil, nil
		if t.o.Wire == "cup8583" {
			// The host messages know no reprint; refunds, completions and adjusts can be uploaded once more.
			if k := e.Record.Kind; k != "refund" && k != "completion" && k != "adjust" || e.Record.Outcome != "approved" {
				continue
			}
			e.Record.Copy = "upload"
			e.Record.RRN, e.Record.AuthCode, e.Record.ResponseCode = "", "", ""
		}
		out = append(out, e)
	}
	return out
}

// reverse takes back a transaction whose answer never came (wire cup8583).
func (t *Terminal) reverse(s scenario.Step, d *deal) (*scenario.Entry, error) {
	o := d.entry.Record
	if t.o.Wire != "cup8583" {
		return nil, fmt.Errorf("%w: do: wire %s has no reversal", ErrStep, t.o.Wire)
	}
	t.now = t.now.Add(time.Duration(5+t.rng.IntN(40)) * time.Second)
	r := o
	r.Kind, r.Outcome, r.ResponseCode, r.At = "reversal", "approved", "00", t.now.Truncate(time.Second)
	decide(&r, s.Outcome)
	r.RRN, r.AuthCode, r.ChannelTxn, r.Original = rrn(&o), "", "", wire.Original{}
	t.fit(&r)
	e := t.enter(s, r, d.entry.Payer, "", nil)
	if r.Outcome == "approved" {
		d.left, d.voided = 0, true
		t.uncount(&o)
	}
	return e, nil
}

func (t *Terminal) uncount(r *wire.Record) {
	before := t.totals
	t.totals = wire.Totals{}
	t.count(r)
	n := t.totals
	t.totals = wire.Totals{DebitAmount: before.DebitAmount - n.DebitAmount, DebitCount: before.DebitCount - n.DebitCount,
		CreditAmount: before.CreditAmount - n.CreditAmount, CreditCount: before.CreditCount - n.CreditCount}
}

// fit leaves out of a record what its wire has no place for: the firmware knows it and cannot send it.
func (t *Terminal) fit(r *wire.Record) {
	switch t.o.Wire {
	case "mispos":
		r.Funding, r.PayerAmount = "", nil
		if moneyBack(r.Kind) {
			r.OrderNo = ""
		}
	case "cup8583":
		t.fitCup(r)
	case "smart":
		fitSmart(r)
	}
}

// fitCup leaves out what host messages do not show. A transaction without an answer has no code and no numbers; only
// chip data show the account behind a card.
func (t *Terminal) fitCup(r *wire.Record) {
	r.Operator, r.Funding, r.OrderNo, r.RefundNo, r.ChannelRefund, r.Signature = "", "", "", "", "", ""
	if r.Kind == "settlement" {
		r.ResponseCode = ""
	}
	if r.Outcome == "unknown" {
		r.ResponseCode, r.RRN, r.AuthCode, r.ChannelTxn = "", "", "", ""
	}
	if r.Entry != "chip" && r.Entry != "contactless" {
		r.Party.PAR = ""
	}
	if r.Channel == "unionpay_qr" {
		r.Party, r.Entry = wire.Party{}, "qr_shown"
	}
}

func moneyBack(kind string) bool {
	return kind == "refund" || kind == "void" || kind == "completion_void"
}
