package report

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/topics"
)

// downTime is how long the outbox may take for an acknowledgement.
const downTime = 10 * time.Second

// receive takes one message from the broker: any bytes on any topic. What is
// refused is counted and reported, and changes nothing. It runs in the Broker's one
// goroutine.
func (s *session) receive(topic string, payload []byte, retained bool) {
	kind, name := s.r.o.Names.ParseDown(topic)
	switch kind {
	case topics.DownHost:
		if name == s.r.o.HostID {
			s.hostState(payload)
		}
	case topics.DownSummary:
		if retained && len(payload) > 0 {
			s.summary(topic, payload)
		}
	case topics.DownAck:
		if retained {
			s.r.refuse(topic, "retained_ack", nil)
			return
		}
		if body, kid, ok := s.open(topic, payload); ok {
			s.ack(topic, body, kid)
		}
	case topics.DownCosign:
		if len(payload) == 0 {
			return // taken back
		}
		if body, _, ok := s.open(topic, payload); ok {
			s.cosign(topic, body)
		}
	case topics.DownConfig:
		if len(payload) == 0 || s.repeated(payload) {
			return // taken back, or by two subscriptions
		}
		body, signedBy, code, err := s.r.openSigned(topic, payload)
		if err != nil {
			s.r.refuse(topic, code, err)
			return
		}
		s.desired(topic, body, signedBy)
	case topics.DownCmd:
		if len(payload) == 0 && retained {
			return
		}
		if !s.received {
			_, _, err := s.r.open(topic, payload)
			s.noteMessage(err == nil)
		}
		s.r.commands.receive(topic, name, payload, retained)
	default:
		s.r.refuse(topic, "unknown_topic", nil)
	}
}

// noteMessage notes that a message of the back office came down to this terminal; good
// is false where it is refused.
func (s *session) noteMessage(good bool) {
	if good && !s.received {
		s.received = true
		s.r.o.Config.BackOfficeReached()
	}
}

// open returns the body of a payload: signed, if keys are known, and by which.
func (s *session) open(topic string, payload []byte) (body []byte, signedBy string, ok bool) {
	body, signedBy, code, err := s.r.openSigned(topic, payload)
	if err != nil {
		s.r.refuse(topic, code, err)
		return nil, "", false
	}
	return body, signedBy, true
}

// open returns the body of a payload, or why it is refused. Without keys the
// payload is the body; one that is signed all the same is unwrapped unchecked.
func (r *Reporter) open(topic string, payload []byte) (body []byte, code string, err error) {
	body, _, code, err = r.openSigned(topic, payload)
	return body, code, err
}

// openSigned is open, with the id of the key that signed it, "" where that was not
// checked.
func (r *Reporter) openSigned(topic string, payload []byte) (body []byte, signedBy, code string, err error) {
	if len(payload) > 2*topics.MaxMessage {
		return nil, "", "too_large", ErrTooLarge
	}
	if len(r.o.Keys) == 0 {
		var wrapped topics.Signed
		if r.check.Decode("signed.v1", payload, &wrapped) == nil {
			var inner []byte
			if json.Unmarshal([]byte(`"`+wrapped.Body+`"`), &inner) == nil {
				return inner, "", "", nil
			}
		}
		return payload, "", "", nil
	}
	signed, body, err := topics.Open(r.check, r.o.Keys, topic, r.o.Names.Terminal, payload)
	switch {
	case err == nil:
		return body, signed.KID, "", nil
	case errors.Is(err, topics.ErrUnsigned):
		return nil, "", "unsigned", err
	case errors.Is(err, topics.ErrUnknownKey):
		return nil, "", "unknown_key", err
	case errors.Is(err, topics.ErrAddressee):
		return nil, "", "other_terminal", err
	}
	return nil, "", "signature", err
}

// refuse counts a received payload that is refused, and reports it in the log and as an
// event. It reports whether
// there is room for an answer about it: a flood gets few.
func (r *Reporter) refuse(topic, code string, err error) bool {
	r.refused.Add(1)
	missed, ok := r.refusals.take()
	if ok {
		short := topic
		if len(short) > 256 {
			short = short[:256]
		}
		attrs := []any{"topic", short, "code", code}
		if err != nil {
			attrs = append(attrs, "err", err)
		}
		r.log.Warn("dn.refused", append(attrs, "before", missed)...)
		kind, _ := r.o.Names.ParseDown(topic)
		names := map[topics.Down]string{topics.DownCmd: "cmd", topics.DownAck: "ack", topics.DownConfig: "config", topics.DownHost: "host",
			topics.DownSummary: "summary"}
		r.o.Terminal.Event("dn.refused", "dn", slog.String("what", names[kind]), slog.String("code", code), slog.Int64("refused", r.refused.Load()))
	}
	return ok
}

func (s *session) hostState(payload []byte) {
	var state topics.HostState
	if err := s.r.check.Decode("host-state.v1", payload, &state); err != nil {
		if len(payload) > 0 {
			s.r.refuse(s.r.o.Names.HostState(s.r.o.HostID), "schema", err)
		}
		return
	}
	if code, err := s.r.host.update(state); err != nil {
		s.r.refuse(s.r.o.Names.HostState(s.r.o.HostID), code, err)
		return
	}
	if state.Online {
		s.r.o.Config.BackOfficeReached()
	}
	s.r.Wake()
}

