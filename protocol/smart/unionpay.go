package smart

import "yuanlu/protocol/sensitive"

// UnionPayQR is what is read of UnionPay online fields. Source: wires.md, unionpay.qr.
type UnionPayQR struct {
	TxnType            string
	OrderID            string
	QueryID, OrigQryID string
	Account            sensitive.Text // accNo: number, masked number, token or encrypted
	Amount             Number         // fen, from digits as text
	CurrencyCode       string         // ISO 4217 number
	RespCode           string
	OrigRespCode       string // of a query: what became of the transaction asked for
	TxnTime            string // yyyyMMddHHmmss
}

// UnionPayQR reads the body. Every error is a *DecodeError.
func (m *Message) UnionPayQR() (UnionPayQR, error) {
	var v UnionPayQR
	err := m.read([]field{
		{name: "txnType", text: &v.TxnType},
		{name: "orderId", text: &v.OrderID},
		{name: "queryId", text: &v.QueryID},
		{name: "origQryId", text: &v.OrigQryID},
		{name: "accNo", secret: &v.Account},
		{name: "txnAmt", fen: &v.Amount},
		{name: "currencyCode", text: &v.CurrencyCode},
		{name: "respCode", text: &v.RespCode},
		{name: "origRespCode", text: &v.OrigRespCode},
		{name: "txnTime", text: &v.TxnTime},
	}, nil)
	if err == nil && v.TxnType == "" {
		err = m.lacks("txnType")
	}
	return v, err
}

// lacks is the error of a body without a member it must have.
func (m *Message) lacks(name string) error {
	return &DecodeError{Field: "body." + name, Offset: m.to - 1, Got: "no such member", Want: "one that says what this is"}
}
