// Package bills writes what platforms and the acquirer state of the simulator's days: bills of WeChat Pay, Alipay, UnionPay and an
// acquirer, in the forms of bills.md § 4, by writers of its own; what terminals report of these days (bills.md § 5); and the
// plan of what it planted: refunds made in a portal, that failed later, that came back, that went elsewhere.
package bills
