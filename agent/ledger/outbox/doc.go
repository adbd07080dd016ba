// Package outbox is what waits for the back office. Queue is it in memory: the numbers of the
// entries in the order of sending, when each is due, how often each was sent, and what the
// broker and the back office have acknowledged. Tx is it in one transaction of agent/ledger:
// entries are added, make room for others, are forgotten, refused and put into quarantine
// (topics.md rules 2, 4, 5, 6, 8). What Tx counts, Queue takes up when it is committed.
package outbox
