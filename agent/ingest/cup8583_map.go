package ingest

import (
	"slices"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/currency"
)

// cupFacts is what one message states. Its record has no kind, outcome and time.
type cupFacts struct {
	process, condition, message string // F3, F25, F60.1
	voucher                     string // F59 A4
	qr                          bool   // F59 has A3 or A4
	device                      bool   // F55 has 9F19 or 9F6E
	source                      cup8583.Source
	record                      refund.Record

	// Of responses only.
	date, clock           string // F13, F12
	answer                string // F39
	settled               byte   // F48[30]
	hasEntry, hasCurrency bool   // it has F22, F49
}

// facts reads w.message, and returns in note what it left out.
func (w *cupWire) facts(request bool) (f cupFacts, note string) {
	m := w.message
	f.process, f.condition, f.message = m.Text(3), m.Text(25), m.Type()
	f.voucher = strings.ToValidUTF8(m.Sub59("A4"), "\uFFFD")
	f.qr = f.voucher != "" || m.Sub59("A3") != ""
	f.device = m.DeviceToken()
	r := &f.record
	r.Training = m.Training()
	r.TerminalID, r.MerchantID, r.Stan, r.Batch = m.Text(41), m.Text(42), m.Text(11), m.Batch()
	r.Amount, r.HasAmount = digits([]byte(m.Text(4)))
	r.Entry, f.hasEntry = w.profile.entry(m.Text(22)), m.Has(22)
	if number := m.Text(49); number != "" {
		known := false
		if r.Currency, known = currency.ByNumber(number); !known {
			note = "currency that is in no list"
		}
		f.hasCurrency = true
	}
	batch, stan, date := m.Original()
	r.Original = refund.Original{Batch: given(batch), Stan: given(stan), Date: given(date)}
	if sums := m.Sums(); sums != "" {
		r.Totals = misposTotals([]byte(sums))
	}
	r.Party, f.source = w.party()
	if request {
		r.Original.RRN, r.Original.AuthCode = given(m.Text(37)), given(m.Text(38))
		return f, note
	}
	r.RRN, r.AuthCode = m.Text(37), m.Text(38)
	f.date, f.clock, f.answer, f.settled = m.Text(13), m.Text(12), m.Text(39), m.SettlementCode()
	return f, note
}

func prefixOf(s string, n int) string {
	if len(s) < n {
		return ""
	}
	return s[:n]
}

// party returns the card of w.message; nil if it names none.
func (w *cupWire) party() (*refund.Party, cup8583.Source) {
	pan, source := w.message.Account()
	par := w.message.PAR()
	if source == cup8583.SourceNone && par.Empty() {
		return nil, source
	}
	p := &refund.Party{Scheme: refund.SchemeNone, PAR: refund.NewSecret(par.Reveal())}
	if source != cup8583.SourceNone {
		clear := pan.Reveal()
		p.Scheme, p.ID = refund.SchemePAN, refund.NewSecret(clear)
		if w.profile.isToken(clear) {
			p.Scheme = refund.SchemeDPAN
		}
	}
	return p, source
}

// kindOf returns the kind of the request that f is of; ok is false if the profile does
// not name it. cupIgnored is a kind here.
func (w *cupWire) kindOf(mti string, f *cupFacts) (refund.Kind, bool) {
	return w.profile.kindOf(mti, prefixOf(f.process, 2), f.condition, f.message)
}

// record makes the record of a request and its response, one of which may be nil, but
// for its time; ok is false if they make none.
func (w *cupWire) record(mti string, req, resp *cupFacts) (d Decoded, ok bool) {
	f := merged(req, resp)
	kind, ok := w.kindOf(mti, &f)
	if !ok && req != nil {
		kind, ok = w.kindOf(mti, req) // the response has something that fits no line
	}
	if !ok || kind == cupIgnored {
		return Decoded{}, false
	}
	r := f.record
	r.Kind, r.Outcome, r.ResponseCode = kind, refund.Unknown, f.answer
	if resp != nil {
		r.Outcome = w.outcome(kind, &f)
	}
	vouchers(&r, req, resp)
	if r.Channel = refund.ChannelCard; f.qr || r.Entry == refund.EntryQRShown || r.Entry == refund.EntryQRScanned {
		r.Channel = refund.ChannelUnionPayQR
	}
	if mti == cupUpload {
		r.Copy = refund.CopyUpload
		r.RRN, r.AuthCode, r.ResponseCode, r.ChannelTxn = "", "", "", ""
		if r.Outcome != refund.Approved {
			r.Outcome = refund.Unknown
		}
	}
	r.Party = asDevice(r.Party, f.device)
	if kind == refund.KindSettlement {
		r.ResponseCode, r.Channel, r.Entry, r.Party = "", "", "", nil
	} else {
		r.Totals = nil
	}
	return Decoded{Record: r}, true
}

