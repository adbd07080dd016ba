package smart_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"yuanlu/protocol/smart"
)

// golden returns the messages of testdata, at least one of each src.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) != 13 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	return out
}

// read is what the package read of one message: path to value, where an absent value
// is "" or a Number that is not given.
type read map[string]any

// readAll decodes a message and its body. known is false for a src that has no reader.
func readAll(data []byte) (got read, known bool, err error) {
	m, err := smart.Decode(data)
	if err != nil {
		return nil, false, err
	}
	got = read{"id": m.ID, "src": m.Src, "terminal_id": m.TerminalID, "merchant_id": m.MerchantID, "operator": m.Operator, "copy": m.Copy, "training": m.Training, "ask": m.Ask}
	known = true
	switch m.Src {
	case smart.SrcWeChatTransaction:
		err = weChatTransaction(&m, got)
	case smart.SrcWeChatRefund:
		err = weChatRefund(&m, got)
	case smart.SrcWeChatReverse:
		err = weChatReverse(&m, got)
	case smart.SrcAlipayTrade:
		err = alipayTrade(&m, got)
	case smart.SrcAlipayRefund:
		err = alipayRefund(&m, got)
	case smart.SrcAlipayCancel:
		err = alipayCancel(&m, got)
	case smart.SrcUnionPayQR:
		err = unionPayQR(&m, got)
	case smart.SrcLakalaCard:
		err = lakala(&m, got)
	default:
		known = false
	}
	return got, known, err
}

func (g read) add(values ...any) {
	for i := 0; i < len(values); i += 2 {
		g[values[i].(string)] = values[i+1]
	}
}

func weChatTransaction(m *smart.Message, g read) error {
	v, err := m.WeChatTransaction()
	g.order("body.", &v.WeChatOrder, "total", "payer_total")
	g.answer(&v.WeChatAnswer)
	g.add("body.appid", v.AppID, "body.sp_appid", v.SpAppID,
		"body.payer.openid", v.OpenID.Reveal(), "body.payer.sp_openid", v.SpOpenID.Reveal(), "body.payer.sub_openid", v.SubOpenID.Reveal(),
		"body.openid", v.Older.OpenID.Reveal(), "body.sub_openid", v.Older.SubOpenID.Reveal(),
		"body.total_fee", older(v.Older.TotalFee), "body.cash_fee", older(v.Older.CashFee), "body.fee_type", v.Older.FeeType,
		"body.time_end", v.Older.TimeEnd, "body.combine_appid", v.Combine.AppID,
		"body.combine_payer_info.openid", v.Combine.OpenID.Reveal(), "body.combine_payer_info.sub_openid", v.Combine.SubOpenID.Reveal(),
		"body.sub_orders", size(len(v.SubOrders)))
	for i := range v.SubOrders {
		at := fmt.Sprintf("body.sub_orders.%d.", i)
		g.order(at, &v.SubOrders[i].WeChatOrder, "total_amount", "payer_amount")
		g.add(at+"sub_openid", v.SubOrders[i].SubOpenID.Reveal())
	}
	return err
}

func (g read) order(at string, v *smart.WeChatOrder, total, payer string) {
	g.add(at+"transaction_id", v.TransactionID, at+"out_trade_no", v.OutTradeNo, at+"trade_state", v.TradeState,
		at+"trade_type", v.TradeType, at+"bank_type", v.BankType, at+"success_time", v.SuccessTime, at+"sub_appid", v.SubAppID,
		at+"amount."+total, v.Total, at+"amount."+payer, v.PayerTotal, at+"amount.currency", v.Currency)
}

func (g read) answer(v *smart.WeChatAnswer) {
	g.add("body.return_code", v.ReturnCode, "body.result_code", v.ResultCode, "body.err_code", v.ErrCode)
}

func weChatReverse(m *smart.Message, g read) error {
	v, err := m.WeChatReverse()
	g.answer(&v.WeChatAnswer)
	g.add("body.code", v.Code, "body.recall", v.Recall, "body.transaction_id", v.TransactionID, "body.out_trade_no", v.OutTradeNo)
	return err
}

