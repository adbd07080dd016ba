package ingest

import (
	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// guard takes a message to the guard. It makes no record, is no repeat, and what is wrong
// with it is answered by the guard. Source: guard.md § 4.
func (w *smartWire) guard(m *smart.Message) {
	switch m.Src {
	case smart.SrcGuardAsk:
		q := &Question{Key: AskKey{m.MerchantID, m.TerminalID, m.GuardAskID()}}
		body := m.Body()
		q.Ask, q.Err = refund.ParseAsk(body, refund.AskForm{MerchantID: m.MerchantID, TerminalID: m.TerminalID, Operator: m.Operator, Training: m.Training})
		if q.Err == nil {
			r := &q.Ask.Record
			q.Key = AskKey{r.MerchantID, r.TerminalID, q.Ask.ID}
		}
		w.question = q
	case smart.SrcGuardRelease, smart.SrcGuardCancel:
		v, err := m.GuardRelease()
		o := &Order{Key: AskKey{m.MerchantID, m.TerminalID, v.Ask}, Err: err, Cancel: m.Src == smart.SrcGuardCancel, Operator: m.Operator, message: m.ID}
		if o.Cancel {
			o.By = m.Operator
		} else {
			o.By, o.PIN, o.Reason, o.Text = v.By, v.PIN, v.Reason, v.Text
		}
		w.order = o
	}
}
