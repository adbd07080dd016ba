// Package terminal is the simulated payment firmware: a seeded, deterministic state machine in virtual time.
//
// A [Terminal] is one device of a model (e-sign, traditional, smart) that speaks one wire. It is given what to do
// step by step ([Terminal.Do]), or lets seeded customers come ([Terminal.Next]): they buy by every way of paying
// that the model takes, void, and get refunds right and wrong. Each thing done makes an [scenario.Entry]: the
// record as far as its wire shows it, and for refunds and voids the truth. Bytes are made from entries by a
// [Speaker], and a [Player] puts them on a line in time, with the faults the line has.
//
// The same options make the same entries and the same bytes, on every machine. Nothing here reads a clock.
//
// Identities are invented: card numbers begin with 6200000 or 62055 and pass the Luhn check, openids begin with
// oTEST. [Terminal.Secrets] lists every clear one that was used, for the search that proves none of them leaked.
package terminal
