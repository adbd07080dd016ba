package wire

// Message is what one transaction puts on the line: the records that it makes, and the form in which the acquirer or
// the channel writes them.
type Message struct {
	// Records are the records that the message makes, in their order: one, but a combined WeChat order makes one of each
	// sub order, and an Alipay notification of a refund one of the trade and one of the refund.
	Records []*Record
	// Shape is one of [Shapes] of the wire; empty: the usual form.
	Shape string
	// Returned is what went back of this Alipay trade so far, this refund included, in fen: refund_fee.
	Returned int64
}

// record returns the record that the message is mainly about: the last.
func (m Message) record() *Record { return m.Records[len(m.Records)-1] }

// one returns the message of a single record in its usual form.
func one(r *Record) Message { return Message{Records: []*Record{r}} }

// Shapes lists the forms that a wire knows beside its usual one (wires.md, fourth edition).
func Shapes(wire string) []string {
	switch wire {
	case "mispos":
		return []string{"filled"}
	case "cup8583":
		return []string{"charged", "points", "account"}
	case "smart":
		return []string{"older", "combined", "notice", "older_query", "reverse", "newer", "closed", "fee", "query",
			"no_number", "lost", "again", "asked", "notified", "cancel", "encrypted", "defect"}
	}
	return nil
}
