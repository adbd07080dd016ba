package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// A WAL (sqlite.org/fileformat2.html, § 4) is a header and frames, numbered from 1:
//
//	header   0       4       8          12      16     24
//	         |magic  |version|page size |round  |salts |checksum of what stands before|
//	frame    0       4                      8      16        24
//	         |page   |pages after a commit  |salts |checksum |the page, 4096 bytes |
//
// Numbers are big-endian. A frame's checksum goes on from that of the frame before, in
// the order of bytes that the magic's last bit holds. Every time the WAL is begun again
// at its start, the salts change and their first half grows by one; frames of earlier
// rounds stay behind those of this one.
//
// SQLite takes the frames up to the first whose checksum is wrong and drops the
// rest in silence. That is right after a power cut, which tears the last transaction, but a
// lost sector or a flipped bit makes it drop commits that were confirmed.
const (
	// PageSize is the bytes of a page of every store.
	PageSize = 4096
	// WALHeader, FrameHeader and FrameLen are the bytes of a WAL's header, of a frame's, and
	// of a frame with its page.
	WALHeader   = 32
	FrameHeader = 24
	FrameLen    = FrameHeader + PageSize

	walMagic = 0x377f0682
)

// WALHead is what a WAL's header holds.
type WALHead struct {
	Salts uint64
	Order binary.ByteOrder // of its checksums
	Whole bool             // false: the header is damaged; Salts are those of the newest frames
	Sum   WALSum
}

// Frame is one frame's header and what could be found out about it.
type Frame struct {
	N      int // from 1
	Page   uint32
	Commit uint32 // size of the database in pages if this frame ends a transaction, else 0
	Salts  uint64
	Sum    WALSum // as it stands in the frame
	Mine   bool   // of this round
	Chain  bool   // this and every frame before it is whole: SQLite takes it
	Whole  bool   // its checksum goes on from that of the frame before it
}

// ReadWAL hands every whole-length frame of the file to each, in order; page is good
// until each returns. An empty file, and one too short for a header, has none.
func ReadWAL(f io.ReaderAt, size int64, each func(fr *Frame, page []byte) error) (WALHead, error) {
	head, err := ReadWALHead(f, size)
	if err != nil || size < WALHeader {
		return head, err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, WALHeader, size-WALHeader), 64<<10)
	b := make([]byte, FrameLen)
	// From the sum that stands in the frame before, or from the one it should have: one
	// of the two is right unless both the frame and its sum are spoilt.
	stood, should, chain := head.Sum, head.Sum, head.Whole
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, b); err != nil {
			return head, onlyIO(err)
		}
		be := binary.BigEndian
		fr := Frame{N: n, Page: be.Uint32(b), Commit: be.Uint32(b[4:]), Salts: be.Uint64(b[8:]), Sum: WALSumAt(b[16:])}
		fr.Mine = fr.Salts == head.Salts && fr.Page != 0
		fromShould := should.After(head.Order, b)
		fromStood := fromShould
		if stood != should {
			fromStood = stood.After(head.Order, b)
		}
		fr.Whole = fr.Page != 0 && (fr.Sum == fromStood || fr.Sum == fromShould)
		chain = chain && fr.Mine && fr.Sum == fromShould
		fr.Chain = chain
		stood, should = fr.Sum, fromShould
		if fr.Whole {
			should = fr.Sum
		}
		if err := each(&fr, b[FrameHeader:]); err != nil {
			return head, err
		}
	}
}

// ReadWALHead reads the header, or, where it is damaged, finds the newest round's salts.
func ReadWALHead(f io.ReaderAt, size int64) (WALHead, error) {
	head := WALHead{Order: binary.LittleEndian}
	if size < WALHeader {
		return head, nil
	}
	var b [WALHeader]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return head, err
	}
	be := binary.BigEndian
	magic := be.Uint32(b[:])
	if magic&1 != 0 {
		head.Order = be
	}
	head.Salts, head.Sum = be.Uint64(b[16:]), WALSumAt(b[24:])
	var sum WALSum
	sum.add(head.Order, b[:24])
	head.Whole = magic&^1 == walMagic && be.Uint32(b[8:]) == PageSize && sum == head.Sum
	if head.Whole {
		return head, nil
	}
	if head.Order = binary.ByteOrder(be); binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		head.Order = binary.LittleEndian
	}
	head.Salts = 0
	last := uint64(0)
	for at := int64(WALHeader); at+FrameLen <= size; at += FrameLen {
		if _, err := f.ReadAt(b[:FrameHeader], at); err != nil {
			return head, err
		}
		salts := be.Uint64(b[8:])
		if salts == last && salts != 0 && (head.Salts == 0 || RoundsAfter(salts, head.Salts) > 0) {
			head.Salts = salts
		}
		last = salts
	}
	return head, nil
}

