package refund

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sealedParty makes a sealed party from "scheme[@namespace] id" texts, the first its own, the
// others also; "par X" sets its PAR.
func sealedParty(k ring, texts ...string) *Party {
	if len(texts) == 0 {
		return nil
	}
	out := &Party{}
	first := true
	for _, text := range texts {
		what, id, _ := strings.Cut(text, " ")
		if what == "par" {
			out.PAR = NewSecret(id)
			continue
		}
		scheme, namespace, _ := strings.Cut(what, "@")
		one := Party{Scheme: Scheme(scheme), Namespace: namespace, ID: NewSecret(id)}
		if first {
			one.PAR, first = out.PAR, false
			one.Also = out.Also
			*out = one
			continue
		}
		out.Also = append(out.Also, one)
	}
	return Seal(Record{Party: out}, k).Party
}

const (
	card1       = "6200000111122227"
	card2       = "6205500770011223346"
	par1        = "par 5001AAAAAAAAAAAAAAAAAAAAAAAAA"
	par2        = "par 5001BBBBBBBBBBBBBBBBBBBBBBBBB"
	openid      = "oTESTa1b2c3d4e5f6g7h8i9j0k1l"
	otherOpenID = "oTESTz9y8x7w6v5u4t3s2r1q0p9o"
)

var (
	wantSame       = [...]string{"same", "strong", "", ""}
	wantWeak       = [...]string{"same", "weak", "recipient_weak_match low", ""}
	wantEquivalent = [...]string{"equivalent", "strong", "", ""}
	wantDifferent  = [...]string{"different", "strong", "recipient_mismatch critical", ""}
	wantWeakDiffer = [...]string{"different", "weak", "recipient_mismatch high", ""}
	wantReissued   = [...]string{"doubtful", "", "recipient_suspect medium", ""}
	wantLogon      = [...]string{"doubtful", "weak", "recipient_suspect medium", ""}
	wantToken      = [...]string{"unverifiable", "", "", "token"}
	wantMask       = [...]string{"unverifiable", "", "", "mask"}
	wantNamespace  = [...]string{"unverifiable", "", "", "namespace"}
	wantNoPayer    = [...]string{"unverifiable", "", "", "payer_missing"}
	wantNoPayee    = [...]string{"unverifiable", "", "", "recipient_missing"}
)

func essence(c Comparison) [4]string {
	f := c.Code
	if c.Severity != 0 {
		f += " " + map[Severity]string{Critical: "critical", High: "high", Medium: "medium", Low: "low", Info: "info"}[c.Severity]
	}
	return [4]string{string(c.Recipient), string(c.Evidence), f, c.Reason}
}

