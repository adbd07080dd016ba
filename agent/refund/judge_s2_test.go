package refund_test

import "testing"

// verdicts.md § 2 Finding the original. FROM covers everything, so that a missing sale is one.
const longJournal = "journal from=2025-01-01T00:00:00+08:00\n"

func TestS2_Candidates(t *testing.T) {
	runScripts(t, []script{
		{"a preauth is never refundable", longJournal + `preauth rrn=R1 pan=A
			refund o.rrn=R1 o.date=0822 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"a completion is", `completion rrn=R1 pan=A
			refund o.rrn=R1 pan=A`, `2 same//strong pass 1/rrn`},
		{"completion_void: completions only", longJournal + `sale rrn=R1 pan=A
			completion_void o.rrn=R1 o.date=0822 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"void: sales and completions", `completion rrn=R1 pan=A
			void o.rrn=R1 pan=A`, `2 same//strong pass 1/rrn`},
		{"declined is a candidate", `sale rrn=R1 pan=A out=declined
			refund o.rrn=R1 pan=A`, `2 same//strong alarm 1/rrn original_not_refundable:high`},
		{"undone is a candidate", `sale rrn=R1 pan=A
			reversal stan=000001
			refund o.rrn=R1 pan=A`, `3 same//strong alarm 1/rrn over_refund:critical`},
		{"anywhere in the journal", `refund o.rrn=R1 pan=A
			sale rrn=R1 pan=A`, `1 same//strong pass 2/rrn`},
	})
}

func TestS2_Keys(t *testing.T) {
	runScripts(t, []script{
		{"channel_txn whatever the channels", `sale ch=wechat txn=X id=wechat_openid:a:o1
			refund ch=unknown o.txn=X`, `2 same//by_reference pass 1/channel_txn`},
		{"the first key that hits ends the search", `
			sale txn=X order=O1 rrn=R1 pan=A
			sale txn=Y order=O2 rrn=R2 pan=B
			refund o.txn=X o.order=O2 o.rrn=R2 pan=B`, `3 different//strong alarm 1/channel_txn recipient_mismatch:critical`},
		{"a key that hits nothing passes on", `
			sale order=O1 pan=A
			refund o.txn=Z o.order=O1 pan=A`, `2 same//strong pass 1/order_no`},
		{"its own top-level numbers are no pointers", `
			sale order=O1 rrn=R1 txn=X pan=A
			refund order=O1 rrn=R1 txn=X pan=B`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"all zeros are not given", `
			sale rrn=000000000000 pan=A amount=500
			refund o.rrn=000000000000 pan=A`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"stan: the refund's own terminal", longJournal + `
			sale stan=000077 t=T2 pan=A
			refund o.stan=000077 o.date=0822 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"stan: original.terminal_id if given", `
			sale stan=000077 t=T2 pan=A
			refund o.stan=000077 o.t=T2 pan=A`, `2 same//strong pass 1/stan`},
		{"stan: the batch if given", longJournal + `
			sale stan=000077 batch=000001 pan=A
			refund o.stan=000077 o.batch=000002 o.date=0822 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"stan: any batch if not", `
			sale stan=000077 batch=000009 pan=A
			refund o.stan=000077 o.batch=000000 pan=A`, `2 same//strong pass 1/stan`},
		{"rrn with a date: at most one day off", `
			sale rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 o.date=0821 pan=B`, `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"rrn with a date: farther, but the payer's", `
			sale rrn=R1 pan=A at=08-10T12:00
			refund o.rrn=R1 o.date=0821 pan=A`, `2 same//strong pass 1/rrn`},
		{"rrn with a date: farther, but weakly the payer's", `
			sale rrn=R1 masked=620000******0005 at=08-10T12:00
			refund o.rrn=R1 o.date=0821 pan=A`, `2 same//weak pass 1/rrn recipient_weak_match:low`},
		{"stan with a date: farther, and another's", longJournal + `
			sale stan=000077 pan=A at=08-10T12:00
			refund o.stan=000077 o.date=0821 pan=B`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"channel_txn and order_no ask no date", `
			sale ch=wechat order=O1 at=08-01T12:00
			refund ch=wechat o.order=O1 o.date=0821`, `2 same//by_reference pass 1/order_no`},
		{"a key of a spoilt date asks none", `
			sale rrn=R1 pan=A at=08-01T12:00
			refund o.rrn=R1 o.date=1301 pan=A`, `2 same//strong review 1/rrn data_error:medium`},
	})
}

func TestS2_Party(t *testing.T) {
	runScripts(t, []script{
		{"strong evidence", `sale pan=A
			refund pan=A`, `2 same//strong review 1/party unreferenced_refund:medium`},
		{"equivalent by PAR", `sale pan=A par=P1
			refund pan=B par=P1`, `2 equivalent//strong review 1/party unreferenced_refund:medium`},
		{"weak evidence is none", `sale masked=620000******0005
			refund pan=A`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"only if no key is given", longJournal + `sale pan=A
			refund pan=A o.rrn=R9 o.date=0822`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"a date and a terminal are no keys", `sale pan=A at=08-20T12:00
			refund pan=A o.date=0820 o.t=T1 o.batch=000001`, `2 same//strong review 1/party unreferenced_refund:medium`},
		{"not effective: declined", `sale pan=A out=declined
			refund pan=A`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"not effective: undone", `sale pan=A
			reversal stan=000001
			refund pan=A`, `3 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"not effective: voided before", `sale pan=A rrn=R1
			void o.rrn=R1 pan=A
			refund pan=A`, "2 same//strong pass 1/rrn\n3 unverifiable/no_reference/ alarm - unreferenced_refund:high"},
		{"effective: voided after", `sale pan=A rrn=R1
			refund pan=A
			void o.rrn=R1 pan=A`, "2 same//strong review 1/party unreferenced_refund:medium\n3 same//strong review 1/rrn over_refund:medium"},
		{"too small", `sale pan=A amount=999
			refund pan=A`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"large enough once adjusted", `sale pan=A amount=999
			refund pan=A
			adjust amount=1000 o.stan=000001 o.batch=000001`, `2 same//strong review 1/party unreferenced_refund:medium`},
		{"another merchant's sale is not looked at", `sale pan=A m=M2
			refund pan=A`, `2 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"the latest of several", `sale pan=A at=08-20T12:00
			sale pan=A at=08-21T12:00
			sale pan=A at=08-19T12:00
			refund pan=A`, `4 same//strong review 2/party unreferenced_refund:medium`},
		{"a later one revises it", `sale pan=A at=08-20T12:00
			refund pan=A
			sale pan=A at=08-21T12:00`, `2 same//strong review 3/party unreferenced_refund:medium`},
		{"a guess that would accuse: unreferenced all the same", `
			sale ch=wechat id=wechat_openid:a:o1
			sale ch=wechat id=wechat_openid:a:o1 at=08-21T12:00
			refund ch=wechat id=merchant_account also=wechat_openid:a:o1`, `3 different// alarm - payer_not_repaid:high original_ambiguous:medium unreferenced_refund:medium`},
		{"a void found by it", `sale pan=A
			void pan=A`, `2 same//strong review 1/party unreferenced_refund:medium`},
	})
}

func TestS2_Narrowing(t *testing.T) {
	runScripts(t, []script{
		{"a: the day itself before a day off", `
			sale order=O1 pan=A at=08-20T12:00
			sale order=O1 pan=B at=08-21T12:00
			refund o.order=O1 o.date=0820 pan=B`, `3 different//strong alarm 1/order_no recipient_mismatch:critical`},
		{"a: a day off before farther", `
			sale order=O1 pan=A at=08-20T12:00
			sale order=O1 pan=B at=08-10T12:00
			refund o.order=O1 o.date=0821 pan=A`, `3 same//strong pass 1/order_no`},
		{"a: none fits, all stay", `
			sale order=O1 pan=A at=08-10T12:00
			sale order=O1 pan=B at=08-11T12:00
			refund o.order=O1 o.date=0821 pan=A`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"b: the terminal", `
			sale order=O1 pan=A t=T1
			sale order=O1 pan=B t=T2
			refund o.order=O1 o.t=T2 pan=B`, `3 same//strong pass 2/order_no`},
		{"c: the channel", `
			sale order=O1 pan=A
			sale order=O1 ch=cash id=cash
			refund o.order=O1 ch=cash id=cash`, `3 unverifiable/cash/ pass 2/order_no recipient_unverifiable:info`},
		{"c: unknown channel narrows nothing", `
			sale order=O1 pan=A
			sale order=O1 pan=B ch=unknown
			refund o.order=O1 ch=unknown pan=B`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"d: not after the refund, five minutes allowed", `
			sale rrn=R1 pan=A at=08-22T12:05
			sale rrn=R1 pan=B at=2026-08-22T12:05:01+08:00
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"e: effective before declined", `
			sale rrn=R1 pan=A out=declined
			sale rrn=R1 pan=B
			refund o.rrn=R1 pan=B`, `3 same//strong pass 2/rrn`},
		{"e: effective before voided", `
			sale rrn=R1 pan=A
			sale rrn=R1 pan=B t=T2
			void o.stan=000001 o.batch=000001 pan=A
			refund o.rrn=R1 pan=B`, "3 same//strong pass 1/stan\n4 same//strong pass 2/rrn"},
		{"f: large enough before too small", `
			sale rrn=R1 pan=A amount=900
			sale rrn=R1 pan=B amount=1000
			refund o.rrn=R1 pan=B`, `3 same//strong pass 2/rrn`},
		{"f: as adjusted", `
			sale rrn=R1 pan=A amount=900
			sale rrn=R1 pan=B amount=900
			adjust amount=1000 o.stan=000002 o.batch=000001
			refund o.rrn=R1 pan=B`, `4 same//strong pass 2/rrn`},
		{"f: it leaves none, all stay", `
			sale rrn=R1 pan=B amount=800
			sale rrn=R1 pan=B amount=900
			refund o.rrn=R1 pan=B`, `3 same//strong alarm 2/rrn over_refund:critical original_ambiguous:low`},
		{"g: stan without a date takes the latest", `
			sale stan=000077 batch=000001 pan=A at=08-01T12:00
			sale stan=000077 batch=000002 pan=B at=08-20T12:00
			refund o.stan=000077 pan=B`, `3 same//strong pass 2/stan`},
		{"g: a spoilt date is not given", `
			sale stan=000077 batch=000001 pan=A at=08-01T12:00
			sale stan=000077 batch=000002 pan=B at=08-20T12:00
			refund o.stan=000077 o.date=0230 pan=B`, `3 same//strong review 2/stan data_error:medium`},
		{"a guess by g accuses nobody", `
			sale stan=000077 batch=000001 pan=A at=08-01T12:00
			sale stan=000077 batch=000002 pan=B at=08-20T12:00
			refund o.stan=000077 pan=A`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"different from the one taken and from those left out", `
			sale stan=000077 batch=000001 pan=A at=08-01T12:00
			sale stan=000077 batch=000002 pan=B at=08-20T12:00
			refund o.stan=000077 pan=C`, `3 different//strong alarm 2/stan recipient_mismatch:critical`},
		{"a guess by f accuses nobody", `
			sale rrn=R1 pan=A amount=900
			sale rrn=R1 pan=B amount=1000
			refund o.rrn=R1 pan=A`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"a guess by f, different from all the rest", `
			sale rrn=R1 pan=A amount=900
			sale rrn=R1 pan=B amount=1000
			sale rrn=R1 pan=C amount=1000
			refund o.rrn=R1 pan=A`, `4 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"a guess accuses no void", `
			sale stan=000077 batch=000001 pan=A at=08-01T12:00
			sale stan=000077 batch=000002 pan=B at=08-20T12:00
			void o.stan=000077 pan=A batch=000002`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"a guess: keyed is said all the same", `
			sale rrn=R1 pan=A amount=900
			sale rrn=R1 pan=B amount=1000
			refund o.rrn=R1 pan=A entry=keyed`, `3 unverifiable/ambiguous/ alarm - keyed_refund:high original_ambiguous:medium`},
	})
}

func TestS2_Several(t *testing.T) {
	runScripts(t, []script{
		{"same as all: the latest", `
			sale rrn=R1 pan=A at=08-20T13:00
			sale rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn original_ambiguous:low`},
		{"same or equivalent, weak or strong", `
			sale rrn=R1 masked=620000******0005 at=08-20T12:00
			sale rrn=R1 pan=A at=08-20T13:00
			refund o.rrn=R1 pan=A`, `3 same//strong pass 2/rrn original_ambiguous:low`},
		{"different from all, strong", `
			sale rrn=R1 pan=A
			sale rrn=R1 pan=B
			refund o.rrn=R1 pan=C`, `3 different//strong alarm - recipient_mismatch:critical original_ambiguous:medium`},
		{"different from all, one weak", `
			sale rrn=R1 pan=A
			sale rrn=R1 masked=****9999
			refund o.rrn=R1 pan=C`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"same as one", `
			sale rrn=R1 pan=A
			sale rrn=R1 pan=B
			refund o.rrn=R1 pan=A`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"nothing to compare", `
			sale ch=wechat order=O1 txn=X
			sale ch=wechat order=O1 txn=Y
			refund ch=wechat o.order=O1`, `3 unverifiable/ambiguous/ review - original_ambiguous:medium`},
		{"merchant account besides", `
			sale rrn=R1 pan=A
			sale rrn=R1 pan=B
			refund o.rrn=R1 id=merchant_account`, `3 different// alarm - payer_not_repaid:high original_ambiguous:medium`},
		{"keyed besides", `
			sale rrn=R1 pan=A
			sale rrn=R1 pan=B
			refund o.rrn=R1 pan=C entry=keyed`, `3 different//strong alarm - recipient_mismatch:critical keyed_refund:high original_ambiguous:medium`},
	})
}

func TestS2_Dates(t *testing.T) {
	at := func(date, made string) string {
		return longJournal + "sale rrn=R1 pan=A at=" + made + "\nrefund o.rrn=R1 o.date=" + date + " pan=B at=2026-03-10T12:00:00+08:00"
	}
	hit := `3 different//strong alarm 2/rrn recipient_mismatch:critical`
	late := `3 different//strong alarm 2/rrn recipient_mismatch:critical out_of_window:medium`
	early := `3 different//strong alarm 2/rrn recipient_mismatch:critical clock_suspect:low`
	miss := `3 unverifiable/no_original/ alarm - no_original:high`
	flaw := `3 different//strong alarm 2/rrn recipient_mismatch:critical data_error:medium`
	runScripts(t, []script{
		{"MMDD is the latest one", at("0310", "2026-03-10T10:00:00+08:00"), hit},
		{"MMDD of tomorrow is this year's", at("0311", "2026-03-11T10:00:00+08:00"), early},
		{"MMDD of the day after tomorrow is last year's", at("0312", "2025-03-12T10:00:00+08:00"), late},
		{"0229 is the latest that existed", at("0229", "2026-02-28T10:00:00+08:00"), `3 unverifiable/history_gap/ review - recipient_unverifiable:medium`},
		{"YYYY-MM-DD", at("2026-03-01", "2026-03-01T10:00:00+08:00"), hit},
		{"YYYY-MM-DD far off", at("2026-03-01", "2026-03-05T10:00:00+08:00"), miss},
		{"the local date as written", at("0302", "2026-03-01T00:30:00+08:00"), hit},
		{"0000 is not given", at("0000", "2026-03-05T10:00:00+08:00"), hit},
		{"0000-00-00 is not given", at("0000-00-00", "2026-03-05T10:00:00+08:00"), hit},
		{"0231", at("0231", "2026-03-05T10:00:00+08:00"), flaw},
		{"1301", at("1301", "2026-03-05T10:00:00+08:00"), flaw},
		{"0100", at("0100", "2026-03-05T10:00:00+08:00"), flaw},
		{"2026-02-29", at("2026-02-29", "2026-03-05T10:00:00+08:00"), flaw},
		{"another form", at("20260305", "2026-03-05T10:00:00+08:00"), flaw},
		{"letters", at("Mar5", "2026-03-05T10:00:00+08:00"), flaw},
		{"the flaw is said without an original too", longJournal + `refund o.rrn=R9 o.date=0231`, `2 unverifiable/no_original/ alarm - no_original:high data_error:medium`},
	})
}

func TestS2_NoHit(t *testing.T) {
	gap := ` unverifiable/history_gap/ review - recipient_unverifiable:medium`
	none := ` unverifiable/no_original/ alarm - no_original:high`
	unusable := ` unverifiable/original_unusable/ review - recipient_unverifiable:medium`
	otherDay := ` unverifiable/ambiguous/ review - original_ambiguous:medium`
	runScripts(t, []script{
		{"1 no key at all", `refund pan=A`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"1 a void without a key", `void pan=A`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"2 channel_txn at another merchant", `
			sale m=M2 ch=wechat txn=X
			refund ch=wechat o.txn=X`, `2 same//by_reference alarm 1/channel_txn other_merchant:high`},
		{"2 channel_txn at two other merchants", longJournal + `
			sale m=M2 ch=wechat txn=X rrn=R1
			sale m=M3 ch=wechat txn=X
			refund ch=wechat o.txn=X o.rrn=R1 o.date=0822`, `4` + none},
		{"2 rrn with the date", `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			sale m=M2 rrn=R1 pan=B at=08-21T12:00
			refund o.rrn=R1 o.date=0820 pan=B`, `3 different//strong alarm 1/rrn recipient_mismatch:critical other_merchant:high`},
		{"2 rrn a day off, whoever the recipient", `
			sale m=M2 rrn=R1 pan=A at=08-21T12:00
			refund o.rrn=R1 o.date=0820 pan=B`, `2 different//strong alarm 1/rrn recipient_mismatch:critical other_merchant:high`},
		{"2 rrn farther off, even the payer's", longJournal + `
			sale m=M2 rrn=R1 pan=A at=08-18T12:00
			refund o.rrn=R1 o.date=0820 pan=A`, `3` + none},
		{"2 rrn on that day twice", longJournal + `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			sale m=M3 rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 o.date=0820 pan=A`, `4` + none},
		{"2 rrn without a date", longJournal + `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 pan=A`, `3` + none},
		{"2 rrn with a spoilt date", longJournal + `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 o.date=0230 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high data_error:medium`},
		{"2 channel_txn given but hitting none", `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			refund o.txn=Z o.rrn=R1 o.date=0820 pan=A`, `2 same//strong alarm 1/rrn other_merchant:high`},
		{"2 not waited for when a sale of the own merchant comes", `
			sale m=M2 rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 o.date=0820 pan=A
			sale rrn=R1 pan=B at=08-20T12:00`, `2 different//strong alarm 3/rrn recipient_mismatch:critical`},
		{"3 only unusable records", longJournal + `
			sale rrn=R1 amount=0 at=08-20T12:00
			refund o.rrn=R1 o.date=0820 pan=A`, `3` + unusable},
		{"3 one without a time, whatever the date", longJournal + `
			sale rrn=R1 at=
			refund o.rrn=R1 o.date=0820 pan=A`, `3` + unusable},
		{"3 one of another day", longJournal + `
			sale rrn=R1 amount=0 at=08-01T12:00
			refund o.rrn=R1 o.date=0820 pan=A`, `3` + none},
		{"3 one that comes later", longJournal + `
			refund o.rrn=R1 o.date=0820 pan=A
			sale rrn=R1 amount=0 at=08-20T12:00`, `2` + unusable},
		{"3 a key hits usable ones: those count", longJournal + `
			sale rrn=R1 amount=0 at=08-20T12:00
			sale rrn=R1 pan=A at=08-20T12:00
			refund o.rrn=R1 o.date=0820 pan=A`, `4 same//strong pass 3/rrn`},
		{"4 but for the date, recipient unknown", longJournal + `
			sale rrn=R1 pan=A at=08-01T12:00
			refund o.rrn=R1 o.date=0820`, `3` + otherDay},
		{"4 but for the date, weakly different", longJournal + `
			sale stan=000077 masked=****9999 at=08-01T12:00
			refund o.stan=000077 o.date=0820 pan=A`, `3` + otherDay},
		{"4 strongly different from one of two", longJournal + `
			sale stan=000077 pan=B at=08-01T12:00
			sale rrn=R1 at=08-02T12:00
			refund o.stan=000077 o.rrn=R1 o.date=0820 pan=A`, `4` + otherDay},
		{"4 strongly different from all", longJournal + `
			sale stan=000077 pan=B at=08-01T12:00
			sale rrn=R1 pan=C at=08-02T12:00
			refund o.stan=000077 o.rrn=R1 o.date=0820 pan=A`, `4` + none},
		{"5 a terminal the journal does not list", `
			journal from=2025-01-01T00:00:00+08:00 terminals=T1,T2
			refund o.rrn=R1 o.date=0820 o.t=T3`, `2 unverifiable/other_terminal/ review - recipient_unverifiable:medium`},
		{"5 a listed one", `
			journal from=2025-01-01T00:00:00+08:00 terminals=T1,T2
			refund o.rrn=R1 o.date=0820 o.t=T2`, `2` + none},
		{"5 one journal record without a list means all", `
			journal from=2025-01-01T00:00:00+08:00 terminals=T1
			journal from=2025-02-01T00:00:00+08:00
			refund o.rrn=R1 o.date=0820 o.t=T3`, `3` + none},
		{"5 its own terminal is not asked for", `
			journal from=2025-01-01T00:00:00+08:00 terminals=T1
			refund o.rrn=R1 o.date=0820 t=T3`, `2` + none},
		{"5 a record at the end lists it", `
			refund o.rrn=R1 o.date=0820 o.t=T3
			journal from=2025-01-01T00:00:00+08:00 terminals=T1
			journal from=2025-01-01T00:00:00+08:00 terminals=T3`, `1` + none},
		{"6 before the first day", `
			journal from=2026-08-10T00:00:00+08:00
			refund o.rrn=R1 o.date=0809`, `2` + gap},
		{"6 on the first day from midnight", `
			journal from=2026-08-10T00:00:00+08:00
			refund o.rrn=R1 o.date=0810`, `2` + none},
		{"6 on the first day from later", `
			journal from=2026-08-10T00:00:01+08:00
			refund o.rrn=R1 o.date=0810`, `2` + gap},
		{"6 no date, card, 179 days", `
			journal from=2026-02-24T00:00:00+08:00
			refund o.rrn=R1`, `2` + gap},
		{"6 no date, card, 180 days", `
			journal from=2026-02-23T10:00:00+08:00
			refund o.rrn=R1`, `2` + none},
		{"6 no date, the refund's own window", `
			journal from=2026-02-23T10:00:00+08:00
			refund o.txn=X ch=wechat`, `2` + gap},
		{"6 a spoilt date is no date", `
			journal from=2026-08-10T00:00:00+08:00
			refund o.rrn=R1 o.date=0230`, `2 unverifiable/history_gap/ review - data_error:medium recipient_unverifiable:medium`},
		{"6 the earliest from counts, wherever it stands", `
			journal from=2026-08-10T00:00:00+08:00
			refund o.rrn=R1 o.date=0809
			journal from=2026-08-01T00:00:00+08:00`, `2` + none},
		{"6 without a journal record: the first usable record by seq", `
			sale at=08-15T10:00
			sale at=08-01T10:00
			refund o.rrn=R1 o.date=0814
			refund o.rrn=R1 o.date=0816 amount=5`, `3` + gap + "\n4" + none},
		{"without an original: keyed", longJournal + `refund o.rrn=R1 o.date=0820 entry=keyed`,
			`2 unverifiable/no_original/ alarm - keyed_refund:high no_original:high`},
		{"without an original: keyed void says nothing", longJournal + `void o.rrn=R1 o.date=0820 entry=keyed text=商户`, `2` + none},
		{"without an original: OTHER_BANKCARD", longJournal + `refund o.rrn=R1 o.date=0820 route=OTHER_BANKCARD`,
			`2 unverifiable/no_original/ alarm - no_original:high platform_rerouted:medium`},
		{"without an original: merchant account before OTHER", longJournal + `refund o.rrn=R1 o.date=0820 route=OTHER_BALANCE text=商户账户`,
			`2 different// alarm - no_original:high payer_not_repaid:high`},
		{"without an original: outcome", longJournal + `refund o.rrn=R1 o.date=0820 out=abnormal`,
			`2 unverifiable/no_original/ alarm - no_original:high refund_failed:medium`},
		{"without an original: BALANCE says nothing", longJournal + `refund o.rrn=R1 o.date=0820 route=BALANCE`, `2` + none},
		{"a gap hidden by the merchant account closes", `
			refund o.rrn=R1 o.date=0820 id=merchant_account
			journal from=2026-01-01T00:00:00+08:00`, `1 different// alarm - no_original:high payer_not_repaid:high`},
	})
}
