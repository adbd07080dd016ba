package twin

import (
	"slices"
	"strings"

	"yuanlu/agent/refund"
)

// ident is one identifier of a party.
type ident struct {
	scheme    refund.Scheme
	namespace string
	id        string
}

// ids lists a party's own identifier and those in also; none, cash, free text and
// empty ones are no identifiers.
func ids(p *refund.Party) []ident {
	if p == nil {
		return nil
	}
	var out []ident
	add := func(scheme refund.Scheme, ns, id string) {
		switch scheme {
		case "", refund.SchemeNone, refund.SchemeCash, refund.SchemeAccountText:
			return
		}
		if id != "" {
			out = append(out, ident{scheme, ns, id})
		}
	}
	add(p.Scheme, p.Namespace, idOf(p))
	for _, a := range p.Also {
		add(a.Scheme, a.Namespace, idOf(&a))
	}
	return out
}

// answer is the result of comparing two parties (verdicts.md § 4).
type answer struct {
	recipient refund.Recipient // "" not comparable
	evidence  refund.Evidence
	reason    string // where not comparable
	finding   string
	severity  refund.Severity
}

func (a answer) match() bool {
	return a.recipient == refund.Same || a.recipient == refund.Equivalent
}

func (a answer) strongMatch() bool { return a.match() && a.evidence == refund.Strong }

func compare(payer, recipient *refund.Party) answer {
	var payerPAR, recipientPAR string
	if payer != nil {
		payerPAR = payer.PAR.Reveal()
	}
	if recipient != nil {
		recipientPAR = recipient.PAR.Reveal()
	}
	bothPAR := payerPAR != "" && recipientPAR != ""
	var all []answer
	for _, p := range ids(payer) {
		for _, r := range ids(recipient) {
			all = append(all, pair(p, r, bothPAR))
		}
	}
	pick := func(f func(answer) bool) (answer, bool) {
		for _, a := range all {
			if f(a) {
				return a, true
			}
		}
		return answer{}, false
	}
	if a, ok := pick(answer.strongMatch); ok {
		return a
	}
	if bothPAR && payerPAR == recipientPAR {
		return answer{recipient: refund.Equivalent, evidence: refund.Strong}
	}
	order := []func(answer) bool{
		func(a answer) bool { return a.recipient == refund.Different && a.evidence == refund.Strong },
		func(a answer) bool { return a.recipient == refund.Different },
		func(a answer) bool { return a.recipient == refund.Doubtful },
		func(a answer) bool { return a.recipient == refund.Same },
	}
	for _, f := range order {
		if a, ok := pick(f); ok {
			return a
		}
	}
	for _, reason := range []string{"token", "mask", "namespace"} {
		if a, ok := pick(func(a answer) bool { return a.reason == reason }); ok {
			return a
		}
	}
	return answer{}
}

func pair(p, r ident, bothPAR bool) answer {
	same := answer{recipient: refund.Same, evidence: refund.Strong}
	different := answer{recipient: refund.Different, evidence: refund.Strong, finding: "recipient_mismatch", severity: refund.Critical}
	card := func(s refund.Scheme) bool { return s == refund.SchemePAN || s == refund.SchemeDPAN }
	masked := refund.SchemePANMasked
	switch {
	case p.scheme == refund.SchemePAN && r.scheme == refund.SchemePAN:
		if p.id == r.id {
			return same
		}
		return different
	case card(p.scheme) && card(r.scheme):
		if p.id == r.id {
			return same
		}
		if bothPAR {
			return different
		}
		return answer{reason: "token"}
	case p.scheme == masked && r.scheme == refund.SchemeDPAN, r.scheme == masked && p.scheme == refund.SchemeDPAN:
		if bothPAR {
			return different
		}
		return answer{reason: "token"}
	case p.scheme == masked && (r.scheme == masked || r.scheme == refund.SchemePAN), r.scheme == masked && p.scheme == refund.SchemePAN:
		if bothPAR {
			return different
		}
		return maskPair(p, r)
	case p.scheme != r.scheme:
		return answer{reason: "namespace"}
	}
	switch p.scheme {
	case refund.SchemeWeChatOpenID, refund.SchemeAlipayOpenID:
		switch {
		case p.id == r.id && (p.namespace == r.namespace || p.namespace == "" || r.namespace == ""):
			return same
		case p.namespace != "" && p.namespace == r.namespace:
			return different
		}
		return answer{reason: "namespace"}
	case refund.SchemeAlipayUserID, refund.SchemeECNYWallet:
		if p.id == r.id {
			return same
		}
		return different
	case refund.SchemeUnionPayToken:
		if p.id == r.id {
			return same
		}
		return answer{recipient: refund.Doubtful, finding: "recipient_suspect", severity: refund.Medium}
	case refund.SchemeAlipayLogon, refund.SchemeAccount:
		if p.id == r.id {
			return answer{recipient: refund.Same, evidence: refund.Weak, finding: "recipient_weak_match", severity: refund.Low}
		}
		return answer{recipient: refund.Doubtful, evidence: refund.Weak, finding: "recipient_suspect", severity: refund.Medium}
	}
	return answer{reason: "namespace"}
}

// digits is what can be seen of a card number: position → digit from the left up to
// the first star, and from the right after the last; all of them if length is known.
type digits struct {
	left, right map[int]byte
	length      int // 0 unknown
	head, tail  int // visible without a gap at either end
}

func seen(i ident) digits {
	d := digits{left: map[int]byte{}, right: map[int]byte{}}
	s := i.id
	if i.scheme == refund.SchemePAN {
		// verdicts.md § 4: a full PAN is compared with a masked one through its first 6, last 4 and length.
		s = s[:6] + strings.Repeat("*", len(s)-10) + s[len(s)-4:]
		d.length = len(s)
	} else if !slices.Contains(strings.FieldsFunc(s, func(c rune) bool { return c != '*' }), "****") {
		d.length = len(s)
	}
	first, last := strings.IndexByte(s, '*'), strings.LastIndexByte(s, '*')
	if first < 0 {
		first, last = len(s), -1
	}
	d.head, d.tail = first, len(s)-1-last
	for i := range len(s) {
		if s[i] == '*' {
			continue
		}
		if d.length > 0 || i < first {
			d.left[i] = s[i]
		}
		if d.length > 0 || i > last {
			d.right[len(s)-1-i] = s[i]
		}
	}
	return d
}

func maskPair(p, r ident) answer {
	a, b := seen(p), seen(r)
	differ := a.length > 0 && b.length > 0 && a.length != b.length
	for i, x := range a.left {
		if y, ok := b.left[i]; ok && x != y {
			differ = true
		}
	}
	for i, x := range a.right {
		if y, ok := b.right[i]; ok && x != y {
			differ = true
		}
	}
	switch {
	case differ:
		return answer{recipient: refund.Different, evidence: refund.Weak, finding: "recipient_mismatch", severity: refund.High}
	case a.head >= 6 && b.head >= 6 && a.tail >= 4 && b.tail >= 4:
		return answer{recipient: refund.Same, evidence: refund.Weak, finding: "recipient_weak_match", severity: refund.Low}
	}
	return answer{reason: "mask"}
}
