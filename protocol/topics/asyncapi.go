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

// AsyncAPI gives the AsyncAPI 3.0 document of the topics as JSON, made from
// Channels and Schemas, as the terminal sees it: it sends what goes up and
// receives what comes down. root stands in the addresses as given.
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
		components[s.Name] = object{"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": body}
	}
	channels, operations, messages := object{}, object{}, object{}
	for _, c := range Channels() {
		messages[c.Name] = message(c)
		channels[c.Name] = channel(root, c)
		operations[operationName(c)] = operation(c)
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

func message(c Channel) object {
	contentType := "application/json"
	if c.Name == "case" || c.Name == "event" {
		contentType = "application/cloudevents+json"
	}
	return object{"name": c.Name, "title": c.Summary, "contentType": contentType,
		"payload": object{"$ref": "#/components/schemas/" + c.Schema}}
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
	return object{"address": address, "title": c.Summary, "parameters": params,
		"messages": object{c.Name: object{"$ref": "#/components/messages/" + c.Name}}}
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
	op := object{"action": action, "summary": c.Summary,
		"channel":  object{"$ref": "#/channels/" + c.Name},
		"messages": []any{object{"$ref": "#/channels/" + c.Name + "/messages/" + c.Name}},
		"bindings": object{"mqtt": object{"qos": int(c.QoS), "retain": c.Retain, "bindingVersion": "0.2.0"}}}
	if c.Name == "cmd" {
		op["reply"] = object{"channel": object{"$ref": "#/channels/rsp"},
			"messages": []any{object{"$ref": "#/channels/rsp/messages/rsp"}}}
	}
	return op
}
