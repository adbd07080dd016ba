// Package holds is what the desk knows of refunds that were held before they were made: each
// hold as its newest event has it, and the money that was not lost. It is pure. Source:
// guard.md § 6.
package holds

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Types of the events of holds.
const (
	TypeOpened = "yuanlu.hold.opened.v1"
	TypeEnded  = "yuanlu.hold.ended.v1"
)

// Event is one stored event: of a hold, or of a case, which may name the ask it was made by.
type Event struct {
	Terminal string // of the agent, as in topics
	Payload  []byte // a CloudEvent
}

// Hold is one hold.
type Hold struct {
	Terminal   string          `json:"terminal"`
	MerchantID string          `json:"merchant_id"`
	TerminalID string          `json:"terminal_id"`
	Ask        string          `json:"ask"`
	State      string          `json:"state"`
	Level      string          `json:"level"`
	Opened     time.Time       `json:"opened"`
	Until      time.Time       `json:"until"`  // if its agent runs on
	Left       int64           `json:"left_s"` // seconds until then; 0 unless it is open
	Ended      *time.Time      `json:"ended"`
	By         string          `json:"by"`
	Reason     string          `json:"reason"`
	Text       string          `json:"text"`
	WrongPINs  int             `json:"wrong_pins"`
	Refund     json.RawMessage `json:"refund"`
	Original   json.RawMessage `json:"original"`
	Answer     json.RawMessage `json:"answer"`
}

// stateOpen is the state of a hold that has not ended.
const stateOpen = "open"

// envelope is what is read of an event.
type envelope struct {
	Type string `json:"type"`
	Data struct {
		Ask        string `json:"ask"`
		MerchantID string `json:"merchant_id"`
		TerminalID string `json:"terminal_id"`
		Hold       struct {
			State     string    `json:"state"`
			Level     string    `json:"level"`
			Opened    time.Time `json:"opened"`
			Until     time.Time `json:"until"`
			Ended     string    `json:"ended"`
			By        string    `json:"by"`
			Reason    string    `json:"reason"`
			Text      string    `json:"text"`
			WrongPINs int       `json:"wrong_pins"`
		} `json:"hold"`
		Refund   json.RawMessage `json:"refund"`
		Original json.RawMessage `json:"original"`
		Answer   json.RawMessage `json:"answer"`
		Guard    struct {
			Ask string `json:"ask"`
		} `json:"guard"`
	} `json:"data"`
}

// Fold returns the holds that events tell of, in whatever order they came, latest opened
// first. What is no event of a hold is passed over.
func Fold(events []Event, now time.Time) []Hold {
	byKey := map[string]*Hold{}
	for _, one := range events {
		var e envelope
		if json.Unmarshal(one.Payload, &e) != nil || e.Type != TypeOpened && e.Type != TypeEnded || e.Data.Ask == "" {
			continue
		}
		d := &e.Data
		k := key(d.MerchantID, d.TerminalID, d.Ask)
		if was := byKey[k]; was != nil && was.State != stateOpen {
			continue // it ends once
		}
		h := &Hold{Terminal: one.Terminal, MerchantID: d.MerchantID, TerminalID: d.TerminalID, Ask: d.Ask, State: d.Hold.State, Level: d.Hold.Level,
			Opened: d.Hold.Opened, Until: d.Hold.Until, By: d.Hold.By, Reason: d.Hold.Reason, Text: d.Hold.Text, WrongPINs: d.Hold.WrongPINs,
			Refund: d.Refund, Original: d.Original, Answer: d.Answer}
		if t, err := time.Parse(time.RFC3339Nano, d.Hold.Ended); err == nil {
			h.Ended = &t
		}
		if h.State == stateOpen {
			h.Left = max(0, int64(h.Until.Sub(now)/time.Second))
		}
		byKey[k] = h
	}
	out := make([]Hold, 0, len(byKey))
	for _, h := range byKey {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b Hold) int {
		if c := b.Opened.Compare(a.Opened); c != 0 {
			return c
		}
		return strings.Compare(key(a.MerchantID, a.TerminalID, a.Ask), key(b.MerchantID, b.TerminalID, b.Ask))
	})
	return out
}

func key(merchant, terminal, ask string) string { return merchant + "\x00" + terminal + "\x00" + ask }

// Sum is the money of refunds that were held and not made, of one store, finding and
// currency.
type Sum struct {
	Store    string `json:"store"` // "" where the desk knows none of that terminal, and in Total
	Code     string `json:"code"`  // a critical or high finding; "" in Total
	Currency string `json:"currency"`
	Holds    int    `json:"holds"`
	Amount   int64  `json:"amount"` // minor units
}

