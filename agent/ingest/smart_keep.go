package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// smartKept is how long wire smart remembers: as long as the store keeps records
// unless it is told otherwise. A message that comes again later than that finds no
// record it could double, and no wallet refunds a trade that old.
const smartKept = 540 * 24 * time.Hour

// What the Memory of wire smart holds: for each message that was made into a record a
// key alone; for each Alipay trade with refunds what they carried, one entry
// "hash=fen" per refund_no, with a space between them. The hash of no refund_no at
// all is "-", where several add up.
const (
	messageMark = "message "
	tradeMark   = "trade "
)

// hashed gives a short name for texts of any length and content.
func hashed(bytes int, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:bytes])
}

// messageKeys gives the keys under which a message may be remembered, newest first: one
// made of terminal and id. A message without an id is known by its bytes, which may
// hold card data and are therefore kept as tokens, one per key still in use.
func (w *smartWire) messageKeys(terminal, id string, data []byte) []string {
	if id != "" {
		return []string{messageMark + hashed(18, terminal, id)}
	}
	if w.tokens == nil {
		return []string{messageMark + hashed(18, terminal, "", string(data))}
	}
	tokens := w.tokens.Tokens(messageLabel, string(data))
	keys := make([]string, len(tokens))
	for i := range keys {
		keys[i] = messageMark + tokens[i]
	}
	return keys
}

// messageLabel separates the tokens of messages from those of identifiers.
const messageLabel = "smart message"

// sealWith makes the wire remember bytes of messages as tokens only. Without it they
// are hashed: for a replay, whose memory ends with its process.
func (w *smartWire) sealWith(t refund.Tokenizer) { w.tokens = t }

// isRepeat reports whether one of the keys is remembered.
func (w *smartWire) isRepeat(keys []string) bool {
	for _, key := range keys {
		if _, again := w.memory.Get(key); again {
			return true
		}
	}
	return false
}

func (w *smartWire) remember(key string, value []byte, now Clock) {
	w.changes = append(w.changes, refund.MemoryChange{Key: key, Value: value, Expires: now.Now.Add(smartKept)})
}

// refundAmount says what one Alipay refund carries, and remembers it for the next one
// of its trade: what it states of itself, else what its cumulative refund_fee is more
// than earlier refunds carried.
func (w *smartWire) refundAmount(r *refund.Record, v *smart.AlipayRefund, now Clock) smart.Number {
	stated := v.Amount
	if !stated.Given {
		stated = v.Details
	}
	trade := tradeKey(r, v)
	if trade == "" {
		if !stated.Given && v.FundChange != "N" {
			stated = v.Fee
		}
		return stated
	}
	value, _ := w.memory.Get(trade)
	carried := parseCarried(string(value))
	no := "-"
	if v.OutRequestNo != "" {
		no = hashed(9, v.OutRequestNo)
	}
	if !stated.Given && v.FundChange != "N" && v.Fee.Given {
		stated = w.difference(carried, no, v.Fee)
	}
	if r.Copy == "" && r.Outcome != refund.Declined && stated.Value > 0 {
		w.remember(trade, []byte(carried.with(no, stated.Value).String()), now)
	}
	return stated
}

// tradeKey names the trade that a refund is of, "" if it names none.
func tradeKey(r *refund.Record, v *smart.AlipayRefund) string {
	switch {
	case given(v.TradeNo) != "":
		return tradeMark + hashed(18, v.TradeNo)
	case given(v.OutTradeNo) != "":
		return tradeMark + hashed(18, r.MerchantID, v.OutTradeNo)
	}
	return ""
}

// difference is what a cumulative refund_fee says of one refund. The same refund told
// again carries what it did before. A fee below what earlier refunds carried says
// nothing (they came in another order).
func (w *smartWire) difference(carried carriedList, no string, fee smart.Number) smart.Number {
	sum := smart.Number{Given: true}
	for _, c := range carried {
		if c.no == no && no != "-" {
			return smart.Number{Value: c.fen, Given: true}
		}
		sum = sum.Plus(smart.Number{Value: c.fen, Given: true})
	}
	if fee.Value < sum.Value {
		w.note("refund_fee below what earlier refunds carried")
		return smart.Number{}
	}
	return smart.Number{Value: fee.Value - sum.Value, Given: true}
}

// carriedList is what the refunds of one trade carried.
type carriedList []carriedBy

type carriedBy struct {
	no  string // hash of the refund_no, "-" for none
	fen int64
}

// maxCarried bounds the list: a wallet allows 50 refunds of one trade. Beyond it the
// oldest are only added up.
const maxCarried = 100

// with gives the list with one more amount.
func (l carriedList) with(no string, fen int64) carriedList {
	for i := range l {
		switch {
		case l[i].no != no:
		case no == "-":
			l[i].fen = smart.Number{Value: l[i].fen, Given: true}.Plus(smart.Number{Value: fen, Given: true}).Value
			return l
		default:
			l[i].fen = fen
			return l
		}
	}
	l = append(l, carriedBy{no, fen})
	if len(l) > maxCarried {
		return l[1:].with("-", l[0].fen)
	}
	return l
}

// String gives the list as it is remembered.
func (l carriedList) String() string {
	parts := make([]string, len(l))
	for i, c := range l {
		parts[i] = c.no + "=" + strconv.FormatInt(c.fen, 10)
	}
	return strings.Join(parts, " ")
}

// parseCarried reads what String wrote.
func parseCarried(s string) carriedList {
	var l carriedList
	for _, part := range strings.Fields(s) {
		no, text, _ := strings.Cut(part, "=")
		if fen, err := strconv.ParseInt(text, 10, 64); err == nil {
			l = append(l, carriedBy{no, fen})
		}
	}
	return l
}
