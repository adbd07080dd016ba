package ingest

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/mispos"
)

// misposWire maps the messages of wire mispos to records (wires.md, mispos).
// It remembers nothing between frames.
type misposWire struct {
	profile *misposProfile
	message *mispos.Message
	records [1]Decoded
	leftOut [1]LeftOut
	// issuers holds the channels of the issuer names seen, as on the wire; at most
	// maxIssuers, so that noise cannot fill it.
	issuers map[string]refund.Channel
}

const maxIssuers = 64

func newMispos(p *misposProfile) *misposWire {
	return &misposWire{profile: p, message: new(mispos.Message), issuers: map[string]refund.Channel{}}
}

// Scanner returns one for STX frames.
func (w *misposWire) Scanner() *frame.Scanner { return frame.NewSTX() }

// Due returns nothing: an answer is a record by itself.
func (w *misposWire) Due(Clock) (Step, time.Time) { return Step{}, time.Time{} }

// End returns nothing.
func (w *misposWire) End(Clock) Step { return Step{} }

// Frame maps one message. Its errors are those of mispos.Layout.Decode.
func (w *misposWire) Frame(f frame.Frame, now Clock) (Step, error) {
	m := w.message
	if err := w.profile.layout.Decode(m, f.Data); err != nil {
		return Step{}, err
	}
	code, _ := m.Byte(mispos.Type)
	t := w.profile.types[code]
	if !t.known {
		return w.leaveOut(typeLeftOut(code)), nil
	}
	if len(m.Bytes(mispos.Result)) == 0 {
		return w.leaveOut(LeftOutRequest), nil
	}
	if t.again {
		of, ok := m.Byte(mispos.TypeAgain)
		own := w.profile.types[of]
		if !ok || !own.known || own.again {
			s := w.leaveOut(typeLeftOut(code)) // of what is not stated, or it makes no records
			s.Shown = nil                      // and is printed once more
			return s, nil
		}
		t.kind = own.kind
	}
	d := &w.records[0]
	*d = Decoded{}
	note := w.record(&d.Record, t)
	at, flaw := w.when(now)
	d.YearFromClock = at != "" && yearless(w.message.Text(mispos.Date))
	if d.Record.At = at; at == "" {
		d.Record.At = now.received()
		d.AtFromClock = d.Record.At != ""
	}
	if flaw != "" {
		note = flaw
	}
	return Step{Records: w.records[:], Ignored: note, Shown: showRecord(&d.Record)}, nil
}

// leaveOut is the step of a message that makes no record: a balance inquiry reads a card, too.
func (w *misposWire) leaveOut(what LeftOut) Step {
	w.leftOut[0] = what
	return Step{LeftOut: w.leftOut[:], Shown: w.party(w.channel(w.message.Bytes(mispos.Issuer)))}
}

func typeLeftOut(code byte) LeftOut { return LeftOutValue("type", strconv.Itoa(int(code))) }

// record fills in all of r but its time, and returns in note what it left out.
func (w *misposWire) record(r *refund.Record, t misposType) (note string) {
	m := w.message
	r.Kind, r.Copy = t.kind, t.copy
	r.ResponseCode = m.Text(mispos.Result)
	r.Outcome = w.outcome(r.ResponseCode)
	r.MerchantID, r.TerminalID, r.Operator = m.Text(mispos.MerchantID), m.Text(mispos.TerminalID), m.Text(mispos.Operator)
	r.Batch, r.Stan, r.AuthCode = m.Text(mispos.Batch), m.Text(mispos.Trace), m.Text(mispos.AuthCode)
	r.Currency = w.profile.currency
	r.Amount, r.HasAmount = digits(m.Bytes(mispos.Amount))
	r.RefundNo = m.Text(mispos.RefundNo)
	r.Signature, note = w.signature()

	channel := refund.ChannelCard
	if t.kind == refund.KindSettlement {
		r.Totals = misposTotals(m.Bytes(mispos.Totals))
	} else {
		channel = w.channel(m.Bytes(mispos.Issuer))
		r.Channel = channelOrNone(channel)
		r.Entry = w.entry(m.Bytes(mispos.Entry))
		r.Party = w.party(channel)
	}
	back := isBack(t.kind)
	if back {
		route, known := knownRoute(m.Text(mispos.Route))
		if r.RefundRoute = route; !known {
			note = "refund route that no table has"
		}
	}
	w.reference(r, channel, back)
	w.original(r, back)
	return note
}

