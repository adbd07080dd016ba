package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

// smartWire maps the messages of wire smart to records and confirms them
// (wires.md, smart). All it remembers is in its Memory.
type smartWire struct {
	profile *smartProfile
	memory  Memory
	tokens  refund.Tokenizer // nil: what is remembered ends with this process
	// What the present message makes.
	envelope refund.Record // what its records have of its envelope
	records  []Decoded
	changes  []refund.MemoryChange
	leftOut  []LeftOut
	reply    []byte
	notes    []string
	question *Question
	order    *Order
}

func newSmart(p *smartProfile, m Memory) *smartWire {
	return &smartWire{profile: p, memory: m}
}

// Scanner returns one for smart frames.
func (w *smartWire) Scanner() *frame.Scanner { return frame.NewSmart() }

// Due returns nothing: nothing waits for an answer.
func (w *smartWire) Due(Clock) (Step, time.Time) { return Step{}, time.Time{} }

// End returns nothing.
func (w *smartWire) End(Clock) Step { return Step{} }

// Frame answers a handshake at once, and a data frame once its records are durable.
// Its errors are of class smart.ErrMalformed; the frame is confirmed all the same, or
// it would come for ever.
func (w *smartWire) Frame(f frame.Frame, now Clock) (Step, error) {
	w.records, w.changes, w.leftOut = w.records[:0], w.changes[:0], w.leftOut[:0]
	w.notes, w.reply = w.notes[:0], w.reply[:0]
	switch f.Type {
	case frame.SmartHandshake:
		// Its ACK is 0 whatever the handshake's ID: it must not confirm a data frame.
		return Step{Immediate: w.confirm(0)}, nil
	case frame.SmartConfirm:
		return Step{Confirmed: f.Ack}, nil
	case frame.SmartData:
		w.question, w.order = nil, nil
		err := w.data(f, now)
		if w.question != nil || w.order != nil { // it waits for no store
			return Step{Immediate: w.confirm(f.ID), Question: w.question, Order: w.order, Ignored: strings.Join(w.notes, "; ")}, nil
		}
		step := Step{Reply: w.confirm(f.ID), LeftOut: w.leftOut, Ignored: strings.Join(w.notes, "; ")}
		if err == nil {
			step.Records, step.Memory = w.records, w.changes
			if len(w.records) > 0 {
				step.Shown = showRecord(&w.records[0].Record)
			}
		}
		return step, err
	}
	return Step{Ignored: "frame of an unknown type"}, nil
}

// confirm makes the frame that confirms an ID.
func (w *smartWire) confirm(id byte) []byte {
	w.reply, _ = frame.AppendSmart(w.reply[:0], frame.Frame{Type: frame.SmartConfirm, Ack: id}) // no data: never too long
	return w.reply
}

// leaveOut notes why the message makes no record.
func (w *smartWire) leaveOut(what LeftOut) { w.leftOut = append(w.leftOut, what) }

// note keeps what of a message is not used, or is in none of the tables. What several
// records of a message lack is kept once.
func (w *smartWire) note(what string) {
	if !slices.Contains(w.notes, what) {
		w.notes = append(w.notes, what)
	}
}

// noteWord is note with the word that no table has, if it can be no card number.
func (w *smartWire) noteWord(what, word string) {
	if !isHarmless(word) {
		w.note("unknown " + what)
		return
	}
	w.note("unknown " + what + " " + word)
}

// isHarmless reports whether a word from a message may be shown: letters, dots and
// underscores, or a code of at most 6 digits.
func isHarmless(word string) bool {
	digits := 0
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c != '_' && c != '.' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'):
			return false
		}
	}
	return len(word) <= 24 && digits <= 6
}

