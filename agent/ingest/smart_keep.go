package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"yuanlu/agent/refund"
)

// smartKept is how long wire smart remembers: as long as the store keeps records
// unless it is configured otherwise. A message that comes again later than that finds no
// record it could double, and no wallet refunds a trade that old.
const smartKept = 540 * 24 * time.Hour

// What the Memory of wire smart holds: for each message that was made into records a
// key alone; for each Alipay trade with refunds what they carried (tradeRefunds).
const (
	messageMark = "message "
	tradeMark   = "trade "
)

// hashed returns a short name for texts of any length and content.
func hashed(bytes int, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:bytes])
}

// messageKeys returns the keys under which a message may be remembered, newest first: one
// made of terminal and id. A message without an id is known by its bytes, which may
// hold card data and are therefore kept as tokens, one per key still in use.
func (w *smartWire) messageKeys(terminal, id string, data []byte) []string {
	if id != "" {
		return []string{messageMark + hashed(18, terminal, id)}
	}
	if w.tokens == nil {
		return []string{messageMark + hashed(18, terminal, "", string(data))}
	}
	tokens := w.tokens.Tokens(messageLabel, string(data))
	keys := make([]string, len(tokens))
	for i := range keys {
		keys[i] = messageMark + tokens[i]
	}
	return keys
}

// messageLabel separates the tokens of messages from those of identifiers.
const messageLabel = "smart message"

// sealWith makes the wire remember bytes of messages as tokens only. Without it they
// are hashed: for a replay, whose memory ends with its process.
func (w *smartWire) sealWith(t refund.Tokenizer) { w.tokens = t }

// isRepeat reports whether one of the keys is remembered.
func (w *smartWire) isRepeat(keys []string) bool {
	for _, key := range keys {
		if _, again := w.memory.Get(key); again {
			return true
		}
	}
	return false
}

func (w *smartWire) remember(key string, value []byte, now Clock) {
	w.changes = append(w.changes, refund.MemoryChange{Key: key, Value: value, Expires: now.Now.Add(smartKept)})
}
