// Package report reports to the back office: it drains the outbox, publishes state, info,
// health, links and the summary of cases, receives acknowledgements and commands,
// and keeps the connection to the broker coming back.
//
// Its goroutines, all owned by Run:
//
//	Run ── connects, backs off (topics.md rule 10), counts takeovers (rule 11)
//	 └─ one session per connection, ends with it
//	     ├─ drain     outbox → broker, in order, 14 in flight (rules 2, 4–7)
//	     ├─ presence  state, info, health, links, summary; one in flight
//	     └─ answer    answers to commands, log lines; one in flight
//	 └─ at most 4 commands, which outlive their connection
//
// Received messages come one after the other from the Broker's goroutine.
// Everything outside is behind small interfaces: Outbox (the ledger) and Broker
// (protocol/mqtt). Time comes from Options.Clock and timers, so that all of it
// runs in a testing/synctest bubble.
//
// Source: topics.md; the numbers of delivery rules are those of that page.
package report
