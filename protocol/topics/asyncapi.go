package topics

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// object is a JSON object being built; encoding/json sorts its members, so the
// document is the same on every machine.
type object = map[string]any

// AsyncAPI returns the AsyncAPI 3.0 document of the topics as JSON, made from
// Channels, Schemas and Example, as the terminal sees it: it sends what goes up and
// receives what comes down. root stands in the addresses as given. Inside the
// document schemas refer to each other by their place in it; the id of each
// stands in x-schema-id. They stand bare, without a schemaFormat: generators lose the
// titles of those that have one.
func AsyncAPI(root, version string) ([]byte, error) {
	if err := checkRoot(root); err != nil {
		return nil, err
	}
	schemas, err := Schemas()
	if err != nil {
		return nil, err
	}
	components := object{}
	for _, s := range schemas {
		var body object
		if err := json.Unmarshal(s.JSON, &body); err != nil {
			return nil, fmt.Errorf("topics: schema %s: %w", s.Name, err)
		}
		components[s.Name] = embedded(s.Name, body)
	}
	channels, operations := object{}, object{}
	messages := object{}
	for _, c := range Channels() {
		messages[c.Name] = message(c)
		channels[c.Name] = channel(root, c)
		operations[operationName(c)] = operation(c)
	}
	addCommands(channels, operations, messages)
	addEvents(channels, operations, messages)
	if err := addSigned(messages); err != nil {
		return nil, err
	}
	if err := addExamples(messages); err != nil {
		return nil, err
	}
	doc := object{
		"asyncapi": "3.0.0",
		"info": object{
			"title":       "Yuanlu",
			"version":     version,
			"description": "What a terminal says to its back office and hears from it (MQTT 3.1.1, QoS and retain flag as bound). Consumers ignore members they do not know. With keys configured, every dn payload is wrapped as signed.v1.",
		},
		"defaultContentType": "application/json",
		"channels":           channels,
		"operations":         operations,
		"components":         object{"schemas": components, "messages": messages},
	}
	b, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("topics: asyncapi: %w", err)
	}
	return append(b, '\n'), nil
}

// signedMessage is the other form of every message that comes down.
const signedMessage = "signed"

