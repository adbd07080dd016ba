package main

import (
	"math/bits"
	"slices"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/protocol/frame"
)

// ears listen for all wires at once.
type ears struct {
	wires    map[string]ingest.Wire
	scanners map[string]*frame.Scanner
	right    map[string]bool // wires that had a frame
	good     uint64          // frames, of either framing
	told     uint64
	parity   [2]int // bytes with an even and an odd number of bits
}

func newEars() (*ears, error) {
	e := &ears{wires: map[string]ingest.Wire{}, scanners: map[string]*frame.Scanner{}, right: map[string]bool{}}
	for _, name := range wireNames() {
		profile, err := ingest.DefaultProfile(name)
		if err != nil {
			return nil, err
		}
		if e.wires[name], err = ingest.NewWire(name, profile, nil); err != nil {
			return nil, err
		}
		e.scanners[name] = e.wires[name].Scanner()
	}
	return e, nil
}

// hear returns the wire that understands a message in what was heard, "" for none yet.
func (e *ears) hear(b []byte, now time.Time) (wire string) {
	for _, c := range b {
		e.parity[bits.OnesCount8(c)&1]++
	}
	clock := ingest.Clock{Now: now, Synced: true, Zone: ingest.DefaultZone(), HasNow: true}
	for _, name := range wireNames() {
		s := e.scanners[name]
		s.Push(b)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			e.right[name] = true
			if name != "cup8583" { // its framing is that of mispos
				e.good++
			}
			// A handshake is a message of smart; its framing has two marks and a check byte.
			if _, err := e.wires[name].Frame(f, clock); err == nil && wire == "" {
				wire = name
			}
		}
	}
	return wire
}

// frames returns the good frames since it was last asked.
func (e *ears) frames() uint64 {
	n := e.good - e.told
	e.told = e.good
	return n
}

// sees adds the wires whose frames were right.
func (e *ears) sees(before []string) []string {
	for _, name := range wireNames() {
		if e.right[name] && !slices.Contains(before, name) {
			before = append(before, name)
		}
	}
	return before
}

// sevenBits tells whether what was heard with eight data bits and no parity is a line
// of seven data bits with a parity bit: both have ten bits to a character, and the
// parity bit is then the eighth bit of a byte. It returns the parity, or "". No wire
// fits in seven bits, so such a line needs a setting of the terminal, and no other
// speed.
func (e *ears) sevenBits() string {
	const enough = 24 // by chance once in sixteen million
	even, odd := e.parity[0], e.parity[1]
	switch {
	case odd == 0 && even >= enough:
		return "even"
	case even == 0 && odd >= enough:
		return "odd"
	}
	return ""
}
