package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestPayerNotRepaid(t *testing.T) {
	run(t, payerNotRepaid{}, []row{
		{"merchant account", found(based(refund.BasisMerchantAccount, refund.Different, "")), "hit RC-107 high"},
		{"merchant account, no original", lost(refund.SearchNoOriginal, "", based(refund.BasisMerchantAccount, refund.Different, "")), "hit RC-107 high"},
		{"somebody else", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical)), "no_hit"},
		{"another account", found(based(refund.BasisOtherAccount, refund.Doubtful, "")), "no_hit"},
	})
}
