package verify

import (
	"fmt"
	"strings"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// stamped is a note of the desk's log under an outside stamp.
type stamped struct {
	size int64
	at   time.Time
}

func (w *work) checkStamps() (bool, *problem) {
	if w.desk == nil {
		return false, wrong(pack.DeskNote, "without a good desk note nothing can be checked", "后台检查点不成立，无法检查")
	}
	if p := w.checkNotes(); p != nil {
		return false, p
	}
	if p := w.each(pack.Stamps, []string{"note", "tst", "proof"}, w.readStamp); p != nil {
		return false, p
	}
	if len(w.stamped) == 0 {
		w.say("no outside stamp on the desk's log: its times are the merchant's own", "后台日志没有外部时间戳：时间由商户自述")
		return true, nil
	}
	w.sayStamped()
	return false, nil
}

// checkNotes checks that the desk's log has each checkpoint's note.
func (w *work) checkNotes() *problem {
	next := 0
	p := w.each(pack.Notes, []string{"origin", "size", "n", "proof"}, func(l line) *problem {
		if next == len(w.points) {
			return l.wrong("a note of no checkpoint in this pack", "包内没有该检查点")
		}
		pt := &w.points[next]
		next++
		origin, ok := l.texts("origin")
		size, isSize := l.number("size", 1)
		n, isN := l.number("n", 0)
		proof, isProof := l.proof()
		if !ok || !isSize || !isN || !isProof || origin[0] != pt.Origin || size != pt.Size {
			return l.wrong("the lines of "+pack.Checkpoints+" in their order", "应与 "+pack.Checkpoints+" 顺序一致")
		}
		if evidence.CheckInclusion(proof, w.desk.Size, w.desk.Root, n, evidence.LeafHash([]byte(pt.text))) != nil {
			return l.wrong("this checkpoint's note is not included in "+pack.DeskNote, "该检查点不在 "+pack.DeskNote+" 之内")
		}
		pt.n = n
		return nil
	})
	if p == nil && next < len(w.points) {
		p = wrong(pack.Notes, "one line is wanted for each of "+pack.Checkpoints, pack.Checkpoints+" 的每一行都应有一行")
	}
	return p
}

func (w *work) readStamp(l line) *problem {
	s, ok := l.texts("note", "tst")
	proof, isProof := l.proof()
	if !ok || !isProof {
		return l.malformed()
	}
	token, err := evidence.Decode64(s[1])
	if err != nil {
		return l.malformed()
	}
	n, err := evidence.ParseNote(s[0])
	if err != nil || !w.byDesk(n) {
		return l.wrong("the stamped note is not signed by the desk's log alone", "被盖时间戳的检查点并非仅由后台日志签名")
	}
	if len(w.stamped) > 0 && w.stamped[len(w.stamped)-1].size >= n.Size {
		return l.wrong("stamps stand by size", "时间戳应按大小排列")
	}
	if evidence.CheckConsistency(proof, n.Size, n.Root, w.desk.Size, w.desk.Root) != nil {
		return l.wrong("the stamped note is not the beginning of "+pack.DeskNote, "被盖时间戳的检查点不是 "+pack.DeskNote+" 的开头")
	}
	st, p := w.stamp(token, []byte(s[0]), l.where())
	if p != nil {
		return p
	}
	w.stamped = append(w.stamped, stamped{n.Size, st.Time})
	return nil
}

// stampOf returns the first stamp that holds leaf n of the desk's log; "" if none does.
func (w *work) stampOf(n int64) string {
	for _, s := range w.stamped {
		if n >= 0 && s.size > n {
			return w.clock(s.at)
		}
	}
	return ""
}

func (w *work) sayStamped() {
	for i, s := range w.stamped {
		var events, points []string
		from := int64(0)
		if i > 0 {
			from = w.stamped[i-1].size
		}
		for _, e := range w.journal {
			if !e.leftOut && e.n >= from && e.n < s.size {
				events = append(events, fmt.Sprint(e.seq))
			}
		}
		for _, p := range w.points {
			if p.n >= from && p.n < s.size {
				points = append(points, fmt.Sprint(p.Size))
			}
		}
		w.say(fmt.Sprintf("stamp %s first holds events %s and checkpoints of sizes %s", w.clock(s.at), list(events), list(points)),
			fmt.Sprintf("时间戳 %s 首次固定事件 %s 与大小为 %s 的检查点", w.clock(s.at), list(events), list(points)))
	}
}

func list(all []string) string {
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// times returns what is known of the time of each leaf that is proved.
func (w *work) times() []LeafTime {
	out := make([]LeafTime, 0, len(w.leaves))
	for _, l := range w.leaves {
		if !l.holds || !l.under.holds {
			continue
		}
		t := LeafTime{Origin: l.origin, N: l.N, Type: l.Type, NotAfter: w.clock(time.Unix(l.under.at, 0)), Stamped: w.stampOf(l.under.n)}
		for _, p := range w.points {
			if p.holds && p.Origin == l.origin && p.Size <= l.N {
				t.NotBefore = w.clock(time.Unix(p.at, 0))
			}
		}
		out = append(out, t)
	}
	return out
}
