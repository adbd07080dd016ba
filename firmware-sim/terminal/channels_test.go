package terminal

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"yuanlu/firmware-sim/scenario"
)

// ways returns what of channels, entries, accounts and kinds is in a record.
func ways(e *scenario.Entry) []string {
	r := &e.Record
	out := []string{"kind " + r.Kind, "outcome " + r.Outcome}
	if r.Copy != "" {
		out = append(out, "copy "+r.Copy)
	}
	if r.Channel != "" {
		out = append(out, "channel "+r.Channel)
	}
	if r.Entry != "" {
		out = append(out, "entry "+r.Channel+" "+r.Entry)
	}
	if r.Funding != "" {
		out = append(out, "funding "+r.Channel+" "+r.Funding)
	}
	if s := r.Party.Scheme; s != "" {
		par := ""
		if r.Party.PAR != "" {
			par = "+par"
		}
		out = append(out, "party "+s+par)
	}
	if r.Signature != "" {
		out = append(out, "signature "+r.Channel)
	}
	if r.PayerAmount != nil {
		out = append(out, "coupon "+r.Channel)
	}
	return out
}

// lines returns the lines of a text.
func lines(parts ...string) map[string]bool {
	out := map[string]bool{}
	for _, p := range parts {
		for l := range strings.Lines(p) {
			if l = strings.TrimSpace(l); l != "" {
				out[l] = true
			}
		}
	}
	return out
}

// TestEachModelDoesWhatItCan: a seeded month of each model has every channel, way of reading, account and kind that the
// model has, and none that it has not.
func TestEachModelDoesWhatItCan(t *testing.T) {
	const (
		common = `kind sale
			kind refund
			kind void
			kind settlement
			outcome approved
			outcome declined
			channel card
			party pan`
		unanswered = `outcome unknown`
		cards      = `entry card chip
			entry card contactless
			entry card swipe
			entry card keyed`
		wallets = `channel wechat
			channel alipay
			channel unionpay_qr
			entry wechat qr_shown
			entry wechat qr_scanned
			party wechat_openid
			party alipay_user_id
			party alipay_open_id
			party alipay_logon
			party unionpay_token
			party pan_masked
			party account_text
			outcome pending
			copy dump`
		codes = `entry alipay qr_shown
			entry alipay qr_scanned
			entry unionpay_qr qr_shown
			entry unionpay_qr qr_scanned`
		others = `channel ecny
			channel unknown
			entry ecny qr_shown
			entry ecny qr_scanned
			entry unknown qr_shown
			entry unknown qr_scanned
			party ecny_wallet
			party account`
		jd = `channel jd
			entry jd qr_shown
			entry jd qr_scanned`
		hotel = `entry card fallback
			kind preauth
			kind preauth_void
			kind completion
			kind completion_void
			kind adjust`
	)
	for _, c := range []struct {
		o        Options
		can, may string
	}{
		{Options{Model: "e-sign"}, common + "\n" + unanswered + "\n" + cards + "\n" + wallets + "\n" + codes + "\n" + others + "\nsignature card", ""},
		{Options{Model: "traditional"}, common + "\n" + unanswered + "\n" + cards + "\n" + wallets + "\n" + codes + "\n" + jd + "\n" + others + "\n" + hotel, ""},
		{Options{Model: "traditional", Wire: "cup8583"}, common + "\n" + unanswered + "\n" + cards + "\n" + hotel + `
			kind reversal
			channel unionpay_qr
			entry unionpay_qr qr_shown
			party pan+par
			party dpan
			party dpan+par`, ""},
		// How a card was read and which code was shown its objects do not carry, except of a phone.
		{Options{Model: "smart"}, common + "\n" + wallets + "\n" + jd + `
			entry card contactless
			party dpan
			party dpan+par
			party merchant_account
			funding wechat balance
			funding alipay balance
			funding alipay huabei
			funding jd balance
			funding jd baitiao
			channel unknown
			party account
			coupon wechat`, "party pan_masked+par\noutcome closed\noutcome abnormal\nentry card chip\nentry card keyed"},
	} {
		t.Run(c.can, func(t *testing.T) {
			o := c.o
			o.Seed, o.Wrong = 12, 0.3
			all, _ := month(t, o, 6000)
			can, may, seen := lines(c.can), lines(c.may), map[string]int{}
			for i := range all {
				for _, w := range ways(&all[i]) {
					seen[w]++
				}
			}
			for _, w := range slices.Sorted(maps.Keys(can)) {
				if seen[w] == 0 {
					t.Errorf("%s %s: a month without %s", o.Model, o.Wire, w)
				}
			}
			for w, n := range seen {
				if !can[w] && !may[w] {
					t.Errorf("%s %s: cannot, and does %d times: %s", o.Model, o.Wire, n, w)
				}
			}
		})
	}
}
