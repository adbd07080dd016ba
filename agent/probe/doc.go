// Package probe finds which wire and which settings of a line fit a terminal, by listening:
// it sends nothing. The caller opens the port; the wires are those of agent/ingest with
// their embedded profiles.
//
// Source: cli.md, links.
package probe
