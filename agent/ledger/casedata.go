package ledger

import (
	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// caseData is the `data` of a case event. Its members and their order are those of
// topics.md, Case event; explain stands besides.
type caseData struct {
	CaseID   string          `json:"case_id"`
	Severity string          `json:"severity"`
	Decision refund.Decision `json:"decision"`
	Verdict  refund.Verdict  `json:"verdict"`
	Explain  refund.Explain  `json:"explain"`
	Refund   *sideData       `json:"refund"`
	Original *sideData       `json:"original"`
	Evidence []evidenceData  `json:"evidence"`
	Guard    guardData       `json:"guard"`
}

// guardData is what was asked about the refund before it was made (guard.md § 6).
type guardData struct {
	Level  string `json:"level"`
	Ask    string `json:"ask"`
	Action string `json:"action"`
	At     string `json:"at"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// guardOf returns what a record keeps of the guard.
func guardOf(r *refund.Record) guardData {
	if m := r.Guard; m != nil {
		return guardData{m.Level, m.Ask, m.Action, m.At, m.State, m.Reason}
	}
	return guardData{Level: string(ask.Off)}
}

// sideData is a refund or its original as published.
type sideData struct {
	Link          string         `json:"link"`
	Kind          refund.Kind    `json:"kind"`
	Outcome       refund.Outcome `json:"outcome"`
	MerchantID    string         `json:"merchant_id"`
	TerminalID    string         `json:"terminal_id"`
	Operator      string         `json:"operator"`
	Channel       refund.Channel `json:"channel"`
	Entry         refund.Entry   `json:"entry"`
	Amount        *int64         `json:"amount,omitempty"` // absent: not stated
	PayerAmount   *int64         `json:"payer_amount,omitempty"`
	Currency      string         `json:"currency"`
	At            string         `json:"at"`
	Stan          string         `json:"stan"`
	Batch         string         `json:"batch"`
	RRN           string         `json:"rrn"`
	OrderNo       string         `json:"order_no"`
	ChannelTxn    string         `json:"channel_txn"`
	RefundNo      string         `json:"refund_no"`
	ChannelRefund string         `json:"channel_refund"`
	Party         *partyData     `json:"party"`
	PointsTo      *pointsTo      `json:"points_to,omitempty"` // of a refund
	Releaser      string         `json:"releaser,omitempty"`  // of a refund that was held, and released
}

// pointsTo is what a refund says of its original, as far as it states it (casework.md § 12).
type pointsTo struct {
	ChannelTxn string `json:"channel_txn,omitempty"`
	OrderNo    string `json:"order_no,omitempty"`
	RRN        string `json:"rrn,omitempty"`
}

// refundSideOf is sideOf of the refund that an event is about.
func refundSideOf(link string, r *refund.Record) *sideData {
	s, o := sideOf(link, r), &r.Original
	given := func(v string) string {
		if refund.Given(v) {
			return v
		}
		return ""
	}
	s.PointsTo = &pointsTo{given(o.ChannelTxn), given(o.OrderNo), given(o.RRN)}
	if r.Guard != nil {
		s.Releaser = r.Guard.Releaser
	}
	return s
}

// partyData is what may be published of a party: never more than the newest token and
// the masked form.
type partyData struct {
	Scheme refund.Scheme `json:"scheme"`
	Shown  string        `json:"shown"`
	Token  string        `json:"token"`
}

// evidenceData names one sighting.
type evidenceData struct {
	Record   int64  `json:"record"`
	FrameMAC string `json:"frame_mac"`
	Received string `json:"received"`
}

// mostEvidence bounds the sightings named of the refund and of its original each:
// a batch printed again every day must not make the event too large to send.
const mostEvidence = 8

func sideOf(link string, r *refund.Record) *sideData {
	s := &sideData{
		Link: link, Kind: r.Kind, Outcome: r.Outcome, MerchantID: r.MerchantID, TerminalID: r.TerminalID,
		Operator: r.Operator, Channel: r.Channel, Entry: r.Entry, Currency: r.Currency, At: r.At,
		Stan: r.Stan, Batch: r.Batch, RRN: r.RRN, OrderNo: r.OrderNo, ChannelTxn: r.ChannelTxn,
		RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund,
	}
	if s.Channel == "" {
		s.Channel = refund.ChannelUnknown
	}
	if s.Entry == "" {
		s.Entry = refund.EntryNone
	}
	if r.HasAmount {
		s.Amount = &r.Amount
	}
	if r.HasPayerAmount {
		s.PayerAmount = &r.PayerAmount
	}
	if p := r.Party; p != nil {
		s.Party = &partyData{Scheme: p.Scheme, Shown: p.Shown}
		if s.Party.Scheme == "" {
			s.Party.Scheme = refund.SchemeNone
		}
		if len(p.Tokens) > 0 {
			s.Party.Token = p.Tokens[0]
		}
	}
	return s
}

// caseData gathers what an event of this case holds, and completes the change with
// both records.
func (t *tx) caseData(step *refund.CaseChange, row *rows.Record) ([]byte, error) {
	v := &step.Judged.Verdict
	r, err := row.Decode()
	if err != nil {
		return nil, err
	}
	step.Refund = r
	data := caseData{
		CaseID: step.CaseID, Severity: step.Severity.String(), Decision: v.Decision, Verdict: *v,
		Explain: step.Judged.Explain, Refund: refundSideOf(t.linkName(row.Link), &r), Guard: guardOf(&r),
	}
	if data.Evidence, err = appendEvidence(nil, t.c, row); err != nil {
		return nil, err
	}
	if v.Original != nil {
		o, err := loadRow(t.c, v.Original.Seq)
		if err != nil {
			return nil, err
		}
		if o != nil {
			rec, err := o.Decode()
			if err != nil {
				return nil, err
			}
			step.Original = &rec
			data.Original = sideOf(t.linkName(o.Link), &rec)
			if data.Evidence, err = appendEvidence(data.Evidence, t.c, o); err != nil {
				return nil, err
			}
		}
	}
	return outbox.Marshal(&data)
}

// appendEvidence adds the first sighting of an event and its newest copies.
func appendEvidence(list []evidenceData, c *conn, row *rows.Record) ([]evidenceData, error) {
	list = append(list, evidenceData{row.Seq, rows.UnpackMAC(row.MAC), stamp(row.Received)})
	err := c.Each(`SELECT seq, frame_mac, received FROM record WHERE copy_of = ?1 ORDER BY seq DESC LIMIT ?2`, func(r *sqlite.Row) error {
		list = append(list, evidenceData{r.Int(0), rows.UnpackMAC(r.View(1)), stamp(r.Int(2))})
		return nil
	}, row.Seq, mostEvidence-1)
	return list, err
}

// stamp is a stored time as events carry it.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return rows.Time(ms).Format(timeFormat)
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"
