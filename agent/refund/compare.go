package refund

// Reasons why no identifiers of two parties can be compared (verdicts.md § 4), strongest first.
const (
	ReasonToken     = "token"     // a phone's number and a plastic card's may be one account
	ReasonMask      = "mask"      // too few digits are visible on both sides
	ReasonNamespace = "namespace" // identifiers of different kinds, or openids of different apps
)

// Comparison is the result of comparing two parties' identifiers: the one who paid and
// the one who gets the money (verdicts.md § 4, Comparing two parties). The zero value is none.
type Comparison struct {
	// Recipient is Same, Equivalent, Different or Doubtful, or Unverifiable if
	// nothing could be compared.
	Recipient Recipient
	Evidence  Evidence // Strong, Weak or "" as verdicts.md § 4 names it
	// Reason is why nothing could be compared: ReasonRecipientMissing,
	// ReasonPayerMissing (a side has no identifier at all), ReasonToken, ReasonMask
	// or ReasonNamespace. "" if something could.
	Reason string
	// Code and Severity are those of the finding the comparison makes by itself:
	// CodeRecipientMismatch (Critical, weak High), CodeRecipientSuspect (Medium),
	// CodeRecipientWeakMatch (Low); "" and 0 if none.
	Code     string
	Severity Severity

	// PayerHas and RecipientHas: that side has an identifier at all
	// (Party.HasIdentifier).
	PayerHas, RecipientHas bool
	// PayerScheme, PayerShown, RecipientScheme and RecipientShown are the pair of
	// identifiers that decided; if nothing could be compared, the pair that came
	// nearest, or what is shown of a side that has none.
	PayerScheme, RecipientScheme Scheme
	PayerShown, RecipientShown   string
	// ByPAR: the payment account references decided, not the identifiers.
	ByPAR bool
	// Position is the place of the first visible digit that differs between masked
	// numbers: > 0 from the left, < 0 from the right (-1 the last), where the length
	// is unknown. 0: none does (their lengths differ), or nothing is masked.
	Position int
	// Digits is how many digits are visible on both sides of masked numbers.
	Digits int
}

// Comparable reports whether anything was comparable.
func (c Comparison) Comparable() bool {
	return c.Recipient != "" && c.Recipient != Unverifiable
}

// BothHave reports whether both sides have an identifier at all.
func (c Comparison) BothHave() bool { return c.PayerHas && c.RecipientHas }

// rank orders the results of pairs of identifiers: the greatest decides.
type rank uint8

const (
	rankNone rank = iota
	rankNamespace
	rankMask
	rankToken
	rankWeakEqual
	rankDoubtful     // of tokens that are re-issued
	rankWeakDoubtful // of identifiers that were masked elsewhere
	rankWeakDifferent
	rankStrongDifferent
	rankStrongEqual
	rankEquivalent // by PAR, unless an identifier is strongly equal
)

// parResult is the result of comparing the PARs of two parties.
type parResult uint8

const (
	parUnknown parResult = iota // one is missing, or they have no key in common
	parEqual
	parDifferent
)

// paired is the result of comparing one pair of identifiers.
type paired struct {
	rank     rank
	position int
	digits   int
	byPAR    bool
}

// Compare compares the sealed party that paid with the sealed party that gets the
// money: each is its own identifier and those of Also; a PAR holds for the whole
// party. Either may be nil. Tokens made with different keys alone prove nothing, so
// parties without a common key are not comparable (ReasonToken).
// Source: verdicts.md § 4, Comparing two parties.
func Compare(payer, recipient *Party) Comparison {
	c := Comparison{PayerHas: payer.HasIdentifier(), RecipientHas: recipient.HasIdentifier()}
	pars := comparePARs(payer, recipient)
	best, from, to := bestPair(payer, recipient, pars)
	if pars == parEqual && best.rank != rankStrongEqual {
		best = paired{rank: rankEquivalent, byPAR: true}
	}
	if from == nil {
		from = payer.shownIdentifier()
	}
	if to == nil {
		to = recipient.shownIdentifier()
	}
	c.PayerScheme, c.PayerShown = from.Scheme, from.Shown
	c.RecipientScheme, c.RecipientShown = to.Scheme, to.Shown
	c.Position, c.Digits, c.ByPAR = best.position, best.digits, best.byPAR
	c.judge(best.rank)
	return c
}

// judge fills in what the rank means.
func (c *Comparison) judge(r rank) {
	switch r {
	case rankStrongEqual:
		c.Recipient, c.Evidence = Same, Strong
	case rankEquivalent:
		c.Recipient, c.Evidence = Equivalent, Strong
	case rankStrongDifferent:
		c.Recipient, c.Evidence = Different, Strong
		c.Code, c.Severity = CodeRecipientMismatch, Critical
	case rankWeakDifferent:
		c.Recipient, c.Evidence = Different, Weak
		c.Code, c.Severity = CodeRecipientMismatch, High
	case rankDoubtful, rankWeakDoubtful:
		c.Recipient = Doubtful
		if r == rankWeakDoubtful {
			c.Evidence = Weak
		}
		c.Code, c.Severity = CodeRecipientSuspect, Medium
	case rankWeakEqual:
		c.Recipient, c.Evidence = Same, Weak
		c.Code, c.Severity = CodeRecipientWeakMatch, Low
	default:
		c.Recipient, c.Reason = Unverifiable, c.reason(r)
	}
}

