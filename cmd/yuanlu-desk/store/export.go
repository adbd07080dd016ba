package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"yuanlu/cmd/yuanlu-desk/casework"
	packs "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// evidenceJournal is the case name of the journal of exports (evidence.md § 4).
const evidenceJournal = "evidence"

// MostReader bounds the name of who gets a pack, in characters.
const MostReader = 200

// Exporting is what an evidence pack is asked for with.
type Exporting struct {
	Case, Profile, Reader string
	Expect                int64  // the version that was looked at before; another one is stale; 0: any
	By                    string // a person who may export; "": on the machine of the desk itself
	Program               string
	Mark                  string            // of what terminals were asked for it
	Answers               map[string]string // by terminal, of Asked
	Signer                *packs.Signer
	Stamper               packs.Stamper
}

// Exported is a pack that was handed out.
type Exported struct {
	Pack    string          `json:"pack"`
	Case    string          `json:"case"`
	Version int64           `json:"version"`
	Profile string          `json:"profile"`
	For     string          `json:"for"`
	SHA256  string          `json:"sha256"`
	File    []byte          `json:"-"`
	Refused casework.Answer `json:"-"`
	Signed  bool            `json:"-"`
	Stamped bool            `json:"-"`
	NoStamp error           `json:"-"` // why the authority did not stamp it, where there is one
	Lacks   []packs.Lack    `json:"-"` // terminals that did not deliver all leaves; not known of a pack that is handed out again
}

// Profiles are whom a pack may be for (evidence.md § 5).
func Profiles() []string { return packs.Profiles() }

// LeavesOut returns which kinds of files and which events a profile leaves out; known is false for no profile.
func LeavesOut(profile string) (kinds, events []string, known bool) { return packs.LeavesOut(profile) }

// MayExport are the roles that may hand a case out: those that work on it.
func MayExport() []string { return []string{"manager", "analyst", "supervisor"} }

// Export makes an evidence pack of a case (evidence.md § 5) of what the store has, and keeps it. The
// answer of a refusal is in Refused. An authority that does not stamp holds up nothing: the pack goes out
// unstamped, and the error is in NoStamp. ErrNotFound, ErrKey, or an error of the signer.
func (s *Store) Export(ctx context.Context, now time.Time, x Exporting) (e Exported, err error) {
	var in packs.Input
	_, err = s.change(ctx, func(a *applying) error {
		in, e = packs.Input{Profile: x.Profile, Reader: x.Reader, By: cmp.Or(x.By, "system"), Program: x.Program, Signer: x.Signer, Stamper: x.Stamper}, Exported{}
		members := `"show":` + string(evidence.AppendString(nil, x.Case))
		if x.By != "" {
			members = `"by":` + string(evidence.AppendString(nil, x.By)) + `,` + members
		}
		got, err := a.line(s, fmt.Appendf(nil, `{"at":%q,%s}`, stamp(now), members))
		if err != nil {
			return err
		}
		if e.Refused = got; got.Refused != "" {
			return nil
		}
		if p, ok := s.work.desk.Person(x.By); x.By != "" && (!ok || !slices.ContainsFunc(MayExport(), func(r string) bool { return slices.Contains(p.Roles, r) })) {
			e.Refused.Refused = casework.NotAllowed
			return nil
		}
		if v, ok := s.work.desk.Show(x.Case); ok && x.Expect > 0 && v.Version != x.Expect {
			e.Refused.Refused = casework.Stale
			return nil
		}
		return a.basis(s, &x, &in)
	})
	if err != nil || e.Refused.Refused != "" {
		return e, err
	}
	in.DeskLog = &ownProver{ctx, s, in.DeskKey.Name}
	files, err := packs.Build(&in)
	noStamp := err
	if errors.Is(err, packs.ErrStamp) {
		in.Stamper = nil
		files, err = packs.Build(&in)
	}
	if err != nil {
		return e, err
	}
	var whole, kept bytes.Buffer
	if err := pack.Write(&whole, files); err != nil {
		return e, err
	}
	if err := pack.Write(&kept, slices.DeleteFunc(slices.Clone(files), func(f pack.File) bool { return strings.HasPrefix(f.Name, "files/") })); err != nil {
		return e, err
	}
	sum := sha256.Sum256(whole.Bytes())
	e = Exported{Pack: in.Number, Case: x.Case, Version: in.Case.Version, Profile: x.Profile, For: x.Reader, SHA256: hex.EncodeToString(sum[:]), File: whole.Bytes(),
		Signed: in.Signer != nil, Stamped: in.Stamper != nil, NoStamp: noStamp, Lacks: in.Lacks}
	_, err = s.change(ctx, func(a *applying) error { return a.exported(&in, &e, kept.Bytes()) })
	return e, err
}

