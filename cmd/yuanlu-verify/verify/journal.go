package verify

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// late is how long an event may wait for an anchor without a word (evidence.md § 6).
const late = 25 * time.Hour

// entry is one event of the case's journal.
type entry struct {
	no       int // of its line
	text     []byte
	seq      int64
	at       time.Time
	leftOut  bool
	n        int64 // in the desk's log; -1: left out
	what     string
	anchored string
}

func (e *entry) where() string { return fmt.Sprintf("%s line %d", pack.Journal, e.no) }

// value returns the event, read again.
func (e *entry) value() evidence.Value {
	v, err := evidence.Parse(e.text)
	if err != nil {
		return evidence.Value{} // it was read once
	}
	return v
}

// data returns a member of the event's data.
func (e *entry) data(name string) evidence.Value { return e.value().Get("data").Get(name) }

func (w *work) checkJournal() (bool, *problem) {
	if p := w.readJournal(); p != nil {
		return false, p
	}
	if p := w.readDeskNote(); p != nil {
		return false, p
	}
	if p := w.checkProofs(); p != nil {
		return false, p
	}
	return false, w.checkAnchors()
}

func (w *work) readJournal() *problem {
	head, left := strings.Repeat("0", 64), []int64{}
	if p := w.each(pack.Journal, nil, func(l line) *problem {
		e, p := w.readEntry(l, head)
		if p != nil {
			return p
		}
		if e.seq != int64(len(w.journal))+1 {
			return l.wrong("events are numbered 1, 2, 3", "事件应从 1 起连续编号")
		}
		if head = l.Get("hash").Text; e.leftOut {
			left = append(left, e.seq)
		}
		w.journal = append(w.journal, e)
		return nil
	}); p != nil {
		return p
	}
	if n := len(w.journal); n == 0 || head != w.meta.hash || int64(n) != w.meta.version {
		return wrong(pack.Journal, "version and hash of pack.json are not those of the last event", "pack.json 的版本、哈希与最后一个事件不符")
	}
	if _, kinds, _ := leavesOut(w.meta.profile); !slices.Equal(left, w.meta.leftEvents) || len(left) > 0 && len(kinds) == 0 {
		return wrong(pack.Journal, "the events left out are not those of pack.json and the profile", "略去的事件与 pack.json 及配置不符")
	}
	return nil
}

// readEntry reads one event that stands behind one with the hash prev.
func (w *work) readEntry(l line, prev string) (e entry, p *problem) {
	e.no, e.text, e.n = l.no, l.Raw, -1
	e.leftOut = l.Get("left_out").Kind == 't'
	s, ok := l.texts("case", "prev", "hash")
	var isSeq bool
	e.seq, isSeq = l.number("seq", 1)
	if !ok || !isSeq || !isHash(s[1]) || !isHash(s[2]) || !l.Canonical() {
		return e, l.malformed()
	}
	if s[0] != w.meta.caseNo {
		return e, l.wrong("an event of another case", "属于其他案件")
	}
	if s[1] != prev {
		return e, l.wrong("prev is not the hash of the event before", "与前一事件的哈希不符")
	}
	if e.leftOut {
		if !l.Has("case", "seq", "left_out", "prev", "hash") {
			return e, l.malformed()
		}
		return e, nil
	}
	t, texts := l.texts("at", "by", "what")
	if key := l.Get("key"); !texts || !l.Has("case", "seq", "at", "by", "what", "data", "key?", "prev", "hash") || l.Get("data").Kind != '{' || key.Kind != 0 && (key.Kind != '"' || key.Text == "") {
		return e, l.malformed()
	}
	if e.at, ok = written(t[0]); !ok || t[1] == "" || t[2] == "" {
		return e, l.malformed()
	}
	e.what = t[2]
	bare, _ := bytes.CutSuffix(l.Raw, []byte(`,"hash":"`+s[2]+`"}`))
	if sum := sha256.Sum256(append(slices.Clone(bare), '}')); hex.EncodeToString(sum[:]) != s[2] {
		return e, l.wrong("hash is not that of the event", "与该事件的哈希不符")
	}
	if _, kinds, _ := leavesOut(w.meta.profile); slices.Contains(kinds, t[2]) {
		return e, l.wrong("an event of a kind that the profile leaves out", "该配置应略去此类事件")
	}
	return e, nil
}

// readDeskNote reads desk/checkpoint.txt.
func (w *work) readDeskNote() *problem {
	text, p := w.bytes(pack.DeskNote)
	if p != nil {
		return p
	}
	n, err := evidence.ParseNote(string(text))
	if err != nil || !w.byDesk(n) {
		return wrong(pack.DeskNote, "not a note that the journal's key alone signed", "不是仅由后台日志密钥签名的检查点")
	}
	w.desk = n
	return nil
}

