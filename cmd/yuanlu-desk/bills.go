package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// errRefused is the class of runs in which a file or a line was refused; each was printed.
var errRefused = errors.New("files or lines were refused")

// bills reads bills and prints what they state (bills.md § 1).
func (p *program) bills(_ context.Context, v *verb, args []string) error {
	files, err := p.parse(v, p.flags(v), args, math.MaxInt)
	if err != nil {
		return err
	}
	if len(files) < 2 || files[0] != "check" {
		return fmt.Errorf("%w: check FILE… is needed", errUsage)
	}
	return p.checkBills(files[1:])
}

func (p *program) checkBills(files []string) error {
	s := &billPrinter{out: bufio.NewWriter(p.stdout), errs: bufio.NewWriter(p.stderr), chinese: p.lang == "zh"}
	for _, path := range files {
		readBills(path, s)
	}
	return s.close()
}

// billPrinter prints what bills state, and each refusal.
type billPrinter struct {
	out, errs *bufio.Writer
	chinese   bool
	buf       []byte
	refused   bool
}

// Entry prints an entry.
func (s *billPrinter) Entry(e *bills.Entry) { s.line(e.AppendJSON(s.buf[:0])) }

// Bill prints the summary of a bill.
func (s *billPrinter) Bill(b *bills.Bill) { s.line(b.AppendJSON(s.buf[:0])) }

// Refused prints a refusal on standard error.
func (s *billPrinter) Refused(r *bills.Refusal) {
	s.refused = true
	_, _ = fmt.Fprintf(s.errs, "%s: %s: %s\n", r.Place(), r.Code, r.Code.Text(s.chinese)) // close returns the error
}

func (s *billPrinter) line(b []byte) {
	s.buf = append(b, '\n')
	_, _ = s.out.Write(s.buf) // close returns the error
}

func (s *billPrinter) close() error {
	if err := errors.Join(s.out.Flush(), s.errs.Flush()); err != nil {
		return err
	}
	if s.refused {
		return errRefused
	}
	return nil
}

// readBills reads a file with the hash beside it. One that cannot be read is refused.
func readBills(path string, out bills.Sink) {
	f := bills.File{Name: filepath.Base(path)}
	var err error
	if f.Data, err = readMost(path, bills.MaxFile+1); err != nil {
		out.Refused(&bills.Refusal{File: bills.Printable(f.Name), Code: bills.Unreadable})
		return
	}
	f.Hash, err = readMost(path+".sha1", 64<<10)
	f.Hashed = !errors.Is(err, fs.ErrNotExist) // one that cannot be read fits nothing
	bills.Read(f, out)
}

// readMost returns at most the first bytes of a file.
func readMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(info.Size(), most)) + bytes.MinRead) // so that the buffer does not grow while it is filled
	_, err = b.ReadFrom(io.LimitReader(f, most))
	return b.Bytes(), err
}
