package ledger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// A WAL (sqlite.org/fileformat2.html, § 4) is a header of 32 bytes and frames, each
// a header of 24 bytes and a page. SQLite takes the frames up to the first whose
// checksum is wrong and says nothing about the rest: right after a power cut, which
// tears the last transaction, but a flipped byte makes it drop commits that were
// confirmed.
const (
	walHeader   = 32
	frameHeader = 24
	walMagic    = 0x377f0682 // the last bit tells the order of bytes of the checksum
)

// checkWAL tells a damaged WAL from a torn one: after the first bad frame there are
// two or more commits. The second would not have begun before the first was synced.
// No connection to the file is open while it reads.
func checkWAL(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return onlyIO(err) // not even a header: no commit was ever in it
	}
	be := binary.BigEndian
	order := binary.ByteOrder(binary.LittleEndian)
	if be.Uint32(head)&1 != 0 {
		order = be
	}
	size := int(be.Uint32(head[8:]))
	var sum walSum
	sum.add(order, head[:24])
	if be.Uint32(head)&^1 != walMagic || size < 512 || size > 65536 || !sum.is(head[24:]) {
		return fmt.Errorf("%w: the WAL's header", errDamaged)
	}
	frame := make([]byte, frameHeader+size)
	good, commits := true, 0
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, frame); err != nil {
			return onlyIO(err)
		}
		mine := be.Uint64(frame[8:]) == be.Uint64(head[16:])
		if good {
			sum.add(order, frame[:8])
			sum.add(order, frame[frameHeader:])
			good = mine && sum.is(frame[16:])
			if good {
				continue
			}
		}
		if !mine {
			return nil // of an earlier round: already in the database
		}
		if be.Uint32(frame[4:]) != 0 {
			if commits++; commits == 2 {
				return fmt.Errorf("%w: the WAL, before frame %d", errDamaged, n)
			}
		}
	}
}

// onlyIO drops the errors that a file's end makes.
func onlyIO(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// walSum is the WAL's running checksum (§ 4.2).
type walSum struct{ a, b uint32 }

func (s *walSum) add(order binary.ByteOrder, p []byte) {
	for i := 0; i+8 <= len(p); i += 8 {
		s.a += order.Uint32(p[i:]) + s.b
		s.b += order.Uint32(p[i+4:]) + s.a
	}
}

func (s *walSum) is(p []byte) bool {
	return binary.BigEndian.Uint32(p) == s.a && binary.BigEndian.Uint32(p[4:]) == s.b
}
