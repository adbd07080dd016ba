package evidence

import (
	"fmt"
	"strconv"
)

// MaxMessage is the greatest number of bytes of a message on up/checkpoint (evidence.md § 2).
const MaxMessage = 16 << 10

// Start is leaf 0 of a new log with the proof that it is included.
type Start struct {
	Leaf  []byte
	Proof []Hash
}

// Announcement is a message on up/checkpoint: a checkpoint, and that it continues size From.
type Announcement struct {
	Key   Key
	Note  *Note
	From  int64 // 0: a new log, or one of which no checkpoint was co-signed
	Proof []Hash
	Start *Start // with From 0
}

// Append writes the message (evidence.md § 2).
func (a *Announcement) Append(b []byte) []byte {
	b = AppendString(append(b, `{"v":1,"vkey":`...), a.Key.String())
	b = AppendString(append(b, `,"checkpoint":`...), a.Note.String())
	b = strconv.AppendInt(append(b, `,"from":`...), a.From, 10)
	b = appendProof(append(b, `,"proof":`...), a.Proof)
	if a.Start != nil {
		b = AppendString(append(b, `,"start":{"leaf":`...), string(a.Start.Leaf))
		b = append(appendProof(append(b, `,"proof":`...), a.Start.Proof), '}')
	}
	return append(b, '}')
}

func appendProof(b []byte, proof []Hash) []byte {
	b = append(b, '[')
	for i, text := range ProofTexts(proof) {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, text)
	}
	return append(b, ']')
}

// ParseAnnouncement reads a message on up/checkpoint of a terminal: its form, its origin, its
// key and its signature. The order of members is free, as in every message on a topic. Whether the proofs hold it
// does not look at. ErrForm, ErrProof.
func ParseAnnouncement(text []byte, terminal string) (*Announcement, error) {
	bad := func(what string) (*Announcement, error) { return nil, fmt.Errorf("%w: checkpoint: %s", ErrForm, what) }
	if len(text) > MaxMessage {
		return bad("at most 16 KiB")
	}
	v, err := Parse(text)
	if err != nil {
		return nil, err
	}
	names := []string{"v", "vkey", "checkpoint", "from", "proof"}
	start := v.Get("start")
	if start.Kind != 0 {
		names = append(names, "start")
	}
	version, ok := v.Get("v").Int()
	if !hasOnly(v, names...) || !ok || version != 1 || !texts(v, "vkey", "checkpoint") {
		return bad("members v, vkey, checkpoint, from, proof, start")
	}
	a := &Announcement{}
	if a.Note, err = ParseNote(v.Get("checkpoint").Text); err != nil {
		return nil, err
	}
	if a.Proof, err = ParseProof(v.Get("proof")); err != nil {
		return nil, err
	}
	if a.From, ok = v.Get("from").Int(); !ok || a.From < 0 || a.From > a.Note.Size || a.From == 0 && len(a.Proof) > 0 || a.From > 0 && start.Kind != 0 {
		return bad("from, with its proof or its start")
	}
	if a.Key, err = ParseKey(v.Get("vkey").Text, KeyLog); err != nil {
		return nil, err
	}
	if of, isLog := TerminalOf(a.Note.Origin); !isLog || of != terminal || len(a.Note.Lines) != 1 || a.Key.Name != a.Note.Origin {
		return bad("one signature line, of a log of this terminal, with its vkey")
	}
	if start.Kind != 0 {
		proof, err := ParseProof(start.Get("proof"))
		if err != nil || !hasOnly(start, "leaf", "proof") || !texts(start, "leaf") {
			return bad("start")
		}
		a.Start = &Start{Leaf: []byte(start.Get("leaf").Text), Proof: proof}
	}
	return a, a.Note.SignedBy(a.Key)
}

// hasOnly reports whether v is an object with just these members, in any order.
func hasOnly(v Value, names ...string) bool {
	for _, name := range names {
		if v.Get(name).Kind == 0 {
			return false
		}
	}
	return v.Kind == '{' && len(v.Members) == len(names)
}

// CheckStart checks that an announcement begins a log: leaf 0, included, of the form that
// leaf 0 has. It returns why the log was begun, and the newest checkpoint known of the log before. ErrForm,
// ErrProof.
func (a *Announcement) CheckStart() (why, before string, err error) {
	if a.Start == nil {
		return "", "", fmt.Errorf("%w: a new log without its first leaf", ErrForm)
	}
	l, err := ParseLeaf(a.Start.Leaf)
	if err != nil {
		return "", "", err
	}
	if l.N != 0 || l.Type != LeafNote || l.D.Get("what").Text != "log" {
		return "", "", fmt.Errorf("%w: leaf 0 is the note log", ErrForm)
	}
	if err := CheckInclusion(a.Start.Proof, a.Note.Size, a.Note.Root, 0, LeafHash(a.Start.Leaf)); err != nil {
		return "", "", err
	}
	return l.D.Get("why").Text, l.D.Get("before").Text, nil
}
