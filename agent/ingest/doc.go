// Package ingest is the way in: one Worker per link opens its port with back-off,
// finds frames, turns messages into records, seals them and hands them to the
// ledger, and confirms what is durable where the wire knows a confirm.
//
//	Port ─► frame.Scanner ─► Wire ─► refund.Seal ─► Applier ─► confirm
//	reader's bounded buffer   │ Memory               batches of waiting arrivals
//
// A Wire is pure: it knows no port, no clock and no store. What it must remember
// between frames it reads from a Memory and returns as changes, which the ledger
// stores in the transaction of the record they belong to.
//
// What a new wire touches is in agent/README.md.
//
// Source: wires.md.
package ingest
