package mispos

import (
	"errors"
	"strconv"

	"yuanlu/protocol/explain"
)

// Explain returns the fields of DATA in their order, as Decode sees them: masked, with
// what becomes of each. Where Decode refuses the message the last one holds why, and the
// *DecodeError is returned too.
func (l *Layout) Explain(data []byte) ([]explain.Field, error) {
	var out []explain.Field
	m := &Message{data: data}
	refused := l.Decode(new(Message), data)
	for at := 0; at < len(data) && len(data) <= MaxData; {
		n, err := l.field(m, at)
		if err != nil {
			break
		}
		out = append(out, l.explain(m, at, n))
		at += n
	}
	if e := (*DecodeError)(nil); errors.As(refused, &e) {
		// The type is which message it is, and is one byte.
		isType := func(f *explain.Field) bool { return f.Name == l.tag(Type).String() && f.Length == 1 }
		out = explain.Refused(out, isType, e.Field, e.Offset, e.Got, e.Want)
	}
	return out, refused
}

// explain describes the field of n bytes at offset at, which m holds.
func (l *Layout) explain(m *Message, at, n int) explain.Field {
	tag := Tag(m.data[at])<<8 | Tag(m.data[at+1])
	value := m.data[at+headSize : at+n]
	f := explain.Field{Name: tag.String(), At: at, Length: len(value), Kind: explain.Kind(value), Became: "skipped: no tag of the profile"}
	i := l.byTag[tag&0xFF]
	if i == 0 {
		return f
	}
	role := l.fields[i-1].Role
	f.Became = role.becomes()
	switch form := l.fields[i-1].Form; {
	case len(trim(value)) == 0:
		f.Became = "empty: as if it were absent"
	case form == Dropped:
		f.Kind = ""
	case form == Secret:
		f.Value = explain.Identity(Unfilled(text(trim(value))))
	case form == Byte || form == Binary && len(value) == 1:
		f.Value = strconv.Itoa(int(value[0]))
	case form == Text || form == Digits && role != Totals:
		f.Value = explain.Text(text(trim(value)))
	}
	return f
}

// becomes names the member of the record that a role is read into.
func (r Role) becomes() string {
	switch r {
	case Type:
		return "kind"
	case Amount:
		return "amount"
	case MerchantID:
		return "merchant_id"
	case TerminalID:
		return "terminal_id"
	case Operator:
		return "operator"
	case Issuer:
		return "channel"
	case Account:
		return "party"
	case Entry:
		return "entry"
	case Batch:
		return "batch"
	case Trace:
		return "stan"
	case AuthCode:
		return "auth_code"
	case Reference:
		return "rrn; of WeChat, Alipay and JD channel_txn or channel_refund"
	case Date, Time:
		return "at"
	case Result:
		return "outcome, response_code"
	case OriginalTrace:
		return "original.stan"
	case OriginalReference:
		return "original.rrn"
	case OriginalDate:
		return "original.date"
	case Namespace:
		return "party.namespace"
	case Signature:
		return "signature"
	case RefundNo:
		return "refund_no"
	case TypeAgain:
		return "kind of a reprint"
	case Totals:
		return "totals"
	case Route:
		return "refund_route"
	case OrderNo:
		return "order_no; of refunds and voids original.order_no"
	case HostMessage:
		return "dropped: it may hold track data"
	case Expiry:
		return "dropped: expiry date"
	}
	return ""
}
