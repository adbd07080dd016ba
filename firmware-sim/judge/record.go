package judge

import (
	"slices"
	"strings"
	"time"

	"yuanlu/firmware-sim/wire"
)

func isVoid(kind string) bool { return kind == "void" || kind == "completion_void" }
func isSale(kind string) bool { return kind == "sale" || kind == "completion" }
func judged(kind string) bool { return kind == "refund" || isVoid(kind) }

func noMoney(outcome string) bool { return outcome == "declined" || outcome == "closed" }
func movesMoney(outcome string) bool {
	return outcome == "approved" || outcome == "unknown" || outcome == "pending"
}

func known(channel string) bool { return channel != "" && channel != "unknown" }

func wallet(channel string) bool {
	return slices.Contains([]string{"wechat", "alipay", "unionpay_qr", "jd", "ecny"}, channel)
}

func sameChannel(a, b string) bool { return a == b || !known(a) && !known(b) }

// window is how many days after its original a refund may come: verdicts.md § 3.
func window(channel string) int {
	switch channel {
	case "unionpay_qr":
		return 360
	case "card":
		return 180
	}
	return 365
}

// given reports whether a member of original states something: verdicts.md § 2.
func given(s string) bool { return strings.Trim(s, "0-") != "" }

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// daysBetween is how many local days b is after a.
func daysBetween(a, b time.Time) int { return int(day(b).Sub(day(a)).Hours() / 24) }

// mostMoney is the largest amount, in fen.
const mostMoney = 999_999_999_999

// usable is verdicts.md § 1.2; copied: the record repeats an event. An amount of 0 is
// absent, one below 0 was stated and is none.
func usable(r *wire.Record, copied bool) bool {
	switch r.Kind {
	case "sale", "refund", "void", "preauth", "preauth_void", "completion", "completion_void", "adjust":
		lost := r.Kind == "refund" && (r.Outcome == "unknown" || r.Outcome == "pending")
		if r.Amount < 0 || r.Amount > mostMoney || r.Amount == 0 && !copied && !isVoid(r.Kind) && !lost {
			return false
		}
		if p := r.PayerAmount; p != nil && (*p < 0 || *p > r.Amount) {
			return false
		}
	}
	for _, id := range ids(&r.Party) {
		if id.Scheme == "pan" && !goodPAN(id.ID) {
			return false
		}
	}
	if c := r.Currency; r.Kind != "settlement" && c != "" && (len(c) != 3 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return false
	}
	return r.Kind == "journal" || !r.At.IsZero()
}

// goodPAN reports whether a text is a card number: 12 to 19 digits, the last one by Luhn.
func goodPAN(s string) bool {
	if len(s) < 12 || len(s) > 19 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// date is original.date, read against the day of the refund.
type date struct {
	given, bad bool
	day        time.Time
}

func dateOf(r *wire.Record) date {
	s := r.Original.Date
	if !given(s) {
		return date{}
	}
	if d, err := time.Parse("2006-01-02", s); err == nil && len(s) == 10 {
		return date{given: true, day: d}
	}
	if len(s) != 4 || strings.Trim(s, "0123456789") != "" {
		return date{bad: true}
	}
	limit := day(r.At).AddDate(0, 0, 1)
	for y := limit.Year(); y > limit.Year()-9 && y > 0; y-- {
		d, err := time.Parse("20060102", time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006")+s)
		if err == nil && !d.After(limit) {
			return date{given: true, day: d}
		}
	}
	return date{bad: true}
}

// near reports whether the local date of a record is at most n days off.
func (d date) near(r *wire.Record, n int) bool {
	if r.At.IsZero() {
		return true
	}
	off := daysBetween(r.At, d.day)
	return -n <= off && off <= n
}