// Prevention is what the guard has prevented. A hold with several findings stands under each
// of them in Sums, and once in Total.
type Prevention struct {
	Sums  []Sum `json:"sums"`
	Total []Sum `json:"total"` // by currency
}

// day is how long the same refund, tried again, counts once.
const day = 24 * time.Hour

// Back is how long before a time the events must begin of which Prevented counts it: a hold
// lasts a day at most, and the same refund counts once in another.
const Back = 2 * day

// Prevented counts the holds that ended cancelled, corrected or expired and that no case
// names, once per merchant, original (without one: recipient) and amount in 24 h, as far as
// where counts them. where returns the store of a hold, and whether it is of the time and
// stores that are asked about. Source: guard.md § 6.
func Prevented(list []Hold, cases []Event, where func(h *Hold) (store string, counts bool)) Prevention {
	named := map[string]bool{}
	for _, one := range cases {
		var e envelope
		if json.Unmarshal(one.Payload, &e) != nil || e.Data.Guard.Ask == "" {
			continue
		}
		var r refund
		if json.Unmarshal(e.Data.Refund, &r) == nil {
			named[key(r.MerchantID, r.TerminalID, e.Data.Guard.Ask)] = true
		}
	}
	last := map[string]time.Time{}
	sums := map[Sum]Sum{}
	for i := len(list) - 1; i >= 0; i-- { // earliest first
		h := &list[i]
		ended := h.State == "cancelled" || h.State == "corrected" || h.State == "expired"
		if !ended || named[key(h.MerchantID, h.TerminalID, h.Ask)] {
			continue
		}
		var r refund
		if json.Unmarshal(h.Refund, &r) != nil {
			continue
		}
		same := h.MerchantID + "\x00" + about(h, &r)
		if at, ok := last[same]; ok && h.Opened.Sub(at) < day {
			continue
		}
		last[same] = h.Opened
		store, counts := where(h)
		if !counts {
			continue
		}
		for _, code := range append([]string{""}, codes(h.Answer)...) {
			k := Sum{Store: store, Code: code, Currency: r.Currency}
			if code == "" {
				k.Store = ""
			}
			sum := sums[k]
			sum.Store, sum.Code, sum.Currency = k.Store, k.Code, k.Currency
			sum.Holds++
			sum.Amount += r.Amount
			sums[k] = sum
		}
	}
	return split(sums)
}

func split(sums map[Sum]Sum) Prevention {
	p := Prevention{Sums: []Sum{}, Total: []Sum{}}
	for _, s := range sums {
		if s.Code == "" {
			p.Total = append(p.Total, s)
		} else {
			p.Sums = append(p.Sums, s)
		}
	}
	for _, list := range [][]Sum{p.Sums, p.Total} {
		slices.SortFunc(list, func(a, b Sum) int {
			return strings.Compare(key(a.Store, a.Code, a.Currency), key(b.Store, b.Code, b.Currency))
		})
	}
	return p
}

// refund is what is read of the refund or original of an event.
type refund struct {
	MerchantID string `json:"merchant_id"`
	TerminalID string `json:"terminal_id"`
	Amount     int64  `json:"amount"`
	Currency   string `json:"currency"`
	At         string `json:"at"`
	Stan       string `json:"stan"`
	RRN        string `json:"rrn"`
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	Party      struct {
		Token string `json:"token"`
	} `json:"party"`
}

// about names what a held refund would have paid back: its original, or without one its
// recipient, and the amount.
func about(h *Hold, r *refund) string {
	var o refund
	text := "to " + r.Party.Token
	if json.Unmarshal(h.Original, &o) == nil && (o.At != "" || o.RRN != "" || o.OrderNo != "") {
		text = strings.Join([]string{"of", o.TerminalID, o.At, o.Stan, o.RRN, o.OrderNo, o.ChannelTxn}, "\x00")
	}
	return text + "\x00" + r.Currency + "\x00" + strconv.FormatInt(r.Amount, 10)
}

// codes returns the critical and high findings of an answer.
func codes(answer json.RawMessage) (list []string) {
	var a struct {
		Findings []struct {
			Code     string `json:"code"`
			Severity string `json:"severity"`
		} `json:"findings"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil
	}
	for _, f := range a.Findings {
		if f.Severity == "critical" || f.Severity == "high" {
			list = append(list, f.Code)
		}
	}
	return list
}
