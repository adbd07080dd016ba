package evidence

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
	"yuanlu/protocol/evidence/seal"
)

// ErrInput is the class of errors about what does not fit together: a journal that is not the
// case's, a leaf without its checkpoint, a file with other bytes.
var ErrInput = errors.New("evidence: this cannot be a pack")

// ErrStamp is the class of errors of a time stamping authority that does not stamp a pack.
var ErrStamp = errors.New("evidence: no time stamp of the pack")

// Prover proves leaves and sizes of the desk's own log.
type Prover interface {
	Inclusion(n, size int64) ([]evidence.Hash, error)
	Consistency(from, size int64) ([]evidence.Hash, error)
}

// File is one of the case, in clear.
type File struct {
	SHA256 string // lower-case hex
	Data   []byte
}

// Checkpoint is one co-signed note of a terminal's log, with the proof from the one before.
type Checkpoint struct {
	Note  string
	Proof []evidence.Hash
	N     int64 // of its note in the desk's log
}

// Leaf is one of a terminal's log, included in the checkpoint of a size.
type Leaf struct {
	N, Size int64
	Bytes   []byte
	Proof   []evidence.Hash
}

// Log is what is known of one log of a terminal: checkpoints by size, leaves by number.
type Log struct {
	Key         evidence.Key
	FirstSeen   string // as casework.md § 1 writes times
	Trusted     string // the person who compared the key, or ""
	Checkpoints []Checkpoint
	Leaves      []Leaf
}

// Lack is why leaves of a terminal may be missing: no_log (it never had one), no_answer, removed:{n}
// (by retention), or what it refused with. The texts for people state it.
type Lack struct{ Terminal, Why string }

// Stamp is a note of the desk's log with the time stamp token over it.
type Stamp struct {
	Note  string
	Token []byte
}

// Signer signs packs: the key, and its certificate with the issuers upward.
type Signer struct {
	Key   crypto.Signer
	Chain []*x509.Certificate
}

// Stamper returns an RFC 3161 token over content.
type Stamper func(content []byte) ([]byte, error)

// Input is everything that a pack is made of.
type Input struct {
	Number  string // E-{year}-{six digits}
	Profile string
	Reader  string
	By      string // a person's id
	At      time.Time
	Program string

	Case    *casework.View
	Journal []casework.Event // the whole
	Places  []int64          // of each event of the journal in the desk's log
	Files   []File
	Events  [][]byte // of terminals, as received

	Logs      []Log
	Lacks     []Lack // terminals that did not deliver all leaves
	Cosigners []evidence.Key
	DeskKey   evidence.Key // of the desk's log
	DeskNote  string       // its newest note
	DeskLog   Prover
	Stamps    []Stamp // all of this log

	Signer  *Signer // nil: unsigned
	Stamper Stamper // nil: not stamped
}

// work is one pack while it is made.
type work struct {
	*Input
	rule  profile
	left  struct{ events, files []string }
	note  *evidence.Note
	files []pack.File
}

// Build makes the entries of a pack in their order. Write them with pack.Write. ErrInput for
// what does not fit together; ErrStamp with the Stamper's error; an error of the Signer.
func Build(in *Input) ([]pack.File, error) {
	w := &work{Input: in}
	var known bool
	if w.rule, known = profiles()[in.Profile]; !known {
		return nil, fmt.Errorf("%w: profile %q", ErrInput, in.Profile)
	}
	for _, step := range []func() error{w.addJournal, w.addFiles, w.addCase, w.addEvents, w.addDesk, w.addTerminals, w.addStamps, w.addKeys, w.addMeta, w.addTexts} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if in.Signer != nil {
		w.add(pack.SignerPEM, seal.ChainPEM(in.Signer.Chain))
	}
	slices.SortFunc(w.files, func(a, b pack.File) int { return cmp.Compare(a.Name, b.Name) })
	return w.seal()
}

func (w *work) add(name string, data []byte) {
	w.files = append(w.files, pack.File{Name: name, Data: data})
}

