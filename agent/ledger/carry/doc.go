// Package carry writes a store as one stream of bytes and reads it again, to carry it to
// another terminal:
//
//	yuanlu-store 1\n
//	a line of JSON: schema version, when, tables with columns and number of rows
//	the rows of each table: per value one byte of kind and the value
//	two key files: length and bytes
//	end\n
//
// It holds the keys, so whatever writes it to a file encrypts it, in a way that shows
// a byte changed and an end cut off. Not carried: what a wire remembers (it belongs
// to the firmware that it came from), events that are no cases, and cases that the
// back office has refused.
package carry
