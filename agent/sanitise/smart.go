package sanitise

import (
	"bytes"
	"encoding/json"
	"strings"

	"yuanlu/protocol/strictjson"
)

// What the members of smart messages hold, by name; of a query of the older WeChat
// interface without the _n behind it. A member that is in no list is taken for an
// identifier.
const (
	keptMembers = ` v src terminal_id merchant_id operator copy ask
 transaction_id out_trade_no trade_state trade_type bank_type success_time create_time currency payer_currency mchid sp_mchid sub_mchid
 refund_id out_refund_no status refund_status channel funds_account combine_mchid combine_out_trade_no
 return_code result_code err_code recall mch_id sub_mch_id total_fee cash_fee fee_type cash_fee_type
 refund_fee cash_refund_fee refund_fee_type refund_channel refund_success_time refund_count
 code msg sub_code trade_no trade_status total_amount buyer_pay_amount receipt_amount point_amount invoice_amount fund_channel fundChannel amount gmt_payment
 send_pay_date trans_currency refund_amount fund_change gmt_refund_pay refund_currency out_request_no gmt_refund out_biz_no gmt_create gmt_close notify_time
 notify_type retry_flag action dback_status dback_amount has_deposit_back
 txnType txnSubType orderId queryId origQryId txnAmt currencyCode respCode origRespCode merId
 proc_cd order_no amt result pay_tp termid merid batchno systraceno authcode refernumber sysoldreferno sysoldtraceno sysolddate
 kind outcome response_code funding entry at stan batch rrn auth_code channel_txn refund_no channel_refund refund_route signature scheme date from terminals
 by reason replaces `
	// Numbers of applications and times, which may look like those of cards.
	plainMembers = ` sp_appid sub_appid appid app_id auth_app_id combine_appid namespace time_stamp txnTime time_end `
	// Words of the channel: for people to read, and a decoder looks for 商户 in them.
	wordMembers = ` user_received_account refund_recv_accout text `
	// Numbers of accounts, or words where they are not of ASCII alone.
	accountMembers = ` priaccount `
	// Objects and lists that some firmware puts into a string.
	packedMembers = ` fund_bill_list txndetail refund_detail_item_list deposit_back_info `
	// Secrets, of which nothing may be seen: a supervisor's PIN.
	blankMembers = ` pin `
)

// withoutN takes the _n from the name of a member of an older WeChat query.
func withoutN(name string) string {
	if i := strings.LastIndexByte(name, '_'); i > 0 && digitsOnly([]byte(name[i+1:])) {
		return name[:i]
	}
	return name
}

func isMember(list, name string) bool {
	return name != "" && !strings.ContainsAny(name, " \n") && strings.Contains(strings.ReplaceAll(list, "\n", " "), " "+name+" ")
}

// message redacts DATA of wire smart in place. Without JSON in it nothing is known
// of it: letters and digits become x.
func (p *pseudonyms) message(data []byte) {
	if len(data) == 0 {
		return
	}
	if !strictjson.Valid(data) {
		for i, c := range data {
			if c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
				data[i] = 'x'
			}
		}
		return
	}
	p.members(data)
}

// anyJSON is the form of what strictjson.Valid takes.
var anyJSON = strictjson.Form{Loose: true}

// members redacts valid JSON in place.
func (p *pseudonyms) members(data []byte) {
	r := strictjson.New(data, 0, &anyJSON)
	p.value(data, &r, "", 0)
}

// value redacts the value that comes next in data: of the member name, inside so many
// objects and lists.
func (p *pseudonyms) value(data []byte, r *strictjson.Reader, name string, depth int) bool {
	switch r.Kind() {
	case '{':
		_, ok := r.Object(nil, func(m strictjson.Member) bool {
			text := data[m.At+1 : m.End-1]
			p.guard(text)
			return p.value(data, r, string(text), depth+1)
		})
		return ok
	case '[':
		return r.List(func(int) bool { return p.value(data, r, name, depth+1) })
	}
	from := r.Pos()
	if !r.Skip() {
		return false
	}
	if raw := r.Raw(from); raw[0] == '"' {
		p.member(name, depth, raw[1:len(raw)-1])
	} else {
		p.noText(name, raw)
	}
	return true
}

// noText redacts one value that is no text, nor holds any.
func (p *pseudonyms) noText(name string, raw []byte) {
	if isMember(blankMembers, name) && raw[0] != 'n' && raw[0] != 't' && raw[0] != 'f' {
		fill(raw, '1')
		return
	}
	p.guard(raw)
}

// member redacts one text, as it stands between its quotes.
func (p *pseudonyms) member(name string, depth int, text []byte) {
	const envelope = 1
	switch name = withoutN(name); {
	case isMember(blankMembers, name):
		fill(text, 'x')
	case isMember(keptMembers, name) || name == "id" && depth == envelope:
		p.guard(text)
	case isMember(plainMembers, name):
	case isMember(wordMembers, name), isMember(accountMembers, name) && !printable(text):
		p.words(text)
	case isMember(packedMembers, name) && p.inside(text):
	case bytes.IndexByte(text, '\\') >= 0:
		fill(text, 'x')
	default:
		p.text(text)
	}
}

// printable reports whether a text is printable ASCII.
func printable(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7E {
			return false
		}
	}
	return true
}

// words leaves of a text its words and at most four digits in a row: "招商银行信用卡0403".
func (p *pseudonyms) words(text []byte) {
	if bytes.IndexByte(text, '\\') >= 0 {
		fill(text, 'x')
		return
	}
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && text[end] < 0x80 && text[end] != ' ' {
			end++
		}
		if end-i > panTail {
			p.text(text[i:end])
		}
		i = max(end, i+1)
	}
}

// inside redacts JSON that stands in a string, if it is escaped as short as it may
// be: then it is as long as before.
func (p *pseudonyms) inside(text []byte) bool {
	var plain string
	if json.Unmarshal(append(append([]byte{'"'}, text...), '"'), &plain) != nil || !strictjson.Valid([]byte(plain)) {
		return false
	}
	inner := []byte(plain)
	p.members(inner)
	var again []byte
	for _, c := range inner {
		if c == '"' || c == '\\' {
			again = append(again, '\\')
		}
		again = append(again, c)
	}
	if len(again) != len(text) {
		return false
	}
	copy(text, again)
	return true
}
