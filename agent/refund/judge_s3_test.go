package refund_test

import "testing"

// verdicts.md § 3 Money.

func TestS3_Base(t *testing.T) {
	over := ` same//strong alarm 1/rrn over_refund:critical`
	same := ` same//strong pass 1/rrn`
	runScripts(t, []script{
		{"an adjust by batch and stan", `
			sale rrn=R1 pan=A
			adjust amount=1200 o.stan=000001 o.batch=000001
			refund amount=1200 o.rrn=R1 pan=A`, `3` + same},
		{"an adjust by rrn", `
			sale rrn=R1 pan=A
			adjust amount=900 o.rrn=R1
			refund amount=1000 o.rrn=R1 pan=A`, `3` + over},
		{"an adjust at another terminal names by rrn only", `
			sale rrn=R1 pan=A
			adjust amount=1200 t=T2 o.stan=000001 o.batch=000001
			refund amount=1200 o.rrn=R1 pan=A`, `3` + over},
		{"an adjust of another merchant", `
			sale rrn=R1 pan=A
			adjust amount=1200 m=M2 o.rrn=R1
			refund amount=1200 o.rrn=R1 pan=A`, `3` + over},
		{"an adjust that is not approved", `
			sale rrn=R1 pan=A
			adjust amount=1200 o.rrn=R1 out=unknown
			refund amount=1200 o.rrn=R1 pan=A`, `3` + over},
		{"an adjust approved later", `
			sale rrn=R1 pan=A
			adjust amount=1200 o.rrn=R1 out=unknown
			refund amount=1200 o.rrn=R1 pan=A
			adjust amount=1200 o.rrn=R1 stan=000002`, `3` + same},
		{"an adjust after the refund", `
			sale rrn=R1 pan=A
			refund amount=1200 o.rrn=R1 pan=A
			adjust amount=1200 o.rrn=R1`, `2` + same},
		{"the last adjust", `
			sale rrn=R1 pan=A
			adjust amount=2000 o.rrn=R1
			adjust amount=1100 o.rrn=R1
			refund amount=1200 o.rrn=R1 pan=A`, `4` + over},
		{"the latest sale before the adjust", `
			sale rrn=R1 pan=A at=08-20T12:00
			sale rrn=R1 pan=B at=08-01T12:00 t=T2
			adjust amount=1200 o.rrn=R1
			refund amount=1200 o.rrn=R1 o.date=0801 pan=B`, `4 same//strong alarm 2/rrn over_refund:critical`},
		{"a sale after the adjust is not adjusted", `
			adjust amount=1200 o.rrn=R1
			sale rrn=R1 pan=A
			refund amount=1200 o.rrn=R1 pan=A`, `3 same//strong alarm 2/rrn over_refund:critical`},
		{"a completion is the base, not its preauth", `
			completion rrn=R1 pan=A amount=800
			refund amount=900 o.rrn=R1 pan=A`, `2` + over},
		{"payer_amount, if all state it", `
			sale rrn=R1 pan=A payer=800
			refund amount=500 payer=400 o.rrn=R1 pan=A
			refund amount=600 payer=400 o.rrn=R1 pan=A`, "2" + same + "\n3" + same},
		{"amount, if the original does not", `
			sale rrn=R1 pan=A
			refund amount=500 payer=400 o.rrn=R1 pan=A
			refund amount=600 payer=400 o.rrn=R1 pan=A`, "2" + same + "\n3" + over},
		{"amount, if a counted refund does not", `
			sale rrn=R1 pan=A payer=800
			refund amount=500 o.rrn=R1 pan=A
			refund amount=600 payer=400 o.rrn=R1 pan=A`, "2" + same + "\n3" + over},
		{"a refund that does not count need not state it", `
			sale rrn=R1 pan=A payer=800
			refund amount=500 o.rrn=R1 pan=A out=abnormal
			refund amount=1000 payer=800 o.rrn=R1 pan=A`, "2 same//strong review 1/rrn refund_failed:medium\n3" + same},
		{"payer_amount 0 is a value", `
			sale rrn=R1 pan=A payer=0
			refund amount=1000 payer=1 o.rrn=R1 pan=A`, "2" + over},
	})
}

