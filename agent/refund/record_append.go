package refund

// AppendJSON appends a sealed record as one JSON object of records.md: its members
// in the order of that page, without spaces, empty members left out. Of a party
// it writes the newest token, the masked form, and the newest token of the PAR; clear
// identifiers never, even of a record that is not sealed. ParseRecord reads it.
func (r Record) AppendJSON(dst []byte) []byte {
	return appendRecord(dst, &r, appendParty)
}

// appendRecord appends a record whose party is written by party.
func appendRecord(dst []byte, r *Record, party func([]byte, *Party) []byte) []byte {
	dst = append(dst, `{"v":1`...)
	dst = appendText(dst, `,"kind":`, string(r.Kind))
	dst = appendText(dst, `,"outcome":`, string(r.Outcome))
	dst = appendText(dst, `,"response_code":`, r.ResponseCode)
	dst = appendText(dst, `,"copy":`, string(r.Copy))
	if r.Training {
		dst = append(dst, `,"training":true`...)
	}
	dst = appendText(dst, `,"merchant_id":`, r.MerchantID)
	dst = appendText(dst, `,"terminal_id":`, r.TerminalID)
	dst = appendText(dst, `,"operator":`, r.Operator)
	dst = appendText(dst, `,"channel":`, string(r.Channel))
	dst = appendText(dst, `,"funding":`, r.Funding)
	dst = appendText(dst, `,"entry":`, string(r.Entry))
	if r.HasAmount {
		dst = appendInt(dst, `,"amount":`, r.Amount)
	}
	if r.HasPayerAmount {
		dst = appendInt(dst, `,"payer_amount":`, r.PayerAmount)
	}
	dst = appendText(dst, `,"currency":`, r.Currency)
	dst = appendText(dst, `,"at":`, r.At)
	dst = appendText(dst, `,"stan":`, r.Stan)
	dst = appendText(dst, `,"batch":`, r.Batch)
	dst = appendText(dst, `,"rrn":`, r.RRN)
	dst = appendText(dst, `,"auth_code":`, r.AuthCode)
	dst = appendText(dst, `,"order_no":`, r.OrderNo)
	dst = appendText(dst, `,"channel_txn":`, r.ChannelTxn)
	dst = appendText(dst, `,"refund_no":`, r.RefundNo)
	dst = appendText(dst, `,"channel_refund":`, r.ChannelRefund)
	dst = appendOriginal(dst, &r.Original)
	if r.Party != nil {
		dst = party(append(dst, `,"party":`...), r.Party)
	}
	dst = appendText(dst, `,"ask":`, r.Ask)
	dst = appendText(dst, `,"refund_route":`, string(r.RefundRoute))
	dst = appendText(dst, `,"signature":`, r.Signature)
	dst = appendTotals(dst, r.Totals)
	if c := r.Coverage; c != nil {
		at := len(dst) + len(`,"journal":`)
		dst = append(dst, `,"journal":{`...)
		dst = appendText(dst, `,"from":`, c.From)
		dst = appendTexts(dst, `,"terminals":`, c.Terminals)
		dst = closeObject(dst, at)
	}
	return append(dst, '}')
}

func appendOriginal(dst []byte, o *Original) []byte {
	if *o == (Original{}) {
		return dst
	}
	at := len(dst) + len(`,"original":`)
	dst = append(dst, `,"original":{`...)
	dst = appendText(dst, `,"stan":`, o.Stan)
	dst = appendText(dst, `,"batch":`, o.Batch)
	dst = appendText(dst, `,"date":`, o.Date)
	dst = appendText(dst, `,"rrn":`, o.RRN)
	dst = appendText(dst, `,"auth_code":`, o.AuthCode)
	dst = appendText(dst, `,"order_no":`, o.OrderNo)
	dst = appendText(dst, `,"channel_txn":`, o.ChannelTxn)
	dst = appendText(dst, `,"terminal_id":`, o.TerminalID)
	return closeObject(dst, at)
}

func appendTotals(dst []byte, t *Totals) []byte {
	if t == nil {
		return dst
	}
	dst = appendInt(dst, `,"totals":{"debit_amount":`, t.DebitAmount)
	dst = appendInt(dst, `,"debit_count":`, t.DebitCount)
	dst = appendInt(dst, `,"credit_amount":`, t.CreditAmount)
	dst = appendInt(dst, `,"credit_count":`, t.CreditCount)
	return append(dst, '}')
}

// appendParty appends a party as records.md has it.
func appendParty(dst []byte, p *Party) []byte {
	at := len(dst)
	dst = appendIdentifier(append(dst, '{'), p)
	dst = appendText(dst, `,"par":`, newest(p.PARTokens))
	dst = appendText(dst, `,"text":`, maskText(p.Text))
	for i := range p.Also {
		if i == 0 {
			dst = append(dst, `,"also":[`...)
		} else {
			dst = append(dst, ',')
		}
		at := len(dst)
		dst = closeObject(appendIdentifier(append(dst, '{'), &p.Also[i]), at)
	}
	if len(p.Also) > 0 {
		dst = append(dst, ']')
	}
	return closeObject(dst, at)
}

// appendIdentifier appends the members of one identifier.
func appendIdentifier(dst []byte, p *Party) []byte {
	dst = appendText(dst, `,"scheme":`, string(p.Scheme))
	dst = appendText(dst, `,"namespace":`, p.Namespace)
	dst = appendText(dst, `,"token":`, newest(p.Tokens))
	return appendText(dst, `,"shown":`, p.Shown)
}

// newest returns the token made with the newest key, "" if there is none.
func newest(tokens []string) string {
	if len(tokens) == 0 {
		return ""
	}
	return tokens[0]
}
