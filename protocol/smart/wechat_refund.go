package smart

import (
	"slices"
	"strconv"

	"yuanlu/protocol/sensitive"
)

// WeChatRefund is what is read of a WeChat Pay refund object: a v3 answer, query or
// notification (RefundStatus), or the older interface's (the answer and Older; of a
// query Each). Amounts are fen. Source: wires.md, wechat.refund.
type WeChatRefund struct {
	RefundID, OutRefundNo     string
	TransactionID, OutTradeNo string
	Status, RefundStatus      string
	Channel                   string
	Account                   sensitive.Text // user_received_account
	SuccessTime               string         // RFC 3339, or yyyy-MM-dd HH:mm:ss, +08:00
	CreateTime                string         // RFC 3339
	Refund, PayerRefund       Number
	Currency                  string
	WeChatAnswer
	Older WeChatOlderRefund
	Each  []WeChatOlderRefund // by N
}

// WeChatOlderRefund is what refunds of the older interface have besides; of a query
// what the members of one refund hold, whose names end in _N.
type WeChatOlderRefund struct {
	N                           int
	OutRefundNo, RefundID       string // only of a query
	Status                      string // only of a query
	SuccessTime                 string // only of a query: yyyy-MM-dd HH:mm:ss, +08:00
	Channel                     string
	Account                     sensitive.Text // refund_recv_accout
	RefundFee, CashRefundFee    Number
	RefundFeeType, TotalFeeType string
}

// fields lists the members that stand at the top, and in a query with _n.
func (v *WeChatOlderRefund) fields() []field {
	return []field{
		{name: "refund_channel", text: &v.Channel},
		{name: "refund_recv_accout", secret: &v.Account},
		{name: "refund_fee", older: &v.RefundFee},
		{name: "cash_refund_fee", older: &v.CashRefundFee},
		{name: "refund_fee_type", text: &v.RefundFeeType},
		{name: "fee_type", text: &v.TotalFeeType},
	}
}

// WeChatRefund reads the body. Every error is a *DecodeError.
func (m *Message) WeChatRefund() (WeChatRefund, error) {
	var v WeChatRefund
	var each olderQuery
	err := m.read(append(append(v.Older.fields(), v.WeChatAnswer.fields()...), []field{
		{name: "refund_id", text: &v.RefundID},
		{name: "out_refund_no", text: &v.OutRefundNo},
		{name: "transaction_id", text: &v.TransactionID},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "status", text: &v.Status},
		{name: "refund_status", text: &v.RefundStatus},
		{name: "channel", text: &v.Channel},
		{name: "user_received_account", secret: &v.Account},
		{name: "success_time", text: &v.SuccessTime},
		{name: "create_time", text: &v.CreateTime},
		{name: "amount", object: []field{
			{name: "refund", integer: &v.Refund},
			{name: "payer_refund", integer: &v.PayerRefund},
			{name: "currency", text: &v.Currency},
		}},
	}...), each.field)
	v.Each = each.refunds()
	return v, err
}

// olderQuery gathers the members of an answer to a query of refunds, whose names end in
// _n, n = 0, 1 …:
//
//	{"out_refund_no_0":"…","refund_fee_0":"2","refund_status_0":"SUCCESS",…,"out_refund_no_1":"…",…}
type olderQuery struct {
	byN  map[int]*WeChatOlderRefund
	seen map[string]bool
}

// maxOlderN bounds n. A trade has at most 50 refunds.
const maxOlderN = 999

// field returns where the value of such a member goes; nil: it is none.
func (q *olderQuery) field(name []byte) *field {
	stem, n, ok := cutN(name)
	if !ok {
		return nil
	}
	v := q.byN[n]
	if v == nil {
		v = &WeChatOlderRefund{N: n}
	}
	fields := append(v.fields(), []field{
		{name: "out_refund_no", text: &v.OutRefundNo},
		{name: "refund_id", text: &v.RefundID},
		{name: "refund_status", text: &v.Status},
		{name: "refund_success_time", text: &v.SuccessTime},
	}...)
	i := indexOf(fields, stem)
	if i < 0 {
		return nil
	}
	f := fields[i]
	f.name += "_n"
	if q.byN == nil {
		q.byN, q.seen = map[int]*WeChatOlderRefund{}, map[string]bool{}
	}
	f.twice = q.seen[string(name)]
	q.byN[n], q.seen[string(name)] = v, true
	return &f
}

// cutN splits a name that ends in _n, n written without leading zeros.
func cutN(name []byte) (stem []byte, n int, ok bool) {
	i := len(name)
	for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	digits := name[i:]
	if i < 2 || name[i-1] != '_' || len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return nil, 0, false
	}
	n, err := strconv.Atoi(string(digits))
	return name[:i-1], n, err == nil && n <= maxOlderN
}

// refunds returns those that have a number, by n.
func (q *olderQuery) refunds() []WeChatOlderRefund {
	var out []WeChatOlderRefund
	for _, v := range q.byN {
		if v.OutRefundNo != "" || v.RefundID != "" {
			out = append(out, *v)
		}
	}
	slices.SortFunc(out, func(a, b WeChatOlderRefund) int { return a.N - b.N })
	return out
}
