package topicstest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/topics"
)

var (
	names   = topics.Names{Root: "shops/cn", Terminal: "t1"}
	private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
)

func event(t testing.TB, source, data string) []byte {
	t.Helper()
	return topics.AppendEvent(nil, &topics.Fields{ID: "e1", Source: source, Type: "link.lost", Subject: "link/pos", Stream: "s",
		Time: time.Unix(1e9, 0), Attempt: 1, Data: []byte(data)})
}

func signed(t testing.TB, topic, body string) []byte {
	t.Helper()
	b, err := topics.Sign(private, "k1", topic, "t1", "id-1", time.Unix(1e9, 0), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSent(t *testing.T) {
	state := `{"v":1,"state":"online","session":"s"}`
	link := `{"v":1,"name":"pos","state":"absent","reason":"","port":"","frames_good":0,"frames_bad":0}`
	ack := `{"stream":"s","acked_seq":1}`
	for _, tc := range []struct {
		topic   string
		qos     byte
		retain  bool
		payload string
		ok      bool
	}{
		{names.State(), 1, true, state, true},
		{names.State(), 1, true, "", false}, // every payload is JSON
		{names.State(), 0, true, state, false},
		{names.State(), 1, false, state, false},
		{names.State(), 1, true, `{"v":1,"state":"up","session":"s"}`, false},
		{names.LinkState("pos"), 1, true, link, true},
		{names.LinkState("usb"), 1, true, link, false}, // about another link
		{names.Event(), 1, false, string(event(t, names.Source(), `{"link":"pos","reason":"unplugged"}`)), true},
		{names.Event(), 1, false, string(event(t, "urn:yuanlu:terminal:t2", `{}`)), false},
		{names.Event(), 1, false, string(event(t, names.Source(), `[]`)), false},
		{names.Event(), 1, false, "", false},
		{names.Event(), 1, false, string(event(t, names.Source(), fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", topics.MaxMessage)))), false},
		{names.Ack(), 1, false, ack, true},
		{names.Ack(), 1, false, string(signed(t, names.Ack(), ack)), true},
		{names.Ack(), 1, false, string(signed(t, names.Ack(), `{"stream":"s"}`)), false},
		{names.Log("warn"), 0, false, `{"ts":"2026-01-01T00:00:00Z","level":"warn","code":"x"}`, true},
		{"shops/cn/v1/t1/up/other", 1, false, `{}`, false},
		{"other", 1, false, `{}`, false},
	} {
		t.Run(tc.topic, func(t *testing.T) {
			err := Sent(tc.topic, tc.qos, tc.retain, []byte(tc.payload))
			if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrMessage) {
				t.Errorf("%s %d %v %.80s: %v", tc.topic, tc.qos, tc.retain, tc.payload, err)
			}
		})
	}
}