// exported writes the event of an export, and keeps the pack but for the files of the case.
func (a *applying) exported(in *packs.Input, e *Exported, kept []byte) error {
	data, err := plainJSON(e)
	if err != nil {
		return err
	}
	event := casework.Event{Case: evidenceJournal, At: in.At.Format("2006-01-02T15:04:05-07:00"), By: in.By, What: "exported", Data: data, Prev: strings.Repeat("0", 2*sha256.Size)}
	var last string
	if _, err := a.row(`SELECT seq, event FROM export ORDER BY seq DESC LIMIT 1`, nil, &event.Seq, &last); err != nil {
		return err
	}
	if event.Seq > 0 {
		var before casework.Event
		if err := json.Unmarshal([]byte(last), &before); err != nil {
			return err
		}
		event.Prev = before.Hash
	}
	event.Seq++
	sum := sha256.Sum256(event.Bytes())
	event.Hash = hex.EncodeToString(sum[:])
	own, err := a.ownLog()
	if err != nil {
		return err
	}
	place, err := own.append(event.Bytes())
	if err != nil {
		return err
	}
	_, err = a.exec(`UPDATE export SET seq = ?, place = ?, event = ?, sha256 = ?, body = ? WHERE pack = ?`, event.Seq, place, string(event.Bytes()), e.SHA256, kept, e.Pack)
	return err
}

// plainJSON writes JSON as casework.md § 1 has it.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Again returns a pack that was handed out, the very bytes. ErrNotFound: there was none, or its
// case with its files is kept no longer.
func (s *Store) Again(ctx context.Context, number string) (e Exported, err error) {
	err = s.read(ctx, func(t *tx) error {
		var body []byte
		var sum, event string
		found, err := t.row(`SELECT sha256, body, event FROM export WHERE pack = ? AND seq > 0`, []any{number}, &sum, &body, &event)
		if err != nil || !found {
			return errors.Join(err, missing(found))
		}
		if e, err = recorded(event); err != nil {
			return err
		}
		archive, err := pack.Read(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return err
		}
		files := make([]pack.File, 0, len(archive.Entries))
		last := 0
		for i := range archive.Entries {
			data, err := archive.Bytes(&archive.Entries[i])
			if err != nil {
				return err
			}
			files = append(files, pack.File{Name: archive.Entries[i].Name, Data: data})
			e.Signed = e.Signed || archive.Entries[i].Name == pack.Signature
			e.Stamped = e.Stamped || archive.Entries[i].Name == pack.Timestamp
			if archive.Entries[i].Name == pack.Sums {
				last = i
				more, err := t.filesOf(data)
				if err != nil {
					return err
				}
				files = append(files[:last], append(more, files[last:]...)...)
				slices.SortFunc(files[1:last+len(more)], func(a, b pack.File) int { return cmp.Compare(a.Name, b.Name) })
			}
		}
		var whole bytes.Buffer
		if err := pack.Write(&whole, files); err != nil {
			return err
		}
		e.File = whole.Bytes()
		if got := sha256.Sum256(e.File); hex.EncodeToString(got[:]) != sum {
			return fmt.Errorf("%w: pack %s has other bytes", ErrUnavailable, number)
		}
		return nil
	})
	return e, err
}

// recorded is what the event of an export tells.
func recorded(text string) (e Exported, err error) {
	var event casework.Event
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		return e, err
	}
	err = json.Unmarshal(event.Data, &e)
	return e, err
}

func missing(found bool) error {
	if !found {
		return ErrNotFound
	}
	return nil
}

// filesOf returns the files that a list of sums names.
func (t *tx) filesOf(sums []byte) (list []pack.File, err error) {
	for line := range strings.Lines(string(sums)) {
		hash, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !strings.HasPrefix(name, "files/") {
			continue
		}
		f := pack.File{Name: name}
		found, err := t.row(`SELECT body FROM work_file WHERE sha256 = ?`, []any{hash}, &f.Data)
		if err != nil || !found {
			return nil, errors.Join(err, missing(found))
		}
		list = append(list, f)
	}
	return list, nil
}