func weChatRefund(m *smart.Message, g read) error {
	v, err := m.WeChatRefund()
	g.answer(&v.WeChatAnswer)
	g.add("body.refund_id", v.RefundID, "body.out_refund_no", v.OutRefundNo, "body.transaction_id", v.TransactionID,
		"body.out_trade_no", v.OutTradeNo, "body.status", v.Status, "body.refund_status", v.RefundStatus, "body.channel", v.Channel,
		"body.user_received_account", v.Account.Reveal(), "body.success_time", v.SuccessTime, "body.create_time", v.CreateTime,
		"body.amount.refund", v.Refund, "body.amount.payer_refund", v.PayerRefund, "body.amount.currency", v.Currency)
	g.older(&v.Older, "")
	for i := range v.Each {
		e, n := &v.Each[i], fmt.Sprintf("_%d", v.Each[i].N)
		g.older(e, n)
		g.add("body.out_refund_no"+n, e.OutRefundNo, "body.refund_id"+n, e.RefundID, "body.refund_status"+n, e.Status,
			"body.refund_success_time"+n, e.SuccessTime)
	}
	return err
}

func (g read) older(v *smart.WeChatOlderRefund, n string) {
	g.add("body.refund_channel"+n, v.Channel, "body.refund_recv_accout"+n, v.Account.Reveal(), "body.refund_fee"+n, older(v.RefundFee),
		"body.cash_refund_fee"+n, older(v.CashRefundFee), "body.refund_fee_type"+n, v.RefundFeeType, "body.fee_type"+n, v.TotalFeeType)
}

// How an amount is written, for the oracle; size is the length of a list.
type (
	yuan  smart.Number
	fen   smart.Number
	older smart.Number
	size  int
)

func (g read) buyer(v *smart.AlipayBuyer) {
	g.add("body.app_id", v.AppID, "body.buyer_user_id", v.UserID.Reveal(), "body.buyer_id", v.BuyerID.Reveal(),
		"body.buyer_open_id", v.OpenID.Reveal(), "body.buyer_logon_id", v.LogonID.Reveal())
}

func alipayTrade(m *smart.Message, g read) error {
	v, err := m.AlipayTrade()
	g.buyer(&v.AlipayBuyer)
	g.add("body.code", v.Code, "body.sub_code", v.SubCode, "body.trade_status", v.TradeStatus, "body.trade_no", v.TradeNo,
		"body.out_trade_no", v.OutTradeNo, "body.total_amount", yuan(v.Total), "body.buyer_pay_amount", yuan(v.BuyerPay),
		"body.gmt_payment", v.GmtPayment, "body.send_pay_date", v.SendPayDate, "body.trans_currency", v.TransCurrency,
		"body.gmt_refund", v.GmtRefund, "body.out_biz_no", v.OutBizNo, "body.refund_fee", yuan(v.RefundFee))
	return err
}

func alipayRefund(m *smart.Message, g read) error {
	v, err := m.AlipayRefund()
	g.buyer(&v.AlipayBuyer)
	g.add("body.code", v.Code, "body.sub_code", v.SubCode, "body.refund_status", v.RefundStatus, "body.fund_change", v.FundChange,
		"body.trade_no", v.TradeNo, "body.out_trade_no", v.OutTradeNo, "body.out_request_no", v.OutRequestNo,
		"body.refund_amount", yuan(v.Amount), "body.refund_fee", yuan(v.Fee), "body.gmt_refund_pay", v.GmtRefundPay,
		"body.refund_currency", v.RefundCurrency, "body.deposit_back_info|.dback_status", v.DepositBack)
	return err
}

func alipayCancel(m *smart.Message, g read) error {
	v, err := m.AlipayCancel()
	g.add("body.code", v.Code, "body.sub_code", v.SubCode, "body.retry_flag", v.RetryFlag, "body.action", v.Action,
		"body.trade_no", v.TradeNo, "body.out_trade_no", v.OutTradeNo, "body.gmt_refund_pay", v.GmtRefundPay)
	return err
}

func unionPayQR(m *smart.Message, g read) error {
	v, err := m.UnionPayQR()
	g.add("body.txnType", v.TxnType, "body.orderId", v.OrderID, "body.queryId", v.QueryID, "body.origQryId", v.OrigQryID,
		"body.accNo", v.Account.Reveal(), "body.txnAmt", fen(v.Amount), "body.currencyCode", v.CurrencyCode,
		"body.respCode", v.RespCode, "body.origRespCode", v.OrigRespCode, "body.txnTime", v.TxnTime)
	return err
}