// reason returns why nothing could be compared.
func (c *Comparison) reason(r rank) string {
	switch {
	case !c.RecipientHas:
		return ReasonRecipientMissing
	case !c.PayerHas:
		return ReasonPayerMissing
	case r == rankToken:
		return ReasonToken
	case r == rankMask:
		return ReasonMask
	}
	return ReasonNamespace
}

// bestPair compares every pair of identifiers and returns the greatest result and
// the first pair that has it, own identifiers first. Without any pair, from and to are nil.
func bestPair(payer, recipient *Party, pars parResult) (best paired, from, to *Party) {
	for i := range payer.identifiers() {
		a := payer.identifier(i)
		if !a.identifies() {
			continue
		}
		for k := range recipient.identifiers() {
			b := recipient.identifier(k)
			if !b.identifies() {
				continue
			}
			if p := comparePair(a, b, pars); p.rank > best.rank {
				best, from, to = p, a, b
			}
		}
	}
	return best, from, to
}

// identifiers returns how many identifiers a party has room for: its own and Also.
func (p *Party) identifiers() int {
	if p == nil {
		return 0
	}
	return 1 + len(p.Also)
}

// identifier returns the i-th of them.
func (p *Party) identifier(i int) *Party {
	if i == 0 {
		return p
	}
	return &p.Also[i-1]
}

// shownIdentifier returns the first identifier of a party that can be compared, else
// its own; the zero Party if there is none.
func (p *Party) shownIdentifier() *Party {
	for i := range p.identifiers() {
		if q := p.identifier(i); q.identifies() {
			return q
		}
	}
	if p == nil {
		return &Party{}
	}
	return p
}

// comparePARs compares the payment account references of two parties.
func comparePARs(a, b *Party) parResult {
	switch {
	case a == nil || b == nil || !shareKey(a.PARTokens, b.PARTokens):
		return parUnknown
	case share(a.PARTokens, b.PARTokens):
		return parEqual
	}
	return parDifferent
}

// comparePair compares two identifiers: one row of the table.
func comparePair(a, b *Party, pars parResult) paired {
	switch x, y := a.Scheme, b.Scheme; {
	case x == SchemePAN && y == SchemePAN:
		return byTokens(a, b, rankStrongEqual, rankStrongDifferent)
	case isCard(x) && isCard(y):
		return compareDevice(a, b, pars)
	case isPAN(x) && isPAN(y):
		return compareMasked(a, b, pars)
	case x != y:
		return paired{rank: rankNamespace}
	case x == SchemeWeChatOpenID || x == SchemeAlipayOpenID:
		return compareOpenIDs(a, b)
	case x == SchemeAlipayUserID || x == SchemeECNYWallet:
		return byTokens(a, b, rankStrongEqual, rankStrongDifferent)
	case x == SchemeUnionPayToken:
		return byTokens(a, b, rankStrongEqual, rankDoubtful)
	case x == SchemeAlipayLogon || x == SchemeAccount:
		return byTokens(a, b, rankWeakEqual, rankWeakDoubtful)
	}
	return paired{rank: rankNamespace}
}

func isCard(s Scheme) bool { return s == SchemePAN || s == SchemeDPAN }

func isPAN(s Scheme) bool { return isCard(s) || s == SchemePANMasked }

// byTokens compares two identifiers by their tokens alone.
func byTokens(a, b *Party, equal, different rank) paired {
	switch {
	case share(a.Tokens, b.Tokens):
		return paired{rank: equal}
	case shareKey(a.Tokens, b.Tokens):
		return paired{rank: different}
	}
	return paired{rank: rankToken}
}

// compareDevice compares a device token number with another or with a full card
// number: different digits may be one account, unless the PARs differ.
func compareDevice(a, b *Party, pars parResult) paired {
	switch {
	case share(a.Tokens, b.Tokens):
		return paired{rank: rankStrongEqual}
	case pars == parDifferent:
		return paired{rank: rankStrongDifferent, byPAR: true}
	}
	return paired{rank: rankToken}
}

// compareMasked compares a masked card number with a masked or full one, or with a
// device token number.
func compareMasked(a, b *Party, pars parResult) paired {
	if pars == parDifferent {
		return paired{rank: rankStrongDifferent, byPAR: true}
	}
	if a.Scheme == SchemeDPAN || b.Scheme == SchemeDPAN {
		return paired{rank: rankToken}
	}
	m := compareMasks(&a.Mask, &b.Mask)
	p := paired{rank: rankMask, position: m.position, digits: m.digits}
	switch {
	case m.differ:
		p.rank = rankWeakDifferent
	case m.enough:
		p.rank = rankWeakEqual
	}
	return p
}

// compareOpenIDs compares two openids of one scheme. Those of different apps are
// different even for one person.
func compareOpenIDs(a, b *Party) paired {
	stated := a.Namespace != "" && b.Namespace != ""
	switch {
	case stated && a.Namespace != b.Namespace:
		return paired{rank: rankNamespace}
	case stated:
		return byTokens(a, b, rankStrongEqual, rankStrongDifferent)
	case share(a.Tokens, b.Tokens):
		return paired{rank: rankStrongEqual}
	}
	return paired{rank: rankNamespace}
}
