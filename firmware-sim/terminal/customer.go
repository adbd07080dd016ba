package terminal

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// Customer is a person with all that one may pay with.
type Customer struct {
	Name        string
	Card        string // plastic, 16 or 19 digits
	Phone       string // the device number of the same account on a phone
	PAR         string // of that account
	OpenID      string // WeChat, in the appid of the shop
	OtherOpenID string // WeChat, the same person in the appid of another shop
	AlipayUser  string // 16 digits from 2088
	AlipayOpen  string
	AlipayLogon string // as Alipay masks it
	AlipayForm  string // user, open or logon: what this customer's messages show
	Token       string // UnionPay QR
	Ecny        string // number of the e-CNY wallet, 16 digits; not a card number
	Member      string // number of the shop's member card
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newCustomer makes the customer of that name: of one seed, always the same one. "x-twin" is a stranger whose card
// differs from that of "x" in its middle digits only.
func newCustomer(seed uint64, name string) *Customer {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	c := &Customer{Name: name}
	if r.IntN(3) > 0 {
		c.Card = luhn("6200000" + number(r, 8))
	} else {
		c.Card = luhn("62055" + number(r, 13))
	}
	c.Phone = luhn("6200000" + number(r, 8))
	c.PAR = "Q1TEST" + text(r, 23, base62[:36])
	c.OpenID, c.OtherOpenID = "oTEST"+text(r, 23, base62), "oTEST"+text(r, 23, base62)
	c.AlipayUser = "20880" + number(r, 11)
	c.AlipayOpen = "0TEST" + text(r, 27, base62)
	c.AlipayLogon = fmt.Sprintf("1%s****%s", number(r, 2), number(r, 4))
	c.AlipayForm = []string{"user", "user", "open", "logon"}[r.IntN(4)]
	c.Token = "tkTEST" + text(r, 16, base62)
	c.Ecny = "00" + number(r, 14)
	c.Member = "MTEST" + number(r, 8)
	if first, ok := strings.CutSuffix(name, "-twin"); ok {
		c.Card = twin(newCustomer(seed, first).Card)
	}
	return c
}

func number(r *rand.Rand, n int) string { return text(r, n, base62[:10]) }

func text(r *rand.Rand, n int, from string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[r.IntN(len(from))]
	}
	return string(b)
}

// luhn adds the check digit.
func luhn(s string) string {
	for d := byte('0'); ; d++ {
		if luhnHolds(s + string(d)) {
			return s + string(d)
		}
	}
}

func luhnHolds(s string) bool {
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

// twin returns another valid number with the same first six and last four digits.
func twin(card string) string {
	b := []byte(card)
	for i := 7; i < len(b)-5; i++ {
		for _, change := range [][2]byte{{1, 1}, {1, 2}, {2, 1}, {3, 1}, {1, 3}, {1, 4}, {2, 2}, {2, 3}} {
			c := append([]byte(nil), b...)
			c[i] = '0' + (c[i]-'0'+change[0])%10
			c[i+1] = '0' + (c[i+1]-'0'+change[1])%10
			if luhnHolds(string(c)) {
				return string(c)
			}
		}
	}
	return card
}

// hide shows a card number in one of the forms that acquirers print.
func hide(card, form string) string {
	tail := card[len(card)-4:]
	switch form {
	case "masked":
		return card[:6] + strings.Repeat("*", len(card)-10) + tail
	case "four":
		return card[:6] + "****" + tail
	case "tail":
		return "****" + tail
	}
	return card
}
