package terminal

import (
	"fmt"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// Speaker turns entries into the frames that the terminal's wire says them with. One speaker serves one line.
type Speaker struct {
	mispos *wire.Mispos
	other  wire.Encoder
}

// NewSpeaker gives a speaker for a model on a wire.
func NewSpeaker(model, wireName string) (*Speaker, error) {
	if wireName == "mispos" {
		// The e-sign model has no printer: it says the last record again instead of printing it.
		return &Speaker{mispos: &wire.Mispos{LastReprint: model == "e-sign"}}, nil
	}
	if wireName == "cup8583" {
		return &Speaker{other: &wire.Cup8583{ICData: true}}, nil
	}
	e, err := wire.NewEncoder(wireName)
	return &Speaker{other: e}, err
}

// Say gives the frames of an entry in their order. A terminal in training says nothing on mispos.
func (s *Speaker) Say(e *scenario.Entry) ([]wire.Frame, error) {
	if s.mispos == nil {
		return s.other.Encode(&e.Record)
	}
	if e.Record.Training {
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
	f, err := s.mispos.Encode(&e.Record)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return append(out, f...), nil
}
