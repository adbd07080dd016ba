package page

import (
	"html/template"
	"strconv"
	"strings"
	"time"
)

// digits is how many decimals a currency has: fen become yuan on the screen only.
func digits(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// code is the currency of an amount; a record without one is in CNY (casework.md § 5).
func code(currency string) string {
	if currency == "" {
		return "CNY"
	}
	return currency
}

// number writes an amount of minor units without its currency, as a person types it.
func number(minor int64, currency string) string {
	n := digits(currency)
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	s := strconv.FormatInt(minor, 10)
	if n == 0 {
		return sign + s
	}
	if len(s) <= n {
		s = strings.Repeat("0", n+1-len(s)) + s
	}
	return sign + s[:len(s)-n] + "." + s[len(s)-n:]
}

// plainMoney writes an amount with its currency and groups of three digits.
func plainMoney(minor int64, currency string) string {
	whole, part, _ := strings.Cut(strings.TrimPrefix(number(minor, currency), "-"), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	if minor < 0 {
		whole = "-" + whole
	}
	return code(currency) + "\u00a0" + whole
}

// money is plainMoney for a page.
func money(minor int64, currency string) template.HTML {
	return `<span class="money">` + escaped(plainMoney(minor, currency)) + `</span>`
}

// when writes a time with date, weekday, time and offset (casework.md § 14); what is no time
// stands as it is.
func (s *speaker) when(at string) template.HTML {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return escaped(at)
	}
	return template.HTML(`<time datetime="`+t.Format(time.RFC3339)+`">`) + //nolint:gosec // made of digits
		`<span class="d">` + escaped(t.Format("2006-01-02")+" "+s.weekday(t)) + `</span> <span class="c">` +
		escaped(t.Format("15:04:05")) + `</span> <span class="z">` + escaped(t.Format("-07:00")) + `</span></time>`
}

func (s *speaker) weekday(t time.Time) string {
	chinese := [...]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}[t.Weekday()]
	english := t.Format("Mon")
	switch s.lang {
	case en:
		return english
	case zh:
		return chinese
	}
	return chinese + " " + english
}

// mono is a number or a masked account, in a face of fixed width.
func mono(s string) template.HTML {
	if s == "" {
		return ""
	}
	return `<span class="mono">` + escaped(s) + `</span>`
}
