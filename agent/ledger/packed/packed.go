package packed

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sync"
)

//go:embed dictionary1.txt
var dictionary string

const (
	mark = 0x01 // of a text packed with dictionary 1
	// longest is the longest text that is packed: offsets must reach behind its beginning.
	longest    = 48 << 10
	shortest   = 64 // the shortest text that is
	least      = 4  // bytes of a match
	lastAlone  = 5  // bytes at the end of a text that are always literals
	lastSearch = 12 // no match begins later than so many bytes before the end
	saturated  = 15 // of half a token: more follows
)

// ErrPacked: the bytes are not those that Append has made.
var ErrPacked = errors.New("packed: not a packed text")

// index is where each four bytes of the dictionary stand in it.
type index struct {
	text  []byte                 // the dictionary
	heads [1 << indexBits]uint16 // 1 + the last place with this hash, 0: none
	next  []uint16               // by place: 1 + the place before it with the same hash
}

const (
	indexBits = 12
	localBits = 10
	tries     = 4 // places of the dictionary that are compared for one match
)

var known = sync.OnceValue(func() *index {
	x := &index{text: []byte(dictionary), next: make([]uint16, len(dictionary))}
	for i := range len(x.text) - least + 1 {
		h := hash(x.text[i:], indexBits)
		x.next[i], x.heads[h] = x.heads[h], uint16(i+1)
	}
	return x
})

// hash is of the four bytes that b begins with.
func hash(b []byte, size int) uint32 {
	return binary.LittleEndian.Uint32(b) * 2654435761 >> (32 - size)
}

// Append appends a text to dst as the store keeps it: packed, or as it is where that is
// shorter. It keeps nothing of text. Safe for concurrent use.
func Append(dst, text []byte) []byte {
	plain := len(text) == 0 || text[0] != mark
	if plain && (len(text) < shortest || len(text) > longest) {
		return append(dst, text...)
	}
	from := len(dst)
	dst = binary.AppendUvarint(append(dst, mark), uint64(len(text)))
	p := packer{text: text, known: known()}
	dst = p.pack(dst)
	if plain && len(dst)-from >= len(text) {
		return append(dst[:from], text...)
	}
	return dst
}

// packer packs one text.
type packer struct {
	text  []byte
	known *index
	local [1 << localBits]uint16 // 1 + the last place in text with this hash, 0: none
}

func (p *packer) pack(dst []byte) []byte {
	literals, i := 0, 0
	if len(p.text) > longest {
		return appendLiterals(dst, p.text, 0)
	}
	for i+lastSearch < len(p.text) {
		offset, n := p.match(i)
		if n < least {
			i++
			continue
		}
		dst = appendSequence(dst, p.text[literals:i], offset, n)
		i += n
		literals = i
		p.local[hash(p.text[i-2:], localBits)] = uint16(i - 1) // where what differs begins
	}
	return appendLiterals(dst, p.text[literals:], 0)
}

// match returns the longest match for what stands at i, and enters i.
func (p *packer) match(i int) (offset, n int) {
	rest := p.text[i : len(p.text)-lastAlone]
	h := &p.local[hash(rest, localBits)]
	if at := int(*h) - 1; at >= 0 {
		offset, n = i-at, common(p.text[at:], rest)
	}
	*h = uint16(i + 1)
	next := p.known.heads[hash(rest, indexBits)]
	for range tries {
		if next == 0 {
			break
		}
		at := int(next) - 1
		if same := common(p.known.text[at:], rest); same > n {
			offset, n = i+len(dictionary)-at, same
		}
		next = p.known.next[at]
	}
	return offset, n
}

// common is how many bytes a and b begin with alike.
func common(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for ; i+8 <= n; i += 8 {
		if differ := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); differ != 0 {
			return i + bits.TrailingZeros64(differ)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func appendSequence(dst, literals []byte, offset, n int) []byte {
	dst = appendLiterals(dst, literals, min(n-least, saturated))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(offset))
	return appendMore(dst, n-least)
}

func appendLiterals(dst, literals []byte, low int) []byte {
	dst = append(dst, byte(min(len(literals), saturated)<<4|low))
	return append(appendMore(dst, len(literals)), literals...)
}

// appendMore appends what of n half a token does not hold.
func appendMore(dst []byte, n int) []byte {
	if n < saturated {
		return dst
	}
	for n -= saturated; n >= 255; n -= 255 {
		dst = append(dst, 255)
	}
	return append(dst, byte(n))
}

// Text appends the text that Append was handed to dst. What is damaged is ErrPacked, and no
// more than a text's greatest length is ever made of it. Safe for concurrent use.
func Text(dst, stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != mark {
		return append(dst, stored...), nil
	}
	size, used := binary.Uvarint(stored[1:])
	if used <= 0 || size > longestMade {
		return dst, ErrPacked
	}
	dst = slices.Grow(dst, int(min(size, longest)))
	r := reader{rest: stored[1+used:], out: dst, from: len(dst), end: len(dst) + int(size)}
	for r.sequence() {
		continue
	}
	if r.failed || len(r.out) != r.end {
		return dst, ErrPacked
	}
	return r.out, nil
}

// longestMade is the longest text that a row can have been packed from: one that begins with
// the mark is packed however long it is.
const longestMade = 1 << 24

// reader makes a text of sequences.
type reader struct {
	rest   []byte
	out    []byte
	from   int // of the text in out
	end    int // where it is to end
	failed bool
}

// sequence reads one; false: it was the last, or there is none.
func (r *reader) sequence() bool {
	token, ok := r.next()
	if !ok {
		return r.fail()
	}
	n, ok := r.length(int(token >> 4))
	if !ok || n > len(r.rest) || n > r.end-len(r.out) {
		return r.fail()
	}
	r.out, r.rest = append(r.out, r.rest[:n]...), r.rest[n:]
	if len(r.rest) == 0 {
		return false
	}
	if len(r.rest) < 2 {
		return r.fail()
	}
	offset := int(binary.LittleEndian.Uint16(r.rest))
	r.rest = r.rest[2:]
	n, ok = r.length(int(token & saturated))
	if n += least; !ok || offset == 0 || n > r.end-len(r.out) {
		return r.fail()
	}
	return r.copy(offset, n)
}

// copy appends n bytes that stand offset before the end; one may be of those that it appends.
func (r *reader) copy(offset, n int) bool {
	if before := offset - (len(r.out) - r.from); before > 0 {
		if before > len(dictionary) {
			return r.fail()
		}
		part := dictionary[len(dictionary)-before:]
		part = part[:min(n, len(part))]
		r.out = append(r.out, part...)
		n -= len(part)
	}
	for n > 0 {
		part := r.out[len(r.out)-offset:]
		part = part[:min(n, len(part))]
		r.out = append(r.out, part...)
		n -= len(part)
	}
	return true
}

func (r *reader) next() (byte, bool) {
	if len(r.rest) == 0 {
		return 0, false
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b, true
}

// length is a length whose first part is half a token; it ends as soon as it is more than
// there can be.
func (r *reader) length(n int) (int, bool) {
	if n < saturated {
		return n, true
	}
	for n <= r.end {
		b, ok := r.next()
		if n += int(b); !ok || b < 255 {
			return n, ok
		}
	}
	return n, false
}

func (r *reader) fail() bool {
	r.failed = true
	return false
}
