// Package casework is the work on a case: set-up, commands of people, events of
// terminals and the clock go in; events of journals, or a refusal, come out. It is a pure
// state machine: no file, no clock, no goroutine, and the same lines in the same order
// give the same bytes. Everything that a Desk knows about a case is made by applying the
// events of its journal, so a store rebuilds it by Apply. A Desk is not safe for
// concurrent use.
//
// Money is counted in minor units (fen), time in Unix seconds. Source: casework.md.
package casework