// The table of verdicts.md § 4, cell by cell.
func TestCompareTable(t *testing.T) {
	type parties = []string
	tests := []struct {
		name             string
		payer, recipient parties
		want             [4]string
	}{
		{"pan, equal", parties{"pan " + card1}, parties{"pan " + card1}, wantSame},
		{"pan, other", parties{"pan " + card1}, parties{"pan " + card2}, wantDifferent},
		{"pan, other in the middle only", parties{"pan 6200000111122227"}, parties{"pan 6200001011122227"}, wantDifferent},
		{"pan, equal though PARs differ", parties{"pan " + card1, par1}, parties{"pan " + card1, par2}, wantSame},
		{"pan, equal and PARs equal", parties{"pan " + card1, par1}, parties{"pan " + card1, par1}, wantSame},
		{"pan, other, PARs equal", parties{"pan " + card1, par1}, parties{"pan " + card2, par1}, wantEquivalent},
		{"pan, other, one PAR", parties{"pan " + card1, par1}, parties{"pan " + card2}, wantDifferent},

		{"dpan, equal", parties{"dpan " + card1}, parties{"dpan " + card1}, wantSame},
		{"dpan, other", parties{"dpan " + card1}, parties{"dpan " + card2}, wantToken},
		{"dpan, other, PARs differ", parties{"dpan " + card1, par1}, parties{"dpan " + card2, par2}, wantDifferent},
		{"dpan, other, PARs equal", parties{"dpan " + card1, par1}, parties{"dpan " + card2, par1}, wantEquivalent},
		{"dpan, other, one PAR", parties{"dpan " + card1}, parties{"dpan " + card2, par1}, wantToken},
		{"dpan and pan, same digits", parties{"dpan " + card1}, parties{"pan " + card1}, wantSame},
		{"dpan and pan, same digits, PARs differ", parties{"dpan " + card1, par1}, parties{"pan " + card1, par2}, wantSame},
		{"dpan and pan, other", parties{"dpan " + card1}, parties{"pan " + card2}, wantToken},
		{"dpan and pan, other, PARs differ", parties{"dpan " + card1, par1}, parties{"pan " + card2, par2}, wantDifferent},
		{"dpan and pan, other, PARs equal", parties{"pan " + card1, par1}, parties{"dpan " + card2, par1}, wantEquivalent},

		{"masked and pan, agree", parties{"pan " + card1}, parties{"pan_masked 620000******2227"}, wantWeak},
		{"masked and pan, first 6 differ", parties{"pan " + card1}, parties{"pan_masked 620001******2227"}, wantWeakDiffer},
		{"masked and pan, last 4 differ", parties{"pan " + card1}, parties{"pan_masked 620000******2228"}, wantWeakDiffer},
		{"masked and pan, length differs", parties{"pan " + card1}, parties{"pan_masked 620000*****2227"}, wantWeakDiffer},
		{"masked and pan, 19 digits", parties{"pan " + card2}, parties{"pan_masked 620550*********3346"}, wantWeak},
		{"masked and pan, four stars, 16 digits", parties{"pan " + card1}, parties{"pan_masked 620000****2227"}, wantWeak},
		{"masked and pan, four stars, 19 digits", parties{"pan " + card2}, parties{"pan_masked 620550****3346"}, wantWeak},
		{"masked and pan, four stars, lead differs", parties{"pan " + card2}, parties{"pan_masked 620551****3346"}, wantWeakDiffer},
		{"masked and pan, four stars, tail alone agrees", parties{"pan " + card1}, parties{"pan_masked ****2227"}, wantMask},
		{"masked and pan, four stars, tail alone differs", parties{"pan " + card1}, parties{"pan_masked ****4443"}, wantWeakDiffer},
		{"masked and pan, five stars mean a length", parties{"pan " + card1}, parties{"pan_masked *****2227"}, wantWeakDiffer},
		{"masked and pan, last 3 visible", parties{"pan " + card1}, parties{"pan_masked 620000*******227"}, wantMask},
		{"masked and pan, last 3 visible, differ", parties{"pan " + card1}, parties{"pan_masked 620000*******228"}, wantWeakDiffer},
		{"masked and pan, first 5 visible", parties{"pan " + card1}, parties{"pan_masked 62000*******2227"}, wantMask},
		{"masked and pan, nothing visible", parties{"pan " + card1}, parties{"pan_masked ****************"}, wantMask},
		{"masked and pan, no digit in the middle is compared", parties{"pan " + card1}, parties{"pan_masked 62000099****2227"}, wantWeak},
		{"masked and pan, lone digits", parties{"pan " + card1}, parties{"pan_masked 62*000******2227"}, wantMask},
		{"masked and pan, PARs differ", parties{"pan " + card1, par1}, parties{"pan_masked 620000******2227", par2}, wantDifferent},
		{"masked and pan, PARs equal", parties{"pan " + card1, par1}, parties{"pan_masked 620550****3346", par1}, wantEquivalent},
		{"masked and pan, one PAR", parties{"pan " + card1, par1}, parties{"pan_masked 620000******2227"}, wantWeak},
		{"masked, equal", parties{"pan_masked 620000******2227"}, parties{"pan_masked 620000******2227"}, wantWeak},
		{"masked, equal, but few digits", parties{"pan_masked ****2227"}, parties{"pan_masked ****2227"}, wantMask},
		{"masked, both lengths known and unequal", parties{"pan_masked 620000******2227"}, parties{"pan_masked 620000*********2227"}, wantWeakDiffer},
		{"masked, one length known", parties{"pan_masked 620000*********2227"}, parties{"pan_masked 620000****2227"}, wantWeak},
		{"masked, no position in common", parties{"pan_masked 620000**********"}, parties{"pan_masked ************2227"}, wantMask},
		{"masked, same digit in the middle", parties{"pan_masked 6200003*****2227"}, parties{"pan_masked 62000031****2227"}, wantWeak},
		{"masked, other digit in the middle", parties{"pan_masked 6200003*****2227"}, parties{"pan_masked 62000041****2227"}, wantWeakDiffer},
		{"masked, same digit before the last 4", parties{"pan_masked 620000*****52227"}, parties{"pan_masked 620000****652227"}, wantWeak},
		{"masked, other digit before the last 4", parties{"pan_masked 620000*****52227"}, parties{"pan_masked 620000****642227"}, wantWeakDiffer},
		{"masked, middle from the right, one length known", parties{"pan_masked 620000****52227"}, parties{"pan_masked 620000*****62227"}, wantWeakDiffer},
		{"masked, middle from the right, no length", parties{"pan_masked 620000****52227"}, parties{"pan_masked 620000****62227"}, wantWeakDiffer},
		{"masked, middle from the left, no length", parties{"pan_masked 6200001****2227"}, parties{"pan_masked 6200002****2227"}, wantWeakDiffer},
		{"masked, middle of places not in common", parties{"pan_masked 6200001*****2227"}, parties{"pan_masked 620000*****12227"}, wantWeak},
		{"masked, PARs differ", parties{"pan_masked 620000******2227", par1}, parties{"pan_masked 620000******2227", par2}, wantDifferent},
		{"masked, PARs equal", parties{"pan_masked 620000******2227", par1}, parties{"pan_masked 620000******2227", par1}, wantEquivalent},
		{"masked and dpan", parties{"pan_masked 620000******2227"}, parties{"dpan " + card1}, wantToken},
		{"masked and dpan, digits differ", parties{"pan_masked 620550****3346"}, parties{"dpan " + card1}, wantToken},
		{"masked and dpan, PARs differ", parties{"dpan " + card1, par1}, parties{"pan_masked 620000******2227", par2}, wantDifferent},
		{"masked and dpan, PARs equal", parties{"dpan " + card1, par1}, parties{"pan_masked 620000******2227", par1}, wantEquivalent},

		{"openid, equal", parties{"wechat_openid@wx1 " + openid}, parties{"wechat_openid@wx1 " + openid}, wantSame},
		{"openid, other", parties{"wechat_openid@wx1 " + openid}, parties{"wechat_openid@wx1 " + otherOpenID}, wantDifferent},
		{"openid, equal, other app", parties{"wechat_openid@wx1 " + openid}, parties{"wechat_openid@wx2 " + openid}, wantNamespace},
		{"openid, other, other app", parties{"wechat_openid@wx1 " + openid}, parties{"wechat_openid@wx2 " + otherOpenID}, wantNamespace},
		{"openid, equal, app of one", parties{"wechat_openid@wx1 " + openid}, parties{"wechat_openid " + openid}, wantSame},
		{"openid, other, app of one", parties{"wechat_openid " + otherOpenID}, parties{"wechat_openid@wx1 " + openid}, wantNamespace},
		{"openid, equal, no app", parties{"wechat_openid " + openid}, parties{"wechat_openid " + openid}, wantSame},
		{"openid, other, no app", parties{"wechat_openid " + openid}, parties{"wechat_openid " + otherOpenID}, wantNamespace},
		{"openid, other, PARs equal", parties{"wechat_openid@wx1 " + openid, par1}, parties{"wechat_openid@wx1 " + otherOpenID, par1}, wantEquivalent},
		{"open_id, equal", parties{"alipay_open_id@2021 " + openid}, parties{"alipay_open_id@2021 " + openid}, wantSame},
		{"open_id, other", parties{"alipay_open_id@2021 " + openid}, parties{"alipay_open_id@2021 " + otherOpenID}, wantDifferent},
		{"open_id, other app", parties{"alipay_open_id@2021 " + openid}, parties{"alipay_open_id@2022 " + openid}, wantNamespace},
		{"openid and open_id", parties{"wechat_openid " + openid}, parties{"alipay_open_id " + openid}, wantNamespace},
		{"user_id, equal", parties{"alipay_user_id 2088102177846321"}, parties{"alipay_user_id 2088102177846321"}, wantSame},
		{"user_id, other", parties{"alipay_user_id 2088102177846321"}, parties{"alipay_user_id 2088102177846322"}, wantDifferent},
		{"user_id, a stray namespace says nothing", parties{"alipay_user_id@x 2088102177846321"}, parties{"alipay_user_id 2088102177846321"}, wantSame},
		{"unionpay_token, equal", parties{"unionpay_token tok-1"}, parties{"unionpay_token tok-1"}, wantSame},
		{"unionpay_token, other", parties{"unionpay_token tok-1"}, parties{"unionpay_token tok-2"}, wantReissued},
		{"logon, equal", parties{"alipay_logon 159****5620"}, parties{"alipay_logon 159****5620"}, wantWeak},
		{"logon, other", parties{"alipay_logon 159****5620"}, parties{"alipay_logon 138****0071"}, wantLogon},

		{"pan and openid", parties{"pan " + card1}, parties{"wechat_openid " + openid}, wantNamespace},
		{"pan and unionpay_token", parties{"pan " + card1}, parties{"unionpay_token " + card1}, wantNamespace},
		{"user_id and logon", parties{"alipay_user_id 2088102177846321"}, parties{"alipay_logon 159****5620"}, wantNamespace},
		{"user_id and open_id", parties{"alipay_user_id 2088102177846321"}, parties{"alipay_open_id 2088102177846321"}, wantNamespace},
		{"merchant accounts with an id", parties{"merchant_account 1"}, parties{"merchant_account 1"}, wantNamespace},
		{"pan and merchant account with an id", parties{"pan " + card1}, parties{"merchant_account 1"}, wantNamespace},

		{"no recipient", parties{"pan " + card1}, nil, wantNoPayee},
		{"recipient none", parties{"pan " + card1}, parties{"none"}, wantNoPayee},
		{"recipient cash", parties{"pan " + card1}, parties{"cash"}, wantNoPayee},
		{"recipient without scheme", parties{"pan " + card1}, parties{" " + card1}, wantNoPayee},
		{"recipient is text", parties{"pan " + card1}, parties{"account_text 招商银行信用卡0403"}, wantNoPayee},
		{"recipient text, both", parties{"account_text x"}, parties{"account_text x"}, wantNoPayee},
		{"recipient pan without id", parties{"pan " + card1}, parties{"pan "}, wantNoPayee},
		{"recipient merchant account without id", parties{"pan " + card1}, parties{"merchant_account "}, wantNoPayee},
		{"recipient PAR alone, differs", parties{"pan " + card1, par1}, parties{"none", par2}, wantNoPayee},
		{"recipient PAR alone, equal", parties{"pan " + card1, par1}, parties{"none", par1}, wantEquivalent},
		{"no payer", nil, parties{"pan " + card1}, wantNoPayer},
		{"payer cash", parties{"cash"}, parties{"pan " + card1}, wantNoPayer},
		{"payer without id", parties{"wechat_openid@wx1 "}, parties{"wechat_openid@wx1 " + openid}, wantNoPayer},
		{"nobody", nil, nil, wantNoPayee},

		{"also agrees", parties{"wechat_openid@wx1 " + openid, "wechat_openid@wx2 " + otherOpenID}, parties{"wechat_openid@wx2 " + otherOpenID}, wantSame},
		{"strong equal wins over a strong difference", parties{"wechat_openid@wx1 " + openid, "alipay_user_id 1"},
			parties{"wechat_openid@wx1 " + otherOpenID, "alipay_user_id 1"}, wantSame},
		{"strong equal wins over doubtful", parties{"alipay_logon 159****5620", "alipay_user_id 1"}, parties{"alipay_logon zha***@163.com", "alipay_user_id 1"}, wantSame},
		{"strong difference wins over a weak equal", parties{"alipay_logon 159****5620", "alipay_user_id 1"},
			parties{"alipay_logon 159****5620", "alipay_user_id 2"}, wantDifferent},
		{"strong difference wins over a weak difference", parties{"pan_masked 620000****2227", "alipay_user_id 1"},
			parties{"pan_masked 620000****2228", "alipay_user_id 2"}, wantDifferent},
		{"weak difference wins over doubtful", parties{"unionpay_token a", "pan_masked 620000****2227"},
			parties{"unionpay_token b", "pan_masked 620000****2228"}, wantWeakDiffer},
		{"weak difference wins over a weak equal", parties{"alipay_logon a***", "pan_masked 620000****2227"},
			parties{"alipay_logon a***", "pan_masked 620000****2228"}, wantWeakDiffer},
		{"doubtful wins over a weak equal", parties{"unionpay_token a", "alipay_logon a***"}, parties{"unionpay_token b", "alipay_logon a***"}, wantReissued},
		{"doubtful twice", parties{"unionpay_token a", "alipay_logon a***"}, parties{"unionpay_token b", "alipay_logon b***"}, wantLogon},
		{"weak equal wins over nothing", parties{"dpan " + card2, "alipay_logon a***"}, parties{"pan " + card1, "alipay_logon a***"}, wantWeak},
		{"PAR wins over a strong difference", parties{"pan " + card1, "alipay_user_id 1", par1}, parties{"pan " + card2, "alipay_user_id 2", par1}, wantEquivalent},
		{"strong equal in also wins over PAR", parties{"pan " + card1, "alipay_user_id 1", par1}, parties{"pan " + card2, "alipay_user_id 1", par1}, wantSame},
		{"weak difference wins over a token that says nothing", parties{"dpan " + card1, "pan_masked ****2227"}, parties{"pan " + card2, "pan_masked ****2227"},
			wantWeakDiffer},
		{"reason token before namespace", parties{"dpan " + card1, "alipay_user_id 1"}, parties{"pan " + card2}, wantToken},
		{"reason mask before namespace", parties{"unionpay_token a", "pan_masked ****2227"}, parties{"pan_masked ****2227"}, wantMask},
		{"reason token before mask, masks agree", parties{"dpan " + card2, "pan_masked ****2227"}, parties{"pan_masked ****2227"}, wantToken},
		{"text with an identifier in also", parties{"alipay_user_id 1"}, parties{"account_text x", "alipay_user_id 1"}, wantSame},
		{"text with another identifier in also", parties{"alipay_user_id 1"}, parties{"account_text x", "alipay_user_id 2"}, wantDifferent},
	}
	for _, tt := range tests {
		payer, recipient := sealedParty(testRing, tt.payer...), sealedParty(testRing, tt.recipient...)
		c := Compare(payer, recipient)
		if got := essence(c); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if c.PayerHas != payer.HasIdentifier() || c.RecipientHas != recipient.HasIdentifier() || c.BothHave() != (c.PayerHas && c.RecipientHas) {
			t.Errorf("%s: who has an identifier: %+v", tt.name, c)
		}
		if c.Comparable() != (c.Reason == "") {
			t.Errorf("%s: comparable %v with reason %q", tt.name, c.Comparable(), c.Reason)
		}
		// The other way round, only who is missing changes.
		back, want := essence(Compare(recipient, payer)), tt.want
		if want[3] == ReasonPayerMissing {
			want[3] = ReasonRecipientMissing
		} else if want[3] == ReasonRecipientMissing && c.PayerHas {
			want[3] = ReasonPayerMissing
		}
		if back != want {
			t.Errorf("%s, the other way round: got %v, want %v", tt.name, back, want)
		}
	}
}

