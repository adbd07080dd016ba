package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"yuanlu/protocol/evidence"
)

// Mimetype is the content of the first entry, and what a pack is known by: its first
// HeadSize bytes.
const (
	Mimetype     = "application/vnd.etsi.asic-e+zip"
	MimetypeName = "mimetype"
	HeadSize     = localSize + len(MimetypeName) + len(Mimetype)
)

// Bounds of a pack (evidence.md § 6): bytes, entries, bytes of an entry, bytes of a name.
const (
	MaxSize    = 1 << 30
	MaxEntries = 2000
	MaxEntry   = 64 << 20
	MaxName    = 100
)

const (
	localSize   = 30
	centralSize = 46
	endSize     = 22
	localSign   = 0x04034b50
	centralSign = 0x02014b50
	endSign     = 0x06054b50
	version     = 20
	date        = 0x0021
)

// ErrNoPack is the class of errors about a file that does not begin as a pack does.
var ErrNoPack = errors.New("pack: not a pack")

// ByteError is where a file is not of the form of evidence.md § 5.
type ByteError struct {
	Offset int64
	Entry  string // "" outside of entries
	Want   string
}

// Error returns place and what was wanted there.
func (e *ByteError) Error() string {
	return fmt.Sprintf("pack: byte %d: want %s", e.Offset, e.Want)
}

// Unwrap returns evidence.ErrForm.
func (e *ByteError) Unwrap() error { return evidence.ErrForm }

// Entry is one of the pack, as it was found.
type Entry struct {
	Name   string
	Offset int64 // of its local header
	Size   int64
	CRC    uint32
	Sum    [sha256.Size]byte // SHA-256
}

// Archive is a file whose entries were found.
type Archive struct {
	Entries []Entry
	r       io.ReaderAt
}

// IsPack reports whether the first bytes of a file are those of a pack.
func IsPack(head []byte) bool { return bytes.HasPrefix(head, packHead()) }

func packHead() []byte {
	e := Entry{Name: MimetypeName, Size: int64(len(Mimetype)), CRC: crc32.ChecksumIEEE([]byte(Mimetype))}
	return append(e.local(), Mimetype...)
}

// Read finds the entries of a file and compares all that stands around them with the one form
// that evidence.md § 5 has. It returns the entries that it found even with an error, which is a
// *ByteError, or of class ErrNoPack, or one of reading r.
func Read(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{r: r}
	head := make([]byte, HeadSize)
	if n, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return a, err
	} else if !IsPack(head[:n]) {
		return a, ErrNoPack
	}
	if size > MaxSize {
		return a, &ByteError{Offset: MaxSize, Want: "at most 1 GiB"}
	}
	var first error
	at := int64(0)
	for {
		e, is, err := a.next(at, size)
		if err != nil && !errors.As(err, new(*ByteError)) {
			return a, err
		}
		first = cmpOr(first, err)
		if !is {
			break
		}
		if len(a.Entries) == MaxEntries {
			return a, &ByteError{Offset: at, Want: "at most 2000 entries"}
		}
		a.Entries = append(a.Entries, e)
		at += localSize + int64(len(e.Name)) + e.Size
	}
	return a, cmpOr(first, a.checkEnd(at, size))
}

func cmpOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// next reads the entry at an offset; is is false if none stands there. With a *ByteError
// and is the entry can be used, and its header has another form.
func (a *Archive) next(at, size int64) (e Entry, is bool, err error) {
	header := make([]byte, localSize)
	if size-at < localSize {
		return e, false, nil
	}
	if _, err := a.r.ReadAt(header, at); err != nil {
		return e, false, err
	}
	if binary.LittleEndian.Uint32(header) != localSign {
		return e, false, nil
	}
	e.Offset, e.Size = at, int64(binary.LittleEndian.Uint32(header[22:]))
	name := make([]byte, binary.LittleEndian.Uint16(header[26:]))
	data := at + localSize + int64(len(name))
	if len(name) == 0 || len(name) > MaxName || e.Size > MaxEntry || data+e.Size > size {
		return e, false, &ByteError{Offset: at, Want: "a name of 1 to 100 bytes, and an entry of at most 64 MiB inside the file"}
	}
	if _, err := a.r.ReadAt(name, at+localSize); err != nil {
		return e, false, err
	}
	e.Name = string(name)
	sum, crc := sha256.New(), crc32.NewIEEE()
	if _, err := io.Copy(io.MultiWriter(sum, crc), io.NewSectionReader(a.r, data, e.Size)); err != nil {
		return e, false, err
	}
	sum.Sum(e.Sum[:0])
	e.CRC = crc.Sum32()
	want := e.local()
	if i := differ(header, want); i >= 0 {
		return e, true, &ByteError{Offset: at + int64(i), Entry: e.Name, Want: "the local header of its bytes"}
	}
	if i := slices.IndexFunc(name, func(c byte) bool { return !nameByte(c) }); i >= 0 {
		return e, true, &ByteError{Offset: at + localSize + int64(i), Want: "names of A-Z a-z 0-9 . _ - /"}
	}
	return e, true, nil
}

func nameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == '/'
}

// checkEnd compares what stands behind the entries with their central directory.
func (a *Archive) checkEnd(at, size int64) error {
	want := directory(a.Entries, at)
	if size-at != int64(len(want)) {
		return &ByteError{Offset: min(at+int64(len(want)), size), Want: "the end of the central directory, and of the file"}
	}
	got := make([]byte, len(want))
	if _, err := a.r.ReadAt(got, at); err != nil {
		return err
	}
	if i := differ(got, want); i >= 0 {
		return &ByteError{Offset: at + int64(i), Want: "the central directory of these entries"}
	}
	return nil
}

// differ returns the first index at which a is not the beginning of b; -1 if it is.
func differ(a, b []byte) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

// local returns the header before an entry's bytes.
func (e *Entry) local() []byte {
	b := binary.LittleEndian.AppendUint32(nil, localSign)
	b = e.fields(b)
	return append(b, e.Name...)
}

// fields appends what local and central headers have in common, up to the length of the
// extra field.
func (e *Entry) fields(b []byte) []byte {
	for _, n := range []uint16{version, 0, 0, 0, date} {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	for _, n := range []uint32{e.CRC, uint32(e.Size), uint32(e.Size)} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.Name)))
	return binary.LittleEndian.AppendUint16(b, 0)
}

// directory returns the central directory of entries and its end; it stands at an offset.
func directory(entries []Entry, at int64) (b []byte) {
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint32(b, centralSign)
		b = binary.LittleEndian.AppendUint16(b, version)
		b = e.fields(b)
		b = append(b, make([]byte, 10)...) // comment, disk, attributes
		b = binary.LittleEndian.AppendUint32(b, uint32(e.Offset))
		b = append(b, e.Name...)
	}
	size := len(b)
	b = binary.LittleEndian.AppendUint32(b, endSign)
	b = append(b, make([]byte, 4)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	return binary.LittleEndian.AppendUint16(b, 0)
}

// Find returns an entry by its name; nil if there is none.
func (a *Archive) Find(name string) *Entry {
	for i := range a.Entries {
		if a.Entries[i].Name == name {
			return &a.Entries[i]
		}
	}
	return nil
}

// Bytes returns the bytes of an entry.
func (a *Archive) Bytes(e *Entry) ([]byte, error) {
	b := make([]byte, e.Size)
	_, err := a.r.ReadAt(b, e.Offset+localSize+int64(len(e.Name)))
	if errors.Is(err, io.EOF) {
		err = nil // the file ends with the entry
	}
	return b, err
}

// File is an entry to be written.
type File struct {
	Name string
	Data []byte
}

// Entry returns what is known of the file before it has a place.
func (f File) Entry() Entry {
	return Entry{Name: f.Name, Size: int64(len(f.Data)), CRC: crc32.ChecksumIEEE(f.Data), Sum: sha256.Sum256(f.Data)}
}

// Write writes files as a pack, in the order in which they are. ErrForm for what is above a bound.
func Write(w io.Writer, files []File) error {
	var entries []Entry
	at := int64(0)
	if len(files) > MaxEntries {
		return fmt.Errorf("%w: a pack of %d entries", evidence.ErrForm, len(files))
	}
	for _, f := range files {
		e := f.Entry()
		if e.Offset = at; len(f.Name) == 0 || len(f.Name) > MaxName || len(f.Data) > MaxEntry || at+e.Size > MaxSize {
			return fmt.Errorf("%w: entry %s of %d bytes", evidence.ErrForm, f.Name, len(f.Data))
		}
		header := e.local()
		if _, err := w.Write(append(header, f.Data...)); err != nil {
			return err
		}
		at += int64(len(header)) + e.Size
		entries = append(entries, e)
	}
	_, err := w.Write(directory(entries, at))
	return err
}