// seal adds what covers the entries: lists, signature, stamp.
func (w *work) seal() ([]pack.File, error) {
	var entries []pack.Entry
	for _, f := range w.files {
		entries = append(entries, f.Entry())
	}
	out := append([]pack.File{{Name: pack.MimetypeName, Data: []byte(pack.Mimetype)}}, w.files...)
	sums := pack.File{Name: pack.Sums, Data: pack.SumList(entries)}
	manifest := pack.File{Name: pack.Manifest, Data: pack.ManifestXML(append(entries, sums.Entry()), w.Signer != nil)}
	out = append(out, sums, manifest)
	covered := []pack.Entry{manifest.Entry()}
	if w.Signer != nil {
		der, err := seal.Sign(w.Signer.Key, w.Signer.Chain[0], manifest.Data, w.At)
		if err != nil {
			return nil, err
		}
		signature := pack.File{Name: pack.Signature, Data: der}
		out = append(out, signature)
		covered = append(covered, signature.Entry())
	}
	if w.Stamper != nil {
		second := pack.File{Name: pack.Manifest2, Data: pack.StampXML(covered)}
		token, err := w.Stamper(second.Data)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStamp, err)
		}
		out = append(out, second, pack.File{Name: pack.Timestamp, Data: token})
	}
	return out, nil
}

// profile is what a profile leaves out (evidence.md § 5).
type profile struct{ kinds, events []string }

// Profiles are whom a pack may be for (evidence.md § 5).
func Profiles() []string { return []string{"bank", "platform", "12315", "court", "store"} }

// LeavesOut returns which kinds of files and which events a profile leaves out; known is false for no profile.
func LeavesOut(name string) (kinds, events []string, known bool) {
	p, known := profiles()[name]
	return slices.Clone(p.kinds), slices.Clone(p.events), known
}

func profiles() map[string]profile {
	return map[string]profile{
		"court":    {},
		"12315":    {[]string{"identity"}, nil},
		"bank":     {[]string{"identity"}, []string{"noted"}},
		"platform": {[]string{"identity", "recording"}, []string{"noted"}},
		"store":    {[]string{"identity", "recording", "statement", "letter"}, []string{"noted", "contacted"}},
	}
}

// leavesOut reports whether the profile leaves out an event.
func (w *work) leavesOut(e *casework.Event) bool { return slices.Contains(w.rule.events, e.What) }

// row writes one line: members in the order given, names and values in turn. Values are strings,
// integers, bool, or JSON as json.RawMessage.
func row(members ...any) []byte {
	b := []byte{'{'}
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(evidence.AppendString(b, members[i].(string)), ':')
		switch v := members[i+1].(type) {
		case string:
			b = evidence.AppendString(b, v)
		case json.RawMessage:
			b = append(b, v...)
		case []string:
			b = append(b, texts(v)...)
		default:
			b = fmt.Append(b, v)
		}
	}
	return append(b, '}', '\n')
}

// texts writes a list of strings.
func texts(all []string) json.RawMessage {
	b := []byte{'['}
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = evidence.AppendString(b, s)
	}
	return append(b, ']')
}

func proofOf(p []evidence.Hash) json.RawMessage { return texts(evidence.ProofTexts(p)) }

func (w *work) addJournal() error {
	if n := len(w.Journal); n == 0 || n != len(w.Places) || w.Case == nil || w.Case.Hash != w.Journal[n-1].Hash || w.Case.Version != int64(n) {
		return fmt.Errorf("%w: the journal is not that of the case", ErrInput)
	}
	var b bytes.Buffer
	for i := range w.Journal {
		e := &w.Journal[i]
		if !w.leavesOut(e) {
			b.Write(append(e.Bytes(), '\n'))
			continue
		}
		w.left.events = append(w.left.events, fmt.Sprint(e.Seq))
		b.Write(row("case", e.Case, "seq", e.Seq, "left_out", true, "prev", e.Prev, "hash", e.Hash))
	}
	w.add(pack.Journal, b.Bytes())
	return nil
}

// filed is the data of an event filed (casework.md § 5).
type filed struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Kind   string `json:"kind"`
}

