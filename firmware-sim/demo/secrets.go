package demo

import (
	"bytes"
	"encoding/hex"
)

// secrets finds clear identifiers as text, as hexadecimal text and card numbers as packed digits.
type secrets struct{ patterns [][]byte }

func newSecrets(c *crew) *secrets {
	s := &secrets{patterns: [][]byte{[]byte(supervisorPIN)}}
	for _, station := range c.stations {
		for _, id := range station.term.Secrets() {
			s.patterns = append(s.patterns, []byte(id), []byte(hex.EncodeToString([]byte(id))))
			if packed := packedDigits(id); packed != nil {
				s.patterns = append(s.patterns, packed)
			}
		}
	}
	return s
}

// packedDigits returns a card number as BCD, without an odd last digit.
func packedDigits(id string) []byte {
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return nil
		}
	}
	b, err := hex.DecodeString(id[:len(id)/2*2])
	if err != nil {
		return nil
	}
	return b
}

// in counts the identifiers that stand in data.
func (s *secrets) in(data []byte) int {
	n := 0
	for _, p := range s.patterns {
		if bytes.Contains(data, p) {
			n++
		}
	}
	return n
}
