package refund

import "slices"

// merge completes an event by another sighting of it (verdicts.md § 1.3, a and b). The event's
// record is not changed; changed reports whether the result holds anything new.
func merge(e, copied *Record) (merged Record, changed bool) {
	m := *e
	if outcomeMayBecome(e.Kind, e.Outcome, copied.Outcome) {
		m.Outcome, changed = copied.Outcome, true
		if copied.RefundRoute != "" && copied.RefundRoute != m.RefundRoute {
			m.RefundRoute = copied.RefundRoute
		}
		if names(copied.Party) {
			m.Party = copied.Party
		}
	}
	changed = fillTexts(&m, copied) || changed
	changed = fillOriginal(&m.Original, &copied.Original) || changed
	if !m.HasAmount && copied.HasAmount {
		m.HasAmount, m.Amount, m.LateAmount, changed = true, copied.Amount, false, true
	}
	if !m.HasPayerAmount && copied.HasPayerAmount && copied.PayerAmount <= m.Amount {
		m.HasPayerAmount, m.PayerAmount, changed = true, copied.PayerAmount, true
	}
	if p, filled := fillParty(m.Party, copied.Party); filled {
		m.Party, changed = p, true
	}
	if m.Totals == nil && copied.Totals != nil {
		m.Totals, changed = copied.Totals, true
	}
	return m, changed
}

// outcomeMayBecome is verdicts.md § 1.3 a. What was paid stays a sale, whatever its state is
// called once the money went back.
func outcomeMayBecome(k Kind, from, to Outcome) bool {
	if from == to || to == "" {
		return false
	}
	switch from {
	case Unknown, Pending, Abnormal, "":
		return true
	case Approved:
		return !k.IsSale() && (to == Closed || to == Abnormal)
	}
	return false
}

// names reports whether there is a party: one of scheme none states something only
// with a PAR or further identifiers.
func names(p *Party) bool {
	return p != nil && (p.Scheme != "" && p.Scheme != SchemeNone || len(p.PARTokens) > 0 || len(p.Also) > 0)
}

func fillTexts(m, c *Record) (changed bool) {
	fill := func(dst *string, v string) {
		if *dst == "" && v != "" {
			*dst, changed = v, true
		}
	}
	fill(&m.ResponseCode, c.ResponseCode)
	fill(&m.TerminalID, c.TerminalID)
	fill(&m.Operator, c.Operator)
	fill(&m.Funding, c.Funding)
	fill(&m.Currency, c.Currency)
	fill(&m.Stan, c.Stan)
	fill(&m.Batch, c.Batch)
	fill(&m.RRN, c.RRN)
	fill(&m.AuthCode, c.AuthCode)
	fill(&m.OrderNo, c.OrderNo)
	fill(&m.ChannelTxn, c.ChannelTxn)
	fill(&m.RefundNo, c.RefundNo)
	fill(&m.ChannelRefund, c.ChannelRefund)
	fill(&m.Ask, c.Ask)
	fill(&m.Signature, c.Signature)
	fill((*string)(&m.RefundRoute), string(c.RefundRoute))
	if !channelKnown(m.Channel) && channelKnown(c.Channel) {
		m.Channel, changed = c.Channel, true
	}
	if (m.Entry == "" || m.Entry == EntryNone) && c.Entry != "" && c.Entry != EntryNone {
		m.Entry, changed = c.Entry, true
	}
	return changed
}

// fillOriginal fills member by member; all zeros are empty too.
func fillOriginal(m, c *Original) (changed bool) {
	fill := func(dst *string, v string) {
		if !Given(*dst) && Given(v) {
			*dst, changed = v, true
		}
	}
	fill(&m.Stan, c.Stan)
	fill(&m.Batch, c.Batch)
	fill(&m.Date, c.Date)
	fill(&m.RRN, c.RRN)
	fill(&m.AuthCode, c.AuthCode)
	fill(&m.OrderNo, c.OrderNo)
	fill(&m.ChannelTxn, c.ChannelTxn)
	fill(&m.TerminalID, c.TerminalID)
	return changed
}

// fillParty takes a party whole where there was none, and fills what is missing
// about the same one. The parties given are not changed.
func fillParty(p, c *Party) (*Party, bool) {
	switch {
	case c == nil || !names(c) && c.Text == "":
		return p, false
	case p == nil, !names(p) && names(c):
		return c, true
	case !sameIdentifier(p, c):
		return p, false
	}
	q, changed := *p, false
	if len(q.PARTokens) == 0 && len(c.PARTokens) > 0 {
		q.PARTokens, changed = c.PARTokens, true
	}
	if q.Text == "" && c.Text != "" {
		q.Text, changed = c.Text, true
	}
	if len(q.Also) == 0 && len(c.Also) > 0 {
		q.Also, changed = slices.Clone(c.Also), true
	}
	return &q, changed
}

// sameIdentifier reports whether scheme, namespace and id are equal.
func sameIdentifier(a, b *Party) bool {
	if a == nil || b == nil {
		return false
	}
	scheme := func(p *Party) Scheme {
		if p.Scheme == "" {
			return SchemeNone
		}
		return p.Scheme
	}
	if scheme(a) != scheme(b) || a.Namespace != b.Namespace {
		return false
	}
	return len(a.Tokens) == 0 && len(b.Tokens) == 0 || share(a.Tokens, b.Tokens)
}
