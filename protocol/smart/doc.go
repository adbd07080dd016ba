// Package smart reads and writes the messages of wire smart: the DATA of its data
// frames, which is UTF-8 JSON (wires.md, smart):
//
//	{"v":1,"id":"…","src":"…","terminal_id":"…","merchant_id":"…","operator":"…",
//	 "training":false,"copy":"","ask":"","body":{…}}
//
// Decode reads the envelope and checks that all of DATA is JSON; the methods of the
// Message then read its body, which is the channel's own object, as src names it.
//
// It is stricter than encoding/json: a known member stated twice, bytes that are no
// UTF-8, lone surrogates, anything behind the object, and where a number is read
// everything but -?[0-9]+ are errors, which name the member and the offset and never
// a value. Unknown members are skipped, whatever they are. A member that is null or
// "" is as good as absent, and texts lose trailing spaces.
//
// Amounts are int64 fen; yuan, as decimal text or as a JSON number written so, becomes
// fen digit by digit. Amounts of the older WeChat interface are digits as text or
// integers.
package smart
