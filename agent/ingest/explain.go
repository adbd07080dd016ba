package ingest

import (
	"context"
	"io"

	"yuanlu/protocol/explain"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

// Explained is one message as its decoder saw it, and what came of it. Its Fields hold
// no identifier in clear; Records do, until they are sealed.
type Explained struct {
	Offset  int64 // of its frame, in the bytes of the file; -1: the end of the file
	Bytes   int   // of the frame
	Fields  []explain.Field
	Records []Decoded
	LeftOut []LeftOut
	Ignored string // part of the message that is not used
	Err     error  // why it was refused; nil: it was not
}

// explainer is a wire that can show what it sees of a message.
type explainer interface {
	explain(f frame.Frame) []explain.Field
}

// Explain reads a capture as Replay does and calls emit for every message in it, those
// that make no record or are refused too, and at the end once more for the records that
// become known there, if there are any. What emit is handed is valid until it returns.
func Explain(ctx context.Context, r io.Reader, w Wire, clock Clock, emit func(Explained) error) (Replayed, error) {
	plain := w
	if r, ok := w.(remembering); ok {
		plain = r.Wire
	}
	seer, _ := plain.(explainer)
	p := replayer{wire: w, scanner: w.Scanner(), clock: clock, leftOut: leftOutTally{}, refuse: func(error) {},
		emit: func(Decoded) error { return nil }}
	p.message = func(f frame.Frame, step Step, err error) error {
		e := Explained{Offset: f.Offset, Bytes: len(f.Raw), Records: step.Records, LeftOut: step.LeftOut, Ignored: step.Ignored, Err: err}
		if seer != nil && f.Raw != nil {
			e.Fields = seer.explain(f)
		}
		return emit(e)
	}
	return p.replay(ctx, r)
}

func (w *misposWire) explain(f frame.Frame) []explain.Field {
	fields, _ := w.profile.layout.Explain(f.Data) // Frame returns the error too
	return fields
}

func (w *cupWire) explain(f frame.Frame) []explain.Field {
	fields, _ := w.profile.layout.Explain(f.Data)
	return fields
}

func (w *smartWire) explain(f frame.Frame) []explain.Field {
	switch f.Type {
	case frame.SmartHandshake:
		return []explain.Field{{Name: "TYPE", At: 2, Length: 1, Value: "01", Became: "a handshake: answered at once"}}
	case frame.SmartConfirm:
		return []explain.Field{{Name: "TYPE", At: 2, Length: 1, Value: "02", Became: "a confirm: nothing to do"}}
	case frame.SmartData:
		if len(f.Data) == 0 {
			return nil
		}
		fields, _ := smart.Explain(f.Data)
		return fields
	}
	return []explain.Field{{Name: "TYPE", At: 2, Length: 1, Became: "no type of this wire: passed over"}}
}
