// Package topicstest owns the one check that every message a test sees must pass:
// its topic is a row in the table of topics.md; its payload satisfies that row's
// schema, and, where they can be seen, its QoS and retain flag are that row's.
// The brokers of protocol/mqtt/brokertest send all they carry through it. Test
// support only.
package topicstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"yuanlu/protocol/topics"
)

// ErrMessage is the class of all errors about a message that breaks the contract.
var ErrMessage = errors.New("topicstest: message breaks the contract")

// validator compiles the schemas once for all tests of a program.
var validator = sync.OnceValues(topics.NewValidator)

// Received checks a message as a subscriber gets it: topic and payload. What comes
// down may be signed; then both the envelope and the body in it are checked. An
// empty payload takes a retained one back: a back office may, a terminal never does.
// Errors: ErrMessage, with the schema's error wrapped. Safe for concurrent use.
func Received(topic string, payload []byte) error {
	c, err := channelOf(topic)
	if err != nil {
		return err
	}
	v, err := validator()
	if err != nil {
		return err
	}
	if len(payload) == 0 && c.Retain && c.Direction != topics.Up {
		return nil
	}
	most := topics.MaxMessage
	if cmd, _ := topics.CommandOf(path.Base(topic)); c.Name == "rsp" && cmd.Paged {
		most = topics.MaxPage
	}
	if len(payload) > most && c.Direction == topics.Up {
		return fmt.Errorf("%w: %s: %d bytes, want at most %d", ErrMessage, topic, len(payload), most)
	}
	if c.Direction == topics.DownTo && v.Check("signed.v1", payload) == nil {
		var s topics.Signed
		if err := json.Unmarshal(payload, &s); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrMessage, topic, err)
		}
		if payload, err = base64.StdEncoding.DecodeString(s.Body); err != nil {
			return fmt.Errorf("%w: %s: body: %w", ErrMessage, topic, err)
		}
	}
	if err := v.Check(c.Schema, payload); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMessage, topic, err)
	}
	return checkEnvelope(topic, c, payload)
}

// Sent checks a message as it leaves its sender: Received, QoS and retain flag.
func Sent(topic string, qos byte, retain bool, payload []byte) error {
	c, err := channelOf(topic)
	if err != nil {
		return err
	}
	if qos != c.QoS || retain != c.Retain {
		return fmt.Errorf("%w: %s: QoS %d retain %v, want %d %v", ErrMessage, topic, qos, retain, c.QoS, c.Retain)
	}
	return Received(topic, payload)
}

// channelOf returns the row of a topic under any root.
func channelOf(topic string) (topics.Channel, error) {
	root, _, ok := strings.Cut(topic, "/v1/")
	if ok {
		schema := topics.SchemaOfTopic(root, topic)
		for _, c := range topics.Channels() {
			if c.Schema == schema {
				return c, nil
			}
		}
	}
	return topics.Channel{}, fmt.Errorf("%w: %q is no topic of ours", ErrMessage, topic)
}

// checkEnvelope checks what a schema cannot express: that source and topic name one
// terminal, that `data` satisfies the schema the event names, and that a link's
// name is that of its topic.
func checkEnvelope(topic string, c topics.Channel, payload []byte) error {
	parts := strings.Split(topic, "/")
	if c.Name == "link" {
		var l topics.LinkState
		if err := json.Unmarshal(payload, &l); err != nil || l.Name != parts[len(parts)-2] {
			return fmt.Errorf("%w: %s: it is about link %q", ErrMessage, topic, l.Name)
		}
		return nil
	}
	if c.Name == "rsp" {
		return checkAnswer(topic, parts[len(parts)-1], payload)
	}
	if c.Name != "case" && c.Name != "day" && c.Name != "event" {
		return nil
	}
	var e topics.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMessage, topic, err)
	}
	if want := "urn:yuanlu:terminal:" + parts[len(parts)-3]; e.Source != want {
		return fmt.Errorf("%w: %s: source %q, want %q", ErrMessage, topic, e.Source, want)
	}
	if want := topics.DataSchema(e.Type); e.DataSchema != want {
		return fmt.Errorf("%w: %s: dataschema %q, want %q", ErrMessage, topic, e.DataSchema, want)
	}
	v, err := validator()
	if err != nil {
		return err
	}
	if err := v.Check(strings.TrimPrefix(e.DataSchema, topics.SchemaURN("")), e.Data); err != nil {
		return fmt.Errorf("%w: %s: data: %w", ErrMessage, topic, err)
	}
	return nil
}

// checkAnswer checks the data of an answer against the schema of its command.
func checkAnswer(topic, command string, payload []byte) error {
	var r topics.Rsp
	if err := json.Unmarshal(payload, &r); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMessage, topic, err)
	}
	c, known := topics.CommandOf(command)
	schema := ""
	switch {
	case known && r.Status == topics.RspOK:
		schema = c.DataSchema()
	case r.Status == topics.RspProgress && c.Paged:
		schema = c.PageSchema()
	case r.Status == topics.RspProgress:
		schema = topics.ProgressSchema
	}
	v, err := validator()
	if err != nil || schema == "" {
		return err
	}
	if err := v.Check(schema, r.Data); err != nil {
		return fmt.Errorf("%w: %s: data: %w", ErrMessage, topic, err)
	}
	return nil
}
