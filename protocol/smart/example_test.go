package smart_test

import (
	"fmt"

	"yuanlu/protocol/smart"
)

func ExampleDecode() {
	m, err := smart.Decode([]byte(`{"v":1,"id":"T-1","src":"wechat.refund","terminal_id":"SM000001",
		"body":{"out_refund_no":"R7204","status":"SUCCESS","amount":{"refund":350,"currency":"CNY"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	refund, err := m.WeChatRefund()
	fmt.Println(m.Src, refund.OutRefundNo, refund.Status, refund.Refund.Value, refund.Currency, err)

	// An error names the member and its place, never what stands there.
	_, err = smart.Decode([]byte(`{"v":1,"id":"T-1","id":"T-2"}`))
	fmt.Println(err)
	// Output:
	// wechat.refund R7204 SUCCESS 350 CNY <nil>
	// smart: malformed message: field id, offset 18: got it a second time, want each member once
}
