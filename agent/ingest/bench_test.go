package ingest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// hmacTokens is a Tokenizer that does the work of the real one.
type hmacTokens struct{ key []byte }

func (h hmacTokens) Tokens(label, clear string) []string {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(label))
	m.Write([]byte(clear))
	return []string{"k1:" + hex.EncodeToString(m.Sum(nil))}
}

// saleFrames returns the frames of the sales with a full card number in the vectors.
func saleFrames(b *testing.B) [][]byte {
	b.Helper()
	var out [][]byte
	for _, v := range loadVectors(b, "mispos") {
		if v.name != "mispos-dates" && v.name != "mispos-kinds" {
			continue
		}
		s := frame.NewSTX()
		s.Push(v.bytes)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			out = append(out, append([]byte(nil), f.Raw...))
		}
	}
	return out
}

func benchmark(b *testing.B, each func(ingest.Decoded)) {
	raws := saleFrames(b)
	p, err := ingest.DefaultProfile("mispos")
	if err != nil {
		b.Fatal(err)
	}
	w, err := ingest.NewWire("mispos", p, nil)
	if err != nil {
		b.Fatal(err)
	}
	clock := ingest.Clock{Now: time.Date(2026, 8, 23, 12, 0, 0, 0, ingest.DefaultZone()), HasNow: true, Zone: ingest.DefaultZone()}
	s := w.Scanner()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s.Push(raws[n%len(raws)])
		n++
		f, ok := s.Next()
		if !ok {
			b.Fatal("no frame")
		}
		step, err := w.Frame(f, clock)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range step.Records {
			each(d)
		}
	}
}

// BenchmarkMisposRecord is frame, decode and map.
func BenchmarkMisposRecord(b *testing.B) { benchmark(b, func(ingest.Decoded) {}) }

// BenchmarkMisposSealed is frame, decode, map and seal, with one key.
func BenchmarkMisposSealed(b *testing.B) {
	t := hmacTokens{key: make([]byte, 32)}
	benchmark(b, func(d ingest.Decoded) { refund.Seal(d.Record, t) })
}
