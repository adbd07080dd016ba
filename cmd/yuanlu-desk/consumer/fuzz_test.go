package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// seeds are messages that come near every branch.
func seeds(f *testing.F) *consumer.Decoder {
	good := string(desktest.Case{Seq: 7}.JSON())
	for _, topic := range []string{"t-1/up/case", "t-1/up/event", "t-1/up/state", "t-1/up/health", "t-1/up/link/pos/state", "t-1/up/case-summary", "t-1/up/info", "_host/x/state", "t-1/up/up/case"} {
		for _, payload := range []string{"", "{}", "null", good, good[1:], `{"v":1,"state":"lost","session":"s"}`, `{"v":9,"state":7}`, `{"v":9,"state":"x","session":"\u0000"}`,
			`{"v":1,"stream":"S","last_seq":9223372036854775807,"acked_seq":9223372036854775807,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null}`} {
			f.Add(topic, []byte(payload), true)
		}
	}
	f.Add("t-1/up/case", []byte(strings.Replace(good, `"000000`, `"9223372036854775807"`, 1)), false)
	for _, alike := range []string{`"ID":"x","STREAM":"y","Sequence":"00000000000000000009",`, `"\u0049d":"x","\u017ftream":"y","Type":"z",`} {
		f.Add("t-1/up/case", []byte(strings.Replace(good, `"data":`, alike+`"data":`, 1)), false)
		f.Add("t-1/up/case", []byte(strings.Replace(good, `{`, `{`+alike, 1)), false)
	}
	day := string(desktest.Day{Seq: 3, Sales: "0Ka9Xh1Vb2Zc"}.JSON())
	for _, payload := range []string{day, day[1:], strings.Replace(day, `"sales":"`, `"sales":"é`, 1), strings.Replace(day, `"parts":1`, `"parts":0`, 1), strings.Replace(day, `"part":1`, `"part":9`, 1),
		strings.Replace(day, `"amount":350`, `"amount":9223372036854775808`, 1), strings.Replace(day, `"data":`, `"Data":{},"data":`, 1), strings.Replace(day, `+08:00`, ``, 1), strings.Replace(day, `"rev":1`, `"rev":1,"rev":2`, 1)} {
		f.Add("t-1/up/day", []byte(payload), false)
	}
	f.Add("t-1/up/event", desktest.Event("t-1", "e", "outbox.quarantined", map[string]any{"sequence": 1 << 39}), false)
	d, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		f.Fatal(err)
	}
	return d
}

// FuzzDecode: any bytes on any topic become a message for the store, or nothing;
// what is to be stored is JSON in UTF-8, what is refused has a reason.
func FuzzDecode(f *testing.F) {
	d := seeds(f)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		m, ok := d.Decode("yuanlu/v1/"+topic, payload, retained, time.Unix(1_800_000_000, 0))
		if !ok {
			return
		}
		switch {
		case m.Event != nil:
			if !json.Valid(m.Event.Payload) || !utf8.Valid(m.Event.Payload) || !bytes.Equal(m.Event.Payload, payload) || m.Event.ID == "" || m.Event.Stream == "" ||
				m.Event.Case != (m.Event.Seq > 0) || strings.Contains(m.Event.ID+m.Event.Stream+m.Event.Subject, "\x00") {
				t.Errorf("%+v", m.Event)
			}
			var named map[string]any // whose names are never folded
			if err := json.Unmarshal(payload, &named); err != nil || named["id"] != m.Event.ID || named["stream"] != m.Event.Stream || named["type"] != m.Event.Type || named["subject"] != m.Event.Subject {
				t.Errorf("%+v from %s", m.Event, payload)
			}
		case m.Day != nil:
			p := m.Day
			if !bytes.Equal(p.Payload, payload) || !json.Valid(p.Data) || p.Stream == "" || p.Seq < 1 || p.Rev < 1 || p.Part < 1 || p.Part > p.Parts || strings.Contains(p.ID+p.Stream+p.Day, "\x00") {
				t.Errorf("%+v", p)
			}
			var named struct{ Data map[string]any }
			if err := json.Unmarshal(payload, &named); err != nil || named.Data["day"] != p.Day || named.Data["terminal"] != p.Terminal || p.Terminal != "t-1" && strings.HasPrefix(topic, "t-1/") {
				t.Errorf("%+v from %s", p, payload)
			}
		case m.Refusal != nil:
			if m.Refusal.Code == "" || m.Refusal.Message == "" || strings.Contains(m.Refusal.Message, "\x00") {
				t.Errorf("%+v", m.Refusal)
			}
		case m.Status == nil:
			t.Error("nothing to store")
		}
	})
}

// FuzzStore: whatever was decoded can be stored, and what the store answers can be
// refused to the terminal. (Look for more with -fuzzminimizetime 1x: the database's
// own coverage is never the same twice.)
func FuzzStore(f *testing.F) {
	d := seeds(f)
	check, err := topics.NewValidator()
	if err != nil {
		f.Fatal(err)
	}
	s, err := store.Open(context.Background(), filepath.Join(f.TempDir(), "desk.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		m, ok := d.Decode("yuanlu/v1/"+topic, payload, retained, time.Unix(1_800_000_000, 0))
		if !ok {
			return
		}
		a, err := s.Apply(context.Background(), []store.Message{m})
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		for _, one := range a.Acks {
			ack := topics.Ack{Stream: one.Stream, Nack: one.Refused}
			if one.Seq > 0 {
				ack.AckedSeq = &one.Seq
			}
			b, err := json.Marshal(ack)
			if err == nil {
				err = check.Check("ack.v1", b)
			}
			if err != nil {
				t.Errorf("%s: %v", b, err)
			}
		}
	})
}
