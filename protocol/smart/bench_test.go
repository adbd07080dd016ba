package smart_test

import (
	"encoding/json"
	"errors"
	"testing"

	"yuanlu/protocol/wiretest"
)

// BenchmarkMessage is one message of the contract's vectors after the other, envelope
// and body. moov-io/iso8583 does not know this wire: beside it stands encoding/json on
// the same bytes, into values and checking alone.
func BenchmarkMessage(b *testing.B) {
	good := wiretest.Messages(b, "good.hex")
	b.Run("smart", func(b *testing.B) { wiretest.Bench(b, good, decodeOnce) })
	b.Run("encoding-json", func(b *testing.B) {
		wiretest.Bench(b, good, func(data []byte) error {
			var v map[string]any
			return json.Unmarshal(data, &v)
		})
	})
	b.Run("json-valid", func(b *testing.B) {
		wiretest.Bench(b, good, func(data []byte) error {
			if !json.Valid(data) {
				return errors.New("no JSON")
			}
			return nil
		})
	})
}
