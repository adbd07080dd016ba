package verify

import (
	"encoding/hex"
	"slices"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// shown is what the journal makes of a case (casework.md § 5): only what case.json is held to.
type shown struct {
	state, owner, outcome string
	found                 bool
	files, contacts       int64
}

// fold applies one event of a journal.
func (s *shown) fold(e *entry) {
	switch e.what {
	case "opened":
		s.state = "new"
	case "claimed", "assigned":
		if s.owner = e.data("owner").Text; s.owner != "" && s.state == "new" {
			s.state = "verifying"
		}
	case "found":
		s.state, s.found = "working", true
	case "closed":
		s.state, s.owner, s.outcome = "closed", "", e.data("outcome").Text
		if slices.Contains([]string{"same_account", "rerouted_ok", "authorised_other", "record_error", "test", "inconclusive"}, s.outcome) {
			s.found = false
		}
	case "reopened":
		s.state, s.owner, s.outcome = "verifying", e.value().Get("by").Text, ""
		if s.found {
			s.state = "working"
		}
	case "filed":
		s.files++
	case "contacted":
		s.contacts++
	}
}

func (w *work) checkCase() (bool, *problem) {
	l, p := w.object(pack.Case, "no", "version", "hash", "state", "severity", "opened", "owner", "stores", "void_until", "waiting", "refunds", "finding", "recovery", "payer",
		"identified", "proposal", "escalation", "outcome", "merged_into", "payable", "advice", "steps", "contacts", "files")
	if p != nil {
		return false, p
	}
	if !caseForm(l.Value) {
		return false, l.malformed()
	}
	var s shown
	for i := range w.journal {
		s.fold(&w.journal[i])
	}
	version, hasVersion := l.number("version", 1)
	files, hasFiles := l.number("files", 0)
	contacts, hasContacts := l.number("contacts", 0)
	for _, c := range []struct {
		name string
		same bool
	}{
		{"no", l.Get("no").Text == w.meta.caseNo}, {"version", hasVersion && version == w.meta.version && version == int64(len(w.journal))}, {"hash", l.Get("hash").Text == w.meta.hash},
		{"state", l.Get("state").Text == s.state}, {"owner", l.Get("owner").Text == s.owner}, {"outcome", l.Get("outcome").Text == s.outcome},
		{"files", hasFiles && files == s.files}, {"contacts", hasContacts && (contacts == s.contacts || w.leavesOutEvents("contacted"))},
	} {
		if !c.same {
			return false, l.wrong("member "+c.name+" is not as the journal has it", "成员 "+c.name+" 与案件日志不符")
		}
	}
	return false, nil
}

func (w *work) leavesOutEvents(what string) bool {
	_, events, _ := leavesOut(w.meta.profile)
	return slices.Contains(events, what)
}

// caseForm reports whether a case and its parts have the members of casework.md § 10, each of its kind.
func caseForm(v evidence.Value) bool {
	or := func(name string, members ...string) bool {
		return v.Get(name).Kind == 'n' || v.Get(name).Has(members...)
	}
	each := func(name string, members ...string) bool {
		return v.Get(name).Kind == '[' && !slices.ContainsFunc(v.Get(name).Items, func(i evidence.Value) bool { return !i.Has(members...) })
	}
	for _, name := range []string{"no", "hash", "state", "severity", "opened", "owner", "identified", "outcome", "merged_into"} {
		if v.Get(name).Kind != '"' {
			return false
		}
	}
	_, isStores := v.Get("stores").Strings()
	_, isAdvice := v.Get("advice").Strings()
	_, isPayable := v.Get("payable").Int()
	until := v.Get("void_until").Kind
	return isStores && isAdvice && isPayable && (until == 'n' || until == '"') &&
		or("waiting", "for", "until") && each("refunds", "id", "role", "wrong", "decision", "recipient", "severity", "codes", "outcome", "amount", "currency", "cancelled", "back") &&
		or("finding", "wrong", "owed", "stake", "currency") && v.Get("recovery").Has("state", "since", "recovered", "lost") && v.Get("payer").Has("state", "since", "paid", "settled") &&
		or("proposal", "seq", "maker", "commands", "base", "approve_by", "expires") && or("escalation", "body", "ref", "answered") && each("steps", "step", "due")
}

func (w *work) checkFiles() (bool, *problem) {
	kinds, _, _ := leavesOut(w.meta.profile)
	wanted := map[string]bool{}
	left := []string{}
	filed := false
	for i := range w.journal {
		e := &w.journal[i]
		if e.what != "filed" {
			continue
		}
		filed = true
		sum := e.data("sha256").Text
		if !isHash(sum) {
			return false, line{entry: pack.Journal, no: e.no}.malformed()
		}
		if slices.Contains(kinds, e.data("kind").Text) {
			left = append(left, sum)
			continue
		}
		name := "files/" + sum + "." + pack.Extension(e.data("type").Text)
		if p := w.checkFile(e, name); p != nil {
			return false, p
		}
		wanted[name] = true
	}
	for _, e := range w.archive.Entries {
		if fileName.MatchString(e.Name) && !wanted[e.Name] {
			return false, wrong(e.Name, "a file of no filed event, or one that the profile leaves out", "没有对应的归档事件，或该配置应略去")
		}
	}
	slices.Sort(left)
	if !slices.Equal(slices.Compact(left), append([]string{}, w.meta.leftFiles...)) {
		return false, wrong(pack.Meta, "the files left out are not those of the journal and the profile", "略去的文件与案件日志及配置不符")
	}
	return !filed, nil
}

func (w *work) checkFile(e *entry, name string) *problem {
	f := w.archive.Find(name)
	if f == nil {
		return wrong(e.where(), name+" is missing", "缺少 "+name)
	}
	if sum := f.Sum; hex.EncodeToString(sum[:]) != e.data("sha256").Text {
		return wrong(name, "its bytes have another hash", "内容哈希不符")
	}
	if size, ok := e.data("size").Int(); !ok || size != f.Size {
		return wrong(name, "its size is not that of its event", "大小与事件不符")
	}
	return nil
}

// facts returns what is printed besides the checks.
func (w *work) facts() Facts {
	f := Facts{Pack: w.meta.pack, Case: w.meta.caseNo, Profile: w.meta.profile, For: w.meta.reader, By: w.meta.by, Refunds: w.refunds}
	if w.meta.read {
		f.At = w.meta.at.Format(timeForm)
	}
	for i := range w.journal {
		e := &w.journal[i]
		v := e.value()
		f.Entries = append(f.Entries, Entry{Seq: e.seq, At: v.Get("at").Text, By: v.Get("by").Text, What: e.what, Data: string(v.Get("data").Raw),
			LeftOut: e.leftOut, Anchored: e.anchored, Stamped: w.stampOf(e.n)})
		f.Sums = addSums(f.Sums, e)
	}
	return f
}

// addSums adds the amounts of an event that moves money, or states what is owed.
func addSums(sums []Sum, e *entry) []Sum {
	for _, s := range []struct{ what, member, en, zh string }{
		{"found", "stake", "at stake, as found", "认定涉及金额"}, {"found", "owed", "owed to the payer, as found", "认定应付付款方"}, {"reissue_approved", "amount", "approved to be paid again", "批准重新支付"},
		{"received", "amount", "received back", "已追回"}, {"sent", "amount", "sent to the payer", "已付给付款方"}, {"written_off", "amount", "written off", "核销"},
		{"closed", "lost", "lost, at closing", "结案时损失"}, {"closed", "payable", "still payable, at closing", "结案时仍应付"},
	} {
		what := e.what
		if what == "bill_link" { // it stands for that (bills.md § 7)
			what = e.data("fact").Text
		}
		if n, ok := e.data(s.member).Int(); ok && what == s.what {
			sums = append(sums, Sum{Text{s.en, s.zh}, n})
		}
	}
	return sums
}
