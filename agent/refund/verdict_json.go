package refund

import "strconv"

// AppendJSON appends the verdict as one JSON object, byte for byte as
// verdicts.md shows it: members in that order, no spaces, no HTML escaping.
func (v *Verdict) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":"verdict","seq":`...)
	dst = strconv.AppendInt(dst, v.Seq, 10)
	dst = append(dst, `,"rev":`...)
	dst = strconv.AppendInt(dst, int64(v.Rev), 10)
	dst = appendMember(dst, "kind", string(v.Kind))
	dst = appendMember(dst, "recipient", string(v.Recipient))
	dst = appendMember(dst, "reason", v.Reason)
	dst = appendMember(dst, "evidence", string(v.Evidence))
	dst = appendMember(dst, "decision", string(v.Decision))
	dst = append(dst, `,"cancelled":`...)
	dst = strconv.AppendBool(dst, v.Cancelled)
	if v.Original == nil {
		dst = append(dst, `,"original":null`...)
	} else {
		dst = append(dst, `,"original":{"seq":`...)
		dst = strconv.AppendInt(dst, v.Original.Seq, 10)
		dst = appendMember(dst, "found_by", v.Original.FoundBy)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"findings":[`...)
	for i := range v.Findings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.Findings[i].appendJSON(dst)
	}
	return append(dst, `]}`...)
}

func (f *Finding) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = appendString(dst, f.Code)
	dst = appendMember(dst, "rule", f.Rule)
	dst = appendMember(dst, "severity", f.Severity.String())
	dst = append(dst, `,"text":{"en":`...)
	dst = appendString(dst, f.Text.EN)
	dst = appendMember(dst, "zh", f.Text.ZH)
	return append(dst, `}}`...)
}

// MarshalJSON returns what AppendJSON appends.
func (v Verdict) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// AppendJSON appends the line as one JSON object, byte for byte as verdicts.md § 6
// shows it.
func (i *Integrity) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":"integrity","seq":`...)
	dst = strconv.AppendInt(dst, i.Seq, 10)
	dst = appendMember(dst, "code", i.Code)
	dst = appendMember(dst, "rule", i.Rule)
	dst = append(dst, `,"expected":`...)
	dst = i.Expected.appendJSON(dst)
	dst = append(dst, `,"observed":`...)
	dst = i.Observed.appendJSON(dst)
	return append(dst, '}')
}

// MarshalJSON returns what AppendJSON appends.
func (i Integrity) MarshalJSON() ([]byte, error) { return i.AppendJSON(nil), nil }

func (t *Totals) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"debit_amount":`...)
	dst = strconv.AppendInt(dst, t.DebitAmount, 10)
	dst = append(dst, `,"debit_count":`...)
	dst = strconv.AppendInt(dst, t.DebitCount, 10)
	dst = append(dst, `,"credit_amount":`...)
	dst = strconv.AppendInt(dst, t.CreditAmount, 10)
	dst = append(dst, `,"credit_count":`...)
	dst = strconv.AppendInt(dst, t.CreditCount, 10)
	return append(dst, '}')
}

// appendMember appends a comma, the name and a string value. name needs no escaping.
func appendMember(dst []byte, name, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}
