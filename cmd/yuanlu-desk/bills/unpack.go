package bills

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // what WeChat publishes beside its bills
	"encoding/hex"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of bills.md § 2, in bytes and members.
const (
	MaxFile    = 128 << 20 // a file, and one member unpacked
	maxAll     = 256 << 20 // all members of a file, unpacked
	maxMembers = 64
)

// File is a file as it was read, at most MaxFile + 1 bytes of it.
type File struct {
	Name   string // the base name
	Data   []byte
	Hash   []byte // of the file FILE.sha1 beside it
	Hashed bool   // there is one
}

// Printable returns a base name with ? for each control character and for bytes that are no
// UTF-8, as refusals and bills have it.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return '?'
		}
		return r
	}, name)
}

// Read reads a file: a bill, a gzip or a zip of bills, which its first bytes tell
// (bills.md § 2). What it says goes to out.
func Read(f File, out Sink) {
	u := &unpacker{out: out, file: Printable(f.Name), left: maxAll}
	switch {
	case len(f.Data) > MaxFile:
		u.refuse(0, TooLarge)
	case isGzip(f.Data):
		u.gzip(f)
	case f.Hashed && !hashFits(f.Hash, f.Data):
		u.refuse(0, HashMismatch)
	case isZip(f.Data):
		u.zip(f.Data)
	default:
		readBill(out, u.file, 0, f.Name, f.Data)
	}
}

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte("\x1f\x8b")) }

func isZip(data []byte) bool { return bytes.HasPrefix(data, []byte("PK")) }

// unpacker reads one container.
type unpacker struct {
	out  Sink
	file string
	left int64 // bytes that may still be unpacked
}

func (u *unpacker) refuse(member int, code Code) {
	u.out.Refused(&Refusal{File: u.file, Member: member, Code: code})
}

func (u *unpacker) gzip(f File) {
	data, bad := u.unpack(func() (io.Reader, error) { return gzip.NewReader(bytes.NewReader(f.Data)) })
	switch {
	case bad == "" && f.Hashed && !hashFits(f.Hash, data):
		bad = HashMismatch
	case bad == "" && (isGzip(data) || isZip(data)):
		bad = Nested
	}
	if bad != "" {
		u.refuse(0, bad)
		return
	}
	readBill(u.out, u.file, 0, f.Name, data)
}

// unpack returns what a packed stream unpacks to, once all of it is known to be sound. It is
// read twice, counting and then keeping, so that no more memory is taken than it needs.
func (u *unpacker) unpack(open func() (io.Reader, error)) (data []byte, bad Code) {
	r, err := open()
	if err != nil {
		return nil, Damaged
	}
	most := min(u.left, MaxFile)
	n, err := io.Copy(io.Discard, io.LimitReader(r, most+1))
	u.left -= min(n, most)
	switch {
	case n > most:
		return nil, TooLarge
	case err != nil:
		return nil, Damaged
	}
	if r, err = open(); err != nil {
		return nil, Damaged
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, Damaged
	}
	return data, ""
}

// hashFits reports whether the text of a .sha1 file, 40 hex digits and then nothing or a
// blank and a name, is the SHA-1 of data.
func hashFits(text, data []byte) bool {
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) < 2*sha1.Size || bytes.ContainsAny(text, "\r\n") {
		return false
	}
	if rest := text[2*sha1.Size:]; len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' {
		return false
	}
	want, err := hex.DecodeString(string(text[:2*sha1.Size]))
	got := sha1.Sum(data) //nolint:gosec // compared with what the platform published
	return err == nil && bytes.Equal(got[:], want)
}
