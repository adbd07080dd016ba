package wire

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
)

// The channels' own objects (wires.md § smart). Each is…(r) reports whether the object can carry all that the record
// states; each body function writes it.

// onlyNumbers reports whether the record has no number that belongs to host messages.
func onlyNumbers(r *Record) bool {
	return r.Stan == "" && r.Batch == "" && r.RRN == "" && r.AuthCode == "" && r.Signature == "" && r.Totals == nil &&
		r.Journal == nil && r.Original.Stan == "" && r.Original.Batch == "" && r.Original.RRN == "" &&
		r.Original.AuthCode == "" && r.Original.Date == "" && r.Original.TerminalID == "" && r.Party.PAR == ""
}

func state(r *Record, states map[string]string) (string, bool) {
	s, ok := states[r.Outcome]
	return s, ok && (r.ResponseCode == "" || r.ResponseCode == s)
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func isUnionpay(r *Record) bool {
	kinds := map[string]bool{"sale": true, "void": true, "refund": true}
	schemes := map[string]bool{"": true, "none": true, "pan": true, "pan_masked": true, "unionpay_token": true}
	own := r.OrderNo == "" && r.ChannelTxn == "" && r.Original.OrderNo == ""
	if r.Kind == "sale" {
		own = r.RefundNo == "" && r.ChannelRefund == "" && r.Original == (Original{})
	}
	return kinds[r.Kind] && r.Channel == "unionpay_qr" && onlyNumbers(r) && schemes[r.Party.Scheme] && own && r.Entry == "" &&
		r.RefundRoute == "" && r.Funding == "" && r.PayerAmount == nil && len(r.Party.Also) == 0 && r.Party.Text == "" &&
		unionpayCode(r) != ""
}

// unionpayCode returns respCode, empty if none reads as the outcome.
func unionpayCode(r *Record) string {
	code := r.ResponseCode
	if code == "" {
		code = map[string]string{"approved": "00", "pending": "04", "declined": "51"}[r.Outcome]
	}
	read := map[string]string{"00": "approved", "A6": "approved", "03": "pending", "04": "pending", "05": "pending"}[code]
	if read == "" {
		read = "declined"
	}
	if read != r.Outcome {
		return ""
	}
	return code
}

func unionpay(r *Record) object {
	o := object{"version": "5.1.0", "encoding": "UTF-8", "respCode": unionpayCode(r), "txnAmt": fmt.Sprint(r.Amount),
		"currencyCode": currencyNumber(r.Currency),
		"txnType":      map[string]string{"sale": "01", "void": "31", "refund": "04"}[r.Kind]}
	order, query := r.OrderNo, r.ChannelTxn
	if r.Kind != "sale" {
		order, query = r.RefundNo, r.ChannelRefund
	}
	for key, v := range map[string]string{"orderId": order, "queryId": query, "origQryId": r.Original.ChannelTxn, "accNo": r.Party.ID} {
		if v != "" {
			o[key] = v
		}
	}
	if !r.At.IsZero() {
		o["txnTime"] = r.At.Format("20060102150405")
	}
	return o
}

// lakalaCodes returns proc_cd of a kind of card transaction.
func lakalaCodes() map[string]string {
	return map[string]string{"sale": "000000", "void": "200000", "refund": "500000", "preauth": "300000",
		"completion": "330000", "preauth_void": "400000", "completion_void": "440000"}
}

func isLakala(r *Record) bool {
	schemes := map[string]bool{"": true, "none": true, "pan": true, "pan_masked": true}
	if r.Channel == "unknown" {
		schemes = map[string]bool{"": true, "none": true, "account": true}
	}
	own := r.RefundNo == "" && r.ChannelRefund == "" && r.RefundRoute == ""
	if moneyBack(r.Kind) {
		own = r.OrderNo == "" && r.ChannelRefund == "" && r.RefundRoute == ""
	}
	return lakalaCodes()[r.Kind] != "" && (r.Channel == "card" || r.Channel == "unknown") && schemes[r.Party.Scheme] && r.Party.PAR == "" && own &&
		r.Entry == "" && r.ResponseCode == "" && r.Currency == "CNY" && r.Funding == "" && r.PayerAmount == nil &&
		len(r.Party.Also) == 0 && r.Party.Text == "" && r.Signature == "" && r.ChannelTxn == "" && lakalaResult(r) != "" &&
		r.Original.Batch == "" && r.Original.AuthCode == "" && r.Original.OrderNo == "" && r.Original.ChannelTxn == "" &&
		r.Original.TerminalID == ""
}

func lakalaResult(r *Record) string {
	return map[string]string{"approved": "ok", "declined": "fail", "unknown": "absent"}[r.Outcome]
}

func lakala(r *Record) object {
	way := "0"
	if r.Channel == "unknown" {
		way = "21" // member balance
	}
	detail := object{"merid": r.MerchantID, "termid": r.TerminalID, "batchno": r.Batch, "systraceno": r.Stan,
		"authcode": r.AuthCode, "transamount": yuan(r.Amount), "refernumber": r.RRN, "pay_tp": way}
	if r.Party.ID != "" {
		detail["priaccount"] = r.Party.ID
	}
	order := r.OrderNo
	if moneyBack(r.Kind) {
		order = r.RefundNo
	}
	o := object{"msg_tp": "0210", "pay_tp": way, "proc_tp": "00", "proc_cd": lakalaCodes()[r.Kind], "amt": yuan(r.Amount),
		"order_no": order, "txndetail": detail}
	if s := lakalaResult(r); s != "absent" {
		o["result"] = s
	}
	if !r.At.IsZero() {
		o["time_stamp"] = r.At.Format("20060102150405")
	}
	for key, v := range map[string]string{"sysoldtraceno": r.Original.Stan, "sysoldreferno": r.Original.RRN,
		"sysolddate": date8(r.Original.Date)} {
		if v != "" {
			o[key] = v
		}
	}
	return o
}

// date8 writes YYYY-MM-DD without its dashes.
func date8(d string) string {
	if len(d) == 10 {
		return d[:4] + d[5:7] + d[8:]
	}
	return d
}

// unionpayQuery writes the answer of a query: respCode means that the question was answered, origRespCode what became
// of the transaction.
func unionpayQuery(r *Record) object {
	o := unionpay(r)
	o["origRespCode"] = o["respCode"]
	o["respCode"] = "00"
	return o
}

// unionpayEncrypted writes accNo as a merchant that encrypts sensitive fields has it: another text in each message.
func unionpayEncrypted(r *Record) object {
	o := unionpay(r)
	secret := sha512.Sum512([]byte("accNo " + r.OrderNo + r.RefundNo + r.At.String()))
	o["accNo"] = base64.StdEncoding.EncodeToString(append(secret[:], secret[:]...))
	return o
}
