package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// Bounds of what is read (evidence.md § 6): bytes of a line, leaves.
const (
	maxLine   = 1 << 20
	maxLeaves = 10_000
)

// timeForm is how journal and pack write times (casework.md § 1).
const timeForm = "2006-01-02T15:04:05-07:00"

// problem is what is wrong: where, and what was wanted there.
type problem struct {
	where string
	text  Text
}

func wrong(where, en, zh string) *problem { return &problem{where, Text{en, zh}} }

// work is one pack while it is checked. Each check fills in what the next ones read.
type work struct {
	archive *pack.Archive
	trust   *Trust
	broken  error // of the container

	meta      meta
	cosigners []evidence.Key
	journalBy evidence.Key
	logs      []evidence.Key
	desk      *evidence.Note
	points    []point
	leaves    []leaf
	events    []event
	eventAt   map[[2]string]int // by source and id
	pointAt   map[place]int
	journal   []entry
	stamped   []stamped
	said      []Text
	keys      []Key
	refunds   []Refund
}

// Run checks a pack of size bytes. An error is one of reading it.
func Run(r io.ReaderAt, size int64, trust *Trust) (*Report, error) {
	w := &work{trust: trust}
	if trust == nil {
		w.trust = &Trust{}
	}
	archive, err := pack.Read(r, size)
	if errors.Is(err, pack.ErrNoPack) {
		return &Report{Exit: ExitNoPack, Why: Text{"this file does not begin as an evidence pack does", "该文件的开头不是证据包"}}, nil
	}
	if err != nil && !errors.Is(err, evidence.ErrForm) {
		return nil, err
	}
	w.archive, w.broken = archive, err
	if w.newer() {
		return &Report{Exit: ExitNoPack, Why: Text{"this pack was made by a newer program; a newer yuanlu-verify is needed", "该证据包由更新版本的程序生成，请使用更新的 yuanlu-verify"}}, nil
	}
	rep := &Report{}
	for _, c := range []struct {
		name string
		run  func() (absent bool, p *problem)
	}{
		{"zip", w.checkZIP}, {"manifest", w.checkManifest}, {"signature", w.checkSignature}, {"stamp", w.checkStamp},
		{"checkpoints", w.checkCheckpoints}, {"leaves", w.checkLeaves}, {"events", w.checkEvents}, {"verdicts", w.checkVerdicts},
		{"journal", w.checkJournal}, {"stamps", w.checkStamps}, {"case", w.checkCase}, {"files", w.checkFiles},
	} {
		w.said = nil
		absent, p := c.run()
		check := Check{Name: c.name, State: OK, Said: w.said}
		switch {
		case p != nil:
			check.State, check.Where, check.Text = Wrong, p.where, p.text
			rep.Exit = ExitWrong
		case absent:
			check.State = Absent
		}
		rep.Checks = append(rep.Checks, check)
	}
	rep.Keys = w.keys
	if rep.Exit == ExitHolds {
		rep.Exit, rep.Why = w.trusted()
	}
	rep.Leaves, rep.Facts = w.times(), w.facts()
	return rep, nil
}

// say notes what is not wrong and a reader should know.
func (w *work) say(en, zh string) { w.said = append(w.said, Text{en, zh}) }

// newer reports whether pack.json has a version above 1, whatever else is in it.
func (w *work) newer() bool {
	e := w.archive.Find(pack.Meta)
	if e == nil || e.Size > maxLine {
		return false
	}
	b, err := w.archive.Bytes(e)
	if err != nil {
		return false
	}
	v, err := evidence.Parse(b)
	if err != nil {
		return false
	}
	n, err := strconv.ParseFloat(v.Get("v").Text, 64)
	return v.Get("v").Kind == '0' && (err == nil || errors.Is(err, strconv.ErrRange)) && n > 1
}

// trusted returns 3 where the pack is unsigned or a key of it is not in the trust file.
func (w *work) trusted() (int, Text) {
	if !w.meta.signed {
		return ExitUntrusted, Text{"this pack is not signed", "该证据包没有签名"}
	}
	for _, k := range w.keys {
		if !k.Trusted {
			return ExitUntrusted, Text{"all checks hold, and not every key is in the trust file", "所有检查均通过，但并非所有密钥都在信任文件中"}
		}
	}
	return ExitHolds, Text{}
}

