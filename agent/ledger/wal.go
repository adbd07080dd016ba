package ledger

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
// the order of bytes that the magic's last bit tells. Every time the WAL is begun again
// at its start, the salts change and their first half grows by one; frames of earlier
// rounds stay behind those of this one.
//
// SQLite takes the frames up to the first whose checksum is wrong and says nothing about
// the rest. That is right after a power cut, which tears the last transaction, but a
// lost sector or a flipped bit makes it drop commits that were confirmed.
const (
	walHeader   = 32
	frameHeader = 24
	frameLen    = frameHeader + pageSize
	walMagic    = 0x377f0682
	pageSize    = 4096 // of every store
)

// walHead is what a WAL's header says.
type walHead struct {
	salts uint64
	order binary.ByteOrder // of its checksums
	whole bool             // false: the header is damaged; salts are those of the newest frames
	sum   walSum
}

// walFrame is one frame's header and what could be found out about it.
type walFrame struct {
	n      int
	page   uint32
	commit uint32 // size of the database in pages if this frame ends a transaction, else 0
	salts  uint64
	sum    walSum // as it stands in the frame
	mine   bool   // of this round
	chain  bool   // this and every frame before it is whole: SQLite takes it
	whole  bool   // its checksum goes on from that of the frame before it
}

// readWAL hands every whole-length frame of the file to each, in order; page is good
// until each returns. An empty file, and one too short for a header, has none.
func readWAL(f io.ReaderAt, size int64, each func(fr *walFrame, page []byte) error) (walHead, error) {
	head, err := readWALHead(f, size)
	if err != nil || size < walHeader {
		return head, err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, walHeader, size-walHeader), 64<<10)
	b := make([]byte, frameLen)
	// From the sum that stands in the frame before, or from the one it should have: one
	// of the two is right unless both the frame and its sum are spoilt.
	stood, should, chain := head.sum, head.sum, head.whole
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, b); err != nil {
			return head, onlyIO(err)
		}
		be := binary.BigEndian
		fr := walFrame{n: n, page: be.Uint32(b), commit: be.Uint32(b[4:]), salts: be.Uint64(b[8:]), sum: sumAt(b[16:])}
		fr.mine = fr.salts == head.salts && fr.page != 0
		fromShould := should.after(head.order, b)
		fromStood := fromShould
		if stood != should {
			fromStood = stood.after(head.order, b)
		}
		fr.whole = fr.page != 0 && (fr.sum == fromStood || fr.sum == fromShould)
		chain = chain && fr.mine && fr.sum == fromShould
		fr.chain = chain
		stood, should = fr.sum, fromShould
		if fr.whole {
			should = fr.sum
		}
		if err := each(&fr, b[frameHeader:]); err != nil {
			return head, err
		}
	}
}

// readWALHead reads the header, or, where it is damaged, finds the newest round's salts.
func readWALHead(f io.ReaderAt, size int64) (walHead, error) {
	head := walHead{order: binary.LittleEndian}
	if size < walHeader {
		return head, nil
	}
	var b [walHeader]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return head, err
	}
	be := binary.BigEndian
	magic := be.Uint32(b[:])
	if magic&1 != 0 {
		head.order = be
	}
	head.salts, head.sum = be.Uint64(b[16:]), sumAt(b[24:])
	var sum walSum
	sum.add(head.order, b[:24])
	head.whole = magic&^1 == walMagic && be.Uint32(b[8:]) == pageSize && sum == head.sum
	if head.whole {
		return head, nil
	}
	if head.order = binary.ByteOrder(be); binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		head.order = binary.LittleEndian
	}
	head.salts = 0
	last := uint64(0)
	for at := int64(walHeader); at+frameLen <= size; at += frameLen {
		if _, err := f.ReadAt(b[:frameHeader], at); err != nil {
			return head, err
		}
		salts := be.Uint64(b[8:])
		if salts == last && salts != 0 && (head.salts == 0 || roundsAfter(salts, head.salts) > 0) {
			head.salts = salts
		}
		last = salts
	}
	return head, nil
}

// roundsAfter is how many rounds the salts a are after the salts b, negative: before.
func roundsAfter(a, b uint64) int32 { return int32(uint32(a>>32) - uint32(b>>32)) }

// checkWAL tells a damaged WAL from a torn one, reading it to its end. Damage is
//
//   - a header that is not as it was written;
//   - two or more commits of this round behind the first bad frame: the second would
//     not have begun before the first was durable;
//   - commits that end before the mark: what lies before it was durable.
//
// Without a mark (after a power cut that came before the kernel had written it) a
// damaged last transaction, and a file cut off between two transactions, cannot be distinguished
// from a torn or missing end. No connection to the file is open while it reads.
func checkWAL(path string, mark walMark) error {
	f, size, err := openWAL(path)
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	var end walFrame // the last commit that SQLite takes
	bad, commits, atMark := 0, 0, walSum{}
	head, err := readWAL(f, size, func(fr *walFrame, _ []byte) error {
		switch {
		case fr.chain && fr.commit != 0:
			end = *fr
		case !fr.chain && bad == 0:
			bad = fr.n
		}
		if !fr.chain && fr.mine && fr.commit != 0 {
			commits++
		}
		if fr.chain && uint32(fr.n) == mark.frames {
			atMark = fr.sum
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case size >= walHeader && !head.whole:
		return fmt.Errorf("%w: the WAL's header", errDamaged)
	case commits >= 2:
		return fmt.Errorf("%w: the WAL, frame %d, before %d commits", errDamaged, bad, commits)
	case mark == walMark{}:
		return nil
	case size < walHeader:
		return fmt.Errorf("%w: the WAL is empty, %d frames were written", errDamaged, mark.frames)
	case roundsAfter(head.salts, mark.salts) > 0:
		return nil // begun again since
	case head.salts != mark.salts:
		return fmt.Errorf("%w: the WAL is of an earlier time", errDamaged)
	case end.n < int(mark.frames):
		return fmt.Errorf("%w: the WAL ends after frame %d, %d were written", errDamaged, end.n, mark.frames)
	case atMark.number() != mark.sum:
		return fmt.Errorf("%w: the WAL, frame %d is not the one that was written", errDamaged, mark.frames)
	}
	return nil
}

// openWAL opens the file and tells its size; nil: there is none.
func openWAL(path string) (*os.File, int64, error) {
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

// walSum is the WAL's running checksum (sqlite.org/fileformat2.html, § 4.2).
type walSum struct{ a, b uint32 }

func (s *walSum) add(order binary.ByteOrder, p []byte) {
	for i := 0; i+8 <= len(p); i += 8 {
		s.a += order.Uint32(p[i:]) + s.b
		s.b += order.Uint32(p[i+4:]) + s.a
	}
}

// after is the sum of a frame that follows one with the sum s.
func (s walSum) after(order binary.ByteOrder, frame []byte) walSum {
	s.add(order, frame[:8])
	s.add(order, frame[frameHeader:])
	return s
}

// sumAt reads a sum as it stands in a header.
func sumAt(p []byte) walSum {
	return walSum{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])}
}

func (s walSum) number() uint64 { return uint64(s.a)<<32 | uint64(s.b) }
