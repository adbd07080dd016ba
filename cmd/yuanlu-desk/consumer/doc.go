// Package consumer is the desk's side of topics.md: it subscribes to what
// every terminal says, holds it against the schemas, gives it to the store, and
// acknowledges what the store has committed: cumulatively, never past a gap, and
// with a refusal (nack) for what does not fit. It says the back office's own
// presence, with a will.
//
// A message is told to the broker as taken (PUBACK) only after the commit. A kill
// at any moment costs a repetition, which the store knows by the event's id.
package consumer
