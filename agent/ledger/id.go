package ledger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strconv"

	"yuanlu/agent/refund"
)

// crockford is Crockford's base32 alphabet: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// base32of writes the first 128 bits of b, most significant first, as 26
// characters; the first character holds the topmost three bits.
func base32of(b []byte) string {
	var out [26]byte
	var hi, lo uint64
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[8+i])
	}
	for i := 25; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// randomID returns 128 random bits: the name of a stream, or of an event.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base32of(b[:])
}

// joined writes the parts so that no two lists of parts become the same bytes:
// each part as its length in decimal, a colon, and its bytes.
func joined(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
	}
	return b
}

// caseID names the case of a refund, from the refund alone: HMAC-SHA-256 under
// the case key over joined("case", merchant, terminal, kind, which, values…),
// where which and values are the first of these that r states:
//
//	"channel_refund", channel, channel_refund   (channel known)
//	"refund_no", refund_no
//	"stan", batch, stan, amount
//	"at", at, amount                            (amount "": not stated)
//
// r is the first sighting, so that the same refund read again after any accident
// is the same case. Source: topics.md, Case event.
func caseID(key []byte, r *refund.Record) string {
	parts := []string{"case", r.MerchantID, r.TerminalID, string(r.Kind)}
	amount := ""
	if r.HasAmount {
		amount = strconv.FormatInt(r.Amount, 10)
	}
	switch {
	case r.ChannelRefund != "" && r.Channel != "" && r.Channel != refund.ChannelUnknown:
		parts = append(parts, "channel_refund", string(r.Channel), r.ChannelRefund)
	case r.RefundNo != "":
		parts = append(parts, "refund_no", r.RefundNo)
	case r.Batch != "" && r.Stan != "" && r.HasAmount:
		parts = append(parts, "stan", r.Batch, r.Stan, amount)
	default:
		parts = append(parts, "at", r.At, amount)
	}
	return keyedID(key, parts)
}

// eventID names one event of a case: the same over joined("event", case id,
// stream, rev). rev counts the events of this case, 1 for the first, and not the
// revisions of a verdict: a second try of a declined refund is another verdict of
// the same case and starts at revision 1 again.
func eventID(key []byte, caseID, stream string, rev int64) string {
	return keyedID(key, []string{"event", caseID, stream, strconv.FormatInt(rev, 10)})
}

func keyedID(key []byte, parts []string) string {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write(joined(parts...))
	return base32of(m.Sum(nil))
}
