package smart

import "yuanlu/protocol/sensitive"

// Lakala is what is read of an on-device call result with its txndetail. Source:
// wires.md, lakala.card.
type Lakala struct {
	ProcCode, PayType, OrderNo, Result string
	Amount                             Number // fen, made from yuan
	TimeStamp                          string // YYYYMMDDhhmmss
	LakalaDetail
}

// LakalaDetail is what txndetail holds. A value that only the call result itself has
// counts too.
type LakalaDetail struct {
	TerminalID, MerchantID            string
	Batch, Trace, AuthCode, Reference string
	Account                           sensitive.Text // priaccount
	OldReference, OldTrace, OldDate   string
}

func (v *LakalaDetail) fields() []field {
	return []field{
		{name: "termid", text: &v.TerminalID},
		{name: "merid", text: &v.MerchantID},
		{name: "batchno", text: &v.Batch},
		{name: "systraceno", text: &v.Trace},
		{name: "authcode", text: &v.AuthCode},
		{name: "refernumber", text: &v.Reference},
		{name: "priaccount", secret: &v.Account},
		{name: "sysoldreferno", text: &v.OldReference},
		{name: "sysoldtraceno", text: &v.OldTrace},
		{name: "sysolddate", text: &v.OldDate},
	}
}

// Lakala reads the body. Every error is a *DecodeError.
func (m *Message) Lakala() (Lakala, error) {
	var v Lakala
	var beside LakalaDetail
	detail := v.LakalaDetail.fields()
	err := m.read(append(beside.fields(), []field{
		{name: "proc_cd", text: &v.ProcCode},
		{name: "pay_tp", text: &v.PayType},
		{name: "order_no", text: &v.OrderNo},
		{name: "result", text: &v.Result},
		{name: "amt", yuan: &v.Amount},
		{name: "time_stamp", text: &v.TimeStamp},
		{name: "txndetail", value: func(r *reader) bool {
			return r.embedded(func(r *reader) bool { return r.object(detail, nil) })
		}},
	}...), nil)
	if err == nil && v.ProcCode == "" {
		err = m.lacks("proc_cd")
	}
	if err == nil {
		fill(detail, beside.fields())
	}
	return v, err
}
