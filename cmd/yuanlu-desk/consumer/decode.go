package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

// mostSequence is the greatest sequence taken: far beyond any real one, and safe
// to count on from.
const mostSequence = 1 << 62

// mostInterval bounds the seconds between two health messages that a terminal may
// name: after three of them without a message it is unknown.
const mostInterval = 3600

// firstEntry is where the agent's numbers of other events begin; below it an entry
// of its outbox is a sequence (agent/ledger).
const firstEntry = 1 << 40

// Decoder makes messages for the store from what comes on topics. It is immutable
// and safe for concurrent use.
type Decoder struct {
	root  string
	check *topics.Validator
}

// NewDecoder makes a decoder for the topics below root.
func NewDecoder(root string) (*Decoder, error) {
	check, err := topics.NewValidator()
	if err != nil {
		return nil, err
	}
	return &Decoder{root: root, check: check}, nil
}

// Decode takes any bytes on any topic. ok is false where there is nothing to
// store: a topic that is none of a terminal's, or an empty payload that takes
// nothing back. What does not fit becomes a Refusal.
func (d *Decoder) Decode(topic string, payload []byte, retained bool, received time.Time) (m store.Message, ok bool) {
	rest, found := strings.CutPrefix(topic, d.root+"/v1/")
	if !found {
		return m, false
	}
	terminal, rest, found := strings.Cut(rest, "/up/")
	if !found || topics.CheckPart(terminal) != nil {
		return m, false
	}
	in := &incoming{d: d, terminal: terminal, topic: "up/" + rest, payload: payload, retained: retained, received: received}
	switch rest {
	case "case", "event":
		if len(payload) == 0 {
			return m, false // a retained leftover was taken back
		}
		return in.event(rest == "case"), true
	case "day":
		if len(payload) == 0 {
			return m, false
		}
		return in.day(), true
	case "checkpoint":
		if len(payload) == 0 {
			return m, false // taken back
		}
		return in.checkpoint(), true
	}
	return in.status(rest)
}

// incoming is one message being read.
type incoming struct {
	d        *Decoder
	terminal string
	topic    string // from up/ on
	payload  []byte
	retained bool
	received time.Time
	stream   string // once it is known, with seq
	seq      int64
}

func (in *incoming) refuse(code, message string) store.Message {
	return store.Message{Refusal: &store.Refusal{Terminal: in.terminal, Topic: in.topic, Stream: in.stream, Seq: in.seq,
		Code: code, Message: plain(message, 512), Payload: in.payload, Received: in.received}}
}

// checkpoint reads a checkpoint; evidence.md § 2 has its form.
func (in *incoming) checkpoint() store.Message {
	if len(in.payload) > evidence.MaxMessage {
		return in.refuse("too_large", strconv.Itoa(len(in.payload))+" bytes")
	}
	a, err := evidence.ParseAnnouncement(in.payload, in.terminal)
	if err != nil {
		return in.refuse("checkpoint", err.Error())
	}
	return store.Message{Checkpoint: &store.Checkpoint{Terminal: in.terminal, Announcement: a, Payload: in.payload, Received: in.received}}
}

// plain makes a text fit for any database and for a nack: UTF-8 without control
// characters, at most n bytes.
func plain(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// envelope is what the desk reads of an event itself.
type envelope struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Type       string          `json:"type"`
	Subject    string          `json:"subject"`
	Time       topics.Time     `json:"time"`
	DataSchema string          `json:"dataschema"`
	Sequence   string          `json:"sequence"`
	Stream     string          `json:"stream"`
	Attempt    int64           `json:"attempt"`
	Data       json.RawMessage `json:"data"`
}

// Kinds of case event: those of this version, and those that later ones may add.
var (
	knownCase  = regexp.MustCompile(`^yuanlu\.case\.(opened|revised|cleared|followed|tally)\.v1$`)
	futureCase = regexp.MustCompile(`^yuanlu\.(?:case|hold)\.[a-z][a-z0-9_]*\.v[1-9][0-9]{0,3}$`)
	caseSchema = regexp.MustCompile(`^urn:yuanlu:schema:case\.(opened|revised|cleared|followed|tally)\.v1$`)
	caseID     = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)
)

