// Package refund is the domain of Yuanlu: what the firmware reported
// (Record), who paid and who gets the money (Party), what is decided about a
// refund (Verdict), and the judge that decides it. It is pure: no clock, no
// file, no goroutine, standard library only.
//
// The way of one record through this package:
//
//	decoded Record ──Seal──► sealed Record ──Judge.Apply──► Changes
//	(clear identities)       (tokens, masks)   (over a History)  events, verdicts
//
// A decoder makes a Record whose parties hold clear identifiers in a Secret.
// Seal replaces them by keyed tokens and masked forms and notes what was
// impossible about them; from there on nothing in the program has the clear
// value. Judge.Apply decides, over a read view of the history, whether the
// record is a copy of a known event or a new one, and which verdicts it makes
// or changes. The ledger stores those Changes in the same transaction.
//
// Source: records.md and verdicts.md.
package refund
