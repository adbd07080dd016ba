// Package randomjournal makes seeded journals for tests, in which numbers collide
// often: few merchants, terminals, cards, numbers and days, so that every rule of
// verdicts.md is met within some hundred journals. Identifiers are in clear
// and invented. It is no part of any program.
package randomjournal

import (
	"fmt"
	"math/rand/v2"
	"time"

	"yuanlu/agent/refund"
)

// Records returns a journal of n records. The same seed and n return the same journal.
func Records(seed uint64, n int) []refund.Record { return newDice(seed).journal(n) }

// dice draws what a journal is made of.
type dice struct {
	*rand.Rand
	theme theme
}

// theme is what a journal has much of.
type theme uint8

const (
	themeAll     theme = iota
	themeGuesses       // one shop, two cards, refunds and voids that name no sale
	themeWallets       // orders of two wallets, cancels
)

// newDice returns dice whose theme the seed decides: half of the journals have all
// things alike.
func newDice(seed uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, 2026)), [...]theme{themeAll, themeGuesses, themeAll, themeWallets}[seed%4]}
}

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

var (
	cards   = []string{"6200000000000005", "6205500000000000004", "6200000000000047", "6200001234567890128"}
	masked  = []string{"620000******0005", "620000****0005", "****0005", "620000******0047", "6200000*****0005", "620550*********0004", "62000012****0128", "62**00****0005"}
	wallets = []string{"0022010203040506", "0022010203040507"}
	// maskedWallets are those, as a receipt shows them.
	maskedWallets = []string{"0022********0506", "0022********0507", "0022****0506"}
	accounts      = []string{"VIP-0042", "8801000000000017", "88****17"}
	openids       = []string{"oA1b2C3d4E5f6G7h8", "oZ9y8X7w6V5u4T3s2"}
	logons        = []string{"138****0001", "139****0002"}
	tokens        = []string{"QT1234567890ABCD", "QT0987654321DCBA", "QTencryptedAnewEachTime00000000000000000000000001"}
	pars          = []string{"PAR0000000000000000000000001", "PAR0000000000000000000000002"}
)

func (d dice) journal(n int) []refund.Record {
	var out []refund.Record
	base := time.Date(2026, 3, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600))
	at := base
	for range n {
		at = at.Add(time.Duration(d.IntN(6*3600)) * time.Second)
		if d.chance(3) {
			at = at.Add(time.Duration(d.IntN(200)-20) * 24 * time.Hour)
		}
		r := d.record(at)
		d.tune(&r)
		if len(out) > 0 && d.chance(25) {
			r = d.again(out, at)
		}
		if len(out) > 0 && d.chance(70) {
			d.pointAt(&r, out[d.IntN(len(out))])
		}
		out = append(out, r)
	}
	return out
}

