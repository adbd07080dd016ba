package judge

import (
	"slices"
	"strings"

	"yuanlu/firmware-sim/wire"
)

// encrypted reports whether an identifier is a text that differs each time: a token of more
// than 40 characters (records.md, Party).
func encrypted(scheme, id string) bool { return scheme == "unionpay_token" && len([]rune(id)) > 40 }

func schemeOf(scheme, id string) string {
	if scheme == "" || encrypted(scheme, id) {
		return "none"
	}
	return scheme
}

func idOf(scheme, id string) string {
	if encrypted(scheme, id) {
		return ""
	}
	return id
}

// ids returns the identifiers of a party, its own and those in also. None, cash, free text and
// empty ones are no identifiers.
func ids(p *wire.Party) []wire.Ident {
	var out []wire.Ident
	for _, i := range append([]wire.Ident{{Scheme: p.Scheme, Namespace: p.Namespace, ID: p.ID}}, p.Also...) {
		switch i.Scheme {
		case "", "none", "cash", "account_text":
			continue
		}
		if i.ID = idOf(i.Scheme, i.ID); i.ID != "" {
			out = append(out, i)
		}
	}
	return out
}

// answer is the result of comparing two parties: verdicts.md § 4.
type answer struct {
	recipient string // same, equivalent, different, doubtful; "": not comparable
	evidence  string // strong or weak
	reason    string // token, mask or namespace, where not comparable
	finding   string
	severity  Severity
}

func (a answer) match() bool       { return a.recipient == "same" || a.recipient == "equivalent" }
func (a answer) strongMatch() bool { return a.match() && a.evidence == "strong" }
func (a answer) stranger() bool    { return a.recipient == "different" && a.evidence == "strong" }

// compare compares payer and recipient as far as both are shown.
func compare(payer, recipient *wire.Party) answer {
	bothPAR := payer.PAR != "" && recipient.PAR != ""
	var all []answer
	for _, p := range ids(payer) {
		for _, r := range ids(recipient) {
			all = append(all, pair(p, r, bothPAR))
		}
	}
	first := func(is func(answer) bool) *answer {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return &all[i]
		}
		return nil
	}
	if a := first(answer.strongMatch); a != nil {
		return *a
	}
	if bothPAR && payer.PAR == recipient.PAR {
		return answer{recipient: "equivalent", evidence: "strong"}
	}
	for _, is := range []func(answer) bool{
		answer.stranger,
		func(a answer) bool { return a.recipient == "different" },
		func(a answer) bool { return a.recipient == "doubtful" },
		func(a answer) bool { return a.recipient == "same" },
		func(a answer) bool { return a.reason == "token" },
		func(a answer) bool { return a.reason == "mask" },
		func(a answer) bool { return a.reason == "namespace" },
	} {
		if a := first(is); a != nil {
			return *a
		}
	}
	return answer{}
}

// pair compares two identifiers; bothPAR: both parties state a PAR, and they differ where it
// matters.
func pair(p, r wire.Ident, bothPAR bool) answer {
	same := answer{recipient: "same", evidence: "strong"}
	different := answer{recipient: "different", evidence: "strong", finding: "recipient_mismatch", severity: Critical}
	card := func(s string) bool { return s == "pan" || s == "dpan" || s == "pan_masked" }
	switch {
	case card(p.Scheme) && card(r.Scheme):
		return cards(p, r, bothPAR)
	case p.Scheme != r.Scheme:
		return answer{reason: "namespace"}
	}
	switch p.Scheme {
	case "wechat_openid", "alipay_open_id":
		switch {
		case p.ID == r.ID && (p.Namespace == r.Namespace || p.Namespace == "" || r.Namespace == ""):
			return same
		case p.Namespace != "" && p.Namespace == r.Namespace:
			return different
		}
	case "alipay_user_id", "ecny_wallet":
		if p.ID == r.ID {
			return same
		}
		return different
	case "unionpay_token":
		if p.ID == r.ID {
			return same
		}
		return answer{recipient: "doubtful", finding: "recipient_suspect", severity: Medium}
	case "alipay_logon", "account":
		if p.ID == r.ID {
			return answer{recipient: "same", evidence: "weak", finding: "recipient_weak_match", severity: Low}
		}
		return answer{recipient: "doubtful", evidence: "weak", finding: "recipient_suspect", severity: Medium}
	}
	return answer{reason: "namespace"}
}

// cards compares two numbers of cards or devices, in clear or masked.
func cards(p, r wire.Ident, bothPAR bool) answer {
	different := answer{recipient: "different", evidence: "strong", finding: "recipient_mismatch", severity: Critical}
	device := p.Scheme == "dpan" || r.Scheme == "dpan"
	masked := p.Scheme == "pan_masked" || r.Scheme == "pan_masked"
	switch {
	case !masked && p.ID == r.ID:
		return answer{recipient: "same", evidence: "strong"}
	case bothPAR, !masked && !device:
		return different
	case device:
		return answer{reason: "token"}
	}
	return maskPair(p, r)
}

// digits is what can be seen of a card number: by place from the left up to the first star, by
// place from the right after the last one; all of them where its length is known.
type digits struct {
	left, right map[int]byte
	length      int // 0: unknown
	head, tail  int // digits without a gap at either end
}

func seen(i wire.Ident) digits {
	d := digits{left: map[int]byte{}, right: map[int]byte{}}
	s := i.ID
	if i.Scheme == "pan" { // compared through its first 6, last 4 and length: verdicts.md § 4
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

func maskPair(p, r wire.Ident) answer {
	a, b := seen(p), seen(r)
	differ := a.length > 0 && b.length > 0 && a.length != b.length
	for _, ends := range [][2]map[int]byte{{a.left, b.left}, {a.right, b.right}} {
		for i, x := range ends[0] {
			if y, ok := ends[1][i]; ok && x != y {
				differ = true
			}
		}
	}
	switch {
	case differ:
		return answer{recipient: "different", evidence: "weak", finding: "recipient_mismatch", severity: High}
	case a.head >= 6 && b.head >= 6 && a.tail >= 4 && b.tail >= 4:
		return answer{recipient: "same", evidence: "weak", finding: "recipient_weak_match", severity: Low}
	}
	return answer{reason: "mask"}
}