// RoundsAfter is how many rounds the salts a are after the salts b, negative: before.
func RoundsAfter(a, b uint64) int32 { return int32(uint32(a>>32) - uint32(b>>32)) }

// Mark is a place in a WAL up to which every frame was durable; the zero Mark is none.
type Mark struct {
	Salts  uint64 // of the WAL's header, as its bytes stand there
	Frames uint32 // up to and with the newest commit
	Sum    uint64 // the checksum of the last of them, as its bytes stand in the frame
}

// ReadMark reads where the newest commit ends from a WAL's index (the "-shm" of an open
// store), which begins with this header, in the machine's order of bytes
// (sqlite.org/walformat.html, § 2.1):
//
//	0        16       20       24           32      40
//	| … |mxFrame |nPage   |frame's sum |salts  | …
//
// It is the zero Mark if the index cannot be read.
func ReadMark(shm io.ReaderAt) Mark {
	var b [40]byte
	if _, err := shm.ReadAt(b[:], 0); err != nil {
		return Mark{}
	}
	order := binary.NativeEndian
	return Mark{
		Salts: binary.BigEndian.Uint64(b[32:]), Frames: order.Uint32(b[16:]),
		Sum: uint64(order.Uint32(b[24:]))<<32 | uint64(order.Uint32(b[28:])),
	}
}

// CheckWAL distinguishes a damaged WAL from a torn one, reading it to its end. Damage is
//
//   - a header that is not as it was written;
//   - two or more commits of this round behind the first bad frame: the second would
//     not have begun before the first was durable;
//   - commits that end before the mark: what lies before it was durable.
//
// Without a mark (after a power cut that came before the kernel had written it) a
// damaged last transaction, and a file cut off between two transactions, cannot be distinguished
// from a torn or missing end. No connection to the file is open while it reads.
func CheckWAL(path string, mark Mark) error {
	f, size, err := OpenWAL(path)
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	var end Frame // the last commit that SQLite takes
	bad, commits, atMark := 0, 0, WALSum{}
	head, err := ReadWAL(f, size, func(fr *Frame, _ []byte) error {
		switch {
		case fr.Chain && fr.Commit != 0:
			end = *fr
		case !fr.Chain && bad == 0:
			bad = fr.N
		}
		if !fr.Chain && fr.Mine && fr.Commit != 0 {
			commits++
		}
		if fr.Chain && uint32(fr.N) == mark.Frames {
			atMark = fr.Sum
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case size >= WALHeader && !head.Whole:
		return fmt.Errorf("%w: the WAL's header", ErrDamaged)
	case commits >= 2:
		return fmt.Errorf("%w: the WAL, frame %d, before %d commits", ErrDamaged, bad, commits)
	case mark == Mark{}:
		return nil
	case size < WALHeader:
		return fmt.Errorf("%w: the WAL is empty, %d frames were written", ErrDamaged, mark.Frames)
	case RoundsAfter(head.Salts, mark.Salts) > 0:
		return nil // begun again since
	case head.Salts != mark.Salts:
		return fmt.Errorf("%w: the WAL is of an earlier time", ErrDamaged)
	case end.N < int(mark.Frames):
		return fmt.Errorf("%w: the WAL ends after frame %d, %d were written", ErrDamaged, end.N, mark.Frames)
	case atMark.Number() != mark.Sum:
		return fmt.Errorf("%w: the WAL, frame %d is not the one that was written", ErrDamaged, mark.Frames)
	}
	return nil
}

// OpenWAL opens the file and returns its size; nil: there is none.
func OpenWAL(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// onlyIO drops the errors that a file's end makes.
func onlyIO(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// WALSum is the WAL's running checksum (sqlite.org/fileformat2.html, § 4.2).
type WALSum struct{ a, b uint32 }

func (s *WALSum) add(order binary.ByteOrder, p []byte) {
	for i := 0; i+8 <= len(p); i += 8 {
		s.a += order.Uint32(p[i:]) + s.b
		s.b += order.Uint32(p[i+4:]) + s.a
	}
}

// After is the sum of a frame that follows one with the sum s.
func (s WALSum) After(order binary.ByteOrder, frame []byte) WALSum {
	s.add(order, frame[:8])
	s.add(order, frame[FrameHeader:])
	return s
}

// WALSumAt reads a sum as it stands in a header.
func WALSumAt(p []byte) WALSum {
	return WALSum{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])}
}

// Number is the sum as its bytes stand in a frame.
func (s WALSum) Number() uint64 { return uint64(s.a)<<32 | uint64(s.b) }

// WithoutSums reports whether there is a database file at path whose pages have no sums.
func WithoutSums(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	header := make([]byte, HeaderSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return false, onlyIO(err) // too short: new, or damaged, which its opening finds
	}
	return !HasSums(header), nil
}