func (d dice) record(at time.Time) refund.Record {
	r := refund.Record{
		Kind: pick(d, refund.KindSale, refund.KindSale, refund.KindSale, refund.KindSale, refund.KindRefund, refund.KindRefund, refund.KindRefund,
			refund.KindVoid, refund.KindReversal, refund.KindPreauth, refund.KindCompletion, refund.KindCompletionVoid, refund.KindAdjust,
			refund.KindVoidRefund, refund.KindSettlement, refund.KindJournal),
		Outcome:    refund.Approved,
		MerchantID: pick(d, "M1", "M1", "M1", "M2"),
		TerminalID: pick(d, "T1", "T1", "T2"),
		Channel: pick(d, refund.ChannelCard, refund.ChannelCard, refund.ChannelWeChat, refund.ChannelAlipay, refund.ChannelUnionPayQR,
			refund.ChannelJD, refund.ChannelECNY, refund.ChannelECNY, refund.ChannelCash, refund.ChannelUnknown),
		Amount: pick(d, int64(1000), 1000, 350, 650, 500), HasAmount: true,
		Currency: pick(d, "CNY", "CNY", "CNY", "", "USD"),
		At:       at.Format(time.RFC3339),
		Batch:    pick(d, "000001", "000001", "000002"),
		Stan:     fmt.Sprintf("%06d", d.IntN(12)),
		Entry:    pick(d, refund.EntryChip, refund.EntryNone, refund.EntryKeyed),
	}
	if d.chance(20) {
		r.Outcome = pick(d, refund.Declined, refund.Unknown, refund.Pending, refund.Closed, refund.Abnormal)
	}
	maybe := func(percent int, to *string, values ...string) {
		if d.chance(percent) {
			*to = pick(d, values...)
		}
	}
	maybe(60, &r.RRN, "R1", "R2", "R3", "R4", "R5", "R6")
	if r.Channel != refund.ChannelCard {
		maybe(70, &r.ChannelTxn, "C1", "C2", "C3", "C4", "C5", "C6")
		maybe(60, &r.OrderNo, "O1", "O2", "O3", "O4", "O5", "O6")
	}
	switch r.Kind {
	case refund.KindRefund, refund.KindVoid, refund.KindCompletionVoid:
		maybe(25, &r.RefundNo, "N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8")
		maybe(25, &r.ChannelRefund, "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8")
		if d.chance(10) {
			r.RefundRoute = pick(d, refund.RouteOriginal, refund.RouteBalance, refund.RouteOtherBalance, refund.RouteOtherBankcard)
		}
	case refund.KindSettlement:
		r.Totals = &refund.Totals{DebitAmount: 1000, DebitCount: 1}
		r.Channel, r.Entry, r.Amount, r.HasAmount = "", "", 0, false
		r.Outcome = pick(d, refund.Approved, refund.Approved, refund.Declined)
	case refund.KindJournal:
		r = refund.Record{Kind: refund.KindJournal, Coverage: &refund.Coverage{From: at.Add(-time.Duration(d.IntN(400*24)) * time.Hour).Format(time.RFC3339)}}
		if d.chance(50) {
			r.Coverage.From = r.Coverage.From[:11] + "00:00:00+08:00"
		}
		if d.chance(60) {
			r.Coverage.Terminals = []string{pick(d, "T1", "T2")}
		}
		return r
	}
	d.leaveOutAmount(&r)
	if d.chance(15) {
		r.HasPayerAmount, r.PayerAmount = true, max(0, r.Amount-int64(d.IntN(3))*50)
	}
	if d.chance(5) {
		r.Ask = pick(d, "a-1", "a-2")
	}
	r.Party = d.party(r.Channel)
	d.spoil(&r)
	return r
}

// leaveOutAmount makes records that state no amount: cancels, lost answers, and now
// and then one that had to.
func (d dice) leaveOutAmount(r *refund.Record) {
	percent := 2
	switch {
	case r.Kind == refund.KindVoid || r.Kind == refund.KindCompletionVoid:
		percent = 40
	case r.Kind == refund.KindRefund && (r.Outcome == refund.Unknown || r.Outcome == refund.Pending):
		percent = 60
	}
	if d.chance(percent) {
		r.Amount, r.HasAmount = 0, false
	}
}

