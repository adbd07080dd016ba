package store

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Limits of a block: compressed, and its lines, in bytes. A file of a case is one line.
const (
	mostBlock = 1 << 30
	mostLines = 2 << 30
)

// blockReader reads the blocks of a backup, and checks that each is whole and stands behind
// the one before.
type blockReader struct {
	r    io.Reader
	last [sha256.Size]byte
	n    int   // of the block that was read last, from 1
	from int64 // the byte at which it begins
	at   int64 // bytes read
}

func newBlockReader(r io.Reader) *blockReader {
	return &blockReader{r: r, last: sha256.Sum256([]byte(backupMagic))}
}

// damaged is an error in the block that was read last.
func (b *blockReader) damaged(format string, args ...any) error {
	return fmt.Errorf("%w: block %d, which begins at byte %d: %s", ErrBackup, b.n, b.from, fmt.Sprintf(format, args...))
}

// read fills p.
func (b *blockReader) read(p []byte) error {
	n, err := io.ReadFull(b.r, p)
	b.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.damaged("the file ends at byte %d", b.at)
	}
	return err
}

// header reads the beginning of a backup.
func (b *blockReader) header() (h header, err error) {
	magic := make([]byte, len(backupMagic))
	n, err := io.ReadFull(b.r, magic)
	b.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return h, err
	}
	if string(magic) != backupMagic {
		return h, fmt.Errorf("%w: it does not begin as one", ErrBackup)
	}
	lines, err := b.block()
	if err != nil {
		return h, err
	}
	dec := json.NewDecoder(lines)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil {
		return h, b.damaged("%v", err)
	}
	for table, columns := range h.Tables {
		if !plainName(table) || len(columns) == 0 || slices.ContainsFunc(columns, func(c string) bool { return !plainName(c) }) {
			return h, b.damaged("a table or column without a name")
		}
	}
	return h, nil
}

// plainName reports whether a name can stand in a statement.
func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && !unicode.IsLower(c) && !unicode.IsDigit(c) || c > unicode.MaxASCII
	})
}

// block returns the lines of the next block.
func (b *blockReader) block() (io.Reader, error) {
	b.n++
	b.from = b.at
	head := make([]byte, 4+sha256.Size)
	if err := b.read(head); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size == 0 || size > mostBlock {
		return nil, b.damaged("a length of %d bytes", size)
	}
	var body bytes.Buffer // it grows by what is there, not by what the length promises
	n, err := io.CopyN(&body, b.r, size)
	b.at += n
	if errors.Is(err, io.EOF) {
		return nil, b.damaged("the file ends at byte %d", b.at)
	}
	if err != nil {
		return nil, err
	}
	if b.last = chained(b.last, body.Bytes()); !bytes.Equal(b.last[:], head[4:]) {
		return nil, b.damaged("its hash does not fit: it was changed, or a block before it is missing")
	}
	return io.LimitReader(flate.NewReader(&body), mostLines), nil
}

// over checks that nothing follows.
func (b *blockReader) over() error {
	n, err := io.CopyN(io.Discard, b.r, 1)
	if n > 0 {
		return b.damaged("something follows at byte %d", b.at)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
