// Package mispos is the strict codec of wire mispos, the cashier link of e-sign and
// traditional POS terminals: the DATA of an STX frame (package frame) as fields.
//
// DATA is fields one after another, to its last byte:
//
//	+--------+--------+---------+---------+=================+
//	|  0x9F  |  xx    |  length, big-endian  |  value          |  …
//	+--------+--------+---------+---------+=================+
//	  tag (2 bytes)      0 … 65535            length bytes
//
// Text is GBK; 9F01 (and 9F34) are one binary byte. Which tag means what, and what
// form its value has, is a Layout: data, so that a profile can move a tag.
//
// Decode accepts nothing that Append would not write: a tag that does not begin
// with 9F, a length that reaches past the end, bytes left over, a field of a known
// meaning that stands twice, digits that are none or too few. Unknown tags are kept
// and written back, not looked at. What decodes encodes to the same bytes, save
// fields of form Dropped (expiry date, relayed host message), which are gone.
//
// Source: wires.md § mispos.
package mispos