// ack takes a cumulative acknowledgement and refusals of single events. It only
// moves forward, and needs no trusted clock.
func (s *session) ack(topic string, body []byte, signedBy string) {
	var a topics.Ack
	if err := s.r.check.Decode("ack.v1", body, &a); err != nil {
		s.r.refuse(topic, "schema", err)
		return
	}
	s.noteMessage(true)
	ctx, done := context.WithTimeout(context.Background(), downTime)
	defer done()
	for _, n := range a.Nack {
		err := s.r.o.Terminal.Outbox().Nacked(ctx, a.Stream, n.Seq, n.Code, n.Message)
		switch code := refusedFor(err); {
		case code != "":
			s.r.refuse(topic, code, fmt.Errorf("nack of %d in stream %q: %w", n.Seq, a.Stream, err))
		case err != nil:
			s.r.log.Warn("outbox.nack_lost", "seq", n.Seq, "err", err) // it is sent again, and refused again
			return
		default:
			s.r.log.Warn("outbox.nacked", "seq", n.Seq, "code", n.Code)
		}
	}
	if a.AckedSeq != nil && *a.AckedSeq > 0 {
		s.acked(ctx, topic, a.Stream, *a.AckedSeq, signedBy)
	}
	s.r.Wake()
}

// acked takes a cumulative acknowledgement. One above the newest sequence is of a case
// that this copy of the store does not have: it is ignored, but shows that the store was
// put back.
func (s *session) acked(ctx context.Context, topic, stream string, seq int64, signedBy string) {
	_, err := s.r.o.Terminal.Outbox().Acked(ctx, stream, seq, signedBy)
	if code := refusedFor(err); code != "" {
		s.r.refuse(topic, code, fmt.Errorf("acked_seq %d in stream %q: %w", seq, stream, err))
		if errors.Is(err, refund.ErrBeyond) {
			s.rolledBack(ctx, refund.Trace{By: "ack", Stream: stream, LastSeq: seq})
		}
		return
	}
	if err != nil {
		s.r.log.Warn("outbox.ack_lost", "seq", seq, "err", err) // acknowledged again when sent again
		return
	}
	s.r.noteAck()
	if s.r.problems.clear("unacknowledged") {
		s.r.log.Info("delivery.acknowledged")
	}
}

// refusedFor returns the code of why an acknowledgement or a refusal does nothing, "" for
// any other error.
func refusedFor(err error) string {
	for _, one := range []struct {
		err  error
		code string
	}{{refund.ErrOtherStream, "stream"}, {refund.ErrBeyond, "beyond"}, {refund.ErrUnsent, "unsent"}, {refund.ErrAcknowledged, "acked"}} {
		if errors.Is(err, one.err) {
			return one.code
		}
	}
	return ""
}

// summary takes the case summary that this terminal has left at the broker before its
// start.
func (s *session) summary(topic string, payload []byte) {
	var sum topics.CaseSummary
	if err := s.r.check.Decode("case-summary.v1", payload, &sum); err != nil {
		s.r.refuse(topic, "schema", err)
		return
	}
	ctx, done := context.WithTimeout(context.Background(), downTime)
	defer done()
	s.rolledBack(ctx, refund.Trace{By: "case-summary", Stream: sum.Stream, LastSeq: sum.LastSeq, AckedSeq: sum.AckedSeq, Before: sum.Before})
	if d := sum.Days; d != nil {
		s.rolledBack(ctx, refund.Trace{By: "case-summary", Stream: d.Stream, LastSeq: d.LastSeq, AckedSeq: d.AckedSeq})
	}
}

// rolledBack hands on what may show that the store was put back. What is retained is
// published again in the new stream.
func (s *session) rolledBack(ctx context.Context, trace refund.Trace) {
	renewed, err := s.r.o.Terminal.Outbox().RolledBack(ctx, trace)
	if err != nil {
		s.r.log.Info("outbox.rollback_waits", "by", trace.By, "err", err)
		s.r.trace.Store(&trace)
	}
	if renewed {
		s.republish.set()
		s.r.Wake()
	}
}

// duplicateWindow is how soon the same dn/config comes again where a broker delivers a message
// once for each subscription that matches it.
const duplicateWindow = 2 * time.Second

// repeated reports whether a dn/config is the one that has just come.
func (s *session) repeated(payload []byte) bool {
	sum, now := sha256.Sum256(payload), time.Now()
	same := sum == s.config && now.Sub(s.configAt) < duplicateWindow
	s.config, s.configAt = sum, now
	return same
}

// Refused counts and reports a payload that was taken and is refused after all; topic is
// that of the terminal.
func (r *Reporter) Refused(topic, code string, why error) { r.refuse(topic, code, why) }

// desired hands a desired configuration on; Configuration.Report returns what became of
// it.
func (s *session) desired(topic string, body []byte, signedBy string) {
	var d topics.DesiredConfig
	if err := s.r.check.Decode("desired-config.v1", body, &d); err != nil {
		s.r.refuse(topic, "schema", err)
		return
	}
	if s.r.o.Config == Configuration(none{}) {
		s.r.refuse(topic, "unsupported", nil)
		return
	}
	s.noteMessage(true)
	s.r.o.Config.Take(d, signedBy)
	s.r.wakePresence.set()
}
