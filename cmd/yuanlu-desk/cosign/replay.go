package cosign

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"yuanlu/protocol/evidence"
)

// ErrLine is the class of lines that are none of evidence.md § 2, replay.
var ErrLine = errors.New("cosign: not a line of a replay")

// maxReplayLine is the greatest number of bytes of a line of a replay.
const maxReplayLine = 1 << 20

// Append writes the answer as dn/cosign has it, without desk.
func (a *Answer) Append(b []byte) []byte {
	b = evidence.AppendString(append(b, `{"v":1,"origin":`...), a.Origin)
	return append(evidence.AppendString(append(b, `,"checkpoint":`...), a.Checkpoint), '}')
}

// Replay answers messages without a broker (evidence.md § 2): lines {"at","terminal","message"}
// in, lines {"line","answer","alarms"} out. Blank lines have no answer and keep their
// number. bad is true if a line was none of the page's; it is answered with null.
func Replay(d *Desk, in io.Reader, out io.Writer) (bad bool, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxReplayLine)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		at, terminal, message, err := replayLine(text)
		var answer *Answer
		var alarms []Alarm
		if err != nil {
			bad = true
		} else {
			answer, alarms, _ = d.Take(at, terminal, message)
		}
		b := fmt.Appendf(nil, `{"line":%d,"answer":`, n)
		if answer == nil {
			b = append(b, "null"...)
		} else {
			b = answer.Append(b)
		}
		var codes []string
		for _, a := range alarms {
			codes = append(codes, `"`+a.Code+`"`)
		}
		b = append(b, `,"alarms":[`+strings.Join(codes, ",")+"]}\n"...)
		if _, err := out.Write(b); err != nil {
			return bad, err
		}
	}
	return bad, lines.Err()
}

// replayLine reads one line. The message is read as one from the broker is, by Take.
func replayLine(text []byte) (at int64, terminal string, message []byte, err error) {
	var l struct {
		At, Terminal *string
		Message      json.RawMessage
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return 0, "", nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if l.At == nil || l.Terminal == nil || l.Message == nil {
		return 0, "", nil, fmt.Errorf("%w: members at, terminal, message", ErrLine)
	}
	clock, err := time.Parse(time.RFC3339, *l.At)
	if err != nil {
		return 0, "", nil, fmt.Errorf("%w: at", ErrLine)
	}
	return clock.Unix(), *l.Terminal, l.Message, nil
}