// knownRoute reads the way back that a channel states; "" and false if records.md has
// no such route.
func knownRoute(s string) (r refund.Route, known bool) {
	switch r = refund.Route(s); r {
	case "", refund.RouteOriginal, refund.RouteBalance, refund.RouteOtherBalance, refund.RouteOtherBankcard:
		return r, true
	}
	return "", false
}

// isBack reports whether a kind returns money, so that its numbers are those of a
// refund and its order number is that of the original.
func isBack(k refund.Kind) bool {
	switch k {
	case refund.KindRefund, refund.KindVoid, refund.KindPreauthVoid, refund.KindCompletionVoid:
		return true
	}
	return false
}

func (w *misposWire) outcome(code string) refund.Outcome {
	if o, ok := w.profile.outcomes[code]; ok {
		return o
	}
	return refund.Declined
}

// channel reads the issuer's name.
func (w *misposWire) channel(issuer []byte) refund.Channel {
	if len(issuer) == 0 {
		return refund.ChannelCard
	}
	if c, ok := w.issuers[string(issuer)]; ok {
		return c
	}
	c := w.channelOf(w.message.Text(mispos.Issuer))
	if len(w.issuers) < maxIssuers {
		w.issuers[string(issuer)] = c
	}
	return c
}

func (w *misposWire) channelOf(name string) refund.Channel {
	name = strings.ToLower(name)
	for _, word := range w.profile.words {
		if strings.Contains(name, word.text) {
			return word.channel
		}
	}
	return refund.ChannelCard
}

func (w *misposWire) entry(code []byte) refund.Entry {
	if e := refund.Entry(w.profile.entries[string(code)]); e != refund.EntryNone {
		return e
	}
	return ""
}

// reference puts 9F10 where the channel has it.
func (w *misposWire) reference(r *refund.Record, channel refund.Channel, back bool) {
	number := w.message.Text(mispos.Reference)
	wallet := channel == refund.ChannelWeChat || channel == refund.ChannelAlipay || channel == refund.ChannelJD
	switch {
	case !wallet:
		r.RRN = number
	case back:
		r.ChannelRefund = number
	default:
		r.ChannelTxn = number
	}
}

func (w *misposWire) original(r *refund.Record, back bool) {
	m := w.message
	r.Original.Stan = given(m.Text(mispos.OriginalTrace))
	r.Original.RRN = given(m.Text(mispos.OriginalReference))
	date := given(m.Text(mispos.OriginalDate))
	if len(date) == 8 {
		date = date[:4] + "-" + date[4:6] + "-" + date[6:]
	}
	r.Original.Date = date
	if order := m.Text(mispos.OrderNo); back {
		r.Original.OrderNo = given(order)
	} else {
		r.OrderNo = order
	}
}

// given leaves out a member of original that is all zeros.
func given(s string) string {
	if refund.Given(s) {
		return s
	}
	return ""
}

// party returns whose account 9F0B is, which depends on the channel.
func (w *misposWire) party(channel refund.Channel) *refund.Party {
	secret := w.message.Secret()
	if secret.Empty() {
		return nil
	}
	return accountPartyOf(channel, secret.Reveal(), w.message.Text(mispos.Namespace))
}

