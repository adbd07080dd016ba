package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/holds"
	"yuanlu/protocol/topics"
)

// TestPreventedByStore: what the guard has prevented stands in the statistics, by store, to those who see that store, on
// the day on which the hold ended; and for programs, of all stores.
func TestPreventedByStore(t *testing.T) { offices(t, checkPreventedByStore) }

func checkPreventedByStore(t *testing.T, o *office) {
	o.hire("ann", "manager", "s1")
	o.hire("lu", "manager", "s2")
	o.hire("adm", "auditor", "*")
	for i, merchant := range []string{"898000000000001", "898000000000001", "M2", "M3"} {
		o.publish("t-1/up/case", heldAt(t, int64(i+1), merchant))
	}
	ann, lu, adm := o.login("ann"), o.login("lu"), o.login("adm")
	const stats = "/v1/work/stats?from=2026-08-23&to=2026-08-23"
	one := func(store string, n, amount int) string {
		return fmt.Sprintf(`{"store":%q,"code":"recipient_mismatch","currency":"CNY","holds":%d,"amount":%d}`, store, n, amount)
	}
	total := func(n, amount int) string {
		return fmt.Sprintf(`],"total":[{"store":"","code":"","currency":"CNY","holds":%d,"amount":%d}]}`, n, amount)
	}
	o.want(ann, 200, `"prevented":{"sums":[`+one("s1", 2, 201)+total(2, 201), "GET", stats, "")
	o.want(lu, 200, `"prevented":{"sums":[`+one("s2", 1, 102)+total(1, 102), "GET", stats, "")
	all := one("", 1, 103) + "," + one("s1", 2, 201) + "," + one("s2", 1, 102) + total(4, 406)
	o.want(adm, 200, `"prevented":{"sums":[`+all, "GET", stats, "")
	o.want(ann, 200, `"prevented":{"sums":[],"total":[]}`, "GET", "/v1/work/stats?from=2026-08-24&to=2026-08-25", "")
	o.want(nil, 200, all, "GET", "/v1/prevented?since=2026-08-22T16:00:00Z", "", "Authorization: Bearer sesame")
	o.want(nil, 200, `"sums":[]`, "GET", "/v1/prevented?since=2026-08-24T00:00:00Z", "", "Authorization: Bearer sesame")
}

// heldAt is a hold that was cancelled on 2026-08-23, the n-th of its terminal, about a sale of its own.
func heldAt(t *testing.T, n int64, merchant string) []byte {
	t.Helper()
	at := time.Date(2026, 8, 23, 1, 0, int(n), 0, time.UTC).Format(time.RFC3339)
	data := fmt.Sprintf(`{"ask":"a-%[1]d","merchant_id":%[2]q,"terminal_id":"10000001","hold":{"state":"cancelled","level":"hold","opened":%[3]q,"until":%[3]q,"ended":%[3]q,
"by":"01","reason":"","text":"","wrong_pins":0},"refund":{"kind":"refund","outcome":"approved","merchant_id":%[2]q,"terminal_id":"10000001","amount":%[4]d,"currency":"CNY"},
"original":{"kind":"sale","outcome":"approved","merchant_id":%[2]q,"terminal_id":"10000001","rrn":"%[1]d","at":%[3]q,"amount":1000,"currency":"CNY"},
"answer":{"type":"answer","seq":7,"ask":"a-%[1]d","practice":false,"action":"hold","recipient":"different","reason":"","evidence":"strong","original":{"seq":1,"found_by":"rrn"},"remaining":650,
"findings":[{"code":"recipient_mismatch","rule":"RC-201","severity":"critical","text":{"en":"x","zh":"某"}}]}}`, n, merchant, at, 99+n)
	return topics.AppendEvent(nil, &topics.Fields{ID: fmt.Sprintf("hold-%d", n), Source: "urn:yuanlu:terminal:t-1", Type: holds.TypeEnded, Subject: fmt.Sprintf("hold/10000001/a-%d", n), Time: time.Now(),
		Sequence: n, Stream: "S", Attempt: 1, ClockSynced: true, Data: []byte(strings.ReplaceAll(data, "\n", ""))})
}