func (in *incoming) event(isCase bool) store.Message {
	if len(in.payload) > topics.MaxMessage*2 {
		return in.refuse("too_large", strconv.Itoa(len(in.payload))+" bytes")
	}
	var e envelope
	schema, future := "event.v1", false
	if isCase {
		schema = "case-event.v1"
	}
	if topics.Exact(in.payload, &e) != nil {
		return in.refuse(in.broken(isCase, schema))
	}
	in.place(isCase, e.Sequence, e.Stream)
	if isCase {
		if future = !knownCase.MatchString(e.Type) || !caseSchema.MatchString(e.DataSchema); future {
			schema = "event.v1"
		}
	}
	if err := in.d.check.Check(schema, in.payload); err != nil {
		return in.refuse("schema", err.Error())
	}
	switch {
	case !isCase && (strings.HasPrefix(e.Type, "yuanlu.case.") || strings.HasPrefix(e.Type, "yuanlu.hold.")), future && !futureCase.MatchString(e.Type):
		return in.refuse("type", "not a type of this topic")
	case isCase && in.seq == 0:
		return in.refuse("sequence", "sequence and stream must be 20 digits from 1, and a name")
	case e.Source != "urn:yuanlu:terminal:"+in.terminal:
		return in.refuse("source", "source is not the terminal of the topic")
	}
	for _, s := range []string{e.ID, e.Type, e.Subject, e.Stream} {
		if plain(s, 512) != s {
			return in.refuse("schema", "a control character in id, type, subject or stream")
		}
	}
	out := &store.Event{Terminal: in.terminal, Stream: e.Stream, Seq: in.seq, ID: e.ID, Type: e.Type, Subject: e.Subject, Case: isCase, Future: future,
		Time: e.Time.Time, Received: in.received, Attempt: e.Attempt, Payload: in.payload, Digest: e.digest()}
	if isCase {
		in.caseFacts(out, &e)
	} else if e.Type == "outbox.quarantined" {
		out.Aside = aside(e.Data)
	}
	return store.Message{Event: out}
}

// place notes which sequence of which stream this is, where it is one.
func (in *incoming) place(sequenced bool, sequence, stream string) {
	seq, err := strconv.ParseInt(sequence, 10, 64)
	sequenced = sequenced && err == nil && len(sequence) == 20 && seq >= 1 && seq <= mostSequence
	if name := len(stream); sequenced && name > 0 && name <= 128 && plain(stream, 128) == stream {
		in.stream, in.seq = stream, seq
	}
}

// broken returns why a payload cannot be read. Where at least its sequence can, the
// terminal gets a refusal, and sends the rest on.
func (in *incoming) broken(sequenced bool, schema string) (code, message string) {
	var e struct {
		Sequence string `json:"sequence"`
		Stream   string `json:"stream"`
	}
	if topics.Exact(in.payload, &e) == nil {
		in.place(sequenced, e.Sequence, e.Stream)
	}
	if err := in.d.check.Check(schema, in.payload); err != nil {
		if !json.Valid(in.payload) {
			return "garbage", "not JSON in UTF-8"
		}
		return "schema", err.Error()
	}
	return "schema", "a number of the envelope is out of range"
}

