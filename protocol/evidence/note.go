package evidence

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a note: bytes, and the latest time of a co-signature (the end of the year 9999).
const (
	maxNote   = 16 << 10
	maxCosign = 253_402_300_799
)

// Checkpoint is what a note of a log states: its first size leaves have this root.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// Text returns the signed text of the note, with its last newline.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Note is a checkpoint with its signature lines, not yet verified.
type Note struct {
	Checkpoint
	Lines []SignatureLine
}

// SignatureLine is one line below the text: the name, the key hash and what follows it.
type SignatureLine struct {
	Name string
	Hash [4]byte
	Data []byte
}

const dash = "— "

func (l SignatureLine) text() string {
	return dash + l.Name + " " + base64.StdEncoding.EncodeToString(append(l.Hash[:], l.Data...)) + "\n"
}

// String returns the note's bytes.
func (n *Note) String() string {
	var b strings.Builder
	b.WriteString(n.Text() + "\n")
	for _, l := range n.Lines {
		b.WriteString(l.text())
	}
	return b.String()
}

// ParseNote reads a checkpoint with one signature line at least, byte by byte as
// evidence.md § 2 writes it. It verifies no signature. ErrForm.
func ParseNote(text string) (*Note, error) {
	bad := func(what string) (*Note, error) { return nil, fmt.Errorf("%w: note: %s", ErrForm, what) }
	lines := strings.Split(text, "\n")
	if len(text) > maxNote || len(lines) < 6 || lines[3] != "" || lines[len(lines)-1] != "" {
		return bad("three lines, an empty one and signature lines are wanted")
	}
	n := &Note{Checkpoint: Checkpoint{Origin: lines[0]}}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 1 || size > MaxSize || strconv.FormatInt(size, 10) != lines[1] {
		return bad("size")
	}
	root, err := decode64(lines[2], len(n.Root))
	if err != nil {
		return bad("root")
	}
	n.Size = size
	copy(n.Root[:], root)
	for i, line := range lines[4 : len(lines)-1] {
		l, ok := parseLine(line)
		if !ok {
			return bad("signature line " + strconv.Itoa(i+1))
		}
		for _, o := range n.Lines {
			if o.Name == l.Name && o.Hash == l.Hash {
				return bad("one key signs twice")
			}
		}
		n.Lines = append(n.Lines, l)
	}
	if !keyName(n.Origin) || n.String() != text {
		return bad("origin")
	}
	return n, nil
}

func parseLine(line string) (l SignatureLine, ok bool) {
	rest, isLine := strings.CutPrefix(line, dash)
	name, encoded, _ := strings.Cut(rest, " ")
	b, err := decode64(encoded, -1)
	if !isLine || err != nil || len(b) < len(l.Hash) || !keyName(name) {
		return l, false
	}
	return SignatureLine{Name: name, Hash: [4]byte(b[:4]), Data: b[4:]}, true
}

// line returns the signature line of a key; nil if there is none.
func (n *Note) line(k Key) []byte {
	for _, l := range n.Lines {
		if l.Name == k.Name && l.Hash == k.hash() {
			return l.Data
		}
	}
	return nil
}

// SignedBy checks the log's own signature: by the key k of the log n.Origin. ErrProof.
func (n *Note) SignedBy(k Key) error {
	sig := n.line(k)
	if k.Type != KeyLog || k.Name != n.Origin || len(sig) != ed25519.SignatureSize || !ed25519.Verify(k.Public, []byte(n.Text()), sig) {
		return fmt.Errorf("%w: the note of size %d is not signed by the key of its log", ErrProof, n.Size)
	}
	return nil
}

// CosignedBy checks the co-signature by k and returns its time in Unix seconds. ErrProof.
func (n *Note) CosignedBy(k Key) (int64, error) {
	data := n.line(k)
	if k.Type == KeyCosign && len(data) == 8+ed25519.SignatureSize {
		at := binary.BigEndian.Uint64(data)
		if at <= maxCosign && ed25519.Verify(k.Public, cosigned(n.Checkpoint, int64(at)), data[8:]) {
			return int64(at), nil
		}
	}
	return 0, fmt.Errorf("%w: the note of size %d is not co-signed by that key", ErrProof, n.Size)
}

// cosigned returns what a co-signature signs (C2SP tlog-cosignature).
func cosigned(c Checkpoint, at int64) []byte {
	return []byte("cosignature/v1\ntime " + strconv.FormatInt(at, 10) + "\n" + c.Text())
}

// Sign returns the note of a checkpoint with the log's signature. The signer's name is the
// origin, else ErrForm.
func (s *Signer) Sign(c Checkpoint) (*Note, error) {
	if s.name != c.Origin || c.Size < 1 || c.Size > MaxSize {
		return nil, fmt.Errorf("%w: a log signs its own checkpoints from size 1", ErrForm)
	}
	l := SignatureLine{Name: s.name, Hash: s.Key(KeyLog).hash(), Data: ed25519.Sign(s.key, []byte(c.Text()))}
	return &Note{Checkpoint: c, Lines: []SignatureLine{l}}, nil
}

// Cosign returns a note with the co-signature added behind its lines; at is Unix seconds.
// ErrForm: not a time of a co-signature.
func (s *Signer) Cosign(n *Note, at int64) (*Note, error) {
	if at < 0 || at > maxCosign {
		return nil, fmt.Errorf("%w: time of a co-signature", ErrForm)
	}
	data := binary.BigEndian.AppendUint64(nil, uint64(at))
	data = append(data, ed25519.Sign(s.key, cosigned(n.Checkpoint, at))...)
	l := SignatureLine{Name: s.name, Hash: s.Key(KeyCosign).hash(), Data: data}
	return &Note{Checkpoint: n.Checkpoint, Lines: append(append([]SignatureLine{}, n.Lines...), l)}, nil
}

// CosignTime returns the time that the second signature line states, not verified; the zero time if
// there is none.
func (n *Note) CosignTime() time.Time {
	if len(n.Lines) < 2 || len(n.Lines[1].Data) != 8+ed25519.SignatureSize {
		return time.Time{}
	}
	at := binary.BigEndian.Uint64(n.Lines[1].Data)
	if at > maxCosign {
		return time.Time{}
	}
	return time.Unix(int64(at), 0).UTC()
}
