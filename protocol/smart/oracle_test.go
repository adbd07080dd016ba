package smart_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"yuanlu/protocol/smart"
)

// golden gives the messages of testdata, one of each src.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) != 7 {
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
	got = read{"id": m.ID, "src": m.Src, "terminal_id": m.TerminalID, "merchant_id": m.MerchantID, "operator": m.Operator, "copy": m.Copy, "training": m.Training}
	known = true
	switch m.Src {
	case smart.SrcWeChatTransaction:
		err = weChatTransaction(&m, got)
	case smart.SrcWeChatRefund:
		err = weChatRefund(&m, got)
	case smart.SrcAlipayTrade:
		err = alipayTrade(&m, got)
	case smart.SrcAlipayRefund:
		err = alipayRefund(&m, got)
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
	g.add("body.transaction_id", v.TransactionID, "body.out_trade_no", v.OutTradeNo, "body.trade_state", v.TradeState,
		"body.trade_type", v.TradeType, "body.bank_type", v.BankType, "body.success_time", v.SuccessTime,
		"body.appid", v.AppID, "body.sp_appid", v.SpAppID, "body.sub_appid", v.SubAppID,
		"body.payer.openid", v.OpenID.Reveal(), "body.payer.sp_openid", v.SpOpenID.Reveal(), "body.payer.sub_openid", v.SubOpenID.Reveal(),
		"body.amount.total", v.Total, "body.amount.payer_total", v.PayerTotal, "body.amount.currency", v.Currency)
	return err
}

func weChatRefund(m *smart.Message, g read) error {
	v, err := m.WeChatRefund()
	g.add("body.refund_id", v.RefundID, "body.out_refund_no", v.OutRefundNo, "body.transaction_id", v.TransactionID,
		"body.out_trade_no", v.OutTradeNo, "body.status", v.Status, "body.channel", v.Channel,
		"body.user_received_account", v.Account.Reveal(), "body.success_time", v.SuccessTime, "body.create_time", v.CreateTime,
		"body.amount.refund", v.Refund, "body.amount.payer_refund", v.PayerRefund, "body.amount.currency", v.Currency)
	return err
}

// Yuan and fen tell the oracle how an amount is written.
type (
	yuan smart.Number
	fen  smart.Number
)

func alipayTrade(m *smart.Message, g read) error {
	v, err := m.AlipayTrade()
	g.add("body.code", v.Code, "body.trade_status", v.TradeStatus, "body.trade_no", v.TradeNo, "body.out_trade_no", v.OutTradeNo,
		"body.app_id", v.AppID, "body.buyer_user_id", v.UserID.Reveal(), "body.buyer_open_id", v.OpenID.Reveal(),
		"body.buyer_logon_id", v.LogonID.Reveal(), "body.total_amount", yuan(v.Total), "body.buyer_pay_amount", yuan(v.BuyerPay),
		"body.gmt_payment", v.GmtPayment, "body.send_pay_date", v.SendPayDate, "body.trans_currency", v.TransCurrency)
	return err
}

func alipayRefund(m *smart.Message, g read) error {
	v, err := m.AlipayRefund()
	g.add("body.code", v.Code, "body.fund_change", v.FundChange, "body.trade_no", v.TradeNo, "body.out_trade_no", v.OutTradeNo,
		"body.out_request_no", v.OutRequestNo, "body.app_id", v.AppID, "body.buyer_user_id", v.UserID.Reveal(),
		"body.buyer_open_id", v.OpenID.Reveal(), "body.buyer_logon_id", v.LogonID.Reveal(), "body.refund_amount", yuan(v.Amount),
		"body.refund_fee", yuan(v.Fee), "body.gmt_refund_pay", v.GmtRefundPay, "body.refund_currency", v.RefundCurrency)
	return err
}

func unionPayQR(m *smart.Message, g read) error {
	v, err := m.UnionPayQR()
	g.add("body.txnType", v.TxnType, "body.orderId", v.OrderID, "body.queryId", v.QueryID, "body.origQryId", v.OrigQryID,
		"body.accNo", v.Account.Reveal(), "body.txnAmt", fen(v.Amount), "body.currencyCode", v.CurrencyCode,
		"body.respCode", v.RespCode, "body.txnTime", v.TxnTime)
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
		if strings.HasPrefix(name, "alipay_") && strings.HasSuffix(name, "_response") {
			return true
		}
	}
	return false
}

// find gives the value at a path. "a|.b" is b of a, or else its sibling.
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
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

var (
	isInteger = regexp.MustCompile(`^-?[0-9]+$`)
	isFen     = regexp.MustCompile(`^[0-9]+$`)
	isYuan    = regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,2})?$`)
)

// differs says how a value that was read differs from the one encoding/json found.
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
	case yuan:
		s, ok := want.(string)
		return differsNumber(smart.Number(got), strings.TrimRight(s, " "), ok || want == nil, isYuan, 100)
	case fen:
		s, ok := want.(string)
		return differsNumber(smart.Number(got), strings.TrimRight(s, " "), ok || want == nil, isFen, 1)
	}
	return ""
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
