package verify

import (
	"fmt"
	"strconv"
	"strings"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// leaf is one line of terminal/leaves.jsonl whose inclusion holds.
type leaf struct {
	*evidence.Leaf // without its D, which d reads again: ten thousand of them may be large
	origin         string
	text           string
	under          *point
	line           int
	holds          bool // it is included
}

func (l leaf) where() string { return fmt.Sprintf("%s line %d leaf %d", pack.Leaves, l.line, l.N) }

// d returns member d of the leaf.
func (l leaf) d() evidence.Value {
	again, err := evidence.ParseLeaf([]byte(l.text))
	if err != nil {
		return evidence.Value{} // it was read once
	}
	return again.D
}

func (w *work) checkLeaves() (bool, *problem) {
	if !w.hasTerminal() {
		return true, nil
	}
	var first *problem
	p := w.each(pack.Leaves, []string{"origin", "n", "size", "leaf", "proof"}, func(l line) *problem {
		if l.no > maxLeaves {
			return l.wrong("more than 10000 leaves", "叶超过 10000 条")
		}
		one, p := w.readLeaf(l)
		if first == nil {
			first = p
		}
		if one.holds = p == nil; one.Leaf != nil {
			one.D = evidence.Value{}
			w.leaves = append(w.leaves, one) // the other checks look at it, too
		}
		return nil
	})
	if first == nil {
		first = p
	}
	if p := w.checkSeqs(); first == nil {
		first = p
	}
	w.sayMissing()
	return false, first
}

func (w *work) readLeaf(l line) (one leaf, p *problem) {
	s, ok := l.texts("origin", "leaf")
	n, isN := l.number("n", 0)
	size, isSize := l.number("size", 1)
	proof, isProof := l.proof()
	if !ok || !isN || !isSize || !isProof {
		return one, l.malformed()
	}
	one = leaf{origin: s[0], text: s[1], line: l.no, under: w.pointOf(s[0], size)}
	if one.under == nil {
		return one, l.wrong("no checkpoint of this log and size is in the pack", "包内没有该日志、该大小的检查点")
	}
	var err error
	if one.Leaf, err = evidence.ParseLeaf([]byte(s[1])); err != nil {
		return one, l.wrong(err.Error(), "不是规定形式的叶")
	}
	if one.N != n {
		return one, l.wrong("the leaf has another number", "叶的编号不符")
	}
	if last := len(w.leaves) - 1; last >= 0 && (w.leaves[last].origin > one.origin || w.leaves[last].origin == one.origin && w.leaves[last].N >= n) {
		return one, l.wrong("leaves stand by origin, then number, none twice", "叶应按来源、再按编号排列，不得重复")
	}
	if evidence.CheckInclusion(proof, size, one.under.Root, n, evidence.LeafHash([]byte(s[1]))) != nil {
		return one, wrong(one.where(), "not included in its checkpoint", "不在其检查点之内")
	}
	isLog := one.Type == evidence.LeafNote && one.D.Get("what").Text == "log"
	if isLog != (n == 0) {
		return one, wrong(one.where(), "leaf 0 is the note log, and no other", "叶 0 且仅叶 0 为 log 记录")
	}
	return one, nil
}

// checkSeqs checks that the sequence of records, and the revision of each refund, rise.
func (w *work) checkSeqs() *problem {
	last := map[string]int64{}
	for _, l := range w.leaves {
		key, value := l.origin, int64(0)
		switch l.Type {
		case evidence.LeafRecord:
			value, _ = l.d().Get("seq").Int() // ParseLeaf has read it
		case evidence.LeafVerdict:
			v := l.d().Get("verdict")
			key += " " + v.Get("seq").Text
			value, _ = v.Get("rev").Int() // ParseLeaf has read it
			if gap := value - last[key] - 1; gap > 0 {
				w.say(fmt.Sprintf("%s: %d revisions of refund %s before this verdict are not in the pack", l.where(), gap, v.Get("seq").Text),
					fmt.Sprintf("%s：退款 %s 在此判定之前有 %d 个版本不在包内", l.where(), v.Get("seq").Text, gap))
			}
		default:
			continue
		}
		if value <= last[key] {
			return wrong(l.where(), "a sequence or revision that does not rise", "序号或版本未递增")
		}
		last[key] = value
	}
	return nil
}

// sayMissing names the leaves that are not in the pack.
func (w *work) sayMissing() {
	for _, k := range w.logs {
		next := int64(0)
		var gaps []string
		upTo := int64(0)
		for _, p := range w.points {
			if p.Origin == k.Name {
				upTo = p.Size
			}
		}
		add := func(to int64) {
			switch {
			case next == to-1:
				gaps = append(gaps, strconv.FormatInt(next, 10))
			case next < to:
				gaps = append(gaps, fmt.Sprintf("%d-%d", next, to-1))
			}
		}
		for _, l := range w.leaves {
			if l.origin == k.Name {
				add(l.N)
				next = l.N + 1
			}
		}
		add(upTo)
		if len(gaps) > 0 {
			w.say("log "+k.Name+": leaves not in this pack: "+strings.Join(gaps, ", "), "日志 "+k.Name+"：不在本包内的叶："+strings.Join(gaps, "、"))
		}
	}
}

// event is one line of events.jsonl.
type event struct {
	no                           int // of its line
	text                         []byte
	id, source, stream, sequence string
	used                         bool
}

func (e *event) where() string { return fmt.Sprintf("%s line %d", pack.Events, e.no) }

func (w *work) checkEvents() (bool, *problem) {
	w.eventAt = map[[2]string]int{}
	if p := w.each(pack.Events, nil, w.readEvent); p != nil {
		return false, p
	}
	for _, l := range w.leaves {
		if p := w.matchEvent(l); p != nil {
			return false, p
		}
	}
	for _, e := range w.events {
		if !e.used {
			w.say(e.where()+": event "+e.id+" has no leaf in this pack", e.where()+"：事件 "+e.id+" 在本包内没有对应的叶")
		}
	}
	return len(w.events) == 0, nil
}

func (w *work) readEvent(l line) *problem {
	s, ok := l.texts("id", "source", "stream", "sequence")
	if !ok {
		return l.malformed()
	}
	e := event{no: l.no, text: l.Raw, id: s[0], source: s[1], stream: s[2], sequence: s[3]}
	if last := len(w.events) - 1; last >= 0 && !w.events[last].before(&e) {
		return l.wrong("events stand by source, stream, sequence, none twice", "事件应按来源、流、序号排列，不得重复")
	}
	if _, twice := w.eventAt[[2]string{e.source, e.id}]; twice {
		return l.wrong("an event twice", "事件重复")
	}
	w.eventAt[[2]string{e.source, e.id}] = len(w.events)
	w.events = append(w.events, e)
	return nil
}

func (e *event) before(o *event) bool {
	if e.source != o.source {
		return e.source < o.source
	}
	if e.stream != o.stream {
		return e.stream < o.stream
	}
	return e.sequence < o.sequence
}

// matchEvent compares a case leaf with the event that the desk received.
func (w *work) matchEvent(l leaf) *problem {
	if l.Type != evidence.LeafCase {
		return nil
	}
	terminal, _ := evidence.TerminalOf(l.origin) // readKeys has read it
	d := l.d()
	i, ok := w.eventAt[[2]string{"urn:yuanlu:terminal:" + terminal, d.Get("id").Text}]
	if !ok {
		return wrong(l.where(), "its event is not in events.jsonl", "events.jsonl 中没有其事件")
	}
	e := &w.events[i]
	e.used = true
	received, err := evidence.Parse(e.text)
	if err != nil {
		return wrong(e.where(), "not one JSON object without anything around it", "不是单个 JSON 对象")
	}
	for _, name := range []string{"type", "subject", "time", "data"} {
		if !d.Get(name).Equal(received.Get(name)) {
			return wrong(l.where(), "its event has another "+name+" ("+e.where()+")", "与事件的 "+name+" 不同（"+e.where()+"）")
		}
	}
	return nil
}