// ownProver proves in the desk's log, whose leaves never change.
type ownProver struct {
	ctx    context.Context
	s      *Store
	origin string
}

// Inclusion proves leaf n in the first size leaves.
func (p *ownProver) Inclusion(n, size int64) ([]evidence.Hash, error) {
	return p.prove(func(l *ownLog) ([]evidence.Hash, error) { return tlog.ProveRecord(size, n, l) })
}

// Consistency proves that the first size leaves continue the first from.
func (p *ownProver) Consistency(from, size int64) (proof []evidence.Hash, err error) {
	return p.prove(func(l *ownLog) ([]evidence.Hash, error) { return tlog.ProveTree(size, from, l) })
}

func (p *ownProver) prove(do func(*ownLog) ([]evidence.Hash, error)) (proof []evidence.Hash, err error) {
	err = p.s.read(p.ctx, func(t *tx) error {
		l := &ownLog{t: t}
		if _, err := t.row(`SELECT id FROM desk_log WHERE origin = ?`, []any{p.origin}, &l.id); err != nil {
			return err
		}
		proof, err = do(l)
		return err
	})
	return proof, err
}

// basis collects what a pack is made of, numbers it, and signs the desk's log as it is.
func (a *applying) basis(s *Store, x *Exporting, in *packs.Input) (err error) {
	if s.signer == nil {
		return ErrKey
	}
	own, err := a.ownLog()
	if err != nil {
		return err
	}
	named, err := own.signer(s.signer)
	if err != nil {
		return err
	}
	view, ok := s.work.desk.Show(x.Case)
	if !ok {
		return ErrNotFound
	}
	in.Case, in.DeskKey = view, named.Key(evidence.KeyLog)
	if in.At, err = time.Parse(time.RFC3339, s.work.desk.Now()); err != nil {
		return err
	}
	if err := a.numbered(x, in); err != nil {
		return err
	}
	if err := a.rows(`SELECT place, body FROM work_event WHERE case_no = ? ORDER BY seq`, []any{x.Case}, func(r *sql.Rows) error {
		var place int64
		var body string
		if err := r.Scan(&place, &body); err != nil {
			return err
		}
		var e casework.Event
		err := json.Unmarshal([]byte(body), &e)
		in.Journal, in.Places = append(in.Journal, e), append(in.Places, place)
		return err
	}); err != nil {
		return err
	}
	if err := a.rows(`SELECT f.sha256, f.body FROM work_filed w JOIN work_file f ON f.sha256 = w.sha256 WHERE w.case_no = ? ORDER BY f.sha256`, []any{x.Case}, func(r *sql.Rows) error {
		var f packs.File
		err := r.Scan(&f.SHA256, &f.Data)
		in.Files = append(in.Files, f)
		return err
	}); err != nil {
		return err
	}
	if err := a.logs(s, x, own, in); err != nil {
		return err
	}
	if err := a.rows(`SELECT note, token FROM desk_stamp WHERE log = ? ORDER BY size`, []any{own.id}, func(r *sql.Rows) error {
		var note, token string
		if err := r.Scan(&note, &token); err != nil {
			return err
		}
		der, err := evidence.Decode64(token)
		in.Stamps = append(in.Stamps, packs.Stamp{Note: note, Token: der})
		return err
	}); err != nil {
		return err
	}
	in.DeskNote, err = own.note(s.signer)
	return err
}

// numbered takes the next number of a pack.
func (a *applying) numbered(x *Exporting, in *packs.Input) error {
	year := in.At.Format("2006")
	var last string
	if _, err := a.row(`SELECT pack FROM export WHERE pack LIKE ? ORDER BY pack DESC LIMIT 1`, []any{"E-" + year + "-%"}, &last); err != nil {
		return err
	}
	n, err := strconv.Atoi(cmp.Or(strings.TrimPrefix(last, "E-"+year+"-"), "0"))
	if err != nil {
		return err
	}
	in.Number = fmt.Sprintf("E-%s-%06d", year, n+1)
	_, err = a.exec(`INSERT INTO export(pack, case_no, seq, place, event, sha256, body) VALUES(?,?,0,-1,'','',?)`, in.Number, x.Case, []byte{})
	return err
}
