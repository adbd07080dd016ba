package verify

import (
	"fmt"
	"slices"
	"strings"

	"yuanlu/protocol/evidence"
)

// comparable are the schemes whose tokens decide (evidence.md § 6).
func comparable() []string {
	return []string{"pan", "wechat_openid", "alipay_open_id", "alipay_user_id"}
}

// identifier is one of a party, with its tokens by key.
type identifier struct {
	scheme, namespace string
	tokens            map[string]string
}

// identifiersOf returns those of a record's party.
func identifiersOf(record evidence.Value) (all []identifier) {
	party := record.Get("party")
	for _, v := range append([]evidence.Value{party}, party.Get("also").Items...) {
		id := identifier{v.Get("scheme").Text, v.Get("namespace").Text, map[string]string{}}
		tokens, _ := v.Get("token").Strings() // none: nothing to compare
		for _, t := range tokens {
			if kid, mac, ok := strings.Cut(t, ":"); ok {
				id.tokens[kid] = mac
			}
		}
		all = append(all, id)
	}
	return all
}

// compare compares two identifiers by a common token key; known is false if there is none.
func compare(a, b identifier) (equal, known bool) {
	for kid, mac := range a.tokens {
		if other, ok := b.tokens[kid]; ok {
			known = true
			equal = equal || mac == other
		}
	}
	return equal, known
}

func (w *work) checkVerdicts() (bool, *problem) {
	records, copied, last := map[place]leaf{}, map[place]bool{}, map[place]leaf{}
	var order []place
	for _, l := range w.leaves {
		switch l.Type {
		case evidence.LeafRecord:
			seq, _ := l.d().Get("seq").Int()    // ParseLeaf has read both
			of, _ := l.d().Get("copy_of").Int() //
			records[place{l.origin, seq}] = l   //
			copied[place{l.origin, seq}] = of > 0 || copied[place{l.origin, seq}]
			copied[place{l.origin, of}] = true
		case evidence.LeafVerdict:
			seq, _ := l.d().Get("verdict").Get("seq").Int() // ParseLeaf has read it
			at := place{l.origin, seq}
			if _, ok := last[at]; !ok {
				order = append(order, at)
			}
			last[at] = l
		}
	}
	for _, at := range order {
		l := last[at]
		v := l.d().Get("verdict")
		original, has := v.Get("original").Get("seq").Int()
		from := place{l.origin, original}
		refund, okRefund := records[at]
		sale, okSale := records[from]
		w.addRefund(l, refund, okRefund, sale, has && okSale)
		if v.Get("evidence").Text != "strong" || !has || !okRefund || !okSale || copied[at] || copied[from] {
			w.sayNotAgain(at)
			continue
		}
		if p := w.again(l, refund, sale); p != nil {
			return false, p
		}
	}
	return len(order) == 0, nil
}

func (w *work) sayNotAgain(at place) {
	w.say(fmt.Sprintf("verdict on record %d of %s: not done again from tokens", at.n, at.origin), fmt.Sprintf("%s 记录 %d 的判定：未用令牌重做", at.origin, at.n))
}

// again compares the parties of both records by their tokens with what the verdict states.
func (w *work) again(l, refund, sale leaf) *problem {
	ours, theirs := identifiersOf(refund.d().Get("record")), identifiersOf(sale.d().Get("record"))
	anyEqual := slices.ContainsFunc(ours, func(a identifier) bool {
		return slices.ContainsFunc(theirs, func(b identifier) bool { equal, _ := compare(a, b); return equal })
	})
	done, equal := false, false
	for _, scheme := range comparable() {
		a, okA := only(ours, scheme)
		b, okB := only(theirs, scheme)
		if !okA || !okB || a.namespace != b.namespace {
			continue
		}
		if same, isKnown := compare(a, b); isKnown {
			done, equal = true, equal || same
		}
	}
	verdict := l.d().Get("verdict")
	recipient := verdict.Get("recipient").Text
	switch {
	case !done:
		seq, _ := verdict.Get("seq").Int() // ParseLeaf has read it
		w.sayNotAgain(place{l.origin, seq})
	case equal && recipient == "different":
		return wrong(l.where(), "the verdict is different, and the tokens of payer and recipient are equal", "判定为不同，而付款方与收款方的令牌相同")
	case !equal && !anyEqual && recipient == "same":
		return wrong(l.where(), "the verdict is same, and the tokens of payer and recipient differ", "判定为相同，而付款方与收款方的令牌不同")
	}
	return nil
}

// only returns the identifier of a scheme, if a party has just one.
func only(all []identifier, scheme string) (found identifier, ok bool) {
	n := 0
	for _, id := range all {
		if id.scheme == scheme {
			found = id
			n++
		}
	}
	return found, n == 1
}

func (w *work) addRefund(l, refund leaf, hasRefund bool, sale leaf, hasSale bool) {
	v := l.d().Get("verdict")
	r := Refund{Origin: l.origin, Recipient: v.Get("recipient").Text, Evidence: v.Get("evidence").Text, Reason: v.Get("reason").Text,
		Decision: v.Get("decision").Text, Cancelled: v.Get("cancelled").Kind == 't'}
	r.Seq, _ = v.Get("seq").Int() // ParseLeaf has read both
	r.Rev, _ = v.Get("rev").Int()
	if hasRefund {
		r.Refund = side(refund)
	}
	if hasSale {
		r.Original = side(sale)
	}
	w.refunds = append(w.refunds, r)
}

func side(l leaf) *Side {
	rec := l.d().Get("record")
	s := &Side{Kind: rec.Get("kind").Text, Outcome: rec.Get("outcome").Text, Merchant: rec.Get("merchant_id").Text, Terminal: rec.Get("terminal_id").Text,
		Operator: rec.Get("operator").Text, Channel: rec.Get("channel").Text, At: rec.Get("at").Text, Currency: rec.Get("currency").Text,
		Scheme: rec.Get("party").Get("scheme").Text, Shown: rec.Get("party").Get("shown").Text}
	s.Seq, _ = l.d().Get("seq").Int()     // ParseLeaf has read it
	s.Amount, _ = rec.Get("amount").Int() // absent: 0
	var numbers []string
	for _, name := range []string{"stan", "batch", "rrn", "order_no", "channel_txn", "refund_no", "channel_refund"} {
		if n := rec.Get(name).Text; n != "" {
			numbers = append(numbers, name+" "+n)
		}
	}
	s.Numbers = strings.Join(numbers, ", ")
	return s
}