// byDesk reports whether a note is of the desk's log, with its signature and no other.
func (w *work) byDesk(n *evidence.Note) bool {
	return len(n.Lines) == 1 && n.Origin == w.journalBy.Name && n.SignedBy(w.journalBy) == nil
}

func (w *work) checkProofs() *problem {
	r, p := w.open(pack.Proofs, "seq", "n", "proof")
	if p != nil {
		return p
	}
	before := int64(-1)
	for i := range w.journal {
		e := &w.journal[i]
		if e.leftOut {
			continue
		}
		l, more, p := r.next()
		if p != nil {
			return p
		}
		if !more {
			return wrong(e.where(), "no line of "+pack.Proofs+" is about this event", pack.Proofs+" 中没有该事件")
		}
		seq, ok := l.number("seq", 1)
		n, isN := l.number("n", 0)
		proof, isProof := l.proof()
		if !ok || !isN || !isProof || seq != e.seq || n <= before {
			return l.wrong("one line an event, n rising", "每个事件一行，n 递增")
		}
		if evidence.CheckInclusion(proof, w.desk.Size, w.desk.Root, n, evidence.LeafHash(e.text)) != nil {
			return l.wrong(fmt.Sprintf("event %d is not included in %s", seq, pack.DeskNote), fmt.Sprintf("事件 %d 不在 %s 之内", seq, pack.DeskNote))
		}
		e.n, before = n, n
	}
	if l, more, p := r.next(); p != nil || more {
		return cmp.Or(p, l.wrong("a proof of no event in the journal", "日志中没有该事件"))
	}
	return nil
}

// anchor is the desk's note in a leaf of a terminal.
type anchor struct {
	size int64
	at   time.Time
}

func (w *work) checkAnchors() *problem {
	r, p := w.open(pack.Anchors, "origin", "n", "proof")
	if p != nil {
		return p
	}
	var anchors []anchor
	for _, l := range w.leaves {
		if l.Type != evidence.LeafAnchor {
			continue
		}
		n, err := evidence.ParseNote(l.d().Get("desk").Text)
		if err != nil {
			return wrong(l.where(), "an anchor that is no note", "锚定内容不是检查点")
		}
		if n.Origin != w.journalBy.Name {
			w.say(l.where()+": an anchor of another desk log counts for nothing", l.where()+"：其他后台日志的锚定不计")
			continue
		}
		if !w.byDesk(n) {
			return wrong(l.where(), "an anchor that the journal's key did not sign", "锚定内容未由后台日志密钥签名")
		}
		proof, more, p := r.next()
		if p == nil && !more {
			p = wrong(l.where(), "no line of "+pack.Anchors+" is about this anchor", pack.Anchors+" 中没有该锚定")
		}
		if p == nil {
			p = w.checkAnchor(proof, l, n)
		}
		if p != nil {
			return p
		}
		anchors = append(anchors, anchor{n.Size, l.At})
	}
	if l, more, p := r.next(); p != nil || more {
		return cmp.Or(p, l.wrong("a proof of no anchor in this pack", "包内没有该锚定"))
	}
	slices.SortStableFunc(anchors, func(a, b anchor) int { return a.at.Compare(b.at) })
	w.sayAnchored(anchors)
	return nil
}

func (w *work) checkAnchor(l line, of leaf, n *evidence.Note) *problem {
	origin, ok := l.texts("origin")
	number, isN := l.number("n", 0)
	proof, isProof := l.proof()
	if !ok || !isN || !isProof || origin[0] != of.origin || number != of.N {
		return l.wrong("one line an anchor, by origin and n", "每个锚定一行，按来源与 n 排列")
	}
	if evidence.CheckConsistency(proof, n.Size, n.Root, w.desk.Size, w.desk.Root) != nil {
		return l.wrong("what is anchored in "+of.where()+" is not the beginning of "+pack.DeskNote, of.where()+" 所锚定的不是 "+pack.DeskNote+" 的开头")
	}
	return nil
}

// sayAnchored finds the first anchor of each event.
func (w *work) sayAnchored(anchors []anchor) {
	var none, slow []string
	for i := range w.journal {
		e := &w.journal[i]
		if e.leftOut {
			continue
		}
		j := slices.IndexFunc(anchors, func(a anchor) bool { return a.size > e.n })
		if j < 0 {
			none = append(none, fmt.Sprint(e.seq))
			continue
		}
		if e.anchored = w.clock(anchors[j].at); anchors[j].at.Sub(e.at) > late {
			slow = append(slow, fmt.Sprintf("%d (%s)", e.seq, e.anchored))
		}
	}
	if len(none) > 0 {
		w.say("events that no terminal anchored: "+strings.Join(none, ", "), "没有终端锚定的事件："+strings.Join(none, "、"))
	}
	if len(slow) > 0 {
		w.say("events anchored more than 25 hours after their time: "+strings.Join(slow, ", "), "锚定晚于事件时间 25 小时以上："+strings.Join(slow, "、"))
	}
}
