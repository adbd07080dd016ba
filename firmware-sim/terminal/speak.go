package terminal

import (
	"fmt"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// Speaker turns entries into the frames of the terminal's wire. One speaker serves one line.
type Speaker struct {
	mispos *wire.Mispos // nil on the other wires
	wire   wire.Encoder
}

// NewSpeaker returns a speaker for a model on a wire.
func NewSpeaker(model, wireName string) (*Speaker, error) {
	if wireName == "mispos" {
		// The e-sign model has no printer: it sends the last record again instead of printing it.
		m := &wire.Mispos{LastReprint: model == "e-sign"}
		return &Speaker{mispos: m, wire: m}, nil
	}
	if wireName == "cup8583" {
		return &Speaker{wire: &wire.Cup8583{ICData: true}}, nil
	}
	e, err := wire.NewEncoder(wireName)
	return &Speaker{wire: e}, err
}

// Frames returns the frames of an entry in their order. A terminal in training sends nothing on mispos.
func (s *Speaker) Frames(e *scenario.Entry) ([]wire.Frame, error) {
	if e.Silent || s.mispos != nil && e.Record.Training {
		return nil, nil
	}
	var out []wire.Frame
	if e.Asked {
		f, err := s.mispos.Request(&e.Record)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		out = append(out, f)
	}
	f, err := s.wire.EncodeAs(message(e))
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return append(out, f...), nil
}

// message is what an entry puts on the line. What is printed again has the usual form.
func message(e *scenario.Entry) wire.Message {
	m := wire.Message{Records: []*wire.Record{&e.Record}, Shape: e.Step.Shape, Returned: e.Returned}
	if printedAgain(e) {
		m.Shape = ""
	}
	if len(e.Parts) > 0 {
		m.Records = nil
		for i := range e.Parts {
			m.Records = append(m.Records, &e.Parts[i])
		}
	}
	return m
}
