package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/printable"
)

// maxLine is the longest line that may be a record, in bytes.
const maxLine = 1 << 20

func checkVerb() *verb {
	return &verb{name: "check", machine: true, usage: "[--final] [FILE|-]",
		en: "records in, verdicts out, both as JSON Lines; nothing else is touched",
		zh: "输入记录、输出判定，均为 JSON Lines；不改动任何数据", run: (*program).check}
}

func (p *program) check(ctx context.Context, args []string) (err error) {
	v := checkVerb()
	f := p.flags(v)
	final := f.Bool("final", false, p.lang.t("only the last verdict of each refund and void, in seq order", "每笔退款和撤销只输出最后一次判定，按序号排列"))
	rest, err := p.parse(v, f, args, 0, 1)
	if err != nil {
		return err
	}
	name := ""
	if len(rest) == 1 {
		name = rest[0]
	}
	in, err := p.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	t, err := newTrial(ctx, p, *final)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	left, err := p.checkLines(ctx, in, t)
	if err != nil {
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	p.sayLeftOut(left.counts())
	if left.refused > 0 {
		return errSaid(exitData)
	}
	return nil
}

// input is what one line of the input turned out to be. Neither error nor record:
// a blank line.
type input struct {
	seq    int64
	record *refund.Record
	err    error
}

// unjudged counts the lines of an input that no verdict comes of.
type unjudged struct{ blank, refused, training uint64 }

// counts returns them as a replay's, in byte order.
func (u unjudged) counts() []ingest.LeftOutCount {
	all := []ingest.LeftOutCount{{What: "blank", N: u.blank}, {What: "refused", N: u.refused}, {What: "training", N: u.training}}
	return slices.DeleteFunc(all, func(c ingest.LeftOutCount) bool { return c.N == 0 })
}

// checkLines judges every line of in, and counts those that it leaves out; what is wrong
// with a refused one is on standard error. Lines are read, parsed and sealed beside the
// judging; what is there is judged at once, so the verdicts of a slow input come line
// by line.
func (p *program) checkLines(ctx context.Context, in io.Reader, t *trial) (left unjudged, err error) {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan input, trialBatch)
	ended := make(chan error, 1)
	go func() {
		defer close(lines)
		ended <- readLines(ctx, in, t.seal, lines)
	}()
	defer func() {
		cancel()
		drain(lines)
	}()
	progress := p.newProgress()
	for {
		one, open, waited := receive(lines)
		if waited { // nothing is there yet: judge what has come so far
			if err := t.judge(ctx); err != nil {
				return left, err
			}
			select {
			case one, open = <-lines:
			case <-ctx.Done():
				return left, ctx.Err()
			}
		}
		if !open {
			return left, <-ended
		}
		progress.at(one.seq)
		switch {
		case one.err != nil:
			left.refused++
			fmt.Fprintf(p.stderr, "yuanlu check: %v\n", one.err)
		case one.record == nil:
			left.blank++
		default:
			if one.record.Training {
				left.training++
			}
			if err := t.add(ctx, one.seq, *one.record); err != nil {
				return left, err
			}
		}
	}
}

// drain waits for the reader to end: it sees its context at the next line. One that
// hangs in a terminal or pipe is left; the process is about to end.
func drain(lines <-chan input) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	for {
		select {
		case _, open := <-lines:
			if !open {
				return
			}
		case <-t.C:
			return
		}
	}
}

// receive takes what is there, or says that there is nothing yet.
func receive(lines <-chan input) (one input, open, waited bool) {
	select {
	case one, open = <-lines:
		return one, open, false
	default:
		return input{}, true, true
	}
}

// readLines parses and seals every line. Its error is the input's own.
func readLines(ctx context.Context, in io.Reader, seal func(refund.Record) refund.Record, out chan<- input) error {
	r := bufio.NewReaderSize(in, 64<<10)
	var long []byte
	for seq := int64(1); ; seq++ {
		line, tooLong, err := readLine(r, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read: %w", err)
		}
		if errors.Is(err, io.EOF) && len(line) == 0 && !tooLong {
			return nil
		}
		one := parseLine(seq, line, tooLong)
		if one.record != nil {
			*one.record = seal(*one.record)
		}
		select {
		case out <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return nil
		}
	}
}

func parseLine(seq int64, line []byte, tooLong bool) input {
	if tooLong {
		return input{seq: seq, err: &refund.InputError{Line: int(seq), Column: maxLine + 1, Got: "a longer line", Want: fmt.Sprintf("at most %d bytes", maxLine)}}
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return input{seq: seq}
	}
	record, err := refund.ParseRecord(line, refund.Reject)
	var wrong *refund.InputError
	if errors.As(err, &wrong) {
		wrong.Line = int(seq)
	}
	if err != nil {
		return input{seq: seq, err: err}
	}
	return input{seq: seq, record: &record}
}

// readLine returns one line without its end, valid until the next call. Of one that
// is too long it keeps nothing.
func readLine(r *bufio.Reader, long *[]byte) (line []byte, tooLong bool, err error) {
	line, err = r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(line, []byte("\n")), false, err
	}
	*long = append((*long)[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		if tooLong = tooLong || len(*long)+len(line) > maxLine; !tooLong {
			*long = append(*long, line...)
		}
	}
	if tooLong {
		return nil, true, err
	}
	return bytes.TrimSuffix(*long, []byte("\n")), false, err
}

// progress says on a terminal how far a long piece of work has come.
type progress struct {
	p     *program
	began time.Time
	next  time.Time
	on    bool
}

func (p *program) newProgress() *progress {
	now := p.now()
	return &progress{p: p, began: now, next: now.Add(2 * time.Second), on: isTerminal(p.stderr)}
}

func (g *progress) at(n int64) {
	if !g.on || n%1024 != 0 {
		return
	}
	now := g.p.now()
	if now.Before(g.next) {
		return
	}
	g.next = now.Add(time.Second)
	rate := float64(n) / now.Sub(g.began).Seconds()
	fmt.Fprintf(g.p.stderr, "\r%s %d (%.0f/s) ", g.p.lang.t("records", "记录"), n, rate)
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	if people, ok := w.(*printable.Writer); ok {
		w = people.Unwrap()
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
