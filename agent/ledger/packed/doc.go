// Package packed is how the store keeps the JSON of its rows: a third to a quarter of its
// bytes. A text is packed without loss, whatever it is:
//
//	0      1 … 3          …
//	|0x01  |bytes of the |sequences of an LZ4 block (lz4.org, "LZ4 Block Format
//	|      |text, varint |Description"), from which the text is made
//
//	sequence:  |token     |more of l |literals |offset   |more of m |
//	           |l<<4 | m  |255 … <255|l bytes  |2 bytes, |255 … <255|
//	           |          |if l = 15 |         |little-e.|if m = 15 |
//
// A sequence is l bytes as they stand there, then m+4 bytes that stood offset bytes before. An
// offset that goes behind the beginning of the text reaches into dictionary1.txt, which is
// taken to stand before it. The last sequence ends with its literals.
//
// What does not begin with 0x01 is the text itself: JSON never does. So rows from before
// there were packed ones stay as they are, and a text that would not become shorter is one of
// those. The 0x01 names the dictionary: one that is changed is another number and another
// file, and the old ones stay. It holds what a program writes into rows, without a value of any
// terminal. TestTheDictionaryIsTheOneThatStoresHave keeps it.
//
// Own code, because the kept libraries for Go either know no dictionary when they pack LZ4
// (pierrec/lz4) or clear and copy 64 KiB of tables for each 500 bytes (klauspost/compress/s2).
package packed