// data makes the records of a data frame, unless its message made some already.
func (w *smartWire) data(f frame.Frame, now Clock) error {
	if f.ID == 0 {
		w.note("data frame with id 0")
	}
	if len(f.Data) == 0 {
		w.leaveOut(LeftOutEmpty)
		return nil
	}
	m, err := smart.Decode(f.Data)
	if err != nil {
		return err
	}
	if smart.IsGuard(m.Src) {
		w.guard(&m)
		return nil
	}
	// Where the envelope names no terminal the body may; else the body of a repeat is
	// not looked at.
	var keys []string
	if m.TerminalID != "" {
		if keys = w.messageKeys(m.TerminalID, m.ID, f.Data); w.isRepeat(keys) {
			w.leaveOut(LeftOutRepeat)
			return nil
		}
	}
	if err := w.body(&m, now); err != nil || len(w.records) == 0 {
		return err
	}
	if keys == nil {
		if keys = w.messageKeys(w.records[0].Record.TerminalID, m.ID, f.Data); w.isRepeat(keys) {
			w.records, w.changes = w.records[:0], w.changes[:0]
			w.leaveOut(LeftOutRepeat)
			return nil
		}
	}
	w.remember(keys[0], []byte{'1'}, now)
	for i := range w.records {
		finishSmart(&w.records[i].Record)
	}
	return nil
}

// body maps the body as its src is.
func (w *smartWire) body(m *smart.Message, now Clock) error {
	w.envelope = refund.Record{
		TerminalID: m.TerminalID, MerchantID: m.MerchantID, Operator: m.Operator,
		Training: m.Training, Copy: refund.Copy(m.Copy), Ask: m.Ask,
	}
	switch m.Src {
	case smart.SrcWeChatTransaction:
		return w.weChatTransaction(m, now)
	case smart.SrcWeChatRefund:
		return w.weChatRefund(m, now)
	case smart.SrcWeChatReverse:
		return w.weChatReverse(m, now)
	case smart.SrcAlipayTrade:
		return w.alipayTrade(m, now)
	case smart.SrcAlipayRefund:
		return w.alipayRefund(m, now)
	case smart.SrcAlipayCancel:
		return w.alipayCancel(m, now)
	case smart.SrcUnionPayQR:
		return w.unionPayQR(m, now)
	case smart.SrcLakalaCard:
		return w.lakala(m, now)
	case smart.SrcRecord:
		return w.spoken(m, now)
	}
	w.leaveOut(LeftOutValue("src", m.Src))
	return nil
}

// add begins one more record of the message, valid until the next.
func (w *smartWire) add(kind refund.Kind, channel refund.Channel) *Decoded {
	w.records = append(w.records, Decoded{Record: w.envelope})
	d := &w.records[len(w.records)-1]
	d.Record.Kind, d.Record.Channel = kind, channel
	return d
}

// finishSmart leaves out what is all zeros, and what a settlement does not have.
func finishSmart(r *refund.Record) {
	o := &r.Original
	for _, v := range []*string{&o.Stan, &o.Batch, &o.Date, &o.RRN, &o.AuthCode, &o.OrderNo, &o.ChannelTxn, &o.TerminalID} {
		*v = given(*v)
	}
	if r.Kind == refund.KindSettlement {
		r.Channel, r.Entry, r.Party = "", "", nil
	}
	r.Channel = channelOrNone(r.Channel)
	if r.Entry == refund.EntryNone {
		r.Entry = ""
	}
	if !r.Kind.Judged() {
		r.Ask = ""
	}
	if r.Currency == "RMB" {
		r.Currency = "CNY"
	}
	if p := r.Party; p != nil && (p.Scheme == "" || p.Scheme == refund.SchemeNone) && p.ID.Empty() && p.Text == "" &&
		p.PAR.Empty() && len(p.Tokens)+len(p.PARTokens)+len(p.Also) == 0 {
		r.Party = nil
	}
}

// moment is a time as a message states it, and what reads it.
type moment struct {
	text string
	read func(string) (string, bool)
}

// date makes the first of the stated times that is one the record's, and else the time
// of reception.
func (w *smartWire) date(d *Decoded, now Clock, stated ...moment) {
	for _, s := range stated {
		if s.text == "" {
			continue
		}
		if at, ok := s.read(s.text); ok {
			d.Record.At = at
			return
		}
		w.note("no such date or time")
	}
	d.Record.At = now.received()
	d.AtFromClock = d.Record.At != ""
}

