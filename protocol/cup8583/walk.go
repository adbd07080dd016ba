package cup8583

import "encoding/binary"

// Value is the value of one field in a message, good or not.
type Value struct {
	Format
	Number int // of the field, 2 to 64
	Count  int // of its digits, nibbles or bytes, as Form has it
	Bytes  []byte
}

// Walk calls each with the fields of a message in their order, as far as their lengths
// can be read, and returns what is behind the last one: all but the length of TCP if the
// message is too short for its bitmap. The values lie in data and are not checked.
func (l *Layout) Walk(data []byte, each func(v Value)) (rest []byte) {
	d := decoder{layout: l, data: data, at: l.opt.tcpLength(data)}
	at := d.at + l.opt.TPDU + l.opt.Head + mtiSize
	if len(data) < at+bitmapSize {
		return data[d.at:]
	}
	claimed := bitmap(binary.BigEndian.Uint64(data[at:]))
	d.at = at + bitmapSize
	for n := 2; n < fieldsEnd; n++ {
		if !claimed.has(n) {
			continue
		}
		from, end, size, _ := d.bounds(n) // the caller looks for values, not for what is wrong
		if end == 0 {
			break
		}
		each(Value{l.fields[n].Format, n, size, data[from:end]})
		d.at = end
	}
	return data[d.at:]
}

// WalkTags calls each with the tags of F55 in their order and returns what is behind the
// last one that can be read. value lies in chip.
func WalkTags(chip []byte, each func(tag uint32, value []byte)) (rest []byte) {
	for len(chip) > 0 {
		tag, n := readTag(chip)
		size, k := readLength(chip[n:])
		if n == 0 || k == 0 || size > len(chip)-n-k {
			break
		}
		each(tag, chip[n+k:n+k+size])
		chip = chip[n+k+size:]
	}
	return chip
}

// WalkSubFields calls each with the sub-fields of F59 (tag of two characters, length of
// three digits, value) in their order and returns what is behind the last one that can be
// read.
func WalkSubFields[T string | []byte](vendor T, each func(tag string, value T)) (rest T) {
	const head = 5
	for len(vendor) >= head && isAlnum(vendor[0]) && isAlnum(vendor[1]) {
		n := 0
		for i := 2; i < head; i++ {
			if vendor[i] < '0' || vendor[i] > '9' {
				return vendor
			}
			n = 10*n + int(vendor[i]-'0')
		}
		if n > len(vendor)-head {
			break
		}
		each(string(vendor[:2]), vendor[head:head+n])
		vendor = vendor[head+n:]
	}
	return vendor
}