// embedded makes of a schema that stands alone one that stands in the document.
func embedded(name string, schema object) object {
	schema["x-schema-id"] = schema["$id"]
	delete(schema, "$id") // references would be relative to it
	delete(schema, "$schema")
	place := "#/components/schemas/" + name
	var walk func(any)
	walk = func(x any) {
		switch x := x.(type) {
		case object:
			if ref, ok := x["$ref"].(string); ok {
				if other, ok := strings.CutPrefix(ref, SchemaURN("")); ok {
					x["$ref"] = "#/components/schemas/" + strings.ReplaceAll(other, "#", "")
				} else {
					x["$ref"] = place + strings.TrimPrefix(ref, "#")
				}
			}
			for _, y := range x {
				walk(y)
			}
		case []any:
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(schema)
	return schema
}

func message(c Channel) object {
	contentType := "application/json"
	if c.Name == "case" || c.Name == "day" || c.Name == "event" {
		contentType = "application/cloudevents+json"
	}
	return object{"name": c.Name, "title": c.Summary, "contentType": contentType,
		"payload": object{"$ref": "#/components/schemas/" + c.Schema}}
}

// addExamples puts every example under its message. A message has the example of its own
// name and those of the name with a further part ("case": "caseRevised").
func addExamples(messages object) error {
	names, err := Examples()
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := Example(name)
		if err != nil {
			return err
		}
		var payload object
		if err := json.Unmarshal(raw, &payload); err != nil {
			return fmt.Errorf("topics: example %s: %w", name, err)
		}
		of := name
		for _, more := range []string{"Revised", "Cleared", "RefundAfter", "Followed", "Tally", "HoldOpened", "HoldEnded"} {
			of = strings.TrimSuffix(of, more)
		}
		m, ok := messages[of].(object)
		if !ok {
			return fmt.Errorf("topics: example %s: no such message", name)
		}
		all, _ := m["examples"].([]any)
		m["examples"] = append(all, object{"name": name, "payload": payload})
	}
	return nil
}

// addSigned describes the other form of what comes down, with a test vector.
func addSigned(messages object) error {
	var vector object
	if err := json.Unmarshal(SignedVector(), &vector); err != nil {
		return fmt.Errorf("topics: signed vector: %w", err)
	}
	messages[signedMessage] = object{"name": signedMessage, "title": "Any dn payload where the terminal has keys of its back office",
		"contentType": "application/json", "payload": object{"$ref": "#/components/schemas/signed.v1"}, "x-test-vector": vector}
	return nil
}

// addEvents describes each type of event whose data has a schema of its own; any of them
// may come on the channel of events.
func addEvents(channels, operations, messages object) {
	ch, _ := channels["event"].(object)
	all, _ := ch["messages"].(object)
	op, _ := operations["sendEvent"].(object)
	sent, _ := op["messages"].([]any)
	for _, typ := range EventTypes() {
		name := "event." + typ
		messages[name] = object{"name": name, "title": "Event " + typ, "contentType": "application/cloudevents+json",
			"payload": with("Event "+spaced(typ), "event.v1", "data", "event-data."+typ+".v1")}
		all[name] = object{"$ref": "#/components/messages/" + name}
		sent = append(sent, object{"$ref": "#/channels/event/messages/" + name})
	}
	op["messages"] = sent
}

// spaced puts spaces between the parts of a name.
func spaced(name string) string {
	return strings.NewReplacer(".", " ", "_", " ", "-", " ").Replace(name)
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}`)

func channel(root string, c Channel) object {
	address := root + "/v1/{terminal}/" + c.Suffix
	if c.Direction == FromHost {
		address = root + "/v1/" + c.Suffix
	}
	params := object{}
	for _, m := range parameter.FindAllStringSubmatch(address, -1) {
		params[m[1]] = object{"description": "[a-z0-9-]{1,64}"}
	}
	messages := object{c.Name: object{"$ref": "#/components/messages/" + c.Name}}
	if c.Direction == DownTo {
		messages[signedMessage] = object{"$ref": "#/components/messages/" + signedMessage}
	}
	return object{"address": address, "title": c.Summary, "parameters": params, "messages": messages}
}

// addCommands describes each command: its message with its args, its answer with its
// data, and the operation that ties them. Any of the messages of its channel may come.
func addCommands(channels, operations, messages object) {
	for _, c := range Commands() {
		cmd, rsp := "cmd"+camel(c.Name), "rsp"+camel(c.Name)
		messages[cmd] = object{"name": cmd, "title": c.Summary, "contentType": "application/json", "payload": with("Command "+spaced(c.Name), "cmd.v1", "args", c.ArgsSchema())}
		messages[rsp] = object{"name": rsp, "title": "Answer ok to " + c.Name, "contentType": "application/json", "payload": with("Answer "+spaced(c.Name), "rsp.v1", "data", c.DataSchema())}
		for channel, message := range map[string]string{"cmd": cmd, "rsp": rsp} {
			if ch, ok := channels[channel].(object); ok {
				if all, ok := ch["messages"].(object); ok {
					all[message] = object{"$ref": "#/components/messages/" + message}
				}
			}
		}
		op := object{"action": "receive", "summary": c.Summary,
			"channel":  object{"$ref": "#/channels/cmd"},
			"messages": []any{object{"$ref": "#/channels/cmd/messages/" + cmd}},
			"reply": object{"channel": object{"$ref": "#/channels/rsp"},
				"messages": []any{object{"$ref": "#/channels/rsp/messages/" + rsp}, object{"$ref": "#/channels/rsp/messages/rsp"}}},
			"bindings": object{"mqtt": object{"qos": 1, "retain": false, "bindingVersion": "0.2.0"}}}
		if c.Long {
			op["description"] = "Says progress, with data as " + ProgressSchema + "."
		}
		if c.Paged {
			addPages(channels, messages, op, c)
		}
		operations["receiveCmd"+camel(c.Name)] = op
	}
}

// addPages describes the pages of a command's answer.
func addPages(channels, messages, op object, c CommandSpec) {
	name := "page" + camel(c.Name)
	messages[name] = object{"name": name, "title": "A page of the answer to " + c.Name, "contentType": "application/json", "payload": with("Page "+spaced(c.Name), "rsp.v1", "data", c.PageSchema())}
	if ch, ok := channels["rsp"].(object); ok {
		if all, ok := ch["messages"].(object); ok {
			all[name] = object{"$ref": "#/components/messages/" + name}
		}
	}
	if reply, ok := op["reply"].(object); ok {
		if list, ok := reply["messages"].([]any); ok {
			reply["messages"] = append(list, object{"$ref": "#/channels/rsp/messages/" + name})
		}
	}
	op["description"] = "Its pages come before the answer ok, as progress, with data as " + c.PageSchema() + "."
}

// with is the schema of a payload of which one member has a schema of its own.
func with(title, base, member, schema string) object {
	ref := func(name string) object { return object{"$ref": "#/components/schemas/" + name} }
	return object{"title": title, "type": "object",
		"allOf": []any{ref(base), object{"title": title + " " + member, "type": "object", "properties": object{member: ref(schema)}}}}
}

func operationName(c Channel) string {
	verb := "receive"
	if c.Direction == Up {
		verb = "send"
	}
	return verb + strings.ToUpper(c.Name[:1]) + c.Name[1:]
}

func operation(c Channel) object {
	action := "receive"
	if c.Direction == Up {
		action = "send"
	}
	messages := []any{object{"$ref": "#/channels/" + c.Name + "/messages/" + c.Name}}
	if c.Direction == DownTo {
		messages = append(messages, object{"$ref": "#/channels/" + c.Name + "/messages/" + signedMessage})
	}
	op := object{"action": action, "summary": c.Summary, "channel": object{"$ref": "#/channels/" + c.Name}, "messages": messages,
		"bindings": object{"mqtt": object{"qos": int(c.QoS), "retain": c.Retain, "bindingVersion": "0.2.0"}}}
	if c.Name == "cmd" {
		op["reply"] = object{"channel": object{"$ref": "#/channels/rsp"},
			"messages": []any{object{"$ref": "#/channels/rsp/messages/rsp"}}}
	}
	return op
}