// place is a leaf or a checkpoint: origin with number or size.
type place struct {
	origin string
	n      int64
}

// bytes returns those of an entry.
func (w *work) bytes(name string) ([]byte, *problem) {
	e := w.archive.Find(name)
	if e == nil {
		return nil, wrong(name, "this entry is missing", "缺少该条目")
	}
	b, err := w.archive.Bytes(e)
	if err != nil {
		return nil, wrong(name, "this entry cannot be read", "无法读取该条目")
	}
	return b, nil
}

// line is one line of an entry.
type line struct {
	evidence.Value
	entry string
	no    int // from 1
}

func (l line) where() string { return fmt.Sprintf("%s line %d", l.entry, l.no) }

func (l line) wrong(en, zh string) *problem { return wrong(l.where(), en, zh) }

func (l line) malformed() *problem {
	return l.wrong("not of the form of evidence.md: members and their order", "格式不符：成员及其顺序")
}

// reader reads the lines of an entry, one after the other: what is not kept of a line needs
// no memory.
type reader struct {
	entry   string
	text    []byte
	no      int
	members []string // that each line has; nil: any, and written in any way
}

// open returns a reader of an entry whose lines have just these members, written as
// casework.md § 1 writes them; none: lines that may have any.
func (w *work) open(name string, members ...string) (*reader, *problem) {
	text, p := w.bytes(name)
	return &reader{entry: name, text: text, members: members}, p
}

// next returns the next line, one JSON object that ends with a newline; false if there is none.
func (r *reader) next() (at line, ok bool, p *problem) {
	if len(r.text) == 0 {
		return at, false, nil
	}
	r.no++
	at = line{entry: r.entry, no: r.no}
	end := bytes.IndexByte(r.text, '\n')
	if end < 0 || end > maxLine {
		return at, false, at.wrong("a line of at most 1 MiB ends with a newline", "每行至多 1 MiB，以换行符结尾")
	}
	text := r.text[:end]
	r.text = r.text[end+1:]
	if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return at, false, at.wrong("a control character", "含控制字符")
	}
	v, err := evidence.Parse(text)
	if err != nil || v.Kind != '{' || len(v.Raw) != end {
		return at, false, at.wrong("not one JSON object without anything around it", "不是单个 JSON 对象")
	}
	if at.Value = v; r.members != nil && (!v.Has(r.members...) || !v.Canonical()) {
		return at, false, at.malformed()
	}
	return at, true, nil
}

// each calls do with each line up to the first problem.
func (w *work) each(name string, members []string, do func(l line) *problem) *problem {
	r, p := w.open(name, members...)
	for p == nil {
		l, ok, wrong := r.next()
		if wrong != nil || !ok {
			return wrong
		}
		p = do(l)
	}
	return p
}

// object reads an entry of one line.
func (w *work) object(name string, members ...string) (line, *problem) {
	r, p := w.open(name, members...)
	if p != nil {
		return line{}, p
	}
	l, ok, p := r.next()
	if p == nil && (!ok || len(r.text) > 0) {
		p = wrong(name, "one line is wanted", "应当只有一行")
	}
	return l, p
}

// texts returns members that are strings; false if one is none.
func (l line) texts(names ...string) ([]string, bool) {
	out := make([]string, len(names))
	for i, name := range names {
		v := l.Get(name)
		if out[i] = v.Text; v.Kind != '"' {
			return nil, false
		}
	}
	return out, true
}

// number returns a member that is an integer of at least least.
func (l line) number(name string, least int64) (int64, bool) {
	n, ok := l.Get(name).Int()
	return n, ok && n >= least
}

func (l line) proof() ([]evidence.Hash, bool) {
	p, err := evidence.ParseProof(l.Get("proof"))
	return p, err == nil
}

// written reads a time as journals have it.
func written(text string) (time.Time, bool) {
	at, err := time.Parse(timeForm, text)
	return at, err == nil && at.Format(timeForm) == text && at.Year() >= 1970 && at.Year() <= 2099
}
