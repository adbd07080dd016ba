// Package cosign decides what the desk answers to a terminal's checkpoint: the table of
// evidence.md § 2, The desk. Decide is the table: a message, the time and what is known of the
// log go in; an answer, alarms, and what must be kept before the answer is sent come out. Desk keeps
// that in memory, for a replay; the desk's store keeps it in its tables.
package cosign

import (
	"container/list"
	"errors"

	"yuanlu/protocol/evidence"
)

// ErrRefused is the class of errors about a first checkpoint of a log that does not show its leaf 0.
var ErrRefused = errors.New("cosign: a new log without its first leaf")

// Codes of alarms (evidence.md § 2).
const (
	KeyShared   = "key_shared"
	LogKey      = "log_key"
	Restarted   = "log_restarted"
	Forked      = "log_forked"
	RolledBack  = "log_rolled_back"
	NotExtended = "log_not_extended"
)

// MaxOthers is how many notes that were not co-signed are kept of an origin.
const MaxOthers = 1000

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

// Known is what is known when a message comes.
type Known struct {
	KeyOf      string // the terminal whose log has this public key; "": none
	Newest     string // origin of the terminal's newest log; "": it had none
	NewestNote string // the newest note that was co-signed of that
	Log        *Log   // of the message's origin; nil: it is new
	Kept       bool   // a note of this size and root is kept
	Other      bool   // a note of this size with another root is kept
}

// Log is what is known of one origin.
type Log struct {
	Key    evidence.Key
	Closed bool
	Newest *evidence.Note // that was co-signed, with both lines
	At     int64          // of its co-signature
}

// Decide answers a message of a terminal by the table of evidence.md § 2; at is Unix seconds.
// answer is nil where none is sent. ErrRefused where the message counts as refused.
func Decide(s *evidence.Signer, at int64, terminal string, a *evidence.Announcement, k *Known) (answer *Answer, alarms []Alarm, change Change, err error) {
	l := k.Log
	switch {
	case k.KeyOf != "" && k.KeyOf != terminal:
		return nil, []Alarm{{Code: KeyShared, Origin: a.Note.Origin, Theirs: a.Note.String()}}, change, nil
	case l != nil && !l.Key.Public.Equal(a.Key.Public):
		return l.answer(), []Alarm{l.alarm(LogKey, a)}, change, nil
	case l == nil && a.From != 0:
		return &Answer{Origin: a.Note.Origin}, nil, change, nil
	case l == nil:
		return begin(s, at, a, k)
	}
	if !k.Kept {
		change.Kept = a.Note.String()
	}
	answer = l.answer()
	switch size := a.Note.Size; {
	case l.Closed:
		return answer, nil, change, nil
	case k.Other:
		change.Closed = true
		return answer, []Alarm{l.alarm(Forked, a)}, change, nil
	case size <= l.Newest.Size && k.Kept:
		return answer, nil, change, nil
	case size <= l.Newest.Size, k.Newest != a.Note.Origin:
		return answer, []Alarm{l.alarm(RolledBack, a)}, change, nil
	case a.From != l.Newest.Size:
		return answer, nil, change, nil
	case evidence.CheckConsistency(a.Proof, a.From, l.Newest.Root, size, a.Note.Root) != nil:
		return answer, []Alarm{l.alarm(NotExtended, a)}, change, nil
	}
	n, err := s.Cosign(a.Note, max(at, l.At))
	if err != nil { // a clock beyond the year 9999: the checkpoint comes again
		return answer, nil, change, nil
	}
	return &Answer{Origin: n.Origin, Checkpoint: n.String()}, nil, Change{Note: n.String(), Replaced: true}, nil
}

// begin co-signs the first checkpoint of a new log.
func begin(s *evidence.Signer, at int64, a *evidence.Announcement, k *Known) (*Answer, []Alarm, Change, error) {
	why, before, err := a.CheckStart()
	if err != nil {
		return nil, nil, Change{}, errors.Join(ErrRefused, err)
	}
	n, err := s.Cosign(a.Note, max(at, 0))
	if err != nil { // as above: nothing is kept, and the log is new again
		return &Answer{Origin: a.Note.Origin}, nil, Change{}, nil
	}
	var alarms []Alarm
	if k.Newest != "" {
		alarms = []Alarm{{Code: Restarted, Origin: a.Note.Origin, Ours: k.NewestNote, Theirs: a.Note.String(), Why: why, BeforeIsNewest: sameCheckpoint(before, k.NewestNote)}}
	}
	return &Answer{Origin: n.Origin, Checkpoint: n.String()}, alarms, Change{Note: n.String(), Replaced: true}, nil
}

