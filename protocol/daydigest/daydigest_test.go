package daydigest

import (
	"strings"
	"testing"
)

// TestSaleKey: values computed with another program (printf 'twechat\x1f4200' | sha256sum | xxd -r -p | head -c 9 | base64).
func TestSaleKey(t *testing.T) {
	for _, tc := range []struct{ kind, channel, number, want string }{
		{ByTransaction, "wechat", "4200", "VbD9nvW59MdO"},
		{ByOrder, "alipay", "订单-1", "Z6qRYerLcvcC"},
	} {
		if got := SaleKey(tc.kind, tc.channel, tc.number); got != tc.want || len(got) != KeyLen {
			t.Errorf("%s %s %s: %s, want %s", tc.kind, tc.channel, tc.number, got, tc.want)
		}
	}
	if strings.Join(Reasons(), " ") != "capture_gap link_down clock history store too_many" || Wallet("card") || Wallet("cash") || Wallet("unknown") || !Wallet("wechat") {
		t.Error("reasons or wallets")
	}
}
