package verify

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
	"yuanlu/protocol/evidence/seal"
)

// early is how much a stamp's clock may be behind the desk's (evidence.md § 6).
const early = 5 * time.Minute

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// known reports whether a chain has a certificate of a list.
func known(chain []*x509.Certificate, trusted []string) bool {
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return slices.Contains(trusted, fingerprint(c)) })
}

func (w *work) addKey(k Key) {
	if !slices.Contains(w.keys, k) {
		w.keys = append(w.keys, k)
	}
}

func (w *work) checkSignature() (bool, *problem) {
	if w.meta.read && !w.meta.signed {
		return true, nil
	}
	text, p := w.bytes(pack.SignerPEM)
	if p != nil {
		return false, p
	}
	der, p := w.bytes(pack.Signature)
	if p != nil {
		return false, p
	}
	content, p := w.bytes(pack.Manifest)
	if p != nil {
		return false, p
	}
	chain, err := seal.ParseChain(text)
	if err != nil {
		return false, wrong(pack.SignerPEM, err.Error(), "不是 PEM 证书链")
	}
	w.addKey(Key{"signer", chain[0].Subject.String(), fingerprint(chain[0]), known(chain, w.trust.signers)})
	keys, p := w.object(pack.Keys, "v", "signer", "cosigners", "journal", "logs")
	if p != nil || keys.Get("signer").Text != fingerprint(chain[0]) {
		return false, wrong(pack.Keys, "signer is not the hash of the first certificate of signer.pem", "签名者不是 signer.pem 首个证书的哈希")
	}
	if err := seal.CheckChain(chain, w.meta.at); err != nil {
		return false, wrong(pack.SignerPEM, err.Error(), "证书链不成立，或在签名时无效")
	}
	if err := seal.CheckSignature(der, chain[0], content, w.meta.at); err != nil {
		return false, wrong(pack.Signature, err.Error(), "签名不成立，或不是规定的形式")
	}
	w.say("whether a certificate was revoked cannot be checked without a network", "离线无法检查证书是否被吊销")
	return false, nil
}

func (w *work) checkStamp() (bool, *problem) {
	if w.meta.read && !w.meta.stamped {
		w.say("no outside time stamp: the time of this pack is its maker's own", "没有外部时间戳：本包的时间由制作方自述")
		return true, nil
	}
	der, p := w.bytes(pack.Timestamp)
	if p != nil {
		return false, p
	}
	content, p := w.bytes(pack.Manifest2)
	if p != nil {
		return false, p
	}
	s, p := w.stamp(der, content, pack.Timestamp)
	if p != nil {
		return false, p
	}
	if s.Time.Before(w.meta.at.Add(-early)) {
		return false, wrong(pack.Timestamp, "the stamp is more than 5 minutes older than the pack", "时间戳早于本包 5 分钟以上")
	}
	w.say("this pack existed at "+w.clock(s.Time)+" (outside stamp)", "本包在 "+w.clock(s.Time)+" 已存在（外部时间戳）")
	return false, nil
}

// stamp checks a token over content.
func (w *work) stamp(der, content []byte, where string) (*seal.Stamp, *problem) {
	s, err := seal.CheckStamp(der, content)
	if err != nil {
		return nil, wrong(where, err.Error(), "时间戳不成立")
	}
	c := s.Chain[0]
	trusted := known(s.Chain, w.trust.stampers)
	if !seal.Closed(s.Chain) { // only its hash holds the bytes of the last certificate
		trusted = slices.Contains(w.trust.stampers, fingerprint(s.Chain[len(s.Chain)-1]))
	}
	w.addKey(Key{"stamper", c.Subject.String(), fingerprint(c), trusted})
	return s, nil
}

// clock writes a time in the zone of the pack.
func (w *work) clock(at time.Time) string { return at.In(w.meta.at.Location()).Format(timeForm) }

