// Package cosign decides what the desk answers to a terminal's checkpoint: the table of
// evidence.md § 2, The desk. It is a pure state machine: messages and times go in, notes and alarms
// come out, and what it returns as Change is what a store must keep before the answer is
// sent. It is not safe for concurrent use.
package cosign

import (
	"container/list"

	"yuanlu/protocol/evidence"
)

// Codes of alarms (evidence.md § 2).
const (
	KeyShared   = "key_shared"
	LogKey      = "log_key"
	Restarted   = "log_restarted"
	Forked      = "log_forked"
	RolledBack  = "log_rolled_back"
	NotExtended = "log_not_extended"
)

// maxOthers is how many notes that were not co-signed are kept of an origin.
const maxOthers = 1000

// Alarm is one about a terminal. Ours and Theirs are the desk's note and the terminal's.
type Alarm struct {
	Code, Origin, Ours, Theirs string
	Why                        string // of a restart: as leaf 0 states it
	BeforeIsNewest             bool   // of a restart: leaf 0 names the newest note kept of the terminal
}

// Answer is what a message leads to.
type Answer struct {
	Origin     string
	Checkpoint string // both lines, or "": none was co-signed yet
}

// Change is what a store keeps of a message, in one transaction, before it is answered.
type Change struct {
	Note     string // the co-signed note; "": it was not co-signed
	Kept     string // the terminal's note, kept although it was not co-signed; "": none
	Closed   bool   // the origin is closed for good
	Replaced bool   // log_rolled_back and log_not_extended of this terminal end
}

// Desk is what is known of all logs.
type Desk struct {
	signer    *evidence.Signer
	logs      map[string]*log
	terminals map[string]*terminal
	keys      map[string]string // public key: its terminal
	Refused   int               // messages that were not answered for their form
}

// terminal is what is known of one: its newest log, and the newest note co-signed of it.
type terminal struct {
	newest string // origin
	note   string // its text with both lines
}

// log is what is known of one origin.
type log struct {
	key    evidence.Key
	closed bool
	newest *evidence.Note
	at     int64 // of its co-signature
	kept   map[kept]bool
	sizes  map[int64]int
	others *list.List // of kept that were not co-signed, the oldest first
}

type kept struct {
	size int64
	root evidence.Hash
}

// New returns a desk that knows no log. signer is the co-signing key, named yuanlu-desk/{desk}.
func New(signer *evidence.Signer) *Desk {
	return &Desk{signer: signer, logs: map[string]*log{}, terminals: map[string]*terminal{}, keys: map[string]string{}}
}

// Take answers a message on up/checkpoint of a terminal; at is Unix seconds. answer is nil
// where none is sent.
func (d *Desk) Take(at int64, name string, message []byte) (answer *Answer, alarms []Alarm, change Change) {
	a, err := evidence.ParseAnnouncement(message, name)
	if err != nil {
		d.Refused++
		return nil, nil, change
	}
	origin, theirs := a.Note.Origin, a.Note.String()
	if of, ok := d.keys[string(a.Key.Public)]; ok && of != name {
		return nil, []Alarm{{Code: KeyShared, Origin: origin, Theirs: theirs}}, change
	}
	l := d.logs[origin]
	switch {
	case l != nil && !l.key.Public.Equal(a.Key.Public):
		return l.answer(), []Alarm{l.alarm(LogKey, a)}, change
	case l == nil && a.From != 0:
		return &Answer{Origin: origin}, nil, change
	case l == nil:
		return d.begin(at, name, a)
	}
	known := l.keep(a)
	if !known {
		change.Kept = theirs
	}
	answer = l.answer()
	switch size := a.Note.Size; {
	case l.closed:
		return answer, nil, change
	case l.sizes[size] > 1:
		l.closed, change.Closed = true, true
		return answer, []Alarm{l.alarm(Forked, a)}, change
	case size <= l.newest.Size && known:
		return answer, nil, change
	case size <= l.newest.Size, d.terminals[name].newest != origin:
		return answer, []Alarm{l.alarm(RolledBack, a)}, change
	case a.From != l.newest.Size:
		return answer, nil, change
	case evidence.CheckConsistency(a.Proof, a.From, l.newest.Root, size, a.Note.Root) != nil:
		return answer, []Alarm{l.alarm(NotExtended, a)}, change
	}
	return d.cosign(at, name, l, a)
}

// begin co-signs the first checkpoint of a new log.
func (d *Desk) begin(at int64, name string, a *evidence.Announcement) (*Answer, []Alarm, Change) {
	why, before, err := a.CheckStart()
	if err != nil {
		d.Refused++
		return nil, nil, Change{}
	}
	l := &log{key: a.Key, kept: map[kept]bool{}, sizes: map[int64]int{}, others: list.New()}
	var alarms []Alarm
	if t := d.terminals[name]; t != nil {
		alarms = []Alarm{{Code: Restarted, Origin: a.Note.Origin, Ours: t.note, Theirs: a.Note.String(), Why: why, BeforeIsNewest: sameCheckpoint(before, t.note)}}
	}
	d.logs[a.Note.Origin] = l
	d.keys[string(a.Key.Public)] = name
	d.terminals[name] = &terminal{newest: a.Note.Origin}
	l.keep(a)
	answer, _, change := d.cosign(at, name, l, a)
	return answer, alarms, change
}

// sameCheckpoint reports whether two notes state the same; their signatures may differ.
func sameCheckpoint(a, b string) bool {
	m, err := evidence.ParseNote(a)
	n, other := evidence.ParseNote(b)
	return err == nil && other == nil && m.Checkpoint == n.Checkpoint
}

// cosign makes a note the newest of its log.
func (d *Desk) cosign(at int64, name string, l *log, a *evidence.Announcement) (*Answer, []Alarm, Change) {
	n, err := d.signer.Cosign(a.Note, max(at, l.at))
	if err != nil { // a clock beyond the year 9999: the checkpoint comes again
		return l.answer(), nil, Change{}
	}
	k := kept{n.Size, n.Root}
	for e := l.others.Front(); e != nil; e = e.Next() {
		if e.Value == k {
			l.others.Remove(e) // it counts no longer among those that were not co-signed
			break
		}
	}
	l.newest, l.at = n, max(at, l.at)
	d.terminals[name].note = n.String()
	return l.answer(), nil, Change{Note: n.String(), Replaced: true}
}

// keep keeps a note, and reports whether it was kept already.
func (l *log) keep(a *evidence.Announcement) (known bool) {
	k := kept{a.Note.Size, a.Note.Root}
	if l.kept[k] {
		return true
	}
	l.kept[k] = true
	l.sizes[k.size]++
	l.others.PushBack(k)
	if l.others.Len() > maxOthers {
		oldest := l.others.Remove(l.others.Front()).(kept)
		delete(l.kept, oldest)
		if l.sizes[oldest.size]--; l.sizes[oldest.size] == 0 {
			delete(l.sizes, oldest.size)
		}
	}
	return false
}

func (l *log) answer() *Answer {
	if l.newest == nil {
		return &Answer{Origin: l.key.Name}
	}
	return &Answer{Origin: l.newest.Origin, Checkpoint: l.newest.String()}
}

func (l *log) alarm(code string, a *evidence.Announcement) Alarm {
	return Alarm{Code: code, Origin: a.Note.Origin, Ours: l.answer().Checkpoint, Theirs: a.Note.String()}
}