func (d dice) party(c refund.Channel) *refund.Party {
	if d.chance(12) {
		return nil
	}
	one := func() refund.Party {
		p := refund.Party{Scheme: pick(d, refund.SchemePAN, refund.SchemePAN, refund.SchemePAN, refund.SchemeDPAN, refund.SchemePANMasked, refund.SchemePANMasked)}
		switch c {
		case refund.ChannelWeChat:
			p.Scheme = pick(d, refund.SchemeWeChatOpenID, refund.SchemeWeChatOpenID, refund.SchemeAccountText, refund.SchemeMerchantAccount)
		case refund.ChannelAlipay:
			p.Scheme = pick(d, refund.SchemeAlipayUserID, refund.SchemeAlipayOpenID, refund.SchemeAlipayLogon)
		case refund.ChannelUnionPayQR:
			p.Scheme = pick(d, refund.SchemeUnionPayToken, refund.SchemePAN, refund.SchemePANMasked)
		case refund.ChannelECNY:
			p.Scheme = pick(d, refund.SchemeECNYWallet, refund.SchemeECNYWallet, refund.SchemePANMasked)
		case refund.ChannelUnknown, refund.ChannelJD:
			p.Scheme = pick(d, p.Scheme, refund.SchemeAccount, refund.SchemeAccount, refund.SchemeAccountText)
		case refund.ChannelCash:
			p.Scheme = refund.SchemeCash
		}
		id := ""
		switch p.Scheme {
		case refund.SchemePAN, refund.SchemeDPAN:
			id = pick(d, cards...)
			if d.chance(25) {
				p.PAR = refund.NewSecret(pick(d, pars...))
			}
		case refund.SchemePANMasked:
			id = pick(d, masked...)
			if c == refund.ChannelECNY {
				id = pick(d, maskedWallets...)
			}
		case refund.SchemeECNYWallet:
			id = pick(d, wallets...)
		case refund.SchemeAccount:
			id = pick(d, accounts...)
		case refund.SchemeWeChatOpenID, refund.SchemeAlipayOpenID:
			id, p.Namespace = pick(d, openids...), pick(d, "wxA", "wxA", "wxB", "")
		case refund.SchemeAlipayUserID:
			id = pick(d, "2088000000000001", "2088000000000002")
		case refund.SchemeAlipayLogon:
			id = pick(d, logons...)
		case refund.SchemeUnionPayToken:
			id = pick(d, tokens...)
		case refund.SchemeAccountText:
			p.Text = pick(d, "招商银行信用卡0403", "支付用户的零钱")
		case refund.SchemeMerchantAccount:
			p.Text = "商户账户"
		}
		p.ID = refund.NewSecret(id)
		return p
	}
	p := one()
	if d.chance(4) {
		p = refund.Party{Scheme: pick(d, refund.SchemeNone, ""), Text: pick(d, "", "零钱")}
		if d.chance(50) {
			p.PAR = refund.NewSecret(pick(d, pars...))
		}
	}
	if d.chance(15) {
		a := one()
		if a.Scheme != refund.SchemeAccountText && a.Scheme != refund.SchemeMerchantAccount && a.Scheme != refund.SchemeCash {
			a.PAR = refund.Secret{}
			p.Also = []refund.Party{a}
		}
	}
	return &p
}

// tune makes a record one of the journal's theme.
func (d dice) tune(r *refund.Record) {
	switch r.Kind {
	case refund.KindSettlement, refund.KindJournal:
		return
	}
	switch d.theme {
	case themeGuesses:
		r.MerchantID, r.Channel, r.Currency = "M1", refund.ChannelCard, "CNY"
		r.Kind = pick(d, r.Kind, refund.KindSale, refund.KindSale, refund.KindRefund, refund.KindRefund, refund.KindVoid)
		r.OrderNo, r.ChannelTxn, r.RefundNo = "", "", ""
		r.Party = &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(pick(d, cards[:2]...))}
	case themeWallets:
		r.MerchantID, r.Channel = "M1", pick(d, refund.ChannelWeChat, refund.ChannelAlipay)
		r.Kind = pick(d, r.Kind, refund.KindSale, refund.KindSale, refund.KindRefund, refund.KindVoid)
		r.OrderNo = pick(d, "O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8")
		r.ChannelTxn = "C" + r.OrderNo[1:]
		if r.Kind == refund.KindSale && d.chance(30) {
			r.Outcome = pick(d, refund.Pending, refund.Closed, refund.Declined)
		}
	}
	if r.Kind == refund.KindSale && !r.HasAmount {
		r.Amount, r.HasAmount = 1000, true
	}
}