// point is one co-signed checkpoint of a terminal's log.
type point struct {
	*evidence.Note
	text string // the note's bytes
	at   int64  // of its co-signature
	n    int64  // in the desk's log, once checked; -1: not

	holds bool // signatures and consistency
}

func (w *work) hasTerminal() bool {
	return w.archive.Find(pack.Checkpoints) != nil || w.archive.Find(pack.Leaves) != nil
}

func (w *work) checkCheckpoints() (bool, *problem) {
	if !w.hasTerminal() {
		w.say("no log of a terminal: a case by hand, or of an agent without one", "没有终端日志：手工开立的案件，或旧版终端程序")
		return true, nil
	}
	w.pointAt = map[place]int{}
	var first *problem
	lines := 0
	p := w.each(pack.Checkpoints, []string{"origin", "size", "note", "from", "proof"}, func(l line) *problem {
		lines++
		if p := w.readPoint(l); first == nil {
			first = p
		}
		return nil
	})
	switch {
	case first == nil && p != nil:
		first = p
	case lines == 0:
		first = wrong(pack.Checkpoints, "an entry without lines", "条目为空")
	}
	return false, first
}

func (w *work) readPoint(l line) *problem {
	s, ok := l.texts("origin", "note")
	size, isSize := l.number("size", 1)
	from, isFrom := l.number("from", 0)
	proof, isProof := l.proof()
	if !ok || !isSize || !isFrom || !isProof {
		return l.malformed()
	}
	n, err := evidence.ParseNote(s[1])
	if err != nil || n.Origin != s[0] || n.Size != size || len(n.Lines) != 2 {
		return l.wrong("not a note of this origin and size with exactly two signature lines", "不是该来源与大小、恰有两行签名的检查点")
	}
	pt := point{Note: n, text: s[1], n: -1}
	p := w.checkPoint(l, &pt, from, proof)
	pt.holds = p == nil
	w.pointAt[place{n.Origin, size}] = len(w.points)
	w.points = append(w.points, pt) // the other checks look at it, too
	return p
}

// checkPoint checks the signatures of a checkpoint and that it continues the one before.
func (w *work) checkPoint(l line, pt *point, from int64, proof []evidence.Hash) *problem {
	n := pt.Note
	i := slices.IndexFunc(w.logs, func(k evidence.Key) bool { return k.Name == n.Origin })
	if i < 0 || n.Lines[0].Name != n.Origin || n.SignedBy(w.logs[i]) != nil {
		return l.wrong("not signed by the log's key of keys.json", "未由 keys.json 中该日志的密钥签名")
	}
	cosigned := false
	for _, k := range w.cosigners {
		if at, err := n.CosignedBy(k); err == nil {
			pt.at, cosigned = at, true
		}
	}
	if !cosigned {
		return l.wrong("not co-signed by a key of keys.json", "未由 keys.json 中的联署者联署")
	}
	var before *point
	if len(w.points) > 0 {
		before = &w.points[len(w.points)-1]
	}
	switch {
	case before != nil && before.Origin > n.Origin, before != nil && before.Origin == n.Origin && before.Size >= n.Size:
		return l.wrong("checkpoints stand by origin, then size", "检查点应按来源、再按大小排列")
	case before == nil || before.Origin != n.Origin:
		if from != 0 || len(proof) > 0 {
			return l.wrong("the first checkpoint of a log is from 0 without a proof", "日志首个检查点应从 0 开始且无证明")
		}
	case from != before.Size || evidence.CheckConsistency(proof, from, before.Root, n.Size, n.Root) != nil:
		return l.wrong("the log before is not its beginning", "前一检查点不是其开头")
	case pt.at < before.at:
		return l.wrong("co-signed before the smaller one", "联署时间早于较小的检查点")
	}
	return nil
}

// pointOf returns the checkpoint of an origin and size; nil if there is none.
func (w *work) pointOf(origin string, size int64) *point {
	if i, ok := w.pointAt[place{origin, size}]; ok {
		return &w.points[i]
	}
	return nil
}
