package topics

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed schema/*.json
var schemaFiles embed.FS

//go:embed example/*.json
var exampleFiles embed.FS

// SchemaDoc is one JSON Schema as it is shipped.
type SchemaDoc struct {
	Name string // "case-event.v1"; the $id is SchemaURN(Name)
	JSON []byte
}

// Schemas returns every schema, sorted by name. The error means that the program
// was built wrongly; a test rules it out.
func Schemas() ([]SchemaDoc, error) {
	entries, err := fs.ReadDir(schemaFiles, "schema") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("topics: schemas: %w", err)
	}
	docs := make([]SchemaDoc, 0, len(entries))
	for _, e := range entries {
		b, err := schemaFiles.ReadFile("schema/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("topics: schemas: %w", err)
		}
		docs = append(docs, SchemaDoc{Name: strings.TrimSuffix(e.Name(), ".json"), JSON: b})
	}
	return docs, nil
}

// hasSchema reports whether there is a schema of this name.
func hasSchema(name string) bool {
	_, err := fs.Stat(schemaFiles, "schema/"+name+".json")
	return err == nil
}

// EventTypes lists the types of events on up/event whose data has a schema of its own,
// sorted.
func EventTypes() []string {
	entries, err := fs.ReadDir(schemaFiles, "schema")
	if err != nil {
		return nil // a test rules it out
	}
	var types []string
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), "event-data.")
		if typ, more := strings.CutSuffix(name, ".v1.json"); ours && more {
			types = append(types, typ)
		}
	}
	return types
}

// Example returns one payload by the name of its message in the AsyncAPI document, as a
// terminal or a back office publishes it: "case", "caseRevised", "cmdPing", "event.link.lost",
// "signed". The error means that there is no such example; a test rules out that a
// message lacks one.
func Example(name string) ([]byte, error) {
	b, err := exampleFiles.ReadFile("example/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("topics: example: %w", err)
	}
	return b, nil
}

// Examples lists the names of all examples, sorted.
func Examples() ([]string, error) {
	entries, err := fs.ReadDir(exampleFiles, "example")
	if err != nil {
		return nil, fmt.Errorf("topics: examples: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names, nil
}

//go:embed signed-vector.json
var signedVector []byte

// SignedVector returns a test vector of signed.v1: key, topic, the bytes that are signed,
// signature and payload, so that another language can be tested against this one. The
// key is public knowledge: never use it for anything else.
func SignedVector() []byte { return bytes.Clone(signedVector) }

// SchemaIDs returns the ids of the payloads that an agent of this version sends,
// for up/info.
func SchemaIDs() []string {
	var ids []string
	for _, c := range Channels() {
		if c.Direction == Up {
			ids = append(ids, SchemaURN(c.Schema))
		}
	}
	return ids
}

// Direction of a channel as the terminal sees it.
type Direction uint8

// Up goes from the terminal to the back office, DownTo comes down to one
// terminal, FromHost is a back office's own presence.
const (
	Up Direction = iota + 1
	DownTo
	FromHost
)

// Channel is one row of the table of topics.md.
type Channel struct {
	Name      string // stable key, "case"
	Suffix    string // after {root}/v1/{terminal}/, with {link}, {level}, {cmd} where it varies
	Direction Direction
	QoS       byte
	Retain    bool
	Schema    string // name of the schema of its payload
	Summary   string
}

// Channels is the table of topics: names, QoS, retain flag and schema of each.
// What the agent sends and the AsyncAPI document both come from it.
func Channels() []Channel {
	return []Channel{
		{"state", "up/state", Up, 1, true, "state.v1", "Presence; the will is a lost of this session"},
		{"info", "up/info", Up, 1, true, "info.v1", "Birth document"},
		{"health", "up/health", Up, 1, true, "health.v1", "Health, every 60 s ± 10 %"},
		{"link", "up/link/{link}/state", Up, 1, true, "link-state.v1", "Presence of one link"},
		{"case", "up/case", Up, 1, false, "case-event.v1", "Case events, in sequence order"},
		{"day", "up/day", Up, 1, false, "day-event.v1", "Digests of days, in sequence order of a stream of their own"},
		{"caseSummary", "up/case-summary", Up, 1, true, "case-summary.v1", "Numbers of the outbox and of open cases"},
		{"event", "up/event", Up, 1, false, "event.v1", "Other events, lower priority"},
		{"log", "up/log/{level}", Up, 0, false, "log.v1", "Log lines, warn and above, rate-capped"},
		{"rsp", "up/rsp/{cmd}", Up, 1, false, "rsp.v1", "Answers to commands"},
		{"config", "up/config", Up, 1, true, "config.v1", "Configuration in force"},
		{"checkpoint", "up/checkpoint", Up, 1, true, "checkpoint.v1", "Newest checkpoint of the evidence log"},
		{"cmd", "dn/cmd/{cmd}", DownTo, 1, false, "cmd.v1", "Commands, never retained"},
		{"ack", "dn/ack", DownTo, 1, false, "ack.v1", "Acknowledgements"},
		{"cosign", "dn/cosign", DownTo, 1, true, "cosign.v1", "Newest checkpoint that was co-signed"},
		{"desiredConfig", "dn/config", DownTo, 1, true, "desired-config.v1", "Desired configuration"},
		{"hostState", "_host/{host}/state", FromHost, 1, true, "host-state.v1", "Presence of a back office"},
	}
}

// ChannelOf returns the row with this Name; ok is false if there is none.
func ChannelOf(name string) (c Channel, ok bool) {
	for _, c := range Channels() {
		if c.Name == name {
			return c, true
		}
	}
	return Channel{}, false
}

// SchemaOfTopic names the schema that the payload of a topic of any terminal
// must satisfy, "" for a topic that is none of ours. An empty payload on a
// retained topic takes it back and satisfies no schema.
func SchemaOfTopic(root, topic string) string {
	rest, ok := strings.CutPrefix(topic, root+"/v1/")
	if !ok {
		return ""
	}
	terminal, rest, _ := strings.Cut(rest, "/")
	for _, c := range Channels() {
		suffix := c.Suffix
		if c.Direction == FromHost {
			suffix = strings.TrimPrefix(suffix, "_host/")
		}
		if (c.Direction == FromHost) == (terminal == "_host") && matchSuffix(suffix, rest) {
			return c.Schema
		}
	}
	return ""
}

// matchSuffix reports whether got is pattern with every {…} level replaced by a
// proper part.
func matchSuffix(pattern, got string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, "/")
		g, grest, gmore := strings.Cut(got, "/")
		if p[0] == '{' {
			if CheckPart(g) != nil {
				return false
			}
		} else if p != g {
			return false
		}
		if pmore != gmore {
			return false
		}
		if !pmore {
			return true
		}
		pattern, got = prest, grest
	}
}
