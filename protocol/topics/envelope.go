package topics

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxMessage is the largest payload that leaves the terminal (topics.md
// rule 6), in bytes.
const MaxMessage = 32 << 10

// MaxPage is what a message of a paged answer may have, in bytes (evidence.md § 3: 200 KiB of data, with
// what the envelope has around it).
const MaxPage = 201 << 10

// Event is one message of up/case, up/day or up/event: CloudEvents 1.0, structured
// JSON. ID and Sequence never change between attempts: a back office
// deduplicates by ID and sees gaps by Stream and Sequence.
type Event struct {
	SpecVersion     string          `json:"specversion"` // "1.0"
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            Time            `json:"time"`
	DataContentType string          `json:"datacontenttype"` // "application/json"
	DataSchema      string          `json:"dataschema"`
	Sequence        string          `json:"sequence,omitzero"` // 20 digits; absent on up/event, which is not sequenced
	Stream          string          `json:"stream"`
	Attempt         int             `json:"attempt"` // from 1
	Historical      bool            `json:"historical"`
	ClockSynced     bool            `json:"clocksynced"`
	Data            json.RawMessage `json:"data"`
}

// appendSequence appends a sequence number as events carry it: 20 digits, because a
// CloudEvents integer has 32 bits and text must sort as numbers do. seq ≥ 0.
func appendSequence(dst []byte, seq int64) []byte {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + seq%10)
		seq /= 10
	}
	return append(dst, digits[:]...)
}

// SchemaURN is the id of the schema with this name ("case.opened.v1").
func SchemaURN(name string) string { return "urn:yuanlu:schema:" + name }

// DataSchema is the id of the schema of `data` in events of type typ: on up/event the
// one of its type, or event-data.v1, which demands nothing, where the type has none.
func DataSchema(typ string) string {
	for _, on := range []string{"case.", "hold."} { // of up/case
		if name, ok := strings.CutPrefix(typ, "yuanlu."+on); ok {
			return SchemaURN(on + name)
		}
	}
	if strings.HasPrefix(typ, "yuanlu.day.") { // of up/day: one schema for all
		return SchemaURN("day.v1")
	}
	if name := "event-data." + typ + ".v1"; hasSchema(name) {
		return SchemaURN(name)
	}
	return SchemaURN("event-data.v1")
}

// Fields are the parts of an event that differ between events; the rest of the
// envelope follows from them.
type Fields struct {
	ID, Source, Type, Subject, Stream string
	Time                              time.Time
	Sequence                          int64 // 0: none
	Attempt                           int   // from 1
	Historical, ClockSynced           bool
	Data                              []byte // JSON, taken as it is
}

// AppendEvent appends the JSON of an event, members in the order of
// topics.md. Data is not checked here; Validator does.
func AppendEvent(dst []byte, f *Fields) []byte {
	dst = append(dst, `{"specversion":"1.0","id":`...)
	dst = appendString(dst, f.ID)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, f.Source)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, f.Type)
	dst = append(dst, `,"subject":`...)
	dst = appendString(dst, f.Subject)
	dst = append(dst, `,"time":"`...)
	dst = f.Time.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","datacontenttype":"application/json","dataschema":`...)
	dst = appendString(dst, DataSchema(f.Type))
	if f.Sequence != 0 {
		dst = append(dst, `,"sequence":"`...)
		dst = appendSequence(dst, f.Sequence)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"stream":`...)
	dst = appendString(dst, f.Stream)
	dst = append(dst, `,"attempt":`...)
	dst = strconv.AppendInt(dst, int64(f.Attempt), 10)
	dst = append(dst, `,"historical":`...)
	dst = strconv.AppendBool(dst, f.Historical)
	dst = append(dst, `,"clocksynced":`...)
	dst = strconv.AppendBool(dst, f.ClockSynced)
	dst = append(dst, `,"data":`...)
	if len(f.Data) == 0 {
		dst = append(dst, `{}`...)
	} else {
		dst = append(dst, f.Data...)
	}
	return append(dst, '}')
}

// appendString appends s as a JSON string. Plain ASCII, which our ids are, is
// copied; anything else goes through encoding/json.
func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always marshals
				return append(dst, `""`...)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
