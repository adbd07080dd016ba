// Package daydigest has what a terminal reports of one local day (bills.md § 5): the members of
// its JSON in the order of the page, and the keys of sales. It is pure.
package daydigest

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Types of the events on up/day: the first digest of a day, and any later one.
const (
	Closed  = "yuanlu.day.closed.v1"
	Revised = "yuanlu.day.revised.v1"
)

// Why a digest is not complete, in the order in which it lists them (bills.md § 5).
const (
	CaptureGap = "capture_gap"
	LinkDown   = "link_down"
	Clock      = "clock"
	History    = "history"
	Store      = "store"
	TooMany    = "too_many"
)

// Reasons lists why a digest may not be complete, in the order in which it lists them.
func Reasons() []string { return []string{CaptureGap, LinkDown, Clock, History, Store, TooMany} }

// Total are the sums of one channel, merchant and terminal_id; amounts are in fen.
type Total struct {
	Channel      string `json:"channel"`
	MerchantID   string `json:"merchant_id"`
	TerminalID   string `json:"terminal_id"`
	SaleCount    int64  `json:"sale_count"`
	SaleAmount   int64  `json:"sale_amount"`
	RefundCount  int64  `json:"refund_count"`
	RefundAmount int64  `json:"refund_amount"`
}

// Refund is one refund, void or void of a completion; amounts are in fen.
type Refund struct {
	ID            string   `json:"id"`
	Kind          string   `json:"kind"`
	Outcome       string   `json:"outcome"`
	Undone        bool     `json:"undone"`
	Channel       string   `json:"channel"`
	MerchantID    string   `json:"merchant_id"`
	TerminalID    string   `json:"terminal_id"`
	At            string   `json:"at"`
	Amount        int64    `json:"amount"`
	PayerAmount   int64    `json:"payer_amount"`
	Currency      string   `json:"currency"`
	STAN          string   `json:"stan"`
	Batch         string   `json:"batch"`
	RRN           string   `json:"rrn"`
	RefundNo      string   `json:"refund_no"`
	ChannelRefund string   `json:"channel_refund"`
	Original      Original `json:"original"`
	Route         string   `json:"route"`
	Recipient     string   `json:"recipient"`
	Decision      string   `json:"decision"`
}

// Original is what a refund states of its sale.
type Original struct {
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	STAN       string `json:"stan"`
	Batch      string `json:"batch"`
	RRN        string `json:"rrn"`
	Date       string `json:"date"`
}

// KeyLen is the length of a sale's key.
const KeyLen = 12

// Kinds of a sale's number in its key.
const (
	ByTransaction = "t" // channel_txn
	ByOrder       = "o" // order_no
)

// SaleKey returns the key under which a digest lists a sale, KeyLen characters: base64url of the first 9 bytes
// of SHA-256 over the kind of number, the channel, U+001F and the number (bills.md § 5).
func SaleKey(kind, channel, number string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{kind + channel, number}, "\x1f")))
	return base64.URLEncoding.EncodeToString(sum[:9])
}

// Wallet reports whether a digest lists the sales of a channel by their keys: money that neither a
// card nor cash moves.
func Wallet(channel string) bool {
	switch channel {
	case "wechat", "alipay", "unionpay_qr", "jd", "ecny":
		return true
	}
	return false
}