// sameCheckpoint reports whether two notes state the same; their signatures may differ.
func sameCheckpoint(a, b string) bool {
	m, err := evidence.ParseNote(a)
	n, other := evidence.ParseNote(b)
	return err == nil && other == nil && m.Checkpoint == n.Checkpoint
}

func (l *Log) answer() *Answer { return &Answer{Origin: l.Key.Name, Checkpoint: l.Newest.String()} }

func (l *Log) alarm(code string, a *evidence.Announcement) Alarm {
	return Alarm{Code: code, Origin: a.Note.Origin, Ours: l.Newest.String(), Theirs: a.Note.String()}
}

// Desk keeps in memory what is known of all logs. It is not safe for concurrent use.
type Desk struct {
	signer    *evidence.Signer
	logs      map[string]*notes
	terminals map[string]*terminal
	keys      map[string]string // public key: its terminal
	Refused   int               // messages that were not answered for their form
}

// terminal is what is known of one: its newest log, and the newest note co-signed of it.
type terminal struct {
	newest string // origin
	note   string // its text with both lines
}

// notes are a log with the notes that are kept of it.
type notes struct {
	Log
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
	return &Desk{signer: signer, logs: map[string]*notes{}, terminals: map[string]*terminal{}, keys: map[string]string{}}
}

// Take answers a message on up/checkpoint of a terminal; at is Unix seconds. answer is nil
// where none is sent.
func (d *Desk) Take(at int64, name string, message []byte) (answer *Answer, alarms []Alarm, change Change) {
	a, err := evidence.ParseAnnouncement(message, name)
	if err != nil {
		d.Refused++
		return nil, nil, change
	}
	k := Known{KeyOf: d.keys[string(a.Key.Public)]}
	if t := d.terminals[name]; t != nil {
		k.Newest, k.NewestNote = t.newest, t.note
	}
	at0 := kept{a.Note.Size, a.Note.Root}
	l := d.logs[a.Note.Origin]
	if l != nil {
		k.Log, k.Kept = &l.Log, l.kept[at0]
		k.Other = l.sizes[at0.size] > 1 || l.sizes[at0.size] == 1 && !k.Kept
	}
	answer, alarms, change, err = Decide(d.signer, at, name, a, &k)
	switch {
	case err != nil:
		d.Refused++
	case change.Note != "":
		d.cosigned(name, a, l, change.Note)
	case change.Kept != "":
		l.keep(at0)
	}
	if change.Closed {
		l.Closed = true
	}
	return answer, alarms, change
}

// cosigned makes a note the newest of its log.
func (d *Desk) cosigned(name string, a *evidence.Announcement, l *notes, text string) {
	if l == nil {
		l = &notes{Log: Log{Key: a.Key}, kept: map[kept]bool{}, sizes: map[int64]int{}, others: list.New()}
		d.logs[a.Note.Origin], d.keys[string(a.Key.Public)] = l, name
	}
	n, err := evidence.ParseNote(text)
	if err != nil {
		return // Decide has just made it
	}
	l.Newest = n
	l.At, err = n.CosignedBy(d.signer.Key(evidence.KeyCosign))
	if err != nil {
		return // likewise
	}
	d.terminals[name] = &terminal{n.Origin, text}
	k := kept{n.Size, n.Root}
	if !l.kept[k] {
		l.kept[k] = true
		l.sizes[k.size]++
		return
	}
	for e := l.others.Front(); e != nil; e = e.Next() {
		if e.Value == k {
			l.others.Remove(e) // it counts no longer among those that were not co-signed
			return
		}
	}
}

// keep keeps a note that was not co-signed.
func (l *notes) keep(k kept) {
	l.kept[k] = true
	l.sizes[k.size]++
	l.others.PushBack(k)
	if l.others.Len() > MaxOthers {
		oldest := l.others.Remove(l.others.Front()).(kept)
		delete(l.kept, oldest)
		if l.sizes[oldest.size]--; l.sizes[oldest.size] == 0 {
			delete(l.sizes, oldest.size)
		}
	}
}
