// Package fleet is many light terminals in one process, for a broker and a back office that are to be tried under load.
// A light terminal has no firmware, no judge and no store: it publishes what a real one does, by topics.md and the schemas
// that belong to it, and keeps its delivery rules: births, wills and retained state, events in sequence with at most 14
// in flight, PUBACK as sent, dn/ack as delivered, the same event again after 30 s and longer, reconnecting with full
// jitter. What happens on its days is data made from a seed: wrong refunds and what becomes of them, tallies, links that
// fail, outages, restarts, new stores. It shares no code with the agent but the guarded connection of protocol/mqtt. At
// the end the desk's API is compared with what was published: none lost, none twice, the order kept.
package fleet
