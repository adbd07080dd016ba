package ledger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/protocol/evidence"
)

// Keys holds the store's secrets: the ring of token keys, newest first, and the
// case key. It is safe for concurrent use. It never prints a key.
//
// Every record is stored with tokens under all keys that are in use when it is
// sealed (refund.EncodeStored keeps them all), so any two records share the key
// that was the newest when the older one was stored. A key stays in use until
// every record that was sealed before the next one existed has been removed.
type Keys struct {
	dir     string
	ring    atomic.Pointer[[]*tokenKey] // newest first, never empty
	mu      sync.Mutex                  // guards changes of the ring
	caseKey []byte
	log     *evidence.Signer // of the evidence log; belongs to the writer, nil in memory alone
}

// tokenKey is one key of the ring.
type tokenKey struct {
	id     int64
	secret []byte
	made   time.Time
	macs   sync.Pool // of *mac under this key
}

func newTokenKey(id int64, secret []byte, made time.Time) *tokenKey {
	k := &tokenKey{id: id, secret: secret, made: made}
	k.macs.New = func() any { return &mac{h: hmac.New(sha256.New, k.secret)} }
	return k
}

// mac is an HMAC with room for what goes in and comes out.
type mac struct {
	h   hash.Hash
	buf []byte
}

// tokenLen is the number of bytes of a token or frame MAC: half of the HMAC, 128 bits.
const tokenLen = 16

// sum is the HMAC over the use ("token", "frame"), label and text, each with its
// length before it.
func (k *tokenKey) sum(use, label string, text []byte) string {
	m, _ := k.macs.Get().(*mac)
	defer k.macs.Put(m)
	m.h.Reset()
	m.buf = appendPart(appendPart(m.buf[:0], use), label)
	_, _ = m.h.Write(m.buf)
	_, _ = m.h.Write(text)
	m.buf = m.h.Sum(m.buf[:0])
	var out [24 + 2*tokenLen]byte
	t := append(out[:0], 'k')
	t = strconv.AppendInt(t, k.id, 10)
	t = append(t, ':')
	t = hex.AppendEncode(t, m.buf[:tokenLen])
	return string(t)
}

// appendPart appends a text with its length before it.
func appendPart(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// Tokens returns the keyed tokens of clear under label, one per key in use, newest
// key first: "k2:" and 32 hexadecimal digits. It implements refund.Tokenizer.
func (k *Keys) Tokens(label, clear string) []string {
	ring := *k.ring.Load()
	tokens := make([]string, len(ring))
	for i, key := range ring {
		tokens[i] = key.sum("token", label, []byte(clear))
	}
	return tokens
}

// MAC returns the keyed hash of a frame under the newest key, as evidence of what
// was received ("k2:…").
func (k *Keys) MAC(frame []byte) string { return (*k.ring.Load())[0].sum("frame", "", frame) }

// IDs returns the ids of the keys in use, newest first.
func (k *Keys) IDs() []int64 {
	ring := *k.ring.Load()
	ids := make([]int64, len(ring))
	for i, key := range ring {
		ids[i] = key.id
	}
	return ids
}

// String hides the keys.
func (k *Keys) String() string { return "[hidden]" }

// GoString hides the keys.
func (k *Keys) GoString() string { return "[hidden]" }

// add makes a new newest key and writes the ring.
func (k *Keys) add(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := *k.ring.Load()
	id := int64(0)
	for _, key := range old {
		id = max(id, key.id)
	}
	ring := append([]*tokenKey{newTokenKey(id+1, newSecret(), now)}, old...)
	if err := writeRing(k.dir, ring); err != nil {
		return err
	}
	k.ring.Store(&ring)
	return nil
}

// drop takes keys out of use that are unused, never the newest.
func (k *Keys) drop(unused func(id int64) bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := *k.ring.Load()
	ring := old[:1:1]
	for _, key := range old[1:] {
		if !unused(key.id) {
			ring = append(ring, key)
		}
	}
	if len(ring) == len(old) {
		return nil
	}
	if err := writeRing(k.dir, ring); err != nil {
		return err
	}
	k.ring.Store(&ring)
	return nil
}

func newSecret() []byte {
	b := make([]byte, sha256.Size)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

// lostKeyID is the id of a key made because the ring was lost: any earlier key may
// have had any small id, and two keys with one id would make equal payers differ.
func lostKeyID() int64 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return 1_000_000 + int64(binary.BigEndian.Uint32(b[:]))
}

// temporaryKeys are keys that live in memory alone, for check and replay: tokens
// are compared within one run only.
func temporaryKeys(seed []byte) *Keys {
	if seed == nil {
		seed = newSecret()
	}
	derive := func(what string) []byte {
		m := hmac.New(sha256.New, seed)
		_, _ = m.Write([]byte(what))
		return m.Sum(nil)
	}
	k := &Keys{caseKey: derive("case")}
	k.ring.Store(&[]*tokenKey{newTokenKey(1, derive("token"), time.Time{})})
	return k
}

// keyError is a key file that cannot be read or written; it names the file only.
func keyError(op, file string, err error) error {
	return fmt.Errorf("ledger: %s %s: %w", op, file, err)
}
