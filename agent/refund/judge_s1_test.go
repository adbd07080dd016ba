package refund_test

import "testing"

// verdicts.md § 1 Which records count.

func TestS1_1_Training(t *testing.T) {
	runScripts(t, []script{
		{"training sale is no original", `
			journal from=2025-01-01T00:00:00+08:00
			sale training=1 rrn=R1 pan=A
			refund o.rrn=R1 o.date=0822 pan=A`, `3 unverifiable/no_original/ alarm - no_original:high`},
		{"training refund gets no verdict and is not counted", `
			sale rrn=R1 pan=A
			refund training=1 o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"training reversal undoes nothing", `
			sale rrn=R1 pan=A
			reversal training=1 stan=000001
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"training settlement is no boundary", `
			sale amount=100
			settlement training=1 totals=0/0/0/0
			settlement totals=100/1/0/0`, ``},
		{"the journal begins at the first record that is not training", `
			sale training=1 at=01-01T10:00
			sale at=08-01T10:00
			refund o.rrn=R9 o.date=0801`, `3 unverifiable/history_gap/ review - recipient_unverifiable:medium`},
	})
}

func TestS1_2_Unusable(t *testing.T) {
	const bad = ` none/data_error/ review - data_error:medium`
	runScripts(t, []script{
		{"amount 0", `refund amount=0`, `1` + bad},
		{"amount negative", `void amount=-1`, `1` + bad},
		{"amount of 13 digits", `refund amount=1000000000000`, `1` + bad},
		{"amount of 12 digits is usable", `refund amount=999999999999`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"payer amount above amount", `refund payer=1001`, `1` + bad},
		{"payer amount negative", `refund payer=-1`, `1` + bad},
		{"payer amount 0 is usable", `refund payer=0`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"card fails the check digit", `refund pan=BAD`, `1` + bad},
		{"card of 11 digits", `completion_void pan=SHORT`, `1` + bad},
		{"bad card inside also", `refund pan=A also=pan::6200000333344447`, `1` + bad},
		{"dpan is not checked", `refund dpan=BAD`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"currency of two letters", `refund cur=CN`, `1` + bad},
		{"currency in small letters", `refund cur=cny`, `1` + bad},
		{"no currency is usable", `refund cur=`, `1 unverifiable/no_reference/ alarm - unreferenced_refund:high`},
		{"no time", `refund at=`, `1` + bad},
		{"not a time", `refund at=yesterday`, `1` + bad},
		{"declined and unusable: as declined", `refund amount=0 out=declined`, `1 none/cancelled/ pass -`},
		{"closed and unusable: as closed", `void at= out=closed`, `1 none/cancelled/ pass -`},
		{"unknown and unusable: the one finding", `refund amount=0 out=unknown entry=keyed text=商户 o.date=0231`, `1` + bad},
		{"is no copy", `
			sale rrn=R1 pan=A
			refund amount=500 o.rrn=R1 pan=A
			refund stan=000002 amount=500 o.rrn=R1 pan=A cur=cn`, "2 same//strong pass 1/rrn\n3" + bad},
		{"two alike are two", `
			refund amount=0
			refund amount=0 stan=000001`, "1" + bad + "\n2" + bad},
		{"undoes nothing", `
			sale rrn=R1 pan=A
			reversal stan=000001 at=
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"a reversal without amount is usable", `
			sale rrn=R1 pan=A
			reversal stan=000001 amount=0
			refund o.rrn=R1 pan=A`, `3 same//strong alarm 1/rrn over_refund:critical`},
		{"is not undone", `
			refund amount=0
			reversal stan=000001`, `1` + bad},
		{"adjusts nothing", `
			sale rrn=R1 pan=A
			adjust amount=0 o.stan=000001 o.batch=000001
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"is not adjusted", `
			sale rrn=R1 pan=A stan=000077
			sale rrn=R2 pan=A stan=000077 at= amount=5
			adjust amount=1200 o.stan=000077 o.batch=000001
			refund amount=1200 o.rrn=R1 pan=A`, `4 same//strong pass 1/rrn`},
		{"is not added up", `
			sale amount=100
			sale amount=100 cur=x
			settlement totals=100/1/0/0`, ``},
		{"does not begin the journal", `
			sale at=01-01T10:00 amount=0
			sale at=08-01T10:00
			refund o.rrn=R9 o.date=0801`, `3 unverifiable/history_gap/ review - recipient_unverifiable:medium`},
	})
}

func TestS1_3_SameEvent(t *testing.T) {
	const once = `2 same//strong pass 1/rrn`
	const first = "sale rrn=R1 pan=A amount=1500\nrefund o.rrn=R1 pan=A "
	const twice = once + "\n3 same//strong alarm 1/rrn duplicate_refund:high"
	runScripts(t, []script{
		{"channel_refund equal, whatever else", first + `cref=X rno=N1
			refund o.rrn=R1 pan=A cref=X rno=N2 amount=900`, once},
		{"channel_refund differs, whatever else", first + `cref=X rno=N1
			refund o.rrn=R1 pan=A cref=Y rno=N1 stan=000002`, twice},
		{"channel_refund equal on another channel does not answer", first + `cref=X ch=card
			refund o.rrn=R1 pan=A cref=X ch=unknown`, twice},
		{"refund_no equal", first + `rno=N1
			refund o.rrn=R1 pan=A rno=N1 cref=X`, once},
		{"refund_no differs", first + `rno=N1
			refund o.rrn=R1 pan=A rno=N2 stan=000002`, twice},
		{"stan and batch, refund_no on one side only", first + `
			refund o.rrn=R1 pan=A rno=N2 stan=000002`, once},
		{"another amount is another event", first + `
			refund amount=1001 o.rrn=R1 pan=A stan=000002`, once + "\n3 same//strong alarm 1/rrn over_refund:critical"},
		{"another terminal is another event", first + `
			refund o.rrn=R1 pan=A stan=000002 t=T2`, twice},
		{"another merchant is another event", first + `
			refund o.rrn=R1 o.date=0822 pan=A stan=000002 m=M2`, once + "\n3 same//strong alarm 1/rrn duplicate_refund:high other_merchant:high"},
		{"empty batches do not answer", first + `batch=
			refund o.rrn=R1 pan=A stan=000002 batch=`, twice},
		{"72 hours apart", first + `at=08-22T12:00
			refund o.rrn=R1 pan=A stan=000002 at=08-25T12:00`, once},
		{"more than 72 hours apart", first + `at=08-22T12:00
			refund o.rrn=R1 pan=A stan=000002 at=2026-08-25T12:00:01+08:00`, twice},
		{"72 hours back", first + `at=08-25T12:00
			refund o.rrn=R1 pan=A stan=000002 at=08-22T12:00`, once},
		{"called a copy: 180 days", first + `at=08-22T12:00 rrn=Q1
			refund o.rrn=R1 pan=A stan=000002 copy=dump at=2027-02-18T12:00:00+08:00 rrn=Q1`, once},
		{"called a copy: own rrn empty on one side", first + `rrn=Q1
			refund o.rrn=R1 pan=A stan=000002 copy=reprint at=08-30T12:00`, once},
		{"called a copy: own rrn differs", first + `rrn=Q1
			refund o.rrn=R1 pan=A stan=000002 copy=reprint rrn=Q2`, twice},
		{"called a copy of what was never seen", first + `copy=reprint`, once},
		{"void and refund of one number are two events", first + `
			void o.rrn=R1 pan=A stan=000002 amount=1500`, once + "\n3 same//strong alarm 1/rrn over_refund:critical"},
		{"sales: channel_txn equal", `
			sale ch=wechat txn=X order=O1
			sale ch=wechat txn=X order=O2
			refund ch=wechat o.txn=X`, `3 same//by_reference pass 1/channel_txn`},
		{"sales: order_no equal, wallet", `
			sale ch=alipay order=O1
			sale ch=alipay order=O1 txn=X
			refund ch=alipay o.order=O1`, `3 same//by_reference pass 1/order_no`},
		{"sales: order_no equal, card: two tenders", `
			sale order=O1 pan=A
			sale order=O1 pan=A amount=900
			refund o.order=O1 pan=A amount=900`, `3 same//strong pass 2/order_no original_ambiguous:low`},
		{"of several the latest", `
			sale rrn=R1 pan=A amount=3000
			refund amount=1000 o.rrn=R1 pan=A stan=000077 at=08-01T10:00
			refund amount=1000 o.rrn=R1 pan=A stan=000077 at=08-10T10:00
			refund amount=1000 pan=A stan=000077 out=closed copy=upload at=08-10T10:00`, `
			2 same//strong pass 1/rrn clock_suspect:low
			3 none/cancelled/ pass -`},
	})
}

func TestS1_3a_OutcomeChanges(t *testing.T) {
	journal := func(from, to string) string {
		return "sale rrn=R1 pan=A\nrefund o.rrn=R1 pan=A out=" + from + "\nrefund o.rrn=R1 pan=A stan=000002 out=" + to
	}
	same, unknown := `2 same//strong pass 1/rrn`, `2 same//strong pass 1/rrn outcome_unknown:low`
	failed, gone := `2 same//strong review 1/rrn refund_failed:medium`, `2 none/cancelled/ pass -`
	runScripts(t, []script{
		{"unknown to approved", journal("unknown", "approved"), same},
		{"unknown to pending", journal("unknown", "pending"), unknown},
		{"unknown to declined", journal("unknown", "declined"), gone},
		{"pending to closed", journal("pending", "closed"), gone},
		{"pending to abnormal", journal("pending", "abnormal"), failed},
		{"abnormal to approved", journal("abnormal", "approved"), same},
		{"abnormal to closed", journal("abnormal", "closed"), gone},
		{"approved to closed", journal("approved", "closed"), gone},
		{"approved to abnormal", journal("approved", "abnormal"), failed},
		{"approved stays when declined", journal("approved", "declined"), same},
		{"approved stays when unknown", journal("approved", "unknown"), same},
		{"declined then approved: a second try", journal("declined", "approved"), gone + "\n3 same//strong pass 1/rrn"},
		{"closed then unknown: a second try", journal("closed", "unknown"), gone + "\n3 same//strong pass 1/rrn outcome_unknown:low"},
		{"declined then declined: one", journal("declined", "declined"), gone},
		{"closed then declined: one", journal("closed", "declined"), gone},
		{"with the outcome the party is replaced", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A out=unknown
			refund o.rrn=R1 pan=B stan=000002`, `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"without a change of outcome it is not", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			refund o.rrn=R1 pan=B stan=000002`, same},
		{"a party that says nothing replaces nothing", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A out=unknown
			refund o.rrn=R1 id=none stan=000002`, same},
		{"with the outcome the route is replaced", `
			sale rrn=R1 ch=wechat txn=X
			refund o.txn=X ch=wechat out=abnormal route=ORIGINAL
			refund o.txn=X ch=wechat route=OTHER_BALANCE stan=000002`, `2 doubtful// review 1/channel_txn platform_rerouted:medium`},
		{"without it the route stays", `
			sale rrn=R1 ch=wechat txn=X
			refund o.txn=X ch=wechat route=ORIGINAL
			refund o.txn=X ch=wechat route=OTHER_BALANCE stan=000002`, `2 same//by_reference pass 1/channel_txn`},
	})
}

func TestS1_3b_FillsWhatWasEmpty(t *testing.T) {
	runScripts(t, []script{
		{"own rrn of a sale without an answer", `
			journal from=2025-01-01T00:00:00+08:00
			sale pan=A out=unknown
			refund o.rrn=R1 o.date=0822 pan=A
			sale pan=A rrn=R1 stan=000002 copy=upload`, `3 same//strong pass 2/rrn`},
		{"party of a sale", `
			sale rrn=R1
			refund o.rrn=R1 pan=A
			sale rrn=R1 stan=000001 pan=A`, `2 same//strong pass 1/rrn`},
		{"scheme none was no party", `
			sale rrn=R1 id=none
			refund o.rrn=R1 pan=A
			sale rrn=R1 stan=000001 pan=A`, `2 same//strong pass 1/rrn`},
		{"a party that was there stays", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B
			sale rrn=R1 stan=000001 pan=B`, `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"PAR of the same party", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B par=P1
			sale rrn=R1 stan=000001 pan=A par=P1`, `2 equivalent//strong pass 1/rrn`},
		{"PAR of another party is not taken", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B par=P1
			sale rrn=R1 stan=000001 pan=C par=P1`, `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"text and also of the same party", `
			sale rrn=R1 pan=C
			refund o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A stan=000002 also=pan::6200000111122227`, `2 same//strong pass 1/rrn`},
		{"original member by member, zeros are empty", `
			sale rrn=R1 pan=A at=08-21T12:00
			refund pan=B o.rrn=000000000000 o.date=0000 o.stan=000000
			refund pan=B o.rrn=R1 stan=000002`, `2 different//strong alarm 1/rrn recipient_mismatch:critical`},
		{"a given member of original stays", `
			sale rrn=R1 pan=A
			sale rrn=R2 pan=B
			refund o.rrn=R1 pan=A
			refund o.rrn=R2 pan=A stan=000003`, `3 same//strong pass 1/rrn`},
		{"channel unknown and entry none", `
			sale rrn=R1 ch=wechat
			refund o.rrn=R1 pan=A ch=unknown entry=none
			refund o.rrn=R1 pan=A ch=card entry=keyed stan=000002`, `2 different// alarm 1/rrn channel_changed:high keyed_refund:high`},
		{"amount and at never change", `
			sale rrn=R1 pan=A amount=1000
			refund rno=N1 o.rrn=R1 pan=A amount=1000 at=08-22T13:00
			refund rno=N1 o.rrn=R1 pan=A amount=9000 at=07-22T13:00`, `2 same//strong pass 1/rrn`},
		{"payer_amount that was absent", `
			sale ch=alipay order=O1 txn=X amount=1000 payer=800
			refund ch=alipay o.order=O1 amount=900 rno=N1
			refund ch=alipay o.order=O1 amount=900 rno=N1 payer=850`, `2 same//by_reference alarm 1/order_no over_refund:critical`},
	})
}

func TestS1_4_Outcome(t *testing.T) {
	runScripts(t, []script{
		{"declined and closed: nothing is counted", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B out=declined entry=keyed
			refund o.rrn=R1 pan=B out=closed
			refund o.rrn=R1 pan=A`, `
			2 none/cancelled/ pass -
			3 none/cancelled/ pass -
			4 same//strong pass 1/rrn`},
		{"unknown and pending count", `
			sale rrn=R1 pan=A amount=2000
			refund o.rrn=R1 pan=A out=unknown
			refund o.rrn=R1 pan=A out=pending
			refund o.rrn=R1 pan=A amount=1`, `
			2 same//strong pass 1/rrn outcome_unknown:low
			3 same//strong pass 1/rrn outcome_unknown:low
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"abnormal is checked and not counted", `
			sale rrn=R1 pan=A amount=1000
			refund o.rrn=R1 pan=A out=abnormal amount=2000
			refund o.rrn=R1 pan=A`, `
			2 same//strong alarm 1/rrn over_refund:critical refund_failed:medium
			3 same//strong pass 1/rrn`},
		{"a void without an answer", `
			sale rrn=R1 pan=A
			void o.rrn=R1 pan=A out=pending`, `2 same//strong pass 1/rrn outcome_unknown:low`},
	})
}

func TestS1_5_Undone(t *testing.T) {
	runScripts(t, []script{
		{"a reversal undoes a refund without an answer", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=B out=unknown
			reversal stan=000002`, `2 none/cancelled/ pass -`},
		{"one that is not approved changes nothing", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			reversal stan=000002 out=unknown`, `2 same//strong pass 1/rrn`},
		{"one that is approved later does", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			reversal stan=000002 out=unknown
			reversal stan=000002 copy=upload`, `2 none/cancelled/ pass -`},
		{"of another batch, terminal or merchant: no", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			reversal stan=000002 batch=000002
			reversal stan=000002 t=T2
			reversal stan=000002 m=M2`, `2 same//strong pass 1/rrn`},
		{"the latest of those before it", `
			sale rrn=R1 pan=A amount=3000
			refund o.rrn=R1 pan=A stan=000077 amount=500 at=08-23T12:00
			refund o.rrn=R1 pan=A stan=000077 amount=600 at=08-22T13:00
			reversal stan=000077
			refund o.rrn=R1 pan=A stan=000077 amount=700 at=08-24T12:00`, `
			2 none/cancelled/ pass -
			3 same//strong pass 1/rrn
			5 same//strong pass 1/rrn`},
		{"a preauth is not undone by it", `
			preauth stan=000077 at=08-23T12:00
			sale stan=000077 rrn=R1 pan=A
			reversal stan=000077
			refund o.rrn=R1 pan=A`, `4 same//strong alarm 2/rrn over_refund:critical`},
		{"undone void: the sale can be refunded", `
			sale rrn=R1 pan=A
			void o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			reversal stan=000002`, `
			2 none/cancelled/ pass -
			3 same//strong pass 1/rrn`},
		{"undone adjust: the amount is the old one", `
			sale rrn=R1 pan=A
			adjust amount=1200 o.stan=000001 o.batch=000001
			refund amount=1200 o.rrn=R1 pan=A
			reversal stan=000002`, `3 same//strong alarm 1/rrn over_refund:critical`},
		{"void_refund by channel_txn", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A cref=X rno=N1
			void_refund o.txn=X o.order=N9`, `2 none/cancelled/ pass -`},
		{"void_refund by order_no", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A cref=X rno=N1
			void_refund o.order=N1`, `2 none/cancelled/ pass -`},
		{"void_refund by rrn", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A rrn=Q1
			void_refund o.rrn=Q1`, `2 none/cancelled/ pass -`},
		{"void_refund by batch and stan at its own terminal", `
			sale rrn=R1 pan=A amount=2000
			refund o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A stan=000002 t=T2
			void_refund o.stan=000002 o.batch=000001 t=T2`, `
			2 same//strong pass 1/rrn
			3 none/cancelled/ pass -`},
		{"void_refund: stan without batch names nothing", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			void_refund o.stan=000002`, `2 same//strong pass 1/rrn`},
		{"void_refund: the first key that hits, the latest hit", `
			sale rrn=R1 pan=A amount=9000
			refund o.rrn=R1 pan=A rno=N1 cref=X amount=500
			refund o.rrn=R1 pan=A rrn=Q1 amount=600 at=08-22T13:00
			refund o.rrn=R1 pan=A rrn=Q1 amount=700 at=08-22T12:30
			void_refund o.txn=NO o.rrn=Q1 o.stan=000002 o.batch=000001`, `
			2 same//strong pass 1/rrn
			3 none/cancelled/ pass -
			4 same//strong pass 1/rrn`},
		{"void_refund not approved", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A rrn=Q1
			void_refund o.rrn=Q1 out=declined`, `2 same//strong pass 1/rrn`},
		{"an undone void_refund has no effect any more", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A rrn=Q1
			void_refund o.rrn=Q1
			refund o.rrn=R1 pan=A
			reversal stan=000003`, `
			2 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn duplicate_refund:high`},
		{"a reversal of a reversal is nothing", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			reversal stan=000002
			reversal stan=000002 amount=5`, `2 none/cancelled/ pass -`},
		{"a refund that gets its number later is found by the void_refund", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A
			void_refund o.rrn=Q1
			refund o.rrn=R1 pan=A stan=000002 rrn=Q1`, `2 none/cancelled/ pass -`},
	})
}