// rfc3339 reads a time with its offset, and keeps it as it is written.
func rfc3339(s string) (string, bool) {
	_, ok := refund.ParseTime(s)
	return s, ok
}

// beijingMoment reads yyyy-MM-dd HH:mm:ss, with or without a fraction, which is +08:00.
func beijingMoment(s string) (string, bool) {
	if len(s) < len(time.DateTime) || s[10] != ' ' {
		return "", false
	}
	return rfc3339(s[:10] + "T" + s[11:] + "+08:00")
}

// beijingCompact reads yyyyMMddHHmmss, which is +08:00.
func beijingCompact(s string) (string, bool) {
	if len(s) != 14 || !isDigits(s) {
		return "", false
	}
	return beijingMoment(s[:4] + "-" + s[4:6] + "-" + s[6:8] + " " + s[8:10] + ":" + s[10:12] + ":" + s[12:])
}

// compactMoment reads YYYYMMDDhhmmss in the zone of the settings.
func (c Clock) compactMoment(s string) (string, bool) {
	if len(s) != 14 || !isDigits(s) {
		return "", false
	}
	return c.moment(s[:8], s[8:])
}

// amounts puts the amounts of a message into its record.
func amounts(r *refund.Record, amount, payer smart.Number) {
	r.Amount, r.HasAmount = amount.Value, amount.Given
	r.PayerAmount, r.HasPayerAmount = payer.Value, payer.Given
}

// first returns the first number that is given.
func first(numbers ...smart.Number) smart.Number {
	for _, n := range numbers {
		if n.Given {
			return n
		}
	}
	return smart.Number{}
}

// spoken takes a record that the firmware speaks itself. What its body lacks comes
// from the envelope.
func (w *smartWire) spoken(m *smart.Message, now Clock) error {
	body := m.AppendWithoutEmpty(nil)
	defer clear(body) // it may hold a card number
	spoken, err := refund.ParseRecord(body, refund.Ignore)
	if err != nil {
		return recordError(m, err)
	}
	envelope := &w.envelope
	d := w.add(spoken.Kind, spoken.Channel)
	d.Record = spoken
	r := &d.Record
	trimTexts(r)
	for _, v := range []struct{ own, other *string }{
		{&r.TerminalID, &envelope.TerminalID}, {&r.MerchantID, &envelope.MerchantID}, {&r.Operator, &envelope.Operator}, {&r.Ask, &envelope.Ask},
	} {
		if *v.own == "" {
			*v.own = *v.other
		}
	}
	if r.Copy == "" {
		r.Copy = envelope.Copy
	}
	if _, states := m.Flag("training"); !states {
		r.Training = envelope.Training
	}
	if at := r.At; r.Kind != refund.KindJournal {
		r.At = ""
		w.date(d, now, moment{at, rfc3339})
	}
	return nil
}

// recordError returns an error of ParseRecord as one of the message. A word that no
// table knows stays out of it: it is text of the message.
func recordError(m *smart.Message, err error) error {
	if e := (*refund.InputError)(nil); errors.As(err, &e) {
		got := e.Got
		if strings.HasPrefix(got, `"`) {
			got = "another word"
		}
		return m.BodyError(e.Member, e.Column, got, e.Want)
	}
	return fmt.Errorf("%w: %w", smart.ErrMalformed, err)
}

// trimTexts takes trailing spaces from the texts of a record.
func trimTexts(r *refund.Record) {
	for _, v := range []*string{
		&r.ResponseCode, &r.MerchantID, &r.TerminalID, &r.Operator, &r.Funding, &r.Currency, &r.At, &r.Stan, &r.Batch, &r.RRN,
		&r.AuthCode, &r.OrderNo, &r.ChannelTxn, &r.RefundNo, &r.ChannelRefund, &r.Ask, &r.Signature,
		&r.Original.Stan, &r.Original.Batch, &r.Original.Date, &r.Original.RRN, &r.Original.AuthCode, &r.Original.OrderNo,
		&r.Original.ChannelTxn, &r.Original.TerminalID,
	} {
		*v = strings.TrimRight(*v, " ")
	}
}
