package scenario

import (
	"strings"

	"yuanlu/firmware-sim/wire"
)

// Answer is the result of comparing two parties: verdicts.md § 4.
type Answer struct {
	Recipient string // same, equivalent, different, doubtful; empty: not comparable
	Evidence  string // strong or weak
	Code      string // the finding
	Severity  int
	Reason    string // token, mask or namespace if not comparable
}

// Severities as numbers that order as they do.
const (
	info = iota + 1
	low
	medium
	high
	critical
)

// Compare compares payer and recipient as far as both are shown.
func Compare(payer, recipient wire.Party) Answer {
	pars := payer.PAR != "" && recipient.PAR != ""
	equalPAR := pars && payer.PAR == recipient.PAR
	var got []Answer
	for _, a := range idents(payer) {
		for _, b := range idents(recipient) {
			got = append(got, pair(a, b, pars, equalPAR))
		}
	}
	if best, ok := pick(got, func(x Answer) bool { return x.Recipient == "same" && x.Evidence == "strong" }); ok {
		return best
	}
	if equalPAR {
		return Answer{Recipient: "equivalent", Evidence: "strong"}
	}
	for _, want := range [][2]string{{"different", "strong"}, {"different", "weak"}, {"doubtful", ""}, {"same", "weak"}} {
		if best, ok := pick(got, func(x Answer) bool {
			return x.Recipient == want[0] && (want[1] == "" || x.Evidence == want[1])
		}); ok {
			return best
		}
	}
	for _, reason := range []string{"token", "mask", "namespace"} {
		if best, ok := pick(got, func(x Answer) bool { return x.Reason == reason }); ok {
			return best
		}
	}
	return Answer{}
}

func pick(list []Answer, want func(Answer) bool) (Answer, bool) {
	for _, x := range list {
		if want(x) {
			return x, true
		}
	}
	return Answer{}, false
}

// idents returns the identifiers of a party that can be compared at all.
func idents(p wire.Party) []wire.Ident {
	all := append([]wire.Ident{{Scheme: p.Scheme, Namespace: p.Namespace, ID: p.ID}}, p.Also...)
	var out []wire.Ident
	for _, i := range all {
		switch i.Scheme {
		case "", "none", "cash", "account_text", "merchant_account":
			continue
		}
		if i.Scheme == "unionpay_token" && len(i.ID) > 40 {
			continue // encrypted, another text each time
		}
		if i.ID != "" {
			out = append(out, i)
		}
	}
	return out
}

func pair(a, b wire.Ident, pars, equalPAR bool) Answer {
	same := Answer{Recipient: "same", Evidence: "strong"}
	different := Answer{Recipient: "different", Evidence: "strong", Code: "recipient_mismatch", Severity: critical}
	card := map[string]bool{"pan": true, "dpan": true, "pan_masked": true}
	switch {
	case card[a.Scheme] && card[b.Scheme] && (a.Scheme == "pan_masked" || b.Scheme == "pan_masked"):
		return maskedPair(a, b, pars && !equalPAR, pars)
	case card[a.Scheme] && card[b.Scheme]:
		device := a.Scheme == "dpan" || b.Scheme == "dpan"
		switch {
		case a.ID == b.ID:
			return same
		case device && pars && !equalPAR, !device:
			return different
		}
		return Answer{Reason: "token"}
	case a.Scheme != b.Scheme:
		return Answer{Reason: "namespace"}
	}
	switch a.Scheme {
	case "wechat_openid", "alipay_open_id":
		switch {
		case a.Namespace != b.Namespace && a.Namespace != "" && b.Namespace != "":
			return Answer{Reason: "namespace"}
		case a.ID == b.ID:
			return same
		case a.Namespace == b.Namespace && a.Namespace != "":
			return different
		}
		return Answer{Reason: "namespace"}
	case "alipay_user_id", "ecny_wallet":
		if a.ID == b.ID {
			return same
		}
		return different
	case "unionpay_token":
		if a.ID == b.ID {
			return same
		}
		return Answer{Recipient: "doubtful", Code: "recipient_suspect", Severity: medium}
	case "alipay_logon", "account":
		if a.ID == b.ID {
			return Answer{Recipient: "same", Evidence: "weak", Code: "recipient_weak_match", Severity: low}
		}
		return Answer{Recipient: "doubtful", Evidence: "weak", Code: "recipient_suspect", Severity: medium}
	}
	return Answer{Reason: "namespace"}
}

func maskedPair(a, b wire.Ident, unequalPAR, pars bool) Answer {
	if unequalPAR {
		return Answer{Recipient: "different", Evidence: "strong", Code: "recipient_mismatch", Severity: critical}
	}
	if a.Scheme == "dpan" || b.Scheme == "dpan" || pars {
		return Answer{Reason: "token"}
	}
	x, y := maskOf(a), maskOf(b)
	n, m := min(len(x.head), len(y.head)), min(len(x.tail), len(y.tail))
	agree := x.head[:n] == y.head[:n] && x.tail[len(x.tail)-m:] == y.tail[len(y.tail)-m:]
	if !agree || x.length > 0 && y.length > 0 && x.length != y.length {
		return Answer{Recipient: "different", Evidence: "weak", Code: "recipient_mismatch", Severity: high}
	}
	if n >= 6 && m >= 4 {
		return Answer{Recipient: "same", Evidence: "weak", Code: "recipient_weak_match", Severity: low}
	}
	return Answer{Reason: "mask"}
}

// mask is what is visible of a card number; length 0 means unknown.
type mask struct {
	head, tail string
	length     int
}

func maskOf(i wire.Ident) mask {
	if !strings.Contains(i.ID, "*") {
		n := len(i.ID)
		return mask{i.ID[:min(6, n)], i.ID[max(0, n-4):], n}
	}
	first, last := strings.Index(i.ID, "*"), strings.LastIndex(i.ID, "*")
	m := mask{i.ID[:first], i.ID[last+1:], len(i.ID)}
	for _, run := range strings.FieldsFunc(i.ID, func(c rune) bool { return c != '*' }) {
		if run == "****" {
			m.length = 0
		}
	}
	return m
}
