// Package logbook writes the agent's log: one line per event,
//
//	2026-08-23T09:00:00.123+08:00 WARN case.opened case=01J9… refund=260823000104
//
// with a stable event code that people and machines search for. Under journald
// the priority prefix stands instead of time and level.
//
// A Book is a slog handler with four ways out: a stream (standard error), a file
// of bounded size, a ring of the last lines for `tail`, and subscribers.
// Logging never waits: each way out has a short queue and a goroutine
// of its own, and what a full disk or a dead pipe cannot take is counted and
// logged later. A line that repeats is logged at 1, 10, 100 … with its count.
//
// What passes (Book.Passing) is shown to those who watch and written nowhere: a record at
// the moment it is stored.
//
// Card numbers do not reach this package (refund.Secret cannot print itself);
// as a last fence, a run of 14 to 19 digits that passes for a card number is
// masked in whatever is written.
//
// Source: cli.md, A log line.
package logbook
