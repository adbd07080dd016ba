// Package scenario holds what the simulated terminals have to do and what they really did.
//
// A script is a file of JSON Lines, one [Step] per line: who buys, how he pays, what goes back to whom. Blank lines
// and lines that begin with # mean nothing. For example:
//
//	{"do":"sale","as":"s1","by":"anna","pay":"chip","amount":1000}
//	{"do":"wait","for":"24h"}
//	{"do":"refund","of":"s1","amount":350}
//	{"do":"refund","of":"s1","amount":350,"to":"boris","entry":"keyed"}
//	{"do":"settle"}
//
// Customers are made when their name is first used; the same seed makes the same customer with the same cards.
//
// What was done is a ledger of [Entry] values, again JSON Lines. Each refund and void in it carries its [Truth]: was
// it wrong, was it right, or does the wire show too little to decide, and which recipient the contract
// (verdicts.md) must name. [Label] works the truth out from what the firmware knows (whose account paid, whose
// account gets the money) and from the verdict of firmware-sim/judge on what its messages show.
package scenario
