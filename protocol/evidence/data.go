package evidence

import "strconv"

// A data is what stands in member d of a leaf. Each Append writes the members in the order of evidence.md
// § 1; JSON that it copies stands as it is, so it must be of one line.

// RecordData is d of a record leaf.
type RecordData struct {
	Seq, CopyOf    int64 // CopyOf 0: no copy
	Link, Received string
	Synced, Timed  bool // clock trusted; the record's time is that of reception
	FrameMAC       string
	Record         []byte // JSON, as the store keeps it at this sighting
}

// Append writes it.
func (d *RecordData) Append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), d.Seq, 10)
	b = strconv.AppendInt(append(b, `,"copy_of":`...), d.CopyOf, 10)
	b = AppendString(append(b, `,"link":`...), d.Link)
	b = AppendString(append(b, `,"received":`...), d.Received)
	b = strconv.AppendBool(append(b, `,"synced":`...), d.Synced)
	b = strconv.AppendBool(append(b, `,"timed":`...), d.Timed)
	b = AppendString(append(b, `,"frame_mac":`...), d.FrameMAC)
	b = append(append(b, `,"record":`...), d.Record...)
	return append(b, '}')
}

// VerdictData is d of a verdict leaf.
type VerdictData struct {
	Verdict           []byte // JSON, the line of verdicts.md
	RuleSet, Settings string
}

// Append writes it.
func (d *VerdictData) Append(b []byte) []byte {
	b = append(append(b, `{"verdict":`...), d.Verdict...)
	b = AppendString(append(b, `,"rule_set":`...), d.RuleSet)
	return append(AppendString(append(b, `,"settings":`...), d.Settings), '}')
}

// CaseData is d of a case leaf.
type CaseData struct {
	ID, Sequence, Type, Subject, Time string
	Data                              []byte // JSON, as in the event
}

// Append writes it.
func (d *CaseData) Append(b []byte) []byte {
	b = AppendString(append(b, `{"id":`...), d.ID)
	b = AppendString(append(b, `,"sequence":`...), d.Sequence)
	b = AppendString(append(b, `,"type":`...), d.Type)
	b = AppendString(append(b, `,"subject":`...), d.Subject)
	b = AppendString(append(b, `,"time":`...), d.Time)
	return append(append(append(b, `,"data":`...), d.Data...), '}')
}

// AppendSettled writes d of a settled leaf; kid is "" if the acknowledgement was unsigned.
func AppendSettled(b []byte, stream string, acked int64, kid string) []byte {
	b = AppendString(append(b, `{"stream":`...), stream)
	b = strconv.AppendInt(append(b, `,"acked_seq":`...), acked, 10)
	return append(AppendString(append(b, `,"kid":`...), kid), '}')
}

// AppendAnchor writes d of an anchor leaf: the desk's note.
func AppendAnchor(b []byte, note string) []byte {
	return append(AppendString(append(b, `{"desk":`...), note), '}')
}

// AppendMatch writes d of a match leaf: whether a number is that of the payer, or of the
// recipient, of record seq.
func AppendMatch(b []byte, seq int64, payer, same bool) []byte {
	who, result := "recipient", "different"
	if payer {
		who = "payer"
	}
	if same {
		result = "same"
	}
	b = strconv.AppendInt(append(b, `{"seq":`...), seq, 10)
	b = AppendString(append(b, `,"who":`...), who)
	return append(AppendString(append(b, `,"result":`...), result), '}')
}

// AppendLog writes d of leaf 0: why the log was begun, and the newest checkpoint known of
// the log before, or "".
func AppendLog(b []byte, why, before string) []byte {
	b = AppendString(append(b, `{"what":"log","why":`...), why)
	return append(AppendString(append(b, `,"before":`...), before), '}')
}
