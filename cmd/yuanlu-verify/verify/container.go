package verify

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// meta is pack.json.
type meta struct {
	pack, caseNo, hash, profile, reader, by, program string
	version                                          int64
	at                                               time.Time
	signed, stamped                                  bool
	leftEvents                                       []int64
	leftFiles                                        []string
	read                                             bool
}

var (
	packNo   = regexp.MustCompile(`^E-[0-9]{4}-[0-9]{6}$`)
	caseNo   = regexp.MustCompile(`^C-[0-9]{4}-[0-9]{6}$`)
	person   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	fileName = regexp.MustCompile(`^files/([0-9a-f]{64})\.(pdf|jpg|png|webp|txt|mp3|m4a)$`)
)

// Profiles (evidence.md § 5), each with what it leaves out.
func leavesOut(profile string) (kinds, events []string, known bool) {
	switch profile {
	case "court":
		return nil, nil, true
	case "12315":
		return []string{"identity"}, nil, true
	case "bank":
		return []string{"identity"}, []string{"noted"}, true
	case "platform":
		return []string{"identity", "recording"}, []string{"noted"}, true
	case "store":
		return []string{"identity", "recording", "statement", "letter"}, []string{"noted", "contacted"}, true
	}
	return nil, nil, false
}

func (w *work) checkZIP() (bool, *problem) {
	var at *pack.ByteError
	if errors.As(w.broken, &at) {
		where := fmt.Sprintf("byte %d", at.Offset)
		if at.Entry != "" {
			where += ", " + at.Entry
		}
		return false, wrong(where, "want "+at.Want, "不是证据包唯一允许的字节形式")
	}
	w.meta, _ = w.readMeta() // checkManifest reports what is wrong with it
	body := w.body()
	want := append([]string{pack.MimetypeName}, body...)
	want = append(want, pack.Sums, pack.Manifest)
	if w.meta.signed {
		want = append(want, pack.Signature)
	}
	if w.meta.stamped {
		want = append(want, pack.Manifest2, pack.Timestamp)
	}
	for i, e := range w.archive.Entries {
		if i >= len(want) || e.Name != want[i] {
			return false, wrong(e.Name, "an entry that is unknown, at another place, or behind one that is missing", "未知条目、位置不符，或其前缺少条目")
		}
	}
	if n := len(w.archive.Entries); n < len(want) {
		return false, wrong(want[n], "this entry is missing", "缺少该条目")
	}
	return false, nil
}