// digest covers what never changes between attempts.
func (e *envelope) digest() string {
	h := sha256.New()
	for _, s := range []string{e.ID, e.Source, e.Type, e.Subject, e.Time.UTC().Format(time.RFC3339Nano), e.Sequence, e.Stream, string(e.Data)} {
		h.Write([]byte(s + "\n")) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lasting covers what does not change when it is put back into the queue by hand either: all but
// the sequence.
func (e *envelope) lasting() string {
	same := *e
	same.Sequence = ""
	return same.digest()
}

// caseFacts reads what cases are found by; of a future kind what is there and fits.
func (in *incoming) caseFacts(out *store.Event, e *envelope) {
	var data map[string]json.RawMessage
	if json.Unmarshal(e.Data, &data) != nil {
		return
	}
	text := func(m map[string]json.RawMessage, name string) (s string) {
		if json.Unmarshal(m[name], &s) != nil {
			return ""
		}
		return plain(s, 128)
	}
	if id := text(data, "case_id"); caseID.MatchString(id) {
		out.CaseID = id
	} else if id, ok := strings.CutPrefix(e.Subject, "case/"); ok && caseID.MatchString(id) {
		out.CaseID = id
	}
	var verdict, refund map[string]json.RawMessage
	_ = json.Unmarshal(data["verdict"], &verdict) // of a future kind it may be anything: then there is nothing to find it by
	_ = json.Unmarshal(data["refund"], &refund)
	if strings.HasPrefix(e.Type, "yuanlu.case.followed.") {
		return // of another refund, or of none
	}
	out.Facts = store.Facts{Severity: store.SeverityRank(text(data, "severity")), Decision: text(data, "decision"),
		Recipient: text(verdict, "recipient"), Merchant: text(refund, "merchant_id")}
	switch {
	case strings.HasPrefix(e.Type, "yuanlu.case.cleared."):
		out.Facts.State = store.CaseCleared
	case strings.HasPrefix(e.Type, "yuanlu.case.opened."), strings.HasPrefix(e.Type, "yuanlu.case.revised."):
		out.Facts.State = store.CaseOpen
	}
}

// aside is the sequence that an outbox.quarantined is about, 0 if none.
func aside(data json.RawMessage) int64 {
	var q struct {
		Sequence int64 `json:"sequence"`
	}
	if topics.Exact(data, &q) != nil || q.Sequence < 1 || q.Sequence >= firstEntry {
		return 0
	}
	return q.Sequence
}

// status reads what a terminal publishes about itself.
func (in *incoming) status(rest string) (m store.Message, ok bool) {
	s := &store.Status{Terminal: in.terminal, Retained: in.retained, Received: in.received, Payload: in.payload}
	var schema string
	var to any
	switch rest {
	case "state":
		s.What, schema, to = store.StatusState, "state.v1", &s.State
	case "health":
		s.What, schema, to = store.StatusHealth, "health.v1", &s.Health
	case "info":
		s.What, schema = store.StatusInfo, "info.v1"
	case "config":
		s.What, schema = store.StatusConfig, "config.v1"
	case "case-summary":
		s.What, schema, to = store.StatusSummary, "case-summary.v1", &s.Summary
	default:
		name, found := strings.CutPrefix(rest, "link/")
		name, isState := strings.CutSuffix(name, "/state")
		if !found || !isState || topics.CheckPart(name) != nil {
			return m, false
		}
		s.What, s.Link, schema, to = store.StatusLink, name, "link-state.v1", &s.LinkNow
	}
	if len(in.payload) == 0 {
		return store.Message{Status: s}, true
	}
	if len(in.payload) > 2*topics.MaxMessage {
		return in.refuse("too_large", strconv.Itoa(len(in.payload))+" bytes"), true
	}
	if err := in.fits(schema, to); err != nil {
		return in.refuse("schema", err.Error()), true
	}
	s.State.State, s.State.Session, s.State.Reason = plain(s.State.State, 64), plain(s.State.Session, 128), plain(s.State.Reason, 256)
	s.LinkNow.State, s.LinkNow.Reason = plain(s.LinkNow.State, 64), plain(s.LinkNow.Reason, 256)
	s.Health.Verdict, s.Health.IntervalS = plain(s.Health.Verdict, 64), min(s.Health.IntervalS, mostInterval)
	if st := s.Summary.Stream; plain(st, 128) != st || s.Summary.AckedSeq > mostSequence {
		return in.refuse("schema", "stream or acked_seq out of range"), true
	}
	return store.Message{Status: s}, true
}

var errUnfit = errors.New("the members that this desk knows are of other types")

// fits checks a payload against its schema and reads it. One of a greater version
// (member v) is read as far as it goes.
func (in *incoming) fits(schema string, to any) error {
	err := in.d.check.Check(schema, in.payload)
	if err != nil {
		var version struct {
			V int64 `json:"v"`
		}
		if !utf8.Valid(in.payload) || topics.Exact(in.payload, &version) != nil || version.V < 2 {
			return err
		}
	}
	if to != nil && topics.Exact(in.payload, to) != nil {
		return errUnfit
	}
	return nil
}
