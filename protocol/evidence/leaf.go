package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// MaxLeaf is the greatest number of bytes of a leaf (evidence.md § 1).
const MaxLeaf = 64 << 10

// leafTime is how a leaf writes the terminal's clock.
const leafTime = "2006-01-02T15:04:05.000Z"

// Types of leaves (evidence.md § 1).
const (
	LeafRecord  = "record"
	LeafVerdict = "verdict"
	LeafCase    = "case"
	LeafHold    = "hold"
	LeafSettled = "settled"
	LeafAnchor  = "anchor"
	LeafMatch   = "match"
	LeafNote    = "note"
)

// Leaf is one of a terminal's log.
type Leaf struct {
	N    int64
	At   time.Time // the terminal's clock at the commit
	Type string
	D    Value
}

// AppendLeaf writes the bytes of a leaf around d, which RecordData.Append and its like write
// for the type.
func AppendLeaf(b []byte, n int64, at time.Time, kind string, d []byte) []byte {
	b = append(b, `{"v":1,"n":`...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `,"at":"`...)
	b = at.UTC().AppendFormat(b, leafTime)
	b = append(b, `","t":"`...)
	b = append(b, kind...)
	b = append(b, `","d":`...)
	return append(append(b, d...), '}')
}

// ParseLeaf reads a leaf: the members of evidence.md § 1 in their order, written as
// casework.md § 1 writes them. What a leaf copies of elsewhere (record, verdict, data) may be any
// JSON, but no party in it has an id. ErrForm.
func ParseLeaf(text []byte) (*Leaf, error) {
	bad := func(what string) (*Leaf, error) { return nil, fmt.Errorf("%w: leaf: %s", ErrForm, what) }
	if len(text) > MaxLeaf || slices.ContainsFunc(text, func(c byte) bool { return c < ' ' }) {
		return bad("one line of at most 64 KiB is wanted")
	}
	v, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("leaf: %w", err)
	}
	one, n := v.Get("v"), v.Get("n")
	l := &Leaf{Type: v.Get("t").Text, D: v.Get("d")}
	var ok bool
	if l.N, ok = n.Int(); !ok || l.N < 0 || !v.Has("v", "n", "at", "t", "d") || one.Kind != '0' || one.Text != "1" || v.Get("t").Kind != '"' {
		return bad("members v, n, at, t, d")
	}
	at := v.Get("at")
	if l.At, err = time.Parse(leafTime, at.Text); err != nil || at.Kind != '"' || l.At.Format(leafTime) != at.Text {
		return bad("member at")
	}
	free := []string{"record", "verdict", "data"}
	if l.Type == LeafHold {
		free = []string{"d"}
	}
	if l.Type == LeafNote {
		free = nil
	}
	if len(v.Raw) != len(text) || !v.Canonical(free...) || !l.form() {
		return bad("member d of type " + strconv.Quote(l.Type))
	}
	if hasID(l.D, false) {
		return bad("a party has an id")
	}
	return l, nil
}

// form reports whether d has the members of its type.
func (l *Leaf) form() bool {
	d := l.D
	switch l.Type {
	case LeafRecord:
		seq, ok := d.Get("seq").Int()
		copyOf, also := d.Get("copy_of").Int()
		return d.Has("seq", "copy_of", "link", "received", "synced", "timed", "frame_mac", "record") && ok && also && seq > 0 && copyOf >= 0 && copyOf < seq &&
			texts(d, "link", "received", "frame_mac") && d.Get("synced").IsBool() && d.Get("timed").IsBool() && d.Get("record").Kind == '{'
	case LeafVerdict:
		verdict := d.Get("verdict")
		seq, ok := verdict.Get("seq").Int()
		rev, also := verdict.Get("rev").Int()
		return d.Has("verdict", "rule_set", "settings") && texts(d, "rule_set", "settings") && ok && also && seq > 0 && rev > 0
	case LeafCase:
		return d.Has("id", "sequence", "type", "subject", "time", "data") && texts(d, "id", "sequence", "type", "subject", "time") && d.Get("data").Kind == '{'
	case LeafHold:
		return d.Kind == '{'
	case LeafSettled:
		acked := d.Get("acked_seq")
		return d.Has("stream", "acked_seq", "kid") && texts(d, "stream", "kid") && (acked.Kind == '"' || acked.Kind == '0')
	case LeafAnchor:
		return d.Has("desk") && texts(d, "desk")
	case LeafMatch:
		seq, ok := d.Get("seq").Int()
		return d.Has("seq", "who", "result") && ok && seq > 0 && one(d, "who", "payer", "recipient") && one(d, "result", "same", "different")
	case LeafNote:
		return l.noteForm()
	}
	return false
}

func (l *Leaf) noteForm() bool {
	d := l.D
	if len(d.Members) == 0 || d.Members[0].Name != "what" || d.Members[0].Value.Kind != '"' {
		return false
	}
	switch d.Members[0].Value.Text {
	case "log":
		return d.Has("what", "why", "before") && texts(d, "before") && one(d, "why", "new", "salvage", "import", "key", "contradicted", "by_hand") && l.N == 0
	case "start", "stop", "gap":
		return true
	case "clock":
		return d.Has("what", "from", "to") && texts(d, "from", "to")
	case "lost":
		_, ok := d.Get("bytes").Int()
		return d.Has("what", "link", "bytes") && texts(d, "link") && ok
	case "config":
		return d.Has("what", "digest") && texts(d, "digest")
	case "retained":
		_, ok := d.Get("seq").Int()
		return d.Has("what", "seq") && ok
	}
	return false
}

func texts(d Value, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return d.Get(name).Kind != '"' })
}

func one(d Value, name string, of ...string) bool {
	return texts(d, name) && slices.Contains(of, d.Get(name).Text)
}

// hasID reports whether a party, or one of its further identifiers, has a member id.
func hasID(v Value, party bool) bool {
	for _, m := range v.Members {
		if party && m.Name == "id" || hasID(m.Value, m.Name == "party" || party && m.Name == "also") {
			return true
		}
	}
	return slices.ContainsFunc(v.Items, func(item Value) bool { return hasID(item, party) })
}
