package refund_test

import "testing"

// Absent amounts: verdicts.md §§ 1.2, 1.3, 4 and 6.

func TestAbsentAmount(t *testing.T) {
	unusable := ` none/data_error/ review - data_error:medium`
	runScripts(t, []script{
		{"void", "sale rrn=R1 pan=A\nvoid amount=- o.rrn=R1", `2 same//by_reference pass 1/rrn`},
		{"void that is declined", "sale rrn=R1 pan=A\nvoid amount=- o.rrn=R1 out=declined", `2 none/cancelled/ pass -`},
		{"refund, whatever was answered", `
			sale rrn=R1 pan=A
			refund amount=- o.rrn=R1 pan=A
			refund amount=- o.rrn=R1 pan=A out=abnormal
			refund amount=- o.rrn=R1 pan=A out=unknown
			refund amount=- o.rrn=R1 pan=A out=pending
			refund amount=- o.rrn=R1 pan=A out=closed`, `
			2` + unusable + `
			3` + unusable + `
			4 same//strong pass 1/rrn outcome_unknown:low
			5 same//strong pass 1/rrn outcome_unknown:low
			6 none/cancelled/ pass -`},
		{"adjust is none", `
			sale rrn=R1 pan=A
			adjust amount=- o.rrn=R1
			refund o.rrn=R1 pan=A`, `3 same//strong pass 1/rrn`},
		{"counts 0 until a copy states one", `
			sale rrn=R1 pan=A
			refund amount=- rno=N1 o.rrn=R1 pan=A out=unknown
			refund amount=600 o.rrn=R1 pan=A
			refund amount=500 rno=N1 o.rrn=R1 pan=A out=unknown
			refund amount=100 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn outcome_unknown:low
			3 same//strong alarm 1/rrn over_refund:critical
			5 same//strong alarm 1/rrn over_refund:critical`},
		{"approved by a copy without one, too", `
			sale rrn=R1 pan=A
			refund amount=- rno=N1 o.rrn=R1 pan=A out=pending
			refund amount=- rno=N1 o.rrn=R1 pan=A
			refund o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			4 same//strong pass 1/rrn`},
		{"a stated one never changes", `
			sale rrn=R1 pan=A
			refund amount=600 rno=N1 o.rrn=R1 pan=A
			refund amount=100 rno=N1 o.rrn=R1 pan=A
			refund amount=500 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn over_refund:critical`},
		{"of a void is filled, and is then unlike its sale's", `
			sale rrn=R1 pan=A
			void amount=- rno=N1 o.rrn=R1 pan=A
			void amount=900 rno=N1 o.rrn=R1 pan=A`, `2 same//strong review 1/rrn void_anomaly:medium`},
		{"a payer's amount is filled after it", `
			sale rrn=R1 pan=A payer=800
			refund amount=- rno=N1 o.rrn=R1 pan=A out=unknown
			refund amount=500 payer=400 rno=N1 o.rrn=R1 pan=A
			refund amount=500 payer=401 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn
			4 same//strong alarm 1/rrn duplicate_refund:high`},
		{"a payer's amount above it is not taken", `
			sale rrn=R1 pan=A payer=800
			refund amount=- rno=N1 o.rrn=R1 pan=A out=unknown
			refund amount=- payer=400 rno=N1 o.rrn=R1 pan=A`, `
			2 same//strong pass 1/rrn outcome_unknown:low
			3` + unusable},
		{"equals an absent one only: by number they are two", `
			sale rrn=R1 pan=A
			refund amount=- o.rrn=R1 pan=A out=unknown
			refund amount=500 o.rrn=R1 pan=A stan=000002`, `
			2 same//strong pass 1/rrn outcome_unknown:low
			3 same//strong pass 1/rrn`},
		{"equals an absent one: by number they are one", `
			sale rrn=R1 pan=A
			void amount=- o.rrn=R1 pan=A out=unknown
			void amount=- o.rrn=R1 pan=A stan=000002`, `2 same//strong pass 1/rrn`},
		{"under the number of a declined one", `
			sale rrn=R1 pan=A
			refund rno=N1 o.rrn=R1 pan=A out=declined
			refund amount=- rno=N1 o.rrn=R1 pan=A`, `
			2 none/cancelled/ pass -
			3` + unusable},
		{"is no sum of a settlement", `
			sale amount=100
			void amount=- o.stan=000001
			settlement totals=100/1/0/0 out=unknown
			settlement totals=100/1/0/0 stan=000003`, `2 same//by_reference pass 1/stan`},
		{"of what is not counted is", `
			sale amount=100
			void amount=- o.stan=000001 out=unknown
			settlement totals=99/1/0/0`, `
			2 same//by_reference pass 1/stan outcome_unknown:low
			3 gap 100/1/0/0`},
	})
}

// TestPartyOfACopy: what there is none of, and what states something (verdicts.md § 1.3).
func TestPartyOfACopy(t *testing.T) {
	runScripts(t, []script{
		{"scheme none with a PAR stays", `
			sale rrn=R1 id=none par=P1
			sale rrn=R1 stan=000001 pan=B
			refund o.rrn=R1 pan=A par=P1`, `3 equivalent//strong pass 1/rrn`},
		{"scheme none with a PAR is taken", `
			sale rrn=R1 id=none
			sale rrn=R1 stan=000001 id=none par=P1
			refund o.rrn=R1 pan=A par=P1`, `3 equivalent//strong pass 1/rrn`},
		{"a text alone replaces no party", `
			sale rrn=R1 pan=A
			refund o.rrn=R1 pan=A out=pending
			refund o.rrn=R1 id=none text=零钱 stan=000002`, `2 same//strong pass 1/rrn`},
	})
}

// TestEncryptedToken: a UnionPay token of more than 40 characters is none.
func TestEncryptedToken(t *testing.T) {
	const long = "unionpay_token::QT34567890123456789012345678901234567890X"
	runScripts(t, []script{
		{"no recipient", "sale rrn=R1 pan=A\nrefund o.rrn=R1 id=" + long, `2 unverifiable/recipient_missing/ review 1/rrn recipient_unverifiable:medium`},
		{"the channel returns it", "sale ch=unionpay_qr rrn=R1 id=" + long + "\nrefund ch=unionpay_qr o.rrn=R1 id=" + long + "Y", `2 same//by_reference pass 1/rrn`},
	})
}