// body returns the names that must stand between mimetype and the lists of hashes.
func (w *work) body() []string {
	names := pack.Required()
	if w.archive.Find(pack.Leaves) != nil || w.archive.Find(pack.Checkpoints) != nil {
		names = append(names, pack.Checkpoints, pack.Leaves)
	}
	if w.meta.signed {
		names = append(names, pack.SignerPEM)
	}
	for _, e := range w.archive.Entries {
		if fileName.MatchString(e.Name) && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *work) readMeta() (m meta, p *problem) {
	l, p := w.object(pack.Meta, "v", "pack", "case", "version", "hash", "profile", "for", "at", "by", "signed", "stamped", "left_out", "program")
	if p != nil {
		return m, p
	}
	s, ok := l.texts("pack", "case", "hash", "profile", "for", "at", "by", "program")
	v, isOne := l.number("v", 1)
	version, counts := l.number("version", 1)
	left := l.Get("left_out")
	if !ok || !isOne || v != 1 || !counts || !l.Get("signed").IsBool() || !l.Get("stamped").IsBool() || !left.Has("events", "files") || left.Get("events").Kind != '[' {
		return m, l.malformed()
	}
	m = meta{pack: s[0], caseNo: s[1], hash: s[2], profile: s[3], reader: s[4], by: s[6], program: s[7], version: version,
		signed: l.Get("signed").Kind == 't', stamped: l.Get("stamped").Kind == 't', read: true}
	var timed, files bool
	m.at, timed = written(s[5])
	for _, item := range left.Get("events").Items {
		n, isSeq := item.Int()
		if !isSeq || n < 1 || len(m.leftEvents) > 0 && n <= m.leftEvents[len(m.leftEvents)-1] {
			return m, l.malformed()
		}
		m.leftEvents = append(m.leftEvents, n)
	}
	m.leftFiles, files = left.Get("files").Strings()
	sorted := slices.IsSorted(m.leftFiles) && len(slices.Compact(slices.Clone(m.leftFiles))) == len(m.leftFiles)
	_, _, known := leavesOut(m.profile)
	if !packNo.MatchString(m.pack) || !caseNo.MatchString(m.caseNo) || !isHash(m.hash) || !known || !timed || !person.MatchString(m.by) || !files || !sorted ||
		slices.ContainsFunc(m.leftFiles, notHash) {
		return m, l.malformed()
	}
	return m, nil
}

func (w *work) checkManifest() (bool, *problem) {
	var p *problem
	w.meta, p = w.readMeta()
	keys := w.readKeys() // the other checks look at them, whatever is wrong with the lists
	return false, cmp.Or(p, w.checkLists(), keys)
}

// checkLists compares the lists of hashes with the entries.
func (w *work) checkLists() *problem {
	var listed, covered []pack.Entry
	for _, e := range w.archive.Entries {
		if e.Name == pack.Sums {
			break
		}
		if e.Name != pack.MimetypeName {
			listed = append(listed, e)
		}
	}
	if p := w.same(pack.Sums, pack.SumList(listed)); p != nil {
		return p
	}
	listed = append(listed, *w.archive.Find(pack.Sums))
	if p := w.same(pack.Manifest, pack.ManifestXML(listed, w.meta.signed)); p != nil || !w.meta.stamped {
		return p
	}
	covered = append(covered, *w.archive.Find(pack.Manifest))
	if e := w.archive.Find(pack.Signature); e != nil && w.meta.signed {
		covered = append(covered, *e)
	}
	return w.same(pack.Manifest2, pack.StampXML(covered))
}

// same compares an entry with what it must be.
func (w *work) same(name string, want []byte) *problem {
	got, p := w.bytes(name)
	if p != nil {
		return p
	}
	if !bytes.Equal(got, want) {
		n := 0
		for n < min(len(got), len(want)) && got[n] == want[n] {
			n++
		}
		return wrong(fmt.Sprintf("%s line %d, byte %d", name, 1+bytes.Count(got[:n], []byte("\n")), n), "not the list of the hashes of these entries", "与各条目的哈希清单不符")
	}
	return nil
}

func (w *work) readKeys() *problem {
	l, p := w.object(pack.Keys, "v", "signer", "cosigners", "journal", "logs")
	if p != nil {
		return p
	}
	v, ok := l.number("v", 1)
	s, texts := l.texts("signer", "journal")
	list, isList := l.Get("cosigners").Strings()
	if !ok || v != 1 || !texts || !isList || len(list) == 0 || (s[0] != "") != w.meta.signed || s[0] != "" && !isHash(s[0]) || l.Get("logs").Kind != '[' {
		return l.malformed()
	}
	var err error
	if w.journalBy, err = evidence.ParseKey(s[1], evidence.KeyLog); err != nil {
		return l.wrong("journal is no vkey of a log", "日志公钥格式不符")
	}
	owned := false
	for _, text := range list {
		k, err := evidence.ParseKey(text, evidence.KeyCosign)
		if err != nil || !rises(w.cosigners, k) || !strings.HasPrefix(k.Name, "yuanlu-desk/") {
			return l.wrong("cosigners are vkeys of type 4, by name", "联署者应为按名称排序的 4 型公钥")
		}
		w.cosigners = append(w.cosigners, k)
		w.keys = append(w.keys, Key{"cosigner", k.Name, k.Fingerprint(), slices.Contains(w.trust.cosigners, text)})
		desk, isDesk := evidence.DeskOf(w.journalBy.Name)
		owned = owned || isDesk && desk == k.Name && k.Public.Equal(w.journalBy.Public)
	}
	if !owned {
		return l.wrong("the journal's key is not that of a co-signer", "后台日志的密钥不属于任何联署者")
	}
	return w.readLogs(l)
}

func (w *work) readLogs(l line) *problem {
	for _, item := range l.Get("logs").Items {
		seen := item.Get("first_seen")
		_, timed := written(seen.Text)
		trusted := item.Get("trusted")
		k, err := evidence.ParseKey(item.Get("vkey").Text, evidence.KeyLog)
		_, isLog := evidence.TerminalOf(k.Name)
		if err != nil || !item.Has("vkey", "first_seen", "trusted") || seen.Kind != '"' || !timed || trusted.Kind != '"' || trusted.Text != "" && !person.MatchString(trusted.Text) ||
			!isLog || !rises(w.logs, k) {
			return l.wrong("logs are vkeys of terminals, by name, with first_seen and trusted", "应为按名称排序的终端日志公钥")
		}
		w.logs = append(w.logs, k)
		known := !w.trust.hasLogs || slices.Contains(w.trust.logs, k.String())
		for _, text := range w.trust.logs {
			if t, err := evidence.ParseKey(text, evidence.KeyLog); err == nil && t.Name == k.Name && t.String() != k.String() {
				return l.wrong("log "+k.Name+" has another key in the trust file", "日志 "+k.Name+" 的密钥与信任文件不同")
			}
		}
		w.keys = append(w.keys, Key{"log", k.Name, k.Fingerprint(), known})
	}
	return w.logsAreThose(l)
}

// logsAreThose checks that the logs of keys.json are exactly those of the checkpoints.
func (w *work) logsAreThose(l line) *problem {
	var origins []string
	if w.archive.Find(pack.Checkpoints) != nil {
		if p := w.each(pack.Checkpoints, nil, func(c line) *problem {
			if o := c.Get("origin").Text; !slices.Contains(origins, o) {
				origins = append(origins, o)
			}
			return nil
		}); p != nil {
			return p
		}
	}
	slices.Sort(origins)
	if !slices.EqualFunc(origins, w.logs, func(o string, k evidence.Key) bool { return o == k.Name }) {
		return l.wrong("logs are not those of terminal/checkpoints.jsonl", "终端日志与 terminal/checkpoints.jsonl 不一致")
	}
	return nil
}

func rises(all []evidence.Key, k evidence.Key) bool {
	return len(all) == 0 || all[len(all)-1].Name < k.Name
}
