// Package cup8583 is the strict codec of wire cup8583: UnionPay ISO 8583 as
// traditional terminals relay it, packed in BCD.
//
//	+-----+--------+--------+-------+----------+============+
//	| LEN |  TPDU  |  HEAD  |  MTI  |  bitmap  |  fields    |
//	+-----+--------+--------+-------+----------+============+
//	 0 | 2    5        6        2        8       F2 … F64
//
// LEN (binary, of what follows it) is that of TCP and absent on a serial link. TPDU
// and HEAD are not looked at, but for the fifth digit of HEAD, which is 1 in training.
// There are 64 fields; which has what format is a Layout: data, so that a profile can
// change it. Digits and text are packed by package encoding of github.com/moov-io/iso8583
// v0.26.0. Its packages prefix and field do not compile where an int has 32 bits (nor do
// those of v0.26.1), so bitmap and lengths are written here, and a test holds them
// against moov's. Its Unpack accepts bytes left over, drops filling nibbles unseen, puts
// whole messages into its errors, and builds a table again for every number it reads; so
// Decode walks the fields itself, checks every length, nibble and character, and returns
// where it stopped. A test holds it against Unpack on good messages, and the law below
// against moov's packing on all.
//
// What decodes encodes to the same bytes, save what may not leave the decoder and is
// gone: F14 (expiry), F35 and F36 (tracks), F52 (PIN block), and tags 57, 5A, 5F24
// and 9F6B of F55. The card number is read before that, as a sensitive.Text. No error
// holds a byte of a message; a Message prints as its type and number of fields.
//
// Source: wires.md § cup8583. The field formats are those of UnionPay's specification for
// terminals (Q/CUP 009) as public implementations and sample messages show them: the
// specification itself is not public, so all of it stays a Layout that a profile can change.
package cup8583
