package dryrun

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

// maxLine is the longest line that may be a record, in bytes.
const maxLine = 1 << 20

// line is one line of the input: a record, an ask, or the end of a hold, or err. None of
// them: it is blank.
type line struct {
	seq    int64
	record *refund.Record
	ask    *refund.Ask
	end    *refund.HoldEnd
	err    error
}

// LeftOut counts the lines of an input that no verdict comes of.
type LeftOut struct{ Blank, Refused, Training uint64 }

// Counts returns them as ingest.Replay does, in byte order of their names.
func (u LeftOut) Counts() []ingest.LeftOutCount {
	all := []ingest.LeftOutCount{{What: "blank", N: u.Blank}, {What: "refused", N: u.Refused}, {What: "training", N: u.Training}}
	return slices.DeleteFunc(all, func(c ingest.LeftOutCount) bool { return c.N == 0 })
}

// Lines judges every line of in, a record in JSON each, and counts those that it leaves
// out. refuse is called with what is wrong with a line, progress with the number of each
// line. Lines are read, parsed and sealed beside the judging; what is there is judged at
// once, so the verdicts of a slow input come line by line.
func (r *Run) Lines(ctx context.Context, in io.Reader, refuse func(error), progress func(n int64)) (left LeftOut, err error) {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan line, batch)
	ended := make(chan error, 1)
	go func() {
		defer close(lines)
		ended <- r.readLines(ctx, in, lines)
	}()
	defer func() {
		cancel()
		drain(lines)
	}()
	for {
		one, open, waited := receive(lines)
		if waited { // nothing is there yet: judge what has come so far
			if err := r.judge(ctx); err != nil {
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
		progress(one.seq)
		if err := r.take(ctx, &one, &left, refuse); err != nil {
			return left, err
		}
	}
}

// take does with one line what it states.
func (r *Run) take(ctx context.Context, one *line, left *LeftOut, refuse func(error)) error {
	switch {
	case one.err != nil:
		left.Refused++
		refuse(one.err)
	case one.ask != nil:
		refused, err := r.Ask(ctx, one.seq, one.ask)
		if refused {
			left.Refused++
			refuse(&refund.InputError{Line: int(one.seq), Column: 1, Member: "ask.id", Got: "the id of another ask", Want: "a new id, or the same ask again"})
		}
		return err
	case one.end != nil:
		return r.EndHold(ctx, one.seq, one.end)
	case one.record == nil:
		left.Blank++
	default:
		if one.record.Training {
			left.Training++
		}
		return r.Add(ctx, one.seq, *one.record)
	}
	return nil
}

// drain waits for the reader to end: it sees its context at the next line. One that
// hangs in a terminal or pipe is left; the process is about to end.
func drain(lines <-chan line) {
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

// receive takes what is there; waited: nothing is yet.
func receive(lines <-chan line) (one line, open, waited bool) {
	select {
	case one, open = <-lines:
		return one, open, false
	default:
		return line{}, true, true
	}
}

// readLines parses and seals every line. Its error is the input's own.
func (r *Run) readLines(ctx context.Context, in io.Reader, out chan<- line) error {
	from := bufio.NewReaderSize(in, 64<<10)
	var long []byte
	for seq := int64(1); ; seq++ {
		text, tooLong, err := readLine(from, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read: %w", err)
		}
		if errors.Is(err, io.EOF) && len(text) == 0 && !tooLong {
			return nil
		}
		one := parseLine(seq, text, tooLong)
		if one.record != nil {
			*one.record = r.Seal(*one.record)
		}
		if one.ask != nil {
			*one.ask = refund.SealAsk(*one.ask, r.db.Keys())
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

func parseLine(seq int64, text []byte, tooLong bool) line {
	if tooLong {
		return line{seq: seq, err: &refund.InputError{Line: int(seq), Column: maxLine + 1, Got: "a longer line", Want: fmt.Sprintf("at most %d bytes", maxLine)}}
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return line{seq: seq}
	}
	one := parseKind(text)
	var wrong *refund.InputError
	if errors.As(one.err, &wrong) {
		wrong.Line = int(seq)
	}
	one.seq = seq
	return one
}

// parseKind reads a text as what it is.
func parseKind(text []byte) line {
	switch refund.LineOf(text) {
	case refund.LineAsk:
		a, err := refund.ParseAsk(text, refund.AskForm{Version: true})
		if err != nil {
			return line{err: err}
		}
		return line{ask: &a}
	case refund.LineHoldEnd:
		h, err := refund.ParseHoldEnd(text)
		if err != nil {
			return line{err: err}
		}
		return line{end: &h}
	}
	record, err := refund.ParseRecord(text, refund.Reject)
	if err != nil {
		return line{err: err}
	}
	return line{record: &record}
}

// readLine returns one line without its end, valid until the next call. Of one that
// is too long it keeps nothing.
func readLine(r *bufio.Reader, long *[]byte) (text []byte, tooLong bool, err error) {
	text, err = r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(text, []byte("\n")), false, err
	}
	*long = append((*long)[:0], text...)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = r.ReadSlice('\n')
		if tooLong = tooLong || len(*long)+len(text) > maxLine; !tooLong {
			*long = append(*long, text...)
		}
	}
	if tooLong {
		return nil, true, err
	}
	return bytes.TrimSuffix(*long, []byte("\n")), false, err
}
