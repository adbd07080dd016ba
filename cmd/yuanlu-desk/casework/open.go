package casework

import (
	"regexp"
	"slices"
)

var (
	hashForm     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	numberForm   = regexp.MustCompile(`^[0-9+*\- ]*$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// openArgs opens a case by hand (casework.md § 5, open).
type openArgs struct {
	store, text string
	refund      RefundSide
}

// readOpen reads the arguments; merchant and case are not known yet.
func readOpen(f *form) args {
	a := &openArgs{store: f.text("store", 1, 64), text: f.words()}
	r := object(f.get("refund"))
	a.refund = RefundSide{Side: Side{Kind: roleRefund, Outcome: "approved",
		Channel: r.one("channel", "card", "wechat", "alipay", "unionpay_qr", "jd", "ecny", "cash", "unknown"), Amount: r.integer("amount", 1, largest),
		Currency: r.text("currency", 3, 3), At: r.text("at", 1, 64), RefundNo: r.text("number", 1, 64),
		Operator: r.optional("operator", 64), TerminalID: r.optional("terminal_id", 64), Shown: r.optional("shown", 64)}}
	_, good := moment(a.refund.At)
	f.check(r.done() && good && currencyForm.MatchString(a.refund.Currency))
	return a
}

func (a *openArgs) run(d *Desk, p *Person, _ *Case) Refusal {
	merchant, known := "", false
	for i := range d.places {
		if d.places[i].Store == a.store {
			merchant, known = d.places[i].MerchantID, true
		}
	}
	if !known || !p.of(a.store) {
		return NotFound
	}
	same := d.casesOf([]string{keyOf("number", merchant, a.refund.RefundNo)}, func(r *refund) bool { return r.last.Refund.numbered(a.refund.RefundNo) })
	if slices.ContainsFunc(same, (*Case).open) {
		return Exists
	}
	no := d.nextNumber()
	side := a.refund
	side.MerchantID = merchant
	d.write(no, p.ID, "opened", &opened{fromHand, a.store, a.text})
	d.write(no, p.ID, "reported", &reported{ID: "H-" + number(no), Type: fromHand, Role: roleRefund, Decision: "review", Recipient: "unverifiable",
		Severity: "high", Codes: []string{}, Refund: side})
	d.suggest(d.cases[no])
	return ""
}
