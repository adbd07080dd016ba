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
	"runtime/debug"
	"syscall"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/bills/match"
)

// errRefused is the class of runs in which a file or a line was refused; each was printed.
var errRefused = errors.New("files or lines were refused")

// bills reads bills, or matches them with what terminals reported of a day (bills.md § 1).
func (p *program) bills(_ context.Context, v *verb, args []string) error {
	f := p.flags(v)
	day := f.String("day", "", p.t("match: the `day`, YYYY-MM-DD", "match：`日期` YYYY-MM-DD"))
	days := f.String("terminal-days", "", p.t("match: the digests of terminals, JSON Lines in a `file`", "match：终端日摘要 JSON Lines `文件`"))
	var files []string
	f.Func("bills", p.t("match: the bills, one `file` or more", "match：一个或多个账单`文件`"), func(s string) error { files = append(files, s); return nil })
	rest, err := p.parse(v, f, args, math.MaxInt)
	if err != nil {
		return err
	}
	verb := ""
	if len(rest) > 0 {
		verb, files = rest[0], append(files, rest[1:]...)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(30)) // a bill may be 128 MiB: memory is what is short
	switch {
	case verb == "check" && len(files) > 0 && *day == "" && *days == "":
		return p.checkBills(files)
	case verb == "match" && len(files) > 0 && *days != "" && isDay(*day):
		return p.matchBills(*day, *days, files)
	}
	return fmt.Errorf("%w: check FILE… or match --day YYYY-MM-DD --terminal-days FILE --bills FILE… is needed", errUsage)
}

func (p *program) checkBills(files []string) error {
	s := &billPrinter{out: bufio.NewWriter(p.stdout), errs: bufio.NewWriter(p.stderr), chinese: p.lang == "zh"}
	for _, path := range files {
		readBills(path, s)
	}
	return s.close()
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// matchBills prints how bills fit the digests of terminals of a day (bills.md § 6).
func (p *program) matchBills(day, days string, files []string) error {
	s := &billPrinter{out: bufio.NewWriter(p.stdout), errs: bufio.NewWriter(p.stderr), chinese: p.lang == "zh"}
	name := filepath.Base(days)
	var digests []*match.Digest
	switch data, err := readMost(days, bills.MaxFile+1); {
	case err != nil:
		s.Refused(&bills.Refusal{File: bills.Printable(name), Code: bills.Unreadable})
	case len(data) > bills.MaxFile:
		s.Refused(&bills.Refusal{File: bills.Printable(name), Code: bills.TooLarge})
	default:
		digests = match.ParseDigests(name, data, s.Refused)
	}
	book := match.NewBook(s.Refused)
	for _, path := range files {
		readBills(path, book)
	}
	results, totals := match.Match(day, digests, book)
	for _, r := range results {
		s.line(r.AppendJSON(s.buf[:0]))
	}
	for _, t := range totals {
		s.line(t.AppendJSON(s.buf[:0]))
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
	s.buf = r.AppendLine(s.buf[:0], s.chinese)
	_, _ = s.errs.Write(s.buf) // close returns the error
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
	f, err := billFile(path)
	if err != nil {
		out.Refused(&bills.Refusal{File: bills.Printable(f.Name), Code: bills.Unreadable})
		return
	}
	bills.Read(f, out)
}

func billFile(path string) (f bills.File, err error) {
	f.Name = filepath.Base(path)
	if f.Data, err = readMost(path, bills.MaxFile+1); err != nil {
		return f, err
	}
	var none error
	f.Hash, none = readMost(path+".sha1", 64<<10)
	f.Hashed = !errors.Is(none, fs.ErrNotExist) // one that cannot be read fits nothing
	return f, nil
}

// readMost returns at most the first bytes of a file. A named pipe that no program writes to is read as empty: to wait for
// a writer has no end and no signal stops it.
func readMost(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
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
