package smart

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"yuanlu/protocol/explain"
)

// Explain returns the members of DATA in their order, as Decode and the reader of its
// body see them: masked, with what becomes of each. Where the message is refused the last
// one holds why, and the *DecodeError is returned too.
func Explain(data []byte) ([]explain.Field, error) {
	t := &trace{}
	m, err := decode(data, t)
	if err == nil {
		t.path, t.src = append(t.path[:0], "body"), m.Src
		m.trace = t
		if t.isRead() {
			t.fields = slices.DeleteFunc(t.fields, func(f explain.Field) bool { return f.Name == "body" })
		}
		err = m.readAny()
	}
	if e := (*DecodeError)(nil); errors.As(err, &e) {
		// A name in the place of an error is one that this package reads.
		t.fields = explain.Refused(t.fields, func(f *explain.Field) bool { return f.Name == "src" }, e.Field, e.Offset, e.Got, e.Want)
	}
	return t.fields, err
}

// readAny reads the body that src names; one of another source is not looked at.
func (m *Message) readAny() (err error) {
	switch m.Src {
	case SrcWeChatTransaction:
		_, err = m.WeChatTransaction()
	case SrcWeChatRefund:
		_, err = m.WeChatRefund()
	case SrcWeChatReverse:
		_, err = m.WeChatReverse()
	case SrcAlipayTrade:
		_, err = m.AlipayTrade()
	case SrcAlipayRefund:
		_, err = m.AlipayRefund()
	case SrcAlipayCancel:
		_, err = m.AlipayCancel()
	case SrcUnionPayQR:
		_, err = m.UnionPayQR()
	case SrcLakalaCard:
		_, err = m.Lakala()
	case SrcRecord:
		err = m.read(nil, nil) // records.md defines its members; they are not known here
	}
	return err
}

// isRead reports whether the members of the body are shown one by one.
func (t *trace) isRead() bool {
	switch t.src {
	case SrcWeChatTransaction, SrcWeChatRefund, SrcWeChatReverse, SrcAlipayTrade, SrcAlipayRefund, SrcAlipayCancel, SrcUnionPayQR,
		SrcLakalaCard, SrcRecord:
		return true
	}
	return false
}

// trace gathers what a reader sees.
type trace struct {
	fields []explain.Field
	path   []string // names of the members that enclose the present place
	src    string   // "" in the envelope
}

// enter notes that the value of a member begins.
func (t *trace) enter(name []byte) {
	if t != nil {
		t.path = append(t.path, explain.Name(string(name)))
	}
}

// enterElement notes that the element of a list with this index begins.
func (t *trace) enterElement(i int) {
	if t != nil {
		t.path = append(t.path, explain.Name("["+strconv.Itoa(i)+"]"))
	}
}

// leave notes that the value of a member has been read: at is where it begins in DATA,
// raw its JSON, f the field that took it, nil if none did; before is how many fields
// there were when it began.
func (t *trace) leave(f *field, at int, raw []byte, before int) {
	if t == nil {
		return
	}
	name := strings.Join(t.path, ".")
	t.path = t.path[:len(t.path)-1]
	if len(t.fields) > before { // its own members have been noted
		return
	}
	kind := explain.Kind([]byte(strings.Trim(string(raw), `"`)))
	out := explain.Field{Name: strings.ReplaceAll(name, ".[", "["), At: at, Length: len(raw), Kind: kind}
	switch {
	case f == nil && t.src == SrcRecord:
		out.Became = "read as a record's own member"
	case f == nil:
		out.Became = "skipped: no such member is read"
	case isEmpty(raw):
		out.Became = "empty: as if it were absent"
	default:
		out.Value, out.Became = f.shown(), t.becomes(f.name)
	}
	t.fields = append(t.fields, out)
}

func isEmpty(raw []byte) bool {
	s := string(raw)
	return s == "null" || strings.Trim(s, `" `) == ""
}

func (t *trace) count() int {
	if t == nil {
		return 0
	}
	return len(t.fields)
}

// shown returns the value that was read into a field, masked; "" where it is read in
// another way.
func (f *field) shown() string {
	switch {
	case f.text != nil:
		return explain.Text(*f.text)
	case f.secret != nil:
		return explain.Identity(f.secret.Reveal())
	case f.flag != nil:
		return strconv.FormatBool(*f.flag)
	}
	for _, n := range []*Number{f.integer, f.fen, f.older, f.yuan} {
		if n != nil && n.Given {
			return explain.Text(strconv.FormatInt(n.Value, 10)) + " fen"
		}
	}
	return ""
}

// becomes names the member of the record that a member is read into. Of a refund and what
// takes a payment back, the numbers of the trade are those of the original.
func (t *trace) becomes(name string) string {
	back := t.src == SrcWeChatRefund || t.src == SrcWeChatReverse || t.src == SrcAlipayRefund || t.src == SrcAlipayCancel
	name = strings.TrimSuffix(name, "_n")
	switch name {
	case "v", "src", "id":
		return "the envelope's own"
	case "body":
		return "not looked at: the source is none that makes a record"
	case "terminal_id", "merchant_id", "operator", "training", "copy", "ask":
		return name
	case "transaction_id", "trade_no":
		if back {
			return "original.channel_txn"
		}
		return "channel_txn"
	case "out_trade_no":
		if back {
			return "original.order_no"
		}
		return "order_no"
	}
	if member := readInto(name); member != "" {
		return member
	}
	return "read"
}

// readInto is becomes for the names that mean one thing whatever the source.
func readInto(name string) string {
	for member, names := range map[string]string{
		"amount":       " total total_amount refund refund_fee refund_amount total_fee refund_detail_item_list txnAmt amt ",
		"payer_amount": " payer_total payer_amount payer_refund cash_fee cash_refund_fee buyer_pay_amount ",
		"outcome, response_code": " trade_state status refund_status return_code result_code err_code code sub_code trade_status respCode" +
			" origRespCode recall retry_flag action ",
		"outcome":                     " result ",
		"at":                          " success_time create_time time_end gmt_payment send_pay_date gmt_refund gmt_refund_pay refund_success_time txnTime time_stamp ",
		"currency":                    " currency fee_type refund_fee_type trans_currency refund_currency currencyCode ",
		"party":                       " openid sp_openid sub_openid buyer_user_id buyer_id buyer_open_id buyer_logon_id user_received_account refund_recv_accout accNo priaccount ",
		"party.namespace":             " appid sp_appid sub_appid combine_appid app_id ",
		"refund_no":                   " out_refund_no out_request_no out_biz_no ",
		"channel_refund":              " refund_id ",
		"refund_route":                " channel refund_channel dback_status ",
		"funding":                     " bank_type fund_bill_list ",
		"entry":                       " trade_type ",
		"copy":                        " fund_change ",
		"kind":                        " txnType proc_cd ",
		"channel":                     " pay_tp ",
		"order_no, refund_no":         " orderId order_no ",
		"channel_txn, channel_refund": " queryId ",
		"original.channel_txn":        " origQryId ",
		"terminal_id":                 " termid ",
		"merchant_id":                 " merid ",
		"batch":                       " batchno ",
		"stan":                        " systraceno ",
		"auth_code":                   " authcode ",
		"rrn":                         " refernumber ",
		"original.rrn":                " sysoldreferno ",
		"original.stan":               " sysoldtraceno ",
		"original.date":               " sysolddate ",
	} {
		if strings.Contains(names, " "+name+" ") {
			return member
		}
	}
	return ""
}
