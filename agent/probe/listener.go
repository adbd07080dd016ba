package probe

import (
	"math/bits"
	"slices"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/protocol/frame"
)

// listener decodes what comes for all wires at once.
type listener struct {
	wires    map[string]ingest.Wire
	scanners map[string]*frame.Scanner
	counts   map[string]bool // wires that are the first of their framing: their frames count
	framed   map[string]bool // wires that had a frame
	good     uint64          // frames, of either framing
	counted  uint64          // of good, by frames
	parity   [2]int          // bytes with an even and an odd number of bits
	first    *First          // record of the wire that was found
}

func newListener() (*listener, error) {
	l := &listener{wires: map[string]ingest.Wire{}, scanners: map[string]*frame.Scanner{}, counts: map[string]bool{}, framed: map[string]bool{}}
	framings := map[string]bool{}
	for _, name := range ingest.Wires() {
		framing := ingest.Framing(name)
		l.counts[name] = !framings[framing]
		framings[framing] = true
		profile, err := ingest.DefaultProfile(name)
		if err != nil {
			return nil, err
		}
		if l.wires[name], err = ingest.NewWire(name, profile, nil); err != nil {
			return nil, err
		}
		l.scanners[name] = l.wires[name].Scanner()
	}
	return l, nil
}

// take takes bytes and returns the wire that understands a message in them and those
// before, "" for none yet.
func (l *listener) take(b []byte, now time.Time) (wire string) {
	for _, c := range b {
		l.parity[bits.OnesCount8(c)&1]++
	}
	clock := ingest.Clock{Now: now, Synced: true, Zone: ingest.DefaultZone(), HasNow: true}
	for _, name := range ingest.Wires() {
		s := l.scanners[name]
		s.Push(b)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			l.framed[name] = true
			if l.counts[name] {
				l.good++
			}
			// A handshake is a message of smart; its framing has two marks and a check byte.
			step, err := l.wires[name].Frame(f, clock)
			if err == nil && wire == "" {
				wire = name
			}
			if err == nil && wire == name && l.first == nil && len(step.Records) > 0 {
				r := &step.Records[0].Record
				l.first = &First{Kind: string(r.Kind), Outcome: string(r.Outcome), Amount: r.Amount, Currency: r.Currency, At: r.At}
			}
		}
	}
	return wire
}

// frames returns the good frames since it was last asked.
func (l *listener) frames() uint64 {
	n := l.good - l.counted
	l.counted = l.good
	return n
}

// sees adds the wires whose frames were right.
func (l *listener) sees(before []string) []string {
	for _, name := range ingest.Wires() {
		if l.framed[name] && !slices.Contains(before, name) {
			before = append(before, name)
		}
	}
	return before
}

// sevenBits reports whether what came with eight data bits and no parity is a line
// of seven data bits with a parity bit: both have ten bits to a character, and the
// parity bit is then the eighth bit of a byte. It returns the parity, or "". No wire
// fits in seven bits, so such a line needs a setting of the terminal, and no other
// speed.
func (l *listener) sevenBits() string {
	const enough = 24 // by chance once in sixteen million
	even, odd := l.parity[0], l.parity[1]
	switch {
	case odd == 0 && even >= enough:
		return "even"
	case even == 0 && odd >= enough:
		return "odd"
	}
	return ""
}