// again is another sighting of something in the journal, or nearly so.
func (d dice) again(journal []refund.Record, at time.Time) refund.Record {
	r := journal[d.IntN(len(journal))]
	if r.Kind == refund.KindJournal || r.Kind == refund.KindSettlement && d.chance(50) {
		return d.record(at)
	}
	r.Copy = pick(d, refund.Copy(""), refund.CopyReprint, refund.CopyUpload)
	if d.chance(50) {
		r.At = at.Format(time.RFC3339)
	}
	if r.Kind != refund.KindSettlement && d.chance(40) {
		r.Outcome = pick(d, refund.Approved, refund.Declined, refund.Unknown, refund.Pending, refund.Closed, refund.Abnormal)
	}
	if d.chance(20) {
		r.Party = d.party(r.Channel)
	}
	if d.chance(15) {
		r.RRN = pick(d, "", "R1", "R2")
	}
	if d.chance(15) {
		r.Batch = ""
	}
	if d.chance(10) {
		r.ChannelRefund = pick(d, "", "F1", "F2")
	}
	if d.chance(10) {
		r.Amount, r.HasAmount = 350, true
	}
	if d.chance(8) {
		r.Amount, r.HasAmount = 0, false
	}
	return r
}

// pointAt makes r name an earlier (or later made) record.
func (d dice) pointAt(r *refund.Record, to refund.Record) {
	switch r.Kind {
	case refund.KindRefund, refund.KindVoid, refund.KindCompletionVoid, refund.KindAdjust, refund.KindVoidRefund:
	case refund.KindReversal:
		r.MerchantID, r.TerminalID, r.Batch, r.Stan = to.MerchantID, to.TerminalID, to.Batch, to.Stan
		return
	default:
		return
	}
	o := &r.Original
	switch {
	case d.theme == themeGuesses && d.chance(80):
		if to.Party != nil && d.chance(90) {
			r.Party = to.Party
		}
		if d.chance(50) {
			o.RRN = to.RRN
		}
		return
	case d.theme == themeWallets && d.chance(60):
		o.OrderNo = to.OrderNo
		return
	}
	d.pointByNumbers(o, &to)
	if d.chance(45) {
		r.MerchantID = to.MerchantID
		if to.Channel != "" && to.Channel != refund.ChannelUnknown && d.chance(80) {
			r.Channel = to.Channel
		}
		if d.chance(60) {
			r.Party = to.Party
		}
	}
}

// pointByNumbers writes numbers and dates of another record, some of them wrong.
func (d dice) pointByNumbers(o *refund.Original, to *refund.Record) {
	if d.chance(30) {
		o.ChannelTxn = pick(d, to.ChannelTxn, to.ChannelRefund)
	}
	if d.chance(30) {
		o.OrderNo = pick(d, to.OrderNo, to.RefundNo)
	}
	if d.chance(45) {
		o.RRN = to.RRN
	}
	if d.chance(45) {
		o.Stan = to.Stan
		if d.chance(50) {
			o.Batch = to.Batch
		}
	}
	if d.chance(15) {
		o.TerminalID = pick(d, "T1", "T2", "T3")
	}
	if t, ok := to.Time(); ok && d.chance(40) {
		t = t.AddDate(0, 0, pick(d, 0, 0, 0, 1, -1, 3))
		o.Date = pick(d, t.Format("0102"), t.Format("2006-01-02"))
	}
	if d.chance(4) {
		o.Date = pick(d, "0231", "1301", "0229", "0000", "0000-00-00", "2026-02-29", "20260301")
	}
	if d.chance(5) {
		o.RRN = "000000000000"
	}
}

// spoil makes a record unusable, or training, now and then.
func (d dice) spoil(r *refund.Record) {
	switch {
	case r.Kind == refund.KindSettlement: // verdicts.md does not define a damaged one
		r.Party, r.HasPayerAmount, r.PayerAmount = nil, false, 0
		if d.chance(10) {
			r.Currency = "cn" // no flaw of a settlement
		}
	case d.chance(1):
		r.Training = true
	case d.chance(1):
		r.Amount, r.HasAmount = pick(d, int64(0), -5, 1_000_000_000_000), true
	case d.chance(1):
		r.Currency = "cn"
	case d.chance(1):
		r.At = pick(d, "", "yesterday")
	case d.chance(1) && r.Party != nil && r.Party.Scheme == refund.SchemePAN:
		p := *r.Party
		p.ID = refund.NewSecret("6200000000000006")
		r.Party = &p
	}
}
