package ingest

import (
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/protocol/sensitive"
)

// outcome looks up a state. One that the table does not name, and none at all, are an
// unknown outcome.
func (w *smartWire) outcome(table map[string]string, what, state string) refund.Outcome {
	if o, ok := table[state]; ok {
		return refund.Outcome(o)
	}
	if state == "" {
		w.note("no " + what)
	} else {
		w.noteWord(what, state)
	}
	return refund.Unknown
}

// orDeclined looks up a code where every code that the table does not name is a
// decline. No code at all is no answer.
func (w *smartWire) orDeclined(table map[string]string, what, code string) refund.Outcome {
	if o, ok := table[code]; ok {
		return refund.Outcome(o)
	}
	if code == "" {
		w.note("no " + what)
		return refund.Unknown
	}
	return refund.Declined
}

// identifier makes one identifier of a party.
func identifier(scheme refund.Scheme, namespace string, id sensitive.Text) refund.Party {
	return refund.Party{Scheme: scheme, Namespace: namespace, ID: refund.NewSecret(id.Reveal())}
}

// smartParty makes a party of the identifiers that are there, the strongest first.
func smartParty(ids ...refund.Party) *refund.Party {
	var p *refund.Party
	for i := range ids {
		switch {
		case ids[i].ID.Empty():
		case p == nil:
			p = &refund.Party{Scheme: ids[i].Scheme, Namespace: ids[i].Namespace, ID: ids[i].ID}
		default:
			p.Also = append(p.Also, ids[i])
		}
	}
	return p
}

// secretOr returns a text, or the other if there is none.
func secretOr(text, other sensitive.Text) sensitive.Text {
	if text.Empty() {
		return other
	}
	return text
}

// route reads the way back.
func (w *smartWire) route(channel string) refund.Route {
	r, known := knownRoute(channel)
	if !known {
		w.noteWord("channel", channel)
	}
	return r
}

// accountParty makes a party of the text that names where the money went.
func accountParty(account sensitive.Text, merchant []string) *refund.Party {
	if account.Empty() {
		return nil
	}
	text := account.Reveal()
	p := &refund.Party{Scheme: refund.SchemeAccountText, ID: refund.NewSecret(text), Text: text}
	for _, part := range merchant {
		if strings.Contains(text, part) {
			p.Scheme = refund.SchemeMerchantAccount
		}
	}
	return p
}

// backTo puts what a wallet's refund or void points at into its record: the refund's
// own number, and the numbers of the trade.
func backTo(r *refund.Record, refundNo, transaction, order string) {
	r.RefundNo = refundNo
	r.Original.ChannelTxn, r.Original.OrderNo = transaction, order
}