func TestS3_Counted(t *testing.T) {
	runScripts(t, []script{
		{"to the fen", `
			sale rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A
			refund amount=400 o.rrn=R1 pan=A
			refund amount=1 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			3 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"before this one is by seq, not by time", `
			sale rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A at=08-24T12:00
			refund amount=500 o.rrn=R1 pan=A at=08-23T12:00`, `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn over_refund:critical`},
		{"of that original only", `
			sale rrn=R1 pan=A
			sale rrn=R2 pan=A
			refund o.rrn=R1 pan=A
			refund o.rrn=R2 pan=A`, `
			3 same//strong pass 1/rrn
			4 same//strong pass 2/rrn`},
		{"found by other keys all the same", `
			sale rrn=R1 order=O1 txn=X pan=A
			refund amount=600 o.order=O1 pan=A
			refund amount=500 o.stan=000001 pan=A`, `
			2 same//strong pass 1/order_no
			3 same//strong alarm 1/stan over_refund:critical`},
		{"in another currency not, in none yes", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A cur=HKD
			refund amount=600 o.rrn=R1 pan=A cur=
			refund amount=500 o.rrn=R1 pan=A`, `
			2 same//strong alarm 1/rrn currency_mismatch:high
			3 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"the original states none: this refund's", `
			sale rrn=R1 pan=A cur=
			refund amount=600 o.rrn=R1 pan=A cur=HKD
			refund amount=600 o.rrn=R1 pan=A cur=CNY
			refund amount=500 o.rrn=R1 pan=A cur=HKD`, `
			2 same//strong pass 1/rrn
			3 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"one that found its original later counts", `
			refund amount=600 o.rrn=R1 pan=A
			refund amount=500 o.rrn=R1 pan=A
			sale rrn=R1 pan=A`, `
			1 same//strong pass 3/rrn
			2 same//strong alarm 3/rrn over_refund:critical`},
		{"closed a day later: room again", `
			sale rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A out=pending
			refund amount=500 o.rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A out=closed stan=000002`, `
			2 none/cancelled/ pass -
			3 same//strong pass 1/rrn`},
		{"duplicate: the same amount earlier", `
			sale rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A
			refund amount=600 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn duplicate_refund:high`},
		{"not a duplicate as long as there is room", `
			sale rrn=R1 pan=A
			refund amount=500 o.rrn=R1 pan=A
			refund amount=500 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			3 same//strong pass 1/rrn`},
		{"over by payer_amount, duplicate by amount", `
			sale rrn=R1 pan=A payer=800
			refund amount=600 payer=500 o.rrn=R1 pan=A
			refund amount=600 payer=400 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn duplicate_refund:high`},
	})
}

func TestS3_Corrected(t *testing.T) {
	wrong := "2 different//strong alarm 1/rrn recipient_mismatch:critical\n"
	runScripts(t, []script{
		{"the corrected refund leaves the wrong one out", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B
			refund o.rrn=R1 pan=A`, wrong + `3 same//strong review 1/rrn loss_open:medium reissue_observed:info`},
		{"not one without an answer", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B out=unknown
			refund o.rrn=R1 pan=A`, `
			2 different//strong alarm 1/rrn recipient_mismatch:critical outcome_unknown:low
			3 same//strong alarm 1/rrn duplicate_refund:high reissue_observed:info`},
		{"not for another wrong one", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B
			refund o.rrn=R1 pan=C`, wrong + `3 different//strong alarm 1/rrn recipient_mismatch:critical reissue_wrong_again:critical duplicate_refund:high`},
		{"not for one that cannot be told", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B
			refund o.rrn=R1`, wrong + `3 unverifiable/recipient_missing/ alarm 1/rrn duplicate_refund:high recipient_unverifiable:medium`},
		{"money that went to the merchant is not lost", `
			sale ch=wechat txn=X id=wechat_openid:a:o1
			refund ch=wechat o.txn=X id=merchant_account
			refund ch=wechat o.txn=X id=wechat_openid:a:o1`, `
			2 different// alarm 1/channel_txn payer_not_repaid:high
			3 same//strong pass 1/channel_txn reissue_observed:info`},
		{"one of two left out is lost", `
			sale ch=wechat txn=X id=wechat_openid:a:o1 amount=3000
			refund ch=wechat o.txn=X id=merchant_account
			refund ch=wechat o.txn=X id=wechat_openid:a:o2
			refund ch=wechat o.txn=X id=wechat_openid:a:o1`, `
			2 different// alarm 1/channel_txn payer_not_repaid:high
			3 different//strong alarm 1/channel_txn recipient_mismatch:critical reissue_wrong_again:critical
			4 same//strong review 1/channel_txn loss_open:medium reissue_observed:info`},
		{"the wrong one is undone: nothing to correct", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B
			refund o.rrn=R1 pan=A
			reversal stan=000002`, `
			2 none/cancelled/ pass -
			3 same//strong pass 1/rrn`},
		{"the right one first", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			refund o.rrn=R1 pan=B`, `
			2 same//strong pass 1/rrn
			3 different//strong alarm 1/rrn recipient_mismatch:critical duplicate_refund:high`},
		{"earlier in another currency: reissue all the same", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B cur=HKD
			refund o.rrn=R1 pan=A`, `
			2 different//strong alarm 1/rrn recipient_mismatch:critical currency_mismatch:high
			3 same//strong pass 1/rrn reissue_observed:info`},
		{"a payer learned later clears both", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B par=P1
			refund o.rrn=R1 pan=A
			sale rrn=R1 stan=000001 pan=A par=P1`, `
			2 equivalent//strong pass 1/rrn
			3 same//strong alarm 1/rrn duplicate_refund:high`},
	})
}

func TestS3_OriginalGone(t *testing.T) {
	runScripts(t, []script{
		{"undone: the sum is not checked", `
			sale rrn=R1 pan=A
			refund amount=1 o.rrn=R1 pan=A
			reversal stan=000001`, `2 same//strong alarm 1/rrn over_refund:critical`},
		{"voided before", `
			sale rrn=R1 pan=A
			void o.rrn=R1 pan=A
			refund amount=1 o.rrn=R1 pan=A`, "2 same//strong pass 1/rrn\n3 same//strong alarm 1/rrn over_refund:critical"},
		{"voided after", `
			sale rrn=R1 pan=A
			refund amount=1 o.rrn=R1 pan=A
			void o.rrn=R1 pan=A`, "2 same//strong pass 1/rrn\n3 same//strong alarm 1/rrn over_refund:critical"},
		{"voided: over_refund even if it repeats", `
			sale rrn=R1 pan=A amount=3000
			refund amount=1 o.rrn=R1 pan=A
			void o.rrn=R1 pan=A amount=3000
			refund amount=1 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn over_refund:critical
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"a void approved later", `
			sale rrn=R1 pan=A
			void o.rrn=R1 pan=A out=unknown
			refund amount=1 o.rrn=R1 pan=A
			void o.rrn=R1 pan=A stan=000002`, "2 same//strong pass 1/rrn\n3 same//strong alarm 1/rrn over_refund:critical"},
		{"declined: no over_refund", `
			sale rrn=R1 pan=A out=declined
			refund amount=2000 o.rrn=R1 pan=A`, `2 same//strong alarm 1/rrn original_not_refundable:high`},
		{"closed and undone: no over_refund", `
			sale rrn=R1 pan=A out=closed
			reversal stan=000001
			refund o.rrn=R1 pan=A`, `3 same//strong alarm 1/rrn original_not_refundable:high`},
		{"unknown: the sum is checked", `
			sale rrn=R1 pan=A out=unknown
			refund amount=2000 o.rrn=R1 pan=A`, `2 same//strong alarm 1/rrn over_refund:critical original_not_refundable:medium`},
		{"pending, abnormal", `
			sale rrn=R1 pan=A out=pending
			sale rrn=R2 pan=A out=abnormal
			refund o.rrn=R1 pan=A
			refund o.rrn=R2 pan=A`, `
			3 same//strong review 1/rrn original_not_refundable:medium
			4 same//strong review 2/rrn original_not_refundable:medium`},
		{"the answer of the sale turns up", `
			sale rrn=R1 pan=A out=unknown
			refund o.rrn=R1 pan=A
			sale rrn=R1 pan=A stan=000001`, `2 same//strong pass 1/rrn`},
		{"currency differs: no sum", `
			sale rrn=R1 pan=A
			void o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A cur=HKD amount=9999`, "2 same//strong pass 1/rrn\n3 same//strong alarm 1/rrn currency_mismatch:high"},
		{"currency missing on a side", `
			sale rrn=R1 pan=A cur=
			refund o.rrn=R1 pan=A amount=1001`, "2 same//strong alarm 1/rrn over_refund:critical"},
	})
}

func TestS3_WindowAndClock(t *testing.T) {
	late := ` same//strong review 1/rrn out_of_window:medium`
	same := ` same//strong pass 1/rrn`
	at := func(ch, sold, made string) string {
		return "sale rrn=R1 pan=A ch=" + ch + " at=" + sold + "\nrefund o.rrn=R1 pan=A ch=" + ch + " at=" + made
	}
	runScripts(t, []script{
		{"card day 180", at("card", "2026-01-01T00:00:01+08:00", "2026-06-30T23:59:59+08:00"), `2` + same},
		{"card day 181", at("card", "2026-01-01T23:59:59+08:00", "2026-07-01T00:00:00+08:00"), `2` + late},
		{"unionpay_qr day 360", at("unionpay_qr", "2026-01-01T12:00:00+08:00", "2026-12-27T12:00:00+08:00"), `2` + same},
		{"unionpay_qr day 361", at("unionpay_qr", "2026-01-01T12:00:00+08:00", "2026-12-28T12:00:00+08:00"), `2` + late},
		{"jd day 366", at("jd", "2025-01-01T12:00:00+08:00", "2026-01-02T12:00:00+08:00"), `2` + late},
		{"unknown day 365", at("unknown", "2025-01-01T12:00:00+08:00", "2026-01-01T12:00:00+08:00"), `2` + same},
		{"the original's channel unknown: the refund's", `
			sale rrn=R1 pan=A ch=unknown at=2026-01-01T12:00:00+08:00
			refund o.rrn=R1 pan=A ch=card at=2026-07-01T12:00:00+08:00`, `2` + late},
		{"the original's channel, not the refund's", `
			sale rrn=R1 pan=A par=P1 ch=wechat at=2026-01-01T12:00:00+08:00
			refund o.rrn=R1 pan=A ch=card at=2026-07-01T12:00:00+08:00`, `2` + same},
		{"local days as written", at("card", "2026-01-01T00:30:00+08:00", "2026-06-30T20:00:00Z"), `2` + same},
		{"five minutes before its sale", at("card", "2026-08-22T12:05:00+08:00", "2026-08-22T12:00:00+08:00"), `2` + same},
		{"more than that", at("card", "2026-08-22T12:05:01+08:00", "2026-08-22T12:00:00+08:00"), `2 same//strong pass 1/rrn clock_suspect:low`},
		{"a year before its sale", at("card", "2026-08-22T12:05:01+08:00", "2025-08-22T12:00:00+08:00"), `2 same//strong pass 1/rrn clock_suspect:low`},
		{"instants, not local times", at("card", "2026-08-22T12:00:00+08:00", "2026-08-22T05:00:00+01:00"), `2` + same},
	})
}