// cupUpload is the type of messages that repeat an earlier one.
const cupUpload = "0320"

// outcome reads the answer of a response.
func (w *cupWire) outcome(kind refund.Kind, f *cupFacts) refund.Outcome {
	approved := w.profile.approved
	switch {
	case kind == refund.KindSettlement && (f.settled == '1' || f.settled == '2'):
		return refund.Approved
	case kind == refund.KindSettlement:
		return refund.Declined
	case kind == refund.KindReversal:
		approved = w.profile.reversalApproved
	}
	switch {
	case f.answer == "" || slices.Contains(w.profile.unknown, f.answer):
		return refund.Unknown
	case slices.Contains(approved, f.answer):
		return refund.Approved
	}
	return refund.Declined
}

// vouchers puts F59 A4 where it belongs: in what returns money it is that of the
// original, in the response of anything else that of the transaction itself.
func vouchers(r *refund.Record, req, resp *cupFacts) {
	switch {
	case r.Kind == refund.KindReversal || r.Kind == refund.KindSettlement:
	case isBack(r.Kind):
		if req != nil {
			r.Original.ChannelTxn = given(req.voucher)
		}
		if resp != nil && r.Original.ChannelTxn == "" {
			r.Original.ChannelTxn = given(resp.voucher)
		}
	case resp != nil:
		r.ChannelTxn = resp.voucher
	}
}

// merged returns the facts of a response, and from its request those that it lacks.
func merged(req, resp *cupFacts) cupFacts {
	switch {
	case resp == nil:
		return *req
	case req == nil:
		return *resp
	}
	f := *resp
	orElse(&f.process, req.process)
	orElse(&f.condition, req.condition)
	orElse(&f.message, req.message)
	f.qr = f.qr || req.qr
	f.device = f.device || req.device
	r, q := &f.record, &req.record
	r.Training = r.Training || q.Training
	orElse(&r.TerminalID, q.TerminalID)
	orElse(&r.MerchantID, q.MerchantID)
	orElse(&r.Stan, q.Stan)
	orElse(&r.Batch, q.Batch)
	if !r.HasAmount {
		r.Amount, r.HasAmount = q.Amount, q.HasAmount
	}
	if !f.hasEntry {
		r.Entry = q.Entry
	}
	if !f.hasCurrency {
		r.Currency = q.Currency
	}
	o := &r.Original
	orElse(&o.Batch, q.Original.Batch)
	orElse(&o.Stan, q.Original.Stan)
	orElse(&o.Date, q.Original.Date)
	o.RRN, o.AuthCode = q.Original.RRN, q.Original.AuthCode
	if q.Totals != nil {
		r.Totals = q.Totals
	}
	r.Party = mergedParty(q.Party, req.source, r.Party, f.source)
	return f
}

// asDevice makes a card number that of a device, if F55 has it so. What only a card has,
// mask and check digit, goes.
func asDevice(p *refund.Party, device bool) *refund.Party {
	if p == nil || p.Scheme != refund.SchemePAN || !device {
		return p
	}
	q := *p
	q.Scheme, q.Mask, q.Flaw = refund.SchemeDPAN, refund.Mask{}, ""
	return &q
}

func orElse(s *string, other string) {
	if *s == "" {
		*s = other
	}
}

// mergedParty takes the card number from the better source, the response's of two equal
// ones, and the PAR from wherever it is. The request's party may be sealed.
func mergedParty(req *refund.Party, reqSource cup8583.Source, resp *refund.Party, respSource cup8583.Source) *refund.Party {
	switch {
	case req == nil:
		return resp
	case resp == nil:
		return req
	}
	p, other := *resp, req
	if reqSource > respSource {
		p, other = *req, resp
	}
	if p.PAR.Empty() && p.PARTokens == nil {
		p.PAR, p.PARTokens = other.PAR, other.PARTokens
	}
	return &p
}