func (w *work) addFiles() error {
	for i := range w.Journal {
		e := &w.Journal[i]
		if e.What != "filed" {
			continue
		}
		var f filed
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return fmt.Errorf("%w: event %d: %w", ErrInput, e.Seq, err)
		}
		if slices.Contains(w.rule.kinds, f.Kind) {
			w.left.files = append(w.left.files, f.SHA256)
			continue
		}
		at := slices.IndexFunc(w.Files, func(o File) bool { return o.SHA256 == f.SHA256 })
		if at < 0 {
			return fmt.Errorf("%w: the file of event %d is missing", ErrInput, e.Seq)
		}
		sum := sha256.Sum256(w.Files[at].Data)
		if hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(w.Files[at].Data)) != f.Size || pack.Extension(f.Type) == "" {
			return fmt.Errorf("%w: the file of event %d has other bytes, or another type", ErrInput, e.Seq)
		}
		w.add("files/"+f.SHA256+"."+pack.Extension(f.Type), w.Files[at].Data)
	}
	slices.Sort(w.left.files)
	w.left.files = slices.Compact(w.left.files)
	return nil
}

func (w *work) addCase() error {
	text, err := plainJSON(w.Case)
	if err != nil {
		return fmt.Errorf("%w: the case: %w", ErrInput, err)
	}
	w.add(pack.Case, append(text, '\n'))
	return nil
}

// plainJSON writes JSON without escapes for HTML.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// addEvents adds the terminals' events, by source, stream and sequence.
func (w *work) addEvents() error {
	type event struct{ Source, Stream, Sequence string }
	type lined struct {
		event
		text []byte
	}
	var all []lined
	for i, text := range w.Events {
		var e event
		var line bytes.Buffer
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("%w: event %d of terminals: %w", ErrInput, i, err)
		}
		if line.Write(text); bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			line.Reset() // white space between values is no part of what was received
			if err := json.Compact(&line, text); err != nil {
				return fmt.Errorf("%w: event %d of terminals: %w", ErrInput, i, err)
			}
		}
		all = append(all, lined{e, line.Bytes()})
	}
	slices.SortStableFunc(all, func(a, b lined) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Sequence, b.Sequence))
	})
	all = slices.CompactFunc(all, func(a, b lined) bool { return a.event == b.event })
	var b bytes.Buffer
	for _, e := range all {
		b.Write(append(e.text, '\n'))
	}
	w.add(pack.Events, b.Bytes())
	return nil
}

func (w *work) addKeys() error {
	signer := ""
	if w.Signer != nil {
		sum := sha256.Sum256(w.Signer.Chain[0].Raw)
		signer = hex.EncodeToString(sum[:])
	}
	cosigners := make([]string, len(w.Cosigners))
	byName := slices.SortedFunc(slices.Values(w.Cosigners), func(a, b evidence.Key) int { return cmp.Compare(a.Name, b.Name) })
	for i, k := range byName {
		cosigners[i] = k.String()
	}
	logs := []byte{'['}
	for i, l := range w.Logs {
		if i > 0 {
			logs = append(logs, ',')
		}
		logs = append(logs, bytes.TrimSuffix(row("vkey", l.Key.String(), "first_seen", l.FirstSeen, "trusted", l.Trusted), []byte("\n"))...)
	}
	w.add(pack.Keys, row("v", 1, "signer", signer, "cosigners", cosigners, "journal", w.DeskKey.String(), "logs", json.RawMessage(append(logs, ']'))))
	return nil
}

func (w *work) addMeta() error {
	leftOut := bytes.TrimSuffix(row("events", json.RawMessage("["+joined(w.left.events)+"]"), "files", w.left.files), []byte("\n"))
	w.add(pack.Meta, row("v", 1, "pack", w.Number, "case", w.Case.No, "version", w.Case.Version, "hash", w.Case.Hash, "profile", w.Profile, "for", w.Reader,
		"at", w.At.Format("2006-01-02T15:04:05-07:00"), "by", w.By, "signed", w.Signer != nil, "stamped", w.Stamper != nil, "left_out", json.RawMessage(leftOut), "program", w.Program))
	return nil
}

func joined(all []string) string {
	var b []byte
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	return string(b)
}
