// Package topics owns what the back office sees: the names of the MQTT topics,
// the payloads on them, their JSON Schemas (draft 2020-12) and the AsyncAPI 3
// document, all from one table of channels. Agent and back office share it.
//
// A payload may always carry members that this version does not know: schemas
// are open, decoders ignore them. What this package sends it can also check
// (Validator), so that a message that breaks its own schema never leaves.
//
// Source: topics.md.
package topics
