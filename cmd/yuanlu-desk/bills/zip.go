package bills

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The directory of a zip is read here and not by archive/zip: that skips a CRC of zero,
// takes a member whose own header disagrees with the directory, and keeps as many entries
// as a hostile file has.

// zipMember is an entry of the central directory.
type zipMember struct {
	name          string
	flags, method uint16
	crc           uint32
	packed, size  int64
	offset        int64 // of its own header
}

const (
	zipEnd       = "PK\x05\x06"
	zipEntry     = "PK\x01\x02"
	zipLocal     = "PK\x03\x04"
	zipEncrypted = 1
	zipStored    = 0
	zipDeflated  = 8
)

var little = binary.LittleEndian

// zipDirectory returns the entries of the central directory, or why there are none to read.
func zipDirectory(data []byte) (members []zipMember, bad Code) {
	end := zipEndAt(data)
	if end < 0 {
		return nil, Damaged
	}
	e := data[end:]
	count, size, from := int(little.Uint16(e[10:])), int64(little.Uint32(e[12:])), int64(little.Uint32(e[16:]))
	switch {
	case little.Uint32(e[4:]) != 0, int(little.Uint16(e[8:])) != count, from+size != int64(end):
		return nil, Damaged // of several disks, zip64, or cut
	case count > maxMembers:
		return nil, TooLarge
	}
	rest := data[from:end]
	for range count {
		if len(rest) < 46 || string(rest[:4]) != zipEntry {
			return nil, Damaged
		}
		nameEnd := 46 + int(little.Uint16(rest[28:]))
		all := nameEnd + int(little.Uint16(rest[30:])) + int(little.Uint16(rest[32:]))
		if all > len(rest) {
			return nil, Damaged
		}
		members = append(members, zipMember{name: string(rest[46:nameEnd]), flags: little.Uint16(rest[8:]), method: little.Uint16(rest[10:]),
			crc: little.Uint32(rest[16:]), packed: int64(little.Uint32(rest[20:])), size: int64(little.Uint32(rest[24:])), offset: int64(little.Uint32(rest[42:]))})
		rest = rest[all:]
	}
	if len(rest) > 0 {
		return nil, Damaged
	}
	return members, ""
}

// zipEndAt returns where the end record stands whose comment reaches the end of the file;
// -1: nowhere.
func zipEndAt(data []byte) int {
	for at := len(data) - 22; at >= 0 && at >= len(data)-22-0xffff; at-- {
		if string(data[at:at+4]) == zipEnd && at+22+int(little.Uint16(data[at+20:])) == len(data) {
			return at
		}
	}
	return -1
}

// zip reads the members of a zip in the order of its directory.
func (u *unpacker) zip(data []byte) {
	members, bad := zipDirectory(data)
	if bad != "" {
		u.refuse(0, bad)
		return
	}
	files := 0
	for i := range members {
		m := &members[i]
		if badName(m.name) {
			u.refuse(i+1, BadName)
			files++
			continue
		}
		if strings.HasSuffix(m.name, "/") {
			continue // a folder
		}
		files++
		if unpacked, bad := u.zipMember(data, m); bad != "" {
			u.refuse(i+1, bad)
		} else {
			readBill(u.out, u.file, i+1, m.name[strings.LastIndexAny(m.name, `/\`)+1:], unpacked)
		}
	}
	if files == 0 {
		u.refuse(0, Empty)
	}
}

// zipMember returns what a member unpacks to.
func (u *unpacker) zipMember(data []byte, m *zipMember) (unpacked []byte, bad Code) {
	if m.flags&zipEncrypted != 0 {
		return nil, Encrypted
	}
	packed, ok := m.packedIn(data)
	if !ok || m.method != zipStored && m.method != zipDeflated {
		return nil, Damaged
	}
	unpacked, bad = u.unpack(func() (io.Reader, error) {
		if m.method == zipStored {
			return bytes.NewReader(packed), nil
		}
		return flate.NewReader(bytes.NewReader(packed)), nil
	})
	switch {
	case bad != "":
		return nil, bad
	case int64(len(unpacked)) != m.size || crc32.ChecksumIEEE(unpacked) != m.crc:
		return nil, Damaged
	case isGzip(unpacked) || isZip(unpacked):
		return nil, Nested
	}
	return unpacked, ""
}

// packedIn returns the packed bytes of a member, if its own header agrees with the
// directory's.
func (m *zipMember) packedIn(data []byte) (packed []byte, ok bool) {
	if m.offset+30 > int64(len(data)) {
		return nil, false
	}
	local := data[m.offset:]
	nameEnd := 30 + int(little.Uint16(local[26:]))
	from := nameEnd + int(little.Uint16(local[28:]))
	if string(local[:4]) != zipLocal || int64(from)+m.packed > int64(len(local)) || string(local[30:nameEnd]) != m.name ||
		little.Uint16(local[8:]) != m.method || little.Uint16(local[6:])&zipEncrypted != 0 {
		return nil, false
	}
	return local[from : int64(from)+m.packed], true
}

// badName reports whether a member's name is none that a bill in a zip may have
// (bills.md § 2).
func badName(name string) bool {
	text := utf8.ValidString(name) // else GB18030, in which the bytes of C1 are halves of others
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
	switch {
	case name == "", name[0] == '/', name[0] == '\\', len(name) > 1 && letter(name[0]) && name[1] == ':':
		return true
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || text && unicode.IsControl(r) }):
		return true
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(parts, "..")
}
