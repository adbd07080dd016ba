package refund

// The members of a record in the order of records.md. The constants are their
// places in recordMembers.
const (
	memberV = iota
	memberKind
	memberOutcome
	memberResponseCode
	memberCopy
	memberTraining
	memberMerchantID
	memberTerminalID
	memberOperator
	memberChannel
	memberFunding
	memberEntry
	memberAmount
	memberPayerAmount
	memberCurrency
	memberAt
	memberStan
	memberBatch
	memberRRN
	memberAuthCode
	memberOrderNo
	memberChannelTxn
	memberRefundNo
	memberChannelRefund
	memberOriginal
	memberParty
	memberAsk
	memberRefundRoute
	memberSignature
	memberTotals
	memberJournal
)

var recordMembers = []string{
	"v", "kind", "outcome", "response_code", "copy", "training", "merchant_id", "terminal_id", "operator", "channel",
	"funding", "entry", "amount", "payer_amount", "currency", "at", "stan", "batch", "rrn", "auth_code", "order_no",
	"channel_txn", "refund_no", "channel_refund", "original", "party", "ask", "refund_route", "signature", "totals",
	"journal",
}

var originalMembers = []string{"stan", "batch", "date", "rrn", "auth_code", "order_no", "channel_txn", "terminal_id"}

// The members of a party; in also only those up to shown.
const (
	partyScheme = iota
	partyNamespace
	partyID
	partyToken
	partyShown
	partyPAR
	partyText
	partyAlso
)

var (
	partyMembers = []string{"scheme", "namespace", "id", "token", "shown", "par", "text", "also"}
	alsoMembers  = partyMembers[:partyShown+1]
)

var (
	totalsMembers   = []string{"debit_amount", "debit_count", "credit_amount", "credit_count"}
	coverageMembers = []string{"from", "terminals"}
)

// text returns the place of the record's i-th member if it is a string of any value.
func (r *Record) text(i int) *string {
	switch i {
	case memberResponseCode:
		return &r.ResponseCode
	case memberMerchantID:
		return &r.MerchantID
	case memberTerminalID:
		return &r.TerminalID
	case memberOperator:
		return &r.Operator
	case memberFunding:
		return &r.Funding
	case memberCurrency:
		return &r.Currency
	case memberAt:
		return &r.At
	case memberStan:
		return &r.Stan
	case memberBatch:
		return &r.Batch
	case memberRRN:
		return &r.RRN
	case memberAuthCode:
		return &r.AuthCode
	case memberOrderNo:
		return &r.OrderNo
	case memberChannelTxn:
		return &r.ChannelTxn
	case memberRefundNo:
		return &r.RefundNo
	case memberChannelRefund:
		return &r.ChannelRefund
	case memberAsk:
		return &r.Ask
	case memberSignature:
		return &r.Signature
	}
	return nil
}

// text returns the place of the i-th member of originalMembers.
func (o *Original) text(i int) *string {
	return [...]*string{&o.Stan, &o.Batch, &o.Date, &o.RRN, &o.AuthCode, &o.OrderNo, &o.ChannelTxn, &o.TerminalID}[i]
}

// number returns the place of the i-th member of totalsMembers.
func (t *Totals) number(i int) *int64 {
	return [...]*int64{&t.DebitAmount, &t.DebitCount, &t.CreditAmount, &t.CreditCount}[i]
}
