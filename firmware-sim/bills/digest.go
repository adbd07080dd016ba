package bills

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

type total struct {
	Channel      string `json:"channel"`
	MerchantID   string `json:"merchant_id"`
	TerminalID   string `json:"terminal_id"`
	SaleCount    int64  `json:"sale_count"`
	SaleAmount   int64  `json:"sale_amount"`
	RefundCount  int64  `json:"refund_count"`
	RefundAmount int64  `json:"refund_amount"`
}

type original struct {
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	STAN       string `json:"stan"`
	Batch      string `json:"batch"`
	RRN        string `json:"rrn"`
	Date       string `json:"date"`
}

type refund struct {
	ID            string   `json:"id"`
	Kind          string   `json:"kind"`
	Outcome       string   `json:"outcome"`
	Undone        bool     `json:"undone"`
	Channel       string   `json:"channel"`
	MerchantID    string   `json:"merchant_id"`
	TerminalID    string   `json:"terminal_id"`
	At            string   `json:"at"`
	Amount        int64    `json:"amount"`
	Currency      string   `json:"currency"`
	STAN          string   `json:"stan"`
	Batch         string   `json:"batch"`
	RRN           string   `json:"rrn"`
	RefundNo      string   `json:"refund_no"`
	ChannelRefund string   `json:"channel_refund"`
	Original      original `json:"original"`
	Route         string   `json:"route"`
}

type digest struct {
	Terminal string   `json:"terminal"`
	Day      string   `json:"day"`
	Rev      int      `json:"rev"`
	Part     int      `json:"part"`
	Parts    int      `json:"parts"`
	Complete bool     `json:"complete"`
	Why      []string `json:"why"`
	Totals   []total  `json:"totals"`
	Refunds  []refund `json:"refunds"`
	Sales    string   `json:"sales"`
}

// digestsOf returns what each terminal reports of a day, as bills.md § 5 has it, in one part.
func digestsOf(o *Options, date string, rows []*row) [][]byte {
	out := make([][]byte, 0, o.Terminals)
	of := map[string][]*row{}
	for _, r := range rows {
		of[r.terminal] = append(of[r.terminal], r)
	}
	for n := range o.Terminals {
		b, err := json.Marshal(digestOf(name(n), identity(n), date, of[name(n)]))
		if err != nil {
			continue // texts and numbers can always be written
		}
		out = append(out, b)
	}
	return out
}

func digestOf(terminal, identity, date string, rows []*row) *digest {
	d := &digest{Terminal: terminal, Day: date, Rev: 1, Part: 1, Parts: 1, Complete: true, Why: []string{}, Totals: []total{}, Refunds: []refund{}}
	sums, sold := map[string]*total{}, map[string]bool{}
	for _, r := range rows {
		s := sums[r.Channel]
		if s == nil {
			s = &total{Channel: r.Channel, MerchantID: Merchant, TerminalID: identity}
			sums[r.Channel] = s
		}
		approved := r.Outcome == "approved"
		switch {
		case r.back:
			if approved {
				s.RefundCount, s.RefundAmount = s.RefundCount+1, s.RefundAmount+r.Amount
			}
			d.Refunds = append(d.Refunds, refund{ID: r.id, Kind: r.Kind, Outcome: r.Outcome, Channel: r.Channel, MerchantID: Merchant, TerminalID: identity, At: r.at.Format(time.RFC3339),
				Amount: r.Amount, Currency: r.Currency, STAN: r.Stan, Batch: r.Batch, RRN: r.RRN, RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund, Route: r.RefundRoute,
				Original: original{r.Original.OrderNo, r.Original.ChannelTxn, r.Original.Stan, r.Original.Batch, r.Original.RRN, r.Original.Date}})
		case approved:
			s.SaleCount, s.SaleAmount = s.SaleCount+1, s.SaleAmount+r.Amount
			if r.Channel == "card" {
				continue
			}
			for _, k := range []struct{ kind, number string }{{"t", r.ChannelTxn}, {"o", r.OrderNo}} {
				if k.number != "" {
					sum := sha256.Sum256([]byte(k.kind + r.Channel + "\x1f" + k.number))
					sold[base64.RawURLEncoding.EncodeToString(sum[:9])] = true
				}
			}
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(sums)) {
		d.Totals = append(d.Totals, *sums[channel])
	}
	d.Sales = strings.Join(slices.Sorted(maps.Keys(sold)), "")
	return d
}
