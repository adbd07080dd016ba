package refund

import "pgregory.net/rapid"

var (
	allKinds = []Kind{KindSale, KindRefund, KindVoid, KindReversal, KindPreauth, KindPreauthVoid, KindCompletion,
		KindCompletionVoid, KindAdjust, KindVoidRefund, KindSettlement, KindJournal}
	allOutcomes = []Outcome{Approved, Declined, Unknown, Pending, Closed, Abnormal}
	allSchemes  = []Scheme{SchemePAN, SchemeDPAN, SchemePANMasked, SchemeWeChatOpenID, SchemeAlipayUserID,
		SchemeAlipayOpenID, SchemeAlipayLogon, SchemeUnionPayToken, SchemeECNYWallet, SchemeAccount, SchemeAccountText, SchemeMerchantAccount,
		SchemeCash, SchemeNone}
	// drawText is any text, mostly empty or short.
	drawText  = rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[0-9]{1,12}`), rapid.String())
	drawCount = rapid.OneOf(rapid.Int64Range(-1, 1_000_000), rapid.Int64())
)

func drawID(s Scheme) *rapid.Generator[string] {
	switch s {
	case SchemePAN, SchemeDPAN:
		return rapid.OneOf(rapid.SampledFrom([]string{"", "6200000000000005", "6205500000000000004", "6200000111122227"}),
			rapid.StringMatching(`62[0-9]{10,17}`), rapid.StringMatching(`[0-9]{1,11}`))
	case SchemePANMasked:
		return rapid.StringMatching(`(|[0-9]{1,10})\*{1,9}([0-9]{2}\*\*)?[0-9]{0,6}`)
	case SchemeNone, SchemeCash:
		return rapid.Just("")
	}
	return rapid.OneOf(rapid.Just(""), rapid.StringMatching(`o[0-9A-Za-z_-]{27}`), rapid.String())
}

func drawIdentifier(t *rapid.T) Party {
	s := rapid.SampledFrom(allSchemes).Draw(t, "scheme")
	p := Party{Scheme: s, ID: NewSecret(drawID(s).Draw(t, "id"))}
	if s == SchemeWeChatOpenID || s == SchemeAlipayOpenID {
		p.Namespace = rapid.SampledFrom([]string{"", "wx1", "wx2"}).Draw(t, "namespace")
	}
	return p
}

func drawParty(t *rapid.T) *Party {
	p := drawIdentifier(t)
	p.PAR = NewSecret(rapid.SampledFrom([]string{"", "", "5001AAAAAAAAAAAAAAAAAAAAAAAA1", "5001BBBBBBBBBBBBBBBBBBBBBBBB2"}).Draw(t, "par"))
	p.Text = rapid.OneOf(rapid.SampledFrom([]string{"", "商户基本账户", "招商银行信用卡0403"}), rapid.String()).Draw(t, "text")
	for range rapid.IntRange(0, 2).Draw(t, "also") {
		p.Also = append(p.Also, drawIdentifier(t))
	}
	return &p
}

// drawClear returns a record as a decoder makes it, identifiers in clear.
func drawClear(t *rapid.T) Record {
	text := func(name string) string { return drawText.Draw(t, name) }
	r := Record{
		Kind:    rapid.SampledFrom(allKinds).Draw(t, "kind"),
		Outcome: rapid.SampledFrom(allOutcomes).Draw(t, "outcome"), ResponseCode: text("response_code"),
		Copy:       rapid.SampledFrom([]Copy{"", CopyReprint, CopyUpload, CopyDump}).Draw(t, "copy"),
		Training:   rapid.Bool().Draw(t, "training"),
		MerchantID: text("merchant_id"), TerminalID: text("terminal_id"), Operator: text("operator"),
		Channel: rapid.SampledFrom([]Channel{"", ChannelCard, ChannelWeChat, ChannelAlipay, ChannelUnionPayQR, ChannelJD,
			ChannelECNY, ChannelCash, ChannelUnknown}).Draw(t, "channel"),
		Funding: text("funding"),
		Entry: rapid.SampledFrom([]Entry{"", EntryChip, EntrySwipe, EntryContactless, EntryFallback, EntryKeyed,
			EntryQRShown, EntryQRScanned, EntryNone}).Draw(t, "entry"),
		HasAmount: rapid.Bool().Draw(t, "has_amount"), HasPayerAmount: rapid.Bool().Draw(t, "has_payer_amount"),
		Currency: rapid.SampledFrom([]string{"", "CNY", "US", "usd", "中文字"}).Draw(t, "currency"), At: text("at"),
		Stan: text("stan"), Batch: text("batch"), RRN: text("rrn"), AuthCode: text("auth_code"), OrderNo: text("order_no"),
		ChannelTxn: text("channel_txn"), RefundNo: text("refund_no"), ChannelRefund: text("channel_refund"),
		RefundRoute: rapid.SampledFrom([]Route{"", RouteOriginal, RouteBalance, RouteOtherBalance, RouteOtherBankcard}).Draw(t, "route"),
		Ask:         text("ask"),
		Signature:   text("signature"),
	}
	if r.HasAmount {
		r.Amount = drawCount.Draw(t, "amount")
	}
	if r.HasPayerAmount {
		r.PayerAmount = drawCount.Draw(t, "payer_amount")
	}
	if rapid.Bool().Draw(t, "original") {
		r.Original = Original{text("o_stan"), text("o_batch"), text("o_date"), text("o_rrn"), text("o_auth_code"),
			text("o_order_no"), text("o_channel_txn"), text("o_terminal_id")}
	}
	if rapid.Bool().Draw(t, "party") {
		r.Party = drawParty(t)
	}
	if rapid.Bool().Draw(t, "totals") {
		r.Totals = &Totals{drawCount.Draw(t, "t1"), drawCount.Draw(t, "t2"), drawCount.Draw(t, "t3"), drawCount.Draw(t, "t4")}
	}
	if rapid.Bool().Draw(t, "coverage") {
		r.Coverage = &Coverage{From: text("from"), Terminals: rapid.SliceOfN(drawText, 0, 3).Draw(t, "terminals")}
		if len(r.Coverage.Terminals) == 0 {
			r.Coverage.Terminals = nil
		}
	}
	return r
}