func lakala(m *smart.Message, g read) error {
	v, err := m.Lakala()
	g.add("body.proc_cd", v.ProcCode, "body.pay_tp", v.PayType, "body.order_no", v.OrderNo, "body.result", v.Result,
		"body.amt", yuan(v.Amount), "body.time_stamp", v.TimeStamp, "body.txndetail|.termid", v.TerminalID,
		"body.txndetail|.merid", v.MerchantID, "body.txndetail|.batchno", v.Batch, "body.txndetail|.systraceno", v.Trace,
		"body.txndetail|.authcode", v.AuthCode, "body.txndetail|.refernumber", v.Reference,
		"body.txndetail|.priaccount", v.Account.Reveal(), "body.txndetail|.sysoldreferno", v.OldReference,
		"body.txndetail|.sysoldtraceno", v.OldTrace, "body.txndetail|.sysolddate", v.OldDate)
	return err
}

// checkAgainstJSON fails if what was read of data is not what encoding/json finds
// there, or if data is no JSON at all.
func checkAgainstJSON(t *testing.T, data []byte, got read) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil || !utf8.Valid(data) {
		t.Fatalf("taken, but no JSON: %v", err)
	}
	for path, value := range got {
		if wrapped(all) {
			return // TestWrapper looks at those
		}
		want := find(all, path)
		if msg := differs(value, want); msg != "" {
			t.Fatalf("%s: %s", path, msg)
		}
	}
}

func wrapped(all map[string]any) bool {
	body, _ := all["body"].(map[string]any)
	for name := range body {
		if strings.HasPrefix(name, "alipay_") && strings.HasSuffix(name, "_response") || name == "error_response" {
			return true
		}
	}
	return false
}

// find returns the value at a path. "a|.b" is b of a, or else its sibling.
func find(all map[string]any, path string) any {
	if at, name, ok := strings.Cut(path, "|."); ok {
		parent := at[:strings.LastIndexByte(at, '.')]
		inner := find(all, at)
		if text, ok := inner.(string); ok && strings.TrimRight(text, " ") != "" {
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			var opened map[string]any
			if d.Decode(&opened) != nil {
				return "(no JSON inside)"
			}
			inner = opened
		}
		if m, ok := inner.(map[string]any); ok {
			if s, ok := m[name].(string); ok && strings.TrimRight(s, " ") != "" {
				return m[name]
			}
		}
		return find(all, parent+"."+name)
	}
	var at any = all
	for part := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

var (
	isInteger = regexp.MustCompile(`^-?[0-9]+$`)
	isFen     = regexp.MustCompile(`^[0-9]+$`)
	isYuan    = regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,2})?$`)
)

// differs returns how a value that was read differs from the one encoding/json found.
func differs(got, want any) string {
	if want == "" || want == nil {
		want = nil
	}
	switch got := got.(type) {
	case bool:
		if want == nil {
			want = false
		}
		if got != want {
			return fmt.Sprint("got ", got)
		}
	case string:
		s, ok := want.(string)
		if want != nil && !ok || got != strings.TrimRight(s, " ") {
			return fmt.Sprintf("got %q, JSON has %v", got, want)
		}
	case smart.Number:
		n, ok := want.(json.Number)
		return differsNumber(got, string(n), ok || want == nil, isInteger, 1)
	case size:
		if list, _ := want.([]any); len(list) != int(got) {
			return fmt.Sprintf("got %d entries, JSON has %v", got, want)
		}
	case yuan:
		s, ok := text(want)
		return differsNumber(smart.Number(got), s, ok, isYuan, 100)
	case older:
		_, number := want.(json.Number)
		s, ok := text(want)
		if number {
			return differsNumber(smart.Number(got), s, ok, isInteger, 1)
		}
		return differsNumber(smart.Number(got), s, ok, isFen, 1)
	case fen:
		s, ok := want.(string)
		return differsNumber(smart.Number(got), strings.TrimRight(s, " "), ok || want == nil, isFen, 1)
	}
	return ""
}

// text returns a text, or a number as it is written; "" of what is absent.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimRight(v, " "), true
	case json.Number:
		return string(v), true
	}
	return "", false
}

func differsNumber(got smart.Number, text string, right bool, form *regexp.Regexp, times int64) string {
	if text == "" && right && !got.Given {
		return ""
	}
	want, ok := new(big.Rat).SetString(text)
	if !right || !form.MatchString(text) || !ok {
		return fmt.Sprintf("got %+v of a wrong form", got)
	}
	want.Mul(want, big.NewRat(times, 1))
	for _, bound := range []int64{-1 << 63, 1<<63 - 1} {
		if b := new(big.Rat).SetInt64(bound); want.Cmp(b)*big.NewRat(bound, 1).Sign() > 0 {
			want = b
		}
	}
	if !got.Given || want.Cmp(new(big.Rat).SetInt64(got.Value)) != 0 {
		return fmt.Sprintf("got %+v, want %s", got, want)
	}
	return ""
}
