// Package ask is what guard.md decides, without a clock, a store or a network: what an ask
// is answered, which record belongs to which ask, and how a hold begins and ends. Running
// time is an input. `yuanlu check` and the daemon run this same code.
//
// Source: guard.md § 2, guard.md § 3 and guard.md § 7.
package ask
