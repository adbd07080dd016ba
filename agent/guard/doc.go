// Package guard answers asks while the daemon runs: levels, deadlines, holds that are durable
// before they are answered, releases and cancels, and what the back office receives of them.
// What is decided is agent/ask; what is kept is the ledger's.
//
// The wire and the local API parse an ask with refund.ParseAsk, hand it to Guard.Ask, and
// write what comes back: a Reply, or a *Refusal with the code of guard.md § 5. Both call
// Guard.Arrived once their answer has reached who asked.
//
// Source: guard.md.
package guard
