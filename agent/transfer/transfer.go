// Package transfer carries the store of a terminal to a replacement in one file: the rows
// and keys that ledger.DB.Export writes, packed by gzip and encrypted by age under a
// passphrase (scrypt). A file is written whole or not at all; one that was changed or cut
// off is refused before anything of it is taken.
//
// Source: cli.md, store.
package transfer

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"yuanlu/agent/ledger"
	"yuanlu/agent/newfile"
)

const (
	// LeastPassphrase is the shortest passphrase, in bytes, that an export is made with.
	LeastPassphrase = 12

	// work is scrypt's cost as a power of two: 2^15 takes 32 MiB, which a terminal of
	// 256 MB has. An export may ask for twice that at most.
	work     = 15
	mostWork = 16
)

// Classes of errors.
var (
	ErrThere      = errors.New("transfer: the file is there already")
	ErrPassphrase = errors.New("transfer: wrong passphrase, or not an export of a store")
)

// Progress is called with the rows that are done and all there are.
type Progress func(done, all int64)

// Export writes the store below storeDir to the new file name, and returns its rows. It
// reads beside a daemon. Errors: ErrThere, those of ledger.OpenReadOnly and of the file.
func Export(ctx context.Context, storeDir, name, passphrase string, progress Progress) (rows int64, err error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return 0, err
	}
	to.SetWorkFactor(work)
	db, err := ledger.OpenReadOnly(ctx, storeDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := os.Lstat(name); err == nil {
		return 0, ErrThere
	}
	out, err := newfile.Create(name)
	if err != nil {
		return 0, err
	}
	rows, err = write(ctx, db, out, to, progress)
	if err == nil {
		err = out.Keep() // fails if there is one now
	}
	if err != nil {
		return 0, errors.Join(err, out.Discard())
	}
	return rows, nil
}

func write(ctx context.Context, db *ledger.DB, out io.Writer, to age.Recipient, progress Progress) (rows int64, err error) {
	sealed, err := age.Encrypt(out, to)
	if err != nil {
		return 0, err
	}
	packed := gzip.NewWriter(sealed)
	err = db.Export(ctx, packed, func(n, all int64) { rows = n; progress(n, all) })
	return rows, errors.Join(err, packed.Close(), sealed.Close())
}

// Import builds the store of o from an export, and returns its rows. Errors: ErrPassphrase,
// ledger.ErrCarried for what is no export, was changed or cut off, and those of
// ledger.Import.
func Import(ctx context.Context, o ledger.Options, in io.Reader, passphrase string, progress Progress) (rows int64, err error) {
	from, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return 0, err
	}
	from.SetMaxWorkFactor(mostWork)
	plain, err := age.Decrypt(bufio.NewReader(in), from)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return 0, ErrPassphrase
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ledger.ErrCarried, err)
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ledger.ErrCarried, err)
	}
	err = ledger.Import(ctx, o, &wholeReader{unpacked: unpacked, plain: plain}, func(n, all int64) { rows = n; progress(n, all) })
	return rows, err
}

// wholeReader returns the end of the export only if the encrypted file ends there too:
// its last part is what proves that nothing was cut off.
type wholeReader struct {
	unpacked, plain io.Reader
}

func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.unpacked.Read(p)
	if errors.Is(err, io.EOF) {
		if _, e := io.Copy(io.Discard, w.plain); e != nil {
			err = e
		}
	}
	return n, err
}
