package follow

import (
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/refund"
)

// What became of a case: the member `what` of a followed event (casework.md § 12).
type What string

const (
	Undone      What = "undone"
	RefundAfter What = "refund_after"
	Settled     What = "settled"
	PayerSeen   What = "payer_seen"
)

// MostSince is how long after a refund its payer is looked for.
const MostSince = 60 * 24 * time.Hour

// Settles reports whether s is a settlement that closes the batch of the refund or void r,
// after it in the journal.
func Settles(s, r *refund.Event) bool {
	a, b := &s.Record, &r.Record
	return a.Kind == refund.KindSettlement && a.Outcome == refund.Approved && !a.Training && b.Batch != "" && s.Seq > r.Seq &&
		a.MerchantID == b.MerchantID && a.TerminalID == b.TerminalID && a.Batch == b.Batch
}

// MayShow reports whether a record can show that a payer was here: his account was read, and
// the channel took it.
func MayShow(r *refund.Record) bool {
	return r.Kind.Pays() && r.Outcome == refund.Approved && r.Entry != refund.EntryKeyed && !r.Training && refund.Usable(r)
}

// Shows reports whether s shows that who paid sale was here after the refund or void r. sale is
// the original of r.
func Shows(s *refund.Event, r *refund.Record, sale *refund.Event) bool {
	if !MayShow(&s.Record) || s.Seq == sale.Seq {
		return false
	}
	at, ok := s.Record.Time()
	since, dated := r.Time()
	if !ok || !dated || !at.After(since) || at.Sub(since) > MostSince {
		return false
	}
	c := refund.Compare(sale.Record.Party, s.Record.Party)
	return c.Recipient.Match() && c.Evidence == refund.Strong
}

// State is what of a refund after a wrong one makes a new event when it changes. The verdict is
// about r.
func State(v *refund.Verdict, r *refund.Record) string {
	return strings.Join([]string{string(v.Recipient), string(v.Evidence), string(v.Decision), strconv.FormatBool(v.Cancelled), string(r.Outcome)}, " ")
}
