package guard

import (
	"cmp"
	"slices"
	"strings"

	"yuanlu/agent/ask"
)

// Practised is how one operator did in practice.
type Practised struct {
	MerchantID string `json:"merchant_id"`
	Operator   string `json:"operator"`  // "": his asks named none
	Asks       int    `json:"asks"`      // looks are not counted
	Held       int    `json:"held"`      // of these
	Corrected  int    `json:"corrected"` // of the held ones, by an ask of his own
}

// PractisedBy counts the practice asks among the remembered ones per merchant and operator, in
// their order; numbers of digits are one operator's whatever their leading zeros. A hold that
// another operator corrected does not count as corrected; one whose correction is no longer
// remembered does. Source: guard.md § 7.
func PractisedBy(all []ask.Entry) []Practised {
	asked := map[ask.Key]string{}
	for i := range all {
		asked[all[i].Key()] = all[i].Ask.Record.Operator
	}
	type who struct{ merchant, operator string }
	counted := map[who]*Practised{}
	for i := range all {
		e := &all[i]
		r := &e.Ask.Record
		if !r.Training || e.Ask.Look {
			continue
		}
		k := who{r.MerchantID, plainNumber(r.Operator)}
		n := counted[k]
		if n == nil {
			n = &Practised{MerchantID: r.MerchantID, Operator: r.Operator}
			counted[k] = n
		}
		n.Asks++
		if e.Held == nil {
			continue
		}
		n.Held++
		by, known := asked[ask.Key{Merchant: r.MerchantID, Terminal: r.TerminalID, ID: e.Held.By}]
		if e.Held.State == ask.Corrected && (!known || sameOperator(by, r.Operator)) {
			n.Corrected++
		}
	}
	list := make([]Practised, 0, len(counted))
	for _, n := range counted {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b Practised) int {
		return cmp.Or(cmp.Compare(a.MerchantID, b.MerchantID), cmp.Compare(len(plainNumber(a.Operator)), len(plainNumber(b.Operator))), cmp.Compare(a.Operator, b.Operator))
	})
	return list
}

// plainNumber returns a number of digits without leading zeros, and any other text as it is.
func plainNumber(operator string) string {
	if digits(operator) {
		return strings.TrimLeft(operator, "0")
	}
	return operator
}