// accountPartyOf returns the party that an account on a cashier link names, nil if it is no
// identifier. namespace is that of an openid or Alipay's open id.
func accountPartyOf(channel refund.Channel, id, namespace string) *refund.Party {
	if channel != refund.ChannelWeChat && channel != refund.ChannelAlipay {
		id = mispos.Unfilled(id)
	}
	scheme := accountScheme(channel, id)
	if id == "" || scheme == refund.SchemeNone {
		return nil
	}
	p := &refund.Party{Scheme: scheme, ID: refund.NewSecret(id)}
	switch p.Scheme {
	case refund.SchemeWeChatOpenID, refund.SchemeAlipayOpenID:
		p.Namespace = namespace
	case refund.SchemeAccountText:
		p.Text = id
	}
	return p
}

// maxToken is the greatest number of characters of a UnionPay token: what is longer is
// encrypted, another text each time for one account, and is no identifier.
const maxToken = 40

// accountScheme returns what an account on a cashier link is; SchemeNone: no identifier.
func accountScheme(channel refund.Channel, id string) refund.Scheme {
	stars := strings.Count(id, "*")
	number := isDigits(id)
	masked := stars > 0 && isDigits(strings.ReplaceAll(id, "*", ""))
	switch channel {
	case refund.ChannelWeChat:
		return refund.SchemeWeChatOpenID
	case refund.ChannelAlipay:
		switch {
		case number && len(id) == 16 && strings.HasPrefix(id, "2088"):
			return refund.SchemeAlipayUserID
		case stars > 0:
			return refund.SchemeAlipayLogon
		}
		return refund.SchemeAlipayOpenID
	case refund.ChannelJD, refund.ChannelUnknown:
		if isPrintable(id) {
			return refund.SchemeAccount
		}
		return refund.SchemeAccountText
	}
	switch {
	case number && channel == refund.ChannelECNY:
		return refund.SchemeECNYWallet
	case number:
		return refund.SchemePAN
	case masked:
		return refund.SchemePANMasked
	case channel == refund.ChannelUnionPayQR && utf8.RuneCountInString(id) > maxToken:
		return refund.SchemeNone
	case channel == refund.ChannelUnionPayQR:
		return refund.SchemeUnionPayToken
	}
	return refund.SchemeAccountText
}

// channelOrNone leaves out a channel that is not known (wires.md, Common).
func channelOrNone(c refund.Channel) refund.Channel {
	if c == refund.ChannelUnknown {
		return ""
	}
	return c
}

// isPrintable reports whether a text is printable ASCII.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// signature accepts 64 hexadecimal digits.
func (w *misposWire) signature() (digest, note string) {
	s := strings.ToLower(w.message.Text(mispos.Signature))
	if s == "" || len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" {
		return s, ""
	}
	return "", "signature that is no SHA-256"
}

// when returns the time the terminal states, "" and why if it is no time.
func (w *misposWire) when(now Clock) (at, flaw string) {
	date, clock := w.message.Text(mispos.Date), w.message.Text(mispos.Time)
	if at, ok := now.moment(date, clock); ok {
		return at, ""
	}
	switch {
	case date == "" && clock == "":
		return "", ""
	case date == "":
		return "", "time of day without a date"
	case clock == "":
		return "", "date without a time of day"
	}
	return "", "no such date or time"
}

// digits reads a number of at most 18 digits; ok is false if there is none.
func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		n = 10*n + int64(c-'0')
	}
	return n, len(b) > 0
}

// misposTotals reads 62 digits as F48 of a settlement has them, and adds domestic and
// foreign cards:
//
//	debit amount 12 | debit count 3 | credit amount 12 | credit count 3 | code 1   twice
func misposTotals(b []byte) *refund.Totals {
	const half = 31
	if len(b) != 2*half {
		return nil
	}
	t := new(refund.Totals)
	for _, b := range [][]byte{b[:half], b[half:]} {
		for _, part := range []struct {
			sum      *int64
			from, to int
		}{{&t.DebitAmount, 0, 12}, {&t.DebitCount, 12, 15}, {&t.CreditAmount, 15, 27}, {&t.CreditCount, 27, 30}} {
			n, _ := digits(b[part.from:part.to])
			*part.sum += n
		}
	}
	return t
}