// What the texts need to know.
func TestCompareTells(t *testing.T) {
	type parties = []string
	tests := []struct {
		name             string
		payer, recipient parties
		want             Comparison // only the fields after RecipientHas
	}{
		{"cards", parties{"pan " + card1}, parties{"pan " + card2},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemePAN, RecipientShown: "620550*********3346"}},
		{"masks agree", parties{"pan " + card1}, parties{"pan_masked 620000******2227"},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemePANMasked, RecipientShown: "620000******2227", Digits: 10}},
		{"a digit of the first 6", parties{"pan " + card1}, parties{"pan_masked 620010******2220"},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemePANMasked, RecipientShown: "620010******2220", Position: 5, Digits: 10}},
		{"a digit of the last 4, length known", parties{"pan " + card1}, parties{"pan_masked ****4227"},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemePANMasked, RecipientShown: "****4227", Position: 13, Digits: 4}},
		{"a digit of the last 4, no length", parties{"pan_masked ****2227"}, parties{"pan_masked 620000****2247"},
			Comparison{PayerScheme: SchemePANMasked, PayerShown: "****2227", RecipientScheme: SchemePANMasked, RecipientShown: "620000****2247", Position: -2, Digits: 4}},
		{"a digit in the middle", parties{"pan_masked 62000012****2227"}, parties{"pan_masked 62000013****2227"},
			Comparison{PayerScheme: SchemePANMasked, PayerShown: "620000******2227", RecipientScheme: SchemePANMasked, RecipientShown: "620000******2227", Position: 8, Digits: 12}},
		{"only the lengths", parties{"pan " + card1}, parties{"pan_masked 620000*****2227"},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemePANMasked, RecipientShown: "620000*****2227", Digits: 10}},
		{"the pair that decides", parties{"alipay_logon 159****5620", "alipay_user_id 2088102177846321"}, parties{"none", "alipay_user_id 2088102177846322"},
			Comparison{PayerScheme: SchemeAlipayUserID, PayerShown: "2088********6321", RecipientScheme: SchemeAlipayUserID, RecipientShown: "2088********6322"}},
		{"by PAR", parties{"dpan " + card1, par1}, parties{"pan " + card2, par1},
			Comparison{PayerScheme: SchemeDPAN, PayerShown: "620000******2227", RecipientScheme: SchemePAN, RecipientShown: "620550*********3346", ByPAR: true}},
		{"by PARs that differ", parties{"dpan " + card1, par1}, parties{"pan " + card2, par2},
			Comparison{PayerScheme: SchemeDPAN, PayerShown: "620000******2227", RecipientScheme: SchemePAN, RecipientShown: "620550*********3346", ByPAR: true}},
		{"nobody there", parties{"none", "pan " + card1}, nil, Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227"}},
		{"a text", parties{"pan " + card1}, parties{"account_text 招商银行信用卡0403"},
			Comparison{PayerScheme: SchemePAN, PayerShown: "620000******2227", RecipientScheme: SchemeAccountText, RecipientShown: "招商银行***0403"}},
	}
	for _, tt := range tests {
		got := Compare(sealedParty(testRing, tt.payer...), sealedParty(testRing, tt.recipient...))
		got.Recipient, got.Evidence, got.Reason, got.Code, got.Severity, got.PayerHas, got.RecipientHas = "", "", "", "", 0, false, false
		if got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}

