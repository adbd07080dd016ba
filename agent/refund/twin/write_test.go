package twin

import (
	"bytes"
	"encoding/json"

	"yuanlu/agent/refund"
)

// clearRecord is the record as a line of a scenario, with clear identifiers (the
// random journals have invented ones only).
func clearRecord(r refund.Record) []byte {
	var j jsonRecord
	j.Kind, j.Outcome, j.Copy, j.Training, j.MerchantID, j.TerminalID = r.Kind, r.Outcome, r.Copy, r.Training, r.MerchantID, r.TerminalID
	j.Channel, j.Entry, j.Currency, j.At, j.Stan, j.Batch, j.RRN = r.Channel, r.Entry, r.Currency, r.At, r.Stan, r.Batch, r.RRN
	j.OrderNo, j.ChannelTxn, j.RefundNo, j.ChannelRefund, j.Ask, j.RefundRoute = r.OrderNo, r.ChannelTxn, r.RefundNo, r.ChannelRefund, r.Ask, r.RefundRoute
	j.O, j.Totals, j.Coverage = jsonOriginal(r.Original), r.Totals, r.Coverage
	if r.HasAmount {
		j.Amount = &r.Amount
	}
	if r.HasPayerAmount {
		j.PayerAmount = &r.PayerAmount
	}
	j.Party = clearParty(r.Party)
	b, err := json.Marshal(j)
	if err != nil {
		return []byte(err.Error())
	}
	// Absent members are clearer than empty ones.
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return []byte(err.Error())
	}
	m["v"] = 1
	b, _ = json.Marshal(prune(m))
	return b
}

func clearParty(p *refund.Party) *jsonParty {
	if p == nil {
		return nil
	}
	out := &jsonParty{Scheme: p.Scheme, Namespace: p.Namespace, ID: p.ID.Reveal(), PAR: p.PAR.Reveal(), Text: p.Text}
	for i := range p.Also {
		out.Also = append(out.Also, *clearParty(&p.Also[i]))
	}
	return out
}

func prune(m map[string]any) map[string]any {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case string:
			if v == "" {
				delete(m, k)
			}
		case bool:
			if !v {
				delete(m, k)
			}
		case map[string]any:
			if len(prune(v)) == 0 {
				delete(m, k)
			}
		case []any:
			for _, x := range v {
				if o, ok := x.(map[string]any); ok {
					prune(o)
				}
			}
		}
	}
	return m
}
