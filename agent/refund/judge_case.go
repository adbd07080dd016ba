package refund

import (
	"cmp"
	"slices"
	"strings"
)

// Basis is the line of verdicts.md § 4's table that decided about the recipient.
type Basis uint8

const (
	BasisNone            Basis = iota // nothing decided: no original
	BasisMerchantAccount              // the money goes to the merchant
	BasisCash                         // both channels are cash
	BasisChannelChanged               // another channel than the sale's, and no proof of the same account
	BasisOtherAccount                 // OTHER_BALANCE, OTHER_BANKCARD
	BasisCompared                     // identifiers compared
	BasisBalance                      // BALANCE
	BasisReference                    // the channel returns the money to the payer of the named order
	BasisNotComparable                // the last three lines
)

// Case holds the facts of one refund or void, for the rules. Rules only read it.
type Case struct {
	Refund   *Event
	Original *Event // nil: none found, or several and none chosen
	Search   Search
	// Flaw is what is impossible about the record, "" if it is usable (verdicts.md § 1.2).
	Flaw string
	// Cancelled: no money moved or it was undone (verdicts.md § 1.4, 1.5). No rule is asked.
	Cancelled bool
	Basis     Basis
	// Compared is the comparison with the original's payer; meaningful only with
	// an Original.
	Compared  Comparison
	Recipient Recipient
	Evidence  Evidence
	Reason    string
	Money     Money // meaningful only with an Original
}

// IsRefund reports whether the case is about a refund and not about a void.
func (c *Case) IsRefund() bool { return c.Refund.Record.Kind == KindRefund }

// study gathers the facts about one refund or void (verdicts.md § 1 to 4).
func (w *work) study(r *Event) (*Case, error) {
	c := &Case{Refund: r}
	switch {
	case noMoneyMoved(r.Record.Outcome):
		c.cancel()
		return c, nil
	case unusable(&r.Record) != "":
		c.Flaw = unusable(&r.Record)
		c.Recipient, c.Reason = NoRecipient, ReasonDataError
		return c, nil
	case r.UndoneBy != 0:
		c.cancel()
		return c, nil
	}
	var err error
	if c.Search, err = w.findOriginal(r); err != nil {
		return nil, err
	}
	c.Original = c.Search.Original
	if c.Original == nil {
		c.withoutOriginal()
		return c, nil
	}
	c.settleRecipient()
	if c.Recipient == Different && c.Search.matchesLeftOut(r) {
		c.Search.Fit = append([]*Event{c.Original}, c.Search.leftOut...)
		c.Search.Result, c.Search.Original, c.Original = SearchAmbiguous, nil, nil
		c.withoutOriginal()
		return c, nil
	}
	return c, w.money(c)
}

func (c *Case) cancel() { c.Cancelled, c.Recipient, c.Reason = true, NoRecipient, ReasonCancelled }

// withoutOriginal settles the recipient where no original is chosen (verdicts.md § 2, from
// "Still several" on).
func (c *Case) withoutOriginal() {
	if c.Search.Result == SearchDifferentFromAll && c.Search.matchesLeftOut(c.Refund) {
		c.Search.Result = SearchAmbiguous
		c.Search.Fit = append(c.Search.Fit, c.Search.leftOut...)
	}
	c.Basis, c.Recipient, c.Evidence = BasisNone, Unverifiable, ""
	switch c.Search.Result {
	case SearchDifferentFromAll:
		c.Recipient, c.Evidence, c.Reason = Different, Strong, ""
	case SearchAmbiguous, SearchOtherDay:
		c.Reason = ReasonAmbiguous
	case SearchNoReference:
		c.Reason = ReasonNoReference
	case SearchOriginalUnusable:
		c.Reason = ReasonOriginalUnusable
	case SearchOtherTerminal:
		c.Reason = ReasonOtherTerminal
	case SearchHistoryGap:
		c.Reason = ReasonHistoryGap
	default:
		c.Reason = ReasonNoOriginal
	}
	if !c.IsRefund() {
		return
	}
	switch {
	case toMerchant(c.Refund.Record.Party):
		c.Basis, c.Recipient, c.Reason = BasisMerchantAccount, Different, ""
	case toOtherAccount(c.Refund.Record.RefundRoute):
		c.Basis = BasisOtherAccount
	}
}

func toMerchant(p *Party) bool {
	return p != nil && (p.Scheme == SchemeMerchantAccount || strings.Contains(p.Text, "商户"))
}

func toOtherAccount(r Route) bool { return r == RouteOtherBalance || r == RouteOtherBankcard }