// A token is compared under any key that both sides have. Without one nothing is
// proved, and no one is accused.
func TestCompareUnderOtherKeys(t *testing.T) {
	older, newer, both := ring{"k1"}, ring{"k2"}, ring{"k2", "k1"}
	tests := []struct {
		name               string
		payers, recipients ring
		payer, recipient   string
		withPAR1, withPAR2 string
		want               [4]string
	}{
		{name: "equal, one key in common", payers: older, recipients: both, payer: "pan " + card1, recipient: "pan " + card1, want: wantSame},
		{name: "other, one key in common", payers: both, recipients: newer, payer: "pan " + card1, recipient: "pan " + card2, want: wantDifferent},
		{name: "equal, no key in common", payers: older, recipients: newer, payer: "pan " + card1, recipient: "pan " + card1, want: wantToken},
		{name: "other, no key in common", payers: older, recipients: newer, payer: "pan " + card1, recipient: "pan " + card2, want: wantToken},
		{name: "openid, no key in common", payers: older, recipients: newer, payer: "wechat_openid@a x", recipient: "wechat_openid@a x", want: wantToken},
		{name: "openid, one key in common", payers: older, recipients: both, payer: "wechat_openid@a x", recipient: "wechat_openid x", want: wantSame},
		{name: "logon, no key in common", payers: older, recipients: newer, payer: "alipay_logon a", recipient: "alipay_logon b", want: wantToken},
		{name: "PARs, no key in common", payers: older, recipients: newer, payer: "dpan " + card1, recipient: "dpan " + card2, withPAR1: par1, withPAR2: par2, want: wantToken},
		{name: "equal PARs, one key in common", payers: older, recipients: both, payer: "dpan " + card1, recipient: "dpan " + card2, withPAR1: par1, withPAR2: par1, want: wantEquivalent},
		{name: "masks need no key", payers: older, recipients: newer, payer: "pan " + card1, recipient: "pan_masked 620000****2227", want: wantWeak},
		{name: "digits in the middle, no key in common", payers: older, recipients: newer, payer: "pan_masked 6200001****2227", recipient: "pan_masked 6200002****2227", want: wantWeak},
		{name: "digits in the middle, one key in common", payers: older, recipients: both, payer: "pan_masked 6200001****2227", recipient: "pan_masked 6200002****2227", want: wantWeakDiffer},
	}
	for _, tt := range tests {
		texts := func(id, par string) []string {
			if par == "" {
				return []string{id}
			}
			return []string{id, par}
		}
		got := essence(Compare(sealedParty(tt.payers, texts(tt.payer, tt.withPAR1)...), sealedParty(tt.recipients, texts(tt.recipient, tt.withPAR2)...)))
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What was printed and read again is compared by its token and masked form.
func TestComparePrinted(t *testing.T) {
	read := func(texts ...string) *Party {
		r := Record{Kind: KindSale, Outcome: Approved, Party: sealedParty(testRing, texts...)}
		again, err := ParseRecord(r.AppendJSON(nil), Reject)
		if err != nil {
			t.Fatal(err)
		}
		return Seal(again, testRing).Party
	}
	tests := []struct {
		payer, recipient *Party
		want             [4]string
	}{
		{read("pan " + card1), read("pan " + card1), wantSame},
		{read("pan " + card1), read("pan " + card2), wantDifferent},
		{read("pan " + card1), sealedParty(testRing, "pan "+card1), wantToken}, // k2 there need not be k2 here
		{read("pan " + card1), read("pan_masked 620000******2227"), wantWeak},
		{read("pan " + card2), read("pan_masked 62055007****3346"), wantWeak}, // shown with eight stars, but of unknown length
		{read("pan " + card1), read("pan_masked ****4443"), wantWeakDiffer},
		{read("dpan "+card1, par1), read("pan "+card2, par1), wantEquivalent},
		{read("wechat_openid@a x"), read("wechat_openid@a x"), wantSame},
	}
	for i, tt := range tests {
		if got := essence(Compare(tt.payer, tt.recipient)); got != tt.want {
			t.Errorf("%d: got %v, want %v", i, got, tt.want)
		}
	}
}

// Comparing is symmetric but for who is missing; a party that has a strong
// identifier is the same as itself, and what the store returns compares alike.
func TestCompareLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() *Party {
			if rapid.IntRange(0, 9).Draw(t, "nobody") == 0 {
				return nil
			}
			return seal(drawParty(t))
		}
		a, b := draw(), draw()
		x, y := Compare(a, b), Compare(b, a)
		if x.Recipient != y.Recipient || x.Evidence != y.Evidence || x.Code != y.Code || x.Severity != y.Severity {
			t.Fatalf("not symmetric: %+v, %+v", x, y)
		}
		if x.BothHave() && x.Reason != y.Reason {
			t.Fatalf("reasons not symmetric: %q, %q", x.Reason, y.Reason)
		}
		if x.Comparable() != (x.Reason == "") || (x.Code == "") != (x.Severity == 0) {
			t.Fatalf("inconsistent: %+v", x)
		}
		if !x.Comparable() && (x.Evidence != "" || x.Code != "") {
			t.Fatalf("not comparable, yet %+v", x)
		}
		if self := Compare(a, a); strongIdentifier(a) && (self.Recipient != Same || self.Evidence != Strong) {
			t.Fatalf("compared with itself: %+v", self)
		}
		if self := Compare(a, a); self.Recipient == Different && !conflicting(a) {
			t.Fatalf("different from itself: %+v", self)
		}
		r := Record{Kind: KindSale, Party: a}
		stored, err := DecodeStored(EncodeStored(nil, &r))
		if err != nil || Compare(stored.Party, b) != x {
			t.Fatalf("stored and read again it compares as %+v, before as %+v (%v)", Compare(stored.Party, b), x, err)
		}
	})
}

func strongIdentifier(q *Party) bool {
	for i := range q.identifiers() {
		switch one := q.identifier(i); one.Scheme {
		case SchemePAN, SchemeDPAN, SchemeWeChatOpenID, SchemeAlipayOpenID, SchemeAlipayUserID, SchemeUnionPayToken:
			if len(one.Tokens) > 0 {
				return true
			}
		}
	}
	return false
}

// conflicting reports whether a party states two identifiers of one kind.
func conflicting(q *Party) bool {
	n := 0
	for i := range q.identifiers() {
		if isPAN(q.identifier(i).Scheme) {
			n++
		}
	}
	return n > 1
}

func BenchmarkCompare(b *testing.B) {
	both := ring{"k2", "k1"}
	x, y := sealedParty(both, "pan "+card1), sealedParty(both, "pan "+card2)
	b.Run("cards", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Compare(x, y)
		}
	})
	m, n := sealedParty(both, "pan_masked 62000012****2227", "wechat_openid@a x"), sealedParty(both, "pan_masked 62000013****2227", "wechat_openid@b y")
	b.Run("masked and also", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Compare(m, n)
		}
	})
}
