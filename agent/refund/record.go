package refund

import "time"

// Kind is what happened (records.md, kind).
type Kind string

const (
	KindSale           Kind = "sale"
	KindRefund         Kind = "refund"   // 退货
	KindVoid           Kind = "void"     // 消费撤销
	KindReversal       Kind = "reversal" // 冲正
	KindPreauth        Kind = "preauth"
	KindPreauthVoid    Kind = "preauth_void"
	KindCompletion     Kind = "completion" // 预授权完成
	KindCompletionVoid Kind = "completion_void"
	KindAdjust         Kind = "adjust"
	KindVoidRefund     Kind = "void_refund"
	KindSettlement     Kind = "settlement" // 结算
	KindJournal        Kind = "journal"
)

// Outcome is what became of a transaction (records.md, outcome).
type Outcome string

const (
	Approved Outcome = "approved"
	Declined Outcome = "declined"
	Unknown  Outcome = "unknown"  // asked, no answer seen
	Pending  Outcome = "pending"  // the channel still works on it
	Closed   Outcome = "closed"   // the channel gave it up, no money moved
	Abnormal Outcome = "abnormal" // the channel could not deliver the money
)

// Channel is the way the money came or goes (records.md, channel).
type Channel string

const (
	ChannelCard       Channel = "card"
	ChannelWeChat     Channel = "wechat"
	ChannelAlipay     Channel = "alipay"
	ChannelUnionPayQR Channel = "unionpay_qr"
	ChannelJD         Channel = "jd"
	ChannelECNY       Channel = "ecny" // 数字人民币, e-CNY
	ChannelCash       Channel = "cash"
	ChannelUnknown    Channel = "unknown"
)

// Entry is how the card or code was read (records.md, entry).
type Entry string

const (
	EntryChip        Entry = "chip"
	EntrySwipe       Entry = "swipe"
	EntryContactless Entry = "contactless"
	EntryFallback    Entry = "fallback"
	EntryKeyed       Entry = "keyed"
	EntryQRShown     Entry = "qr_shown"
	EntryQRScanned   Entry = "qr_scanned"
	EntryNone        Entry = "none"
)

// Copy is why the firmware calls a record a repeat; empty: it does not.
type Copy string

const (
	CopyReprint Copy = "reprint"
	CopyUpload  Copy = "upload"
	CopyDump    Copy = "dump"
)

// Route is the way back that the channel states (records.md, refund_route).
type Route string

const (
	RouteOriginal      Route = "ORIGINAL"
	RouteBalance       Route = "BALANCE"
	RouteOtherBalance  Route = "OTHER_BALANCE"
	RouteOtherBankcard Route = "OTHER_BANKCARD"
)

// Record is one thing that the payment firmware reports, in the one shape that
// every wire is translated into (records.md). Zero values mean "not stated".
//
// A Record that a decoder made may hold clear identifiers (Party.ID, Party.PAR);
// Seal makes the form that may be stored, compared, logged or sent.
// A Record is a value: nothing in this package changes one it was given.
type Record struct {
	Kind         Kind
	Outcome      Outcome
	ResponseCode string
	Copy         Copy
	Training     bool
	MerchantID   string
	TerminalID   string
	Operator     string
	Channel      Channel // "" and "unknown" both mean unknown
	Funding      string
	Entry        Entry // "" and "none" both mean none
	// Amount is in minor units (fen) of Currency. HasAmount distinguishes
	// a stated 0 from an absent amount, whose Amount is 0.
	Amount    int64
	HasAmount bool
	// LateAmount, only of an event's record: it is a refund that was first seen
	// unknown or pending and without an amount, so it is of 0 until a copy states one
	// (verdicts.md § 1.2). Set by the judge; no member of records.md.
	LateAmount bool
	// PayerAmount is the part the payer really paid or gets back; meaningful
	// only if HasPayerAmount: 0 is a value.
	PayerAmount    int64
	HasPayerAmount bool
	Currency       string // ISO 4217 letters as stated ("RMB" already read as "CNY"); "" not stated
	At             string // as stated; RFC 3339 with offset when usable. Use Time.
	Stan           string
	Batch          string
	RRN            string
	AuthCode       string
	OrderNo        string
	ChannelTxn     string
	RefundNo       string
	ChannelRefund  string
	Original       Original
	Party          *Party // nil: not stated
	// Ask is the id of the guard's ask that this refund was made by, where the
	// firmware states it (guard.md § 3).
	Ask string
	// Guard, only of the record of a refund's or void's event: what the guard knew of it when
	// it was first seen; nil: nothing. Set by the store; no member of records.md.
	Guard       *GuardMark
	RefundRoute Route
	Signature   string // hex SHA-256 of the signature image
	Totals      *Totals
	Coverage    *Coverage // only KindJournal: its member "journal"
}

// Time parses At (ParseTime). ok is false when At is absent or not an RFC 3339
// time; the returned time keeps the offset as written, so its date is the local date.
func (r *Record) Time() (t time.Time, ok bool) { return ParseTime(r.At) }

// Original is how a record points at an earlier one. Values are as on the wire;
// all-zero ones mean "not given" (see Given).
type Original struct {
	Stan       string
	Batch      string
	Date       string // MMDD or YYYY-MM-DD
	RRN        string
	AuthCode   string
	OrderNo    string
	ChannelTxn string
	TerminalID string
}

// Given reports whether a member of Original states something: it is neither
// empty nor made of zeros (and date separators) alone.
func Given(v string) bool {
	for _, c := range v {
		if c != '0' && c != '-' {
			return true
		}
	}
	return false
}

// Totals are the sums of a settlement: minor units and counts.
type Totals struct {
	DebitAmount  int64 `json:"debit_amount"`
	DebitCount   int64 `json:"debit_count"`
	CreditAmount int64 `json:"credit_amount"`
	CreditCount  int64 `json:"credit_count"`
}

// Coverage is what a journal record states about the journal: nothing before From
// (RFC 3339) can be in it, and it covers Terminals (nil: all).
type Coverage struct {
	From      string   `json:"from"`
	Terminals []string `json:"terminals,omitempty"`
}
