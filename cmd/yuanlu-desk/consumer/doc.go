// Package consumer is the desk's side of topics.md: it subscribes to what
// every terminal publishes, checks it against the schemas, hands it to the store, and
// acknowledges what the store has committed: cumulatively, never past a gap, and
// with a refusal (nack) for what does not fit. It publishes the back office's own
// presence, with a will.
//
// A message is acknowledged to the broker (PUBACK) only after the commit. A kill
// at any moment costs a repetition, which the store knows by the event's id.
package consumer
