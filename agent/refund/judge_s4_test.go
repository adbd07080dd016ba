package refund_test

import "testing"

// verdicts.md § 4 The recipient.

func TestS4_Table(t *testing.T) {
	runScripts(t, []script{
		{"merchant account by scheme, before everything", `
			sale rrn=R1 pan=A ch=cash
			refund o.rrn=R1 id=merchant_account ch=cash route=OTHER_BALANCE`, `2 different// alarm 1/rrn payer_not_repaid:high`},
		{"merchant account by text", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A text=退回商户结算账户`, `2 different// alarm 1/rrn payer_not_repaid:high`},
		{"both channels cash", `
			sale rrn=R1 ch=cash
			refund o.rrn=R1 ch=cash route=BALANCE pan=A`, `2 unverifiable/cash/ pass 1/rrn recipient_unverifiable:info`},
		{"channel changed, identifiers on both sides", `
			sale rrn=R1 ch=wechat id=wechat_openid:a:o1
			refund o.rrn=R1 pan=A`, `2 different// alarm 1/rrn recipient_mismatch:critical channel_changed:high`},
		{"channel changed, one side without", `
			sale rrn=R1 ch=wechat
			refund o.rrn=R1 pan=A`, `2 different// alarm 1/rrn channel_changed:high`},
		{"channel changed, to cash", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 ch=cash id=cash`, `2 different// alarm 1/rrn channel_changed:high`},
		{"channel changed, weakly the same", `
			sale rrn=R1 ch=unionpay_qr pan=A
			refund o.rrn=R1 masked=620000******0005`, `2 different// alarm 1/rrn recipient_mismatch:critical channel_changed:high`},
		{"channel changed, strongly the same", `
			sale rrn=R1 ch=unionpay_qr pan=A
			refund o.rrn=R1 pan=A`, `2 same//strong pass 1/rrn`},
		{"channel changed before the route", `
			sale rrn=R1 ch=wechat
			refund o.rrn=R1 ch=alipay route=OTHER_BALANCE`, `2 different// alarm 1/rrn channel_changed:high`},
		{"channel unknown is not changed", `
			sale rrn=R1 ch=wechat id=wechat_openid:a:o1
			refund o.rrn=R1 ch=unknown id=wechat_openid:a:o1`, `2 same//strong pass 1/rrn`},
		{"OTHER_BALANCE before identifiers", `
			sale txn=X ch=wechat id=wechat_openid:a:o1
			refund o.txn=X ch=wechat id=wechat_openid:a:o1 route=OTHER_BALANCE`, `2 doubtful// review 1/channel_txn platform_rerouted:medium`},
		{"identifiers before BALANCE", `
			sale txn=X ch=wechat id=wechat_openid:a:o1
			refund o.txn=X ch=wechat id=wechat_openid:a:o2 route=BALANCE`, `2 different//strong alarm 1/channel_txn recipient_mismatch:critical`},
		{"BALANCE by any key", `
			sale rrn=R1 ch=wechat
			refund o.rrn=R1 ch=wechat route=BALANCE`, `2 same//by_reference pass 1/rrn platform_rerouted:info`},
		{"wallet by order_no", `
			sale order=O1 ch=jd
			refund o.order=O1 ch=jd id=account_text::尾号1 text=尾号1`, `2 same//by_reference pass 1/order_no`},
		{"wallet by rrn is no reference", `
			sale rrn=R1 ch=wechat id=wechat_openid:a:o1
			refund o.rrn=R1 ch=wechat`, `2 unverifiable/recipient_missing/ review 1/rrn recipient_unverifiable:medium`},
		{"unionpay_qr by stan", `
			sale ch=unionpay_qr id=unionpay_token::t1
			refund o.stan=000001 ch=unionpay_qr`, `2 same//by_reference pass 1/stan`},
		{"the original's channel, if the refund's is unknown", `
			sale rrn=R1 ch=unionpay_qr
			refund o.rrn=R1 ch=unknown`, `2 same//by_reference pass 1/rrn`},
		{"card by order_no is no reference", `
			sale order=O1 pan=A
			refund o.order=O1`, `2 unverifiable/recipient_missing/ review 1/order_no recipient_unverifiable:medium`},
		{"recipient missing: account_text", `
			sale rrn=R1
			refund o.rrn=R1 id=account_text::招商银行0403 text=招商银行0403`, `2 unverifiable/recipient_missing/ review 1/rrn recipient_unverifiable:medium`},
		{"recipient missing: cash and empty", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 id=cash amount=1
			refund o.rrn=R1 id=pan amount=2`, `
			2 unverifiable/recipient_missing/ review 1/rrn recipient_unverifiable:medium
			3 unverifiable/recipient_missing/ review 1/rrn recipient_unverifiable:medium`},
		{"payer missing", `
			sale rrn=R1 id=none
			refund o.rrn=R1 pan=A`, `2 unverifiable/payer_missing/ review 1/rrn recipient_unverifiable:medium`},
		{"token before mask before namespace", `
			sale rrn=R1 dpan=A also=alipay_logon::x also=pan_masked::****0005
			refund o.rrn=R1 pan=B also=wechat_openid:a:o1 also=pan_masked::****0005`,
			`2 different//weak alarm 1/rrn recipient_mismatch:high`},
		{"token", `
			sale rrn=R1 dpan=A
			refund o.rrn=R1 masked=****0005`, `2 unverifiable/token/ review 1/rrn recipient_unverifiable:medium`},
		{"mask", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 masked=****0005`, `2 unverifiable/mask/ review 1/rrn recipient_unverifiable:medium`},
		{"namespace", `
			sale rrn=R1 ch=alipay id=alipay_user_id::u1
			refund o.rrn=R1 ch=alipay id=alipay_logon::u1`, `2 unverifiable/namespace/ review 1/rrn recipient_unverifiable:medium`},
	})
}

func TestS4_Pairs(t *testing.T) {
	pair := func(payer, recipient string) string {
		return "sale rrn=R1 " + payer + "\nrefund o.rrn=R1 " + recipient
	}
	same, equivalent := `2 same//strong pass 1/rrn`, `2 equivalent//strong pass 1/rrn`
	differs := `2 different//strong alarm 1/rrn recipient_mismatch:critical`
	weak, weakly := `2 same//weak pass 1/rrn recipient_weak_match:low`, `2 different//weak alarm 1/rrn recipient_mismatch:high`
	no := func(reason string) string {
		return `2 unverifiable/` + reason + `/ review 1/rrn recipient_unverifiable:medium`
	}
	runScripts(t, []script{
		{"pan pan equal", pair("pan=A", "pan=A"), same},
		{"pan pan different", pair("pan=A", "pan=B"), differs},
		{"PAR equal, pans differ", pair("pan=A par=P", "pan=B par=P"), equivalent},
		{"PAR equal, pans equal", pair("pan=A par=P", "pan=A par=P"), same},
		{"PAR equal without identifiers", pair("par=P", "par=P"), equivalent},
		{"PARs differ, pans equal", pair("pan=A par=P", "pan=A par=Q"), same},
		{"dpan pan equal digits", pair("dpan=A", "pan=A"), same},
		{"dpan pan different", pair("dpan=A", "pan=B"), no("token")},
		{"dpan pan different, PARs differ", pair("dpan=A par=P", "pan=B par=Q"), differs},
		{"dpan dpan different", pair("dpan=A", "dpan=B"), no("token")},
		{"masked pan agree", pair("pan=A", "masked=620000******0005"), weak},
		{"masked pan agree, PARs differ", pair("pan=A par=P", "masked=620000******0005 par=Q"), differs},
		{"masked pan agree, PARs equal", pair("pan=A par=P", "masked=620000******0005 par=P"), equivalent},
		{"masked pan digit differs", pair("pan=A", "masked=620001******0005"), weakly},
		{"masked pan lengths differ", pair("pan=A", "masked=620000*****0005"), weakly},
		{"masked masked lengths unknown", pair("masked=620000****0005", "masked=620000*****0005"), weak},
		{"masked dpan", pair("dpan=A", "masked=620000******0005"), no("token")},
		{"masked dpan, PARs differ", pair("dpan=A par=P", "masked=620000******0005 par=Q"), differs},
		{"openid equal", pair("ch=wechat id=wechat_openid:a:o1", "ch=wechat id=wechat_openid:a:o1"), same},
		{"openid equal, namespace empty on a side", pair("ch=wechat id=wechat_openid:a:o1", "ch=wechat id=wechat_openid::o1"), same},
		{"openid equal, other namespace", pair("ch=wechat id=wechat_openid:a:o1", "ch=wechat id=wechat_openid:b:o1"), no("namespace")},
		{"openid different, same namespace", pair("ch=wechat id=wechat_openid:a:o1", "ch=wechat id=wechat_openid:a:O1"), differs},
		{"openid different, namespace empty on a side", pair("ch=wechat id=wechat_openid:a:o1", "ch=wechat id=wechat_openid::o2"), no("namespace")},
		{"openid different, both namespaces empty", pair("ch=wechat id=wechat_openid::o1", "ch=wechat id=wechat_openid::o2"), no("namespace")},
		{"alipay open id", pair("ch=alipay id=alipay_open_id:a:x", "ch=alipay id=alipay_open_id:a:y"), differs},
		{"alipay user id", pair("ch=alipay id=alipay_user_id::x", "ch=alipay id=alipay_user_id::y"), differs},
		{"unionpay token equal", pair("ch=unionpay_qr id=unionpay_token::x", "ch=unionpay_qr id=unionpay_token::x"), same},
		{"unionpay token different", pair("ch=unionpay_qr id=unionpay_token::x", "ch=unionpay_qr id=unionpay_token::y"),
			`2 doubtful// review 1/rrn recipient_suspect:medium`},
		{"alipay logon equal", pair("ch=alipay id=alipay_logon::x", "ch=alipay id=alipay_logon::x"), weak},
		{"alipay logon different", pair("ch=alipay id=alipay_logon::x", "ch=alipay id=alipay_logon::y"),
			`2 doubtful//weak review 1/rrn recipient_suspect:medium`},
		{"two merchant accounts as payers", pair("id=merchant_account::m1", "pan=A"), no("namespace")},
		{"a strong equal wins over a strong difference", pair("pan=A also=pan::6205500000000000004", "pan=B"), same},
		{"a strong difference wins over a weak equal", pair("pan=A also=pan_masked::620550*********0004", "pan=B"), differs},
		{"a weak difference wins over doubtful", pair("ch=alipay id=alipay_logon::x also=pan::6200000000000005", "ch=alipay id=alipay_logon::y also=pan_masked::****0006"), weakly},
		{"doubtful wins over a weak equal", pair("ch=alipay id=alipay_logon::x also=pan::6200000000000005", "ch=alipay id=alipay_logon::y also=pan_masked::620000******0005"),
			`2 doubtful//weak review 1/rrn recipient_suspect:medium`},
	})
}

func TestS4_KeyedAndReissue(t *testing.T) {
	runScripts(t, []script{
		{"keyed, different", "sale rrn=R1 pan=A\nrefund o.rrn=R1 pan=B entry=keyed", `2 different//strong alarm 1/rrn recipient_mismatch:critical keyed_refund:high`},
		{"keyed, doubtful", "sale rrn=R1 ch=wechat\nrefund o.rrn=R1 ch=wechat route=OTHER_BALANCE entry=keyed", `2 doubtful// alarm 1/rrn keyed_refund:high platform_rerouted:medium`},
		{"keyed, unverifiable", "sale rrn=R1 pan=A\nrefund o.rrn=R1 entry=keyed", `2 unverifiable/recipient_missing/ alarm 1/rrn keyed_refund:high recipient_unverifiable:medium`},
		{"keyed, weakly the same", "sale rrn=R1 pan=A\nrefund o.rrn=R1 masked=620000******0005 entry=keyed", `2 same//weak review 1/rrn keyed_refund:medium recipient_weak_match:low`},
		{"keyed, the same", "sale rrn=R1 pan=A\nrefund o.rrn=R1 pan=A entry=keyed", `2 same//strong pass 1/rrn`},
		{"keyed, by reference", "sale order=O1 ch=jd\nrefund o.order=O1 ch=jd entry=keyed", `2 same//by_reference pass 1/order_no`},
		{"keyed void", "sale rrn=R1 pan=A\nvoid o.rrn=R1 pan=B entry=keyed", `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"cash keyed", "sale rrn=R1 ch=cash\nrefund o.rrn=R1 ch=cash entry=keyed", `2 unverifiable/cash/ alarm 1/rrn keyed_refund:high recipient_unverifiable:info`},
		{"wrong again after one without an answer", `
			sale rrn=R1 pan=A amount=5000
			refund o.rrn=R1 pan=B out=pending
			refund o.rrn=R1 pan=C`, `
			2 different//strong alarm 1/rrn recipient_mismatch:critical outcome_unknown:low
			3 different//strong alarm 1/rrn recipient_mismatch:critical reissue_wrong_again:critical`},
		{"not after one that failed", `
			sale rrn=R1 pan=A amount=5000
			refund o.rrn=R1 pan=B out=abnormal
			refund o.rrn=R1 pan=C`, `
			2 different//strong alarm 1/rrn recipient_mismatch:critical refund_failed:medium
			3 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"not after a wrong void", `
			sale rrn=R1 pan=A amount=5000
			void o.rrn=R1 pan=B out=unknown amount=5000
			refund o.rrn=R1 pan=C`, `
			2 different//strong alarm 1/rrn recipient_mismatch:critical outcome_unknown:low
			3 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"nothing of it for a doubtful one", `
			sale order=O1 ch=wechat id=wechat_openid:a:x amount=5000
			refund o.order=O1 ch=wechat id=wechat_openid:a:y
			refund o.order=O1 ch=wechat route=OTHER_BALANCE`, `
			2 different//strong alarm 1/order_no recipient_mismatch:critical
			3 doubtful// review 1/order_no platform_rerouted:medium`},
	})
}

func TestS4_Voids(t *testing.T) {
	runScripts(t, []script{
		{"as compared", "sale rrn=R1 pan=A\nvoid o.rrn=R1 pan=B", `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"nothing comparable", "sale rrn=R1 pan=A\nvoid o.rrn=R1", `2 same//by_reference pass 1/rrn`},
		{"too few digits", "sale rrn=R1 pan=A\nvoid o.rrn=R1 masked=****0005", `2 same//by_reference pass 1/rrn`},
		{"weakly the same", "sale rrn=R1 pan=A\nvoid o.rrn=R1 masked=620000******0005", `2 same//weak pass 1/rrn recipient_weak_match:low`},
		{"another channel is not looked at", "sale rrn=R1 ch=wechat\nvoid o.rrn=R1 ch=card route=OTHER_BALANCE text=商户", `2 same//by_reference pass 1/rrn`},
		{"out of window is not", "sale rrn=R1 pan=A at=2025-01-01T12:00:00+08:00\nvoid o.rrn=R1 pan=A", `2 same//strong pass 1/rrn`},
		{"another amount", "sale rrn=R1 pan=A\nvoid o.rrn=R1 pan=A amount=1001", `2 same//strong review 1/rrn void_anomaly:medium`},
		{"the adjusted amount", "sale rrn=R1 pan=A\nadjust amount=1200 o.rrn=R1\nvoid o.rrn=R1 pan=A amount=1200", `3 same//strong pass 1/rrn`},
		{"another batch", "sale rrn=R1 pan=A batch=000001\nvoid o.rrn=R1 pan=A batch=000002", `2 same//strong review 1/rrn void_anomaly:medium`},
		{"a batch of zeros is not given", "sale rrn=R1 pan=A batch=000001\nvoid o.rrn=R1 pan=A batch=000000", `2 same//strong pass 1/rrn`},
		{"no batch", "sale rrn=R1 pan=A batch=000001\nvoid o.rrn=R1 pan=A batch=", `2 same//strong pass 1/rrn`},
		{"voided twice", "sale rrn=R1 pan=A\nvoid o.rrn=R1 pan=A\nvoid o.rrn=R1 pan=A rno=N2 stan=000009", `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn over_refund:critical`},
		{"after a void without an answer", "sale rrn=R1 pan=A\nvoid o.rrn=R1 pan=A out=unknown\nvoid o.rrn=R1 pan=A", `
			2 same//strong pass 1/rrn outcome_unknown:low
			3 same//strong pass 1/rrn`},
		{"of an undone sale", "sale rrn=R1 pan=A\nreversal stan=000001\nvoid o.rrn=R1 pan=A", `3 same//strong alarm 1/rrn over_refund:critical`},
		{"after a pending refund", "sale rrn=R1 pan=A\nrefund amount=1 o.rrn=R1 pan=A out=pending\nvoid o.rrn=R1 pan=A", `
			2 same//strong pass 1/rrn outcome_unknown:low
			3 same//strong alarm 1/rrn over_refund:critical`},
		{"after a refund that failed", "sale rrn=R1 pan=A\nrefund amount=1 o.rrn=R1 pan=A out=abnormal\nvoid o.rrn=R1 pan=A", `
			2 same//strong review 1/rrn refund_failed:medium
			3 same//strong pass 1/rrn`},
		{"of a declined sale: no over_refund", "sale rrn=R1 pan=A out=declined\nreversal stan=000001\nvoid o.rrn=R1 pan=A", `3 same//strong alarm 1/rrn original_not_refundable:high`},
		{"in another currency: no over_refund", "sale rrn=R1 pan=A\nreversal stan=000001\nvoid o.rrn=R1 pan=A cur=HKD", `3 same//strong alarm 1/rrn currency_mismatch:high`},
		{"before its sale by the clock", "sale rrn=R1 pan=A at=08-22T13:00\nvoid o.rrn=R1 pan=A", `2 same//strong pass 1/rrn clock_suspect:low`},
		{"at another merchant", "sale rrn=R1 pan=A m=M2\nvoid o.rrn=R1 o.date=0822 pan=A", `2 same//strong alarm 1/rrn other_merchant:high`},
		{"a spoilt date", "sale rrn=R1 pan=A\nvoid o.rrn=R1 o.date=0230 pan=A", `2 same//strong review 1/rrn data_error:medium`},
		{"a completion voided", "completion rrn=R1 pan=A\ncompletion_void o.rrn=R1 pan=A\nrefund o.rrn=R1 pan=A", `
			2 same//strong pass 1/rrn
			3 same//strong alarm 1/rrn over_refund:critical`},
	})
}