// settleRecipient is verdicts.md § 4's table for a refund, and its paragraph on voids.
func (c *Case) settleRecipient() {
	r, o := &c.Refund.Record, &c.Original.Record
	c.Compared = Compare(o.Party, r.Party)
	comparable := c.Compared.Comparable()
	set := func(b Basis, rec Recipient, ev Evidence, reason string) {
		c.Basis, c.Recipient, c.Evidence, c.Reason = b, rec, ev, reason
	}
	switch {
	case !c.IsRefund() && comparable:
		set(BasisCompared, c.Compared.Recipient, c.Compared.Evidence, "")
	case !c.IsRefund():
		set(BasisReference, Same, ByReference, "")
	case toMerchant(r.Party):
		set(BasisMerchantAccount, Different, "", "")
	case r.Channel == ChannelCash && o.Channel == ChannelCash:
		set(BasisCash, Unverifiable, "", ReasonCash)
	case channelKnown(r.Channel) && channelKnown(o.Channel) && r.Channel != o.Channel && !strongMatch(c.Compared):
		set(BasisChannelChanged, Different, "", "")
	case toOtherAccount(r.RefundRoute):
		set(BasisOtherAccount, Doubtful, "", "")
	case comparable:
		set(BasisCompared, c.Compared.Recipient, c.Compared.Evidence, "")
	case r.RefundRoute == RouteBalance:
		set(BasisBalance, Same, ByReference, "")
	case c.namedByChannel():
		set(BasisReference, Same, ByReference, "")
	case !r.Party.HasIdentifier():
		set(BasisNotComparable, Unverifiable, "", ReasonRecipientMissing)
	case !o.Party.HasIdentifier():
		set(BasisNotComparable, Unverifiable, "", ReasonPayerMissing)
	default:
		set(BasisNotComparable, Unverifiable, "", c.Compared.Reason)
	}
}

// namedByChannel reports whether the channel itself returns the money to the payer
// of the order that the refund names (verdicts.md § 4, by_reference).
func (c *Case) namedByChannel() bool {
	channel := c.channel()
	switch c.Search.FoundBy {
	case FoundByChannelTxn, FoundByOrderNo:
		return isWallet(channel)
	case FoundByRRN, FoundByStan:
		return channel == ChannelUnionPayQR || channel == ChannelECNY
	}
	return false
}

// channel is the refund's channel, the original's if that is unknown.
func (c *Case) channel() Channel {
	if ch := c.Refund.Record.Channel; channelKnown(ch) {
		return ch
	}
	return c.Original.Record.Channel
}

// IsCancel reports whether it is a void by which WeChat or Alipay pays back what was
// paid, to whom it was paid, or closes what was not (verdicts.md § 4, Voids). It asks for the
// original's channel where the void states none: there must be an original.
func (c *Case) IsCancel() bool {
	ch := c.channel()
	return !c.IsRefund() && (ch == ChannelWeChat || ch == ChannelAlipay)
}

// conclude asks the rules and puts the verdict together (verdicts.md § 5). Rev is left 0.
func (j *Judge) conclude(c *Case) Judged {
	v := Verdict{
		Type: TypeVerdict, Seq: c.Refund.Seq, Kind: c.Refund.Record.Kind,
		Recipient: c.Recipient, Reason: c.Reason, Evidence: c.Evidence, Cancelled: c.Cancelled,
	}
	if c.Original != nil {
		v.Original = &Found{Seq: c.Original.Seq, FoundBy: c.Search.FoundBy}
	}
	x := Explain{RuleSet: j.ruleSet, Settings: j.digest, Rules: []RuleRun{}, WouldChange: []Text{}}
	if !c.Cancelled {
		x.Rules = make([]RuleRun, 0, len(j.rules))
		for i, rule := range j.rules {
			res := Silent("unusable record")
			if c.Flaw == "" || j.codes[i] == CodeDataError {
				res = rule.Check(c)
			}
			x.Rules = append(x.Rules, RuleRun{Rule: j.names[i], Result: res.Result.String(), Why: res.Why})
			if res.Change != (Text{}) {
				x.WouldChange = append(x.WouldChange, res.Change)
			}
			if res.Result == Hit {
				v.Findings = append(v.Findings, Finding{Code: j.codes[i], Rule: res.Number, Severity: res.Severity, Text: res.Text})
			}
		}
	} else {
		x.WouldChange = append(x.WouldChange, cancelledChange(c))
	}
	v.Findings = SortFindings(v.Findings)
	v.Decision = decide(v.Worst())
	return Judged{Verdict: v, Unreleased: c.Search.Result.waits(), Explain: x}
}

// SortFindings orders by severity, then code, and keeps each code once, at its
// highest severity (verdicts.md § 5). Never nil.
func SortFindings(fs []Finding) []Finding {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(a.Code, b.Code))
	})
	out := make([]Finding, 0, len(fs))
	for _, f := range fs {
		if !slices.ContainsFunc(out, func(o Finding) bool { return o.Code == f.Code }) {
			out = append(out, f)
		}
	}
	return out
}

func decide(worst Severity) Decision {
	switch {
	case worst >= High:
		return Alarm
	case worst == Medium:
		return Review
	}
	return Pass
}
