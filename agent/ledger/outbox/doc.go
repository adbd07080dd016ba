// Package outbox is what waits for the back office, in memory: the numbers of the entries in
// the order of sending, when each is due, how often each was sent, and what the broker and the
// back office have acknowledged. agent/ledger stores the entries, and takes up here what each
// of its transactions has committed; nothing here touches a file.
package outbox
