package evidence_test

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	desk "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

const (
	terminalOrigin = "yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW"
	deskName       = "yuanlu-desk/desk-9"
	deskOrigin     = deskName + "/7D5K1S8W2X9Q4R6T3V0Z1A2B3C"
)

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// example reads the entries of the example pack whose case is packed again here.
func example(t testing.TB) map[string]string {
	t.Helper()
	z, err := zip.OpenReader("testdata/good-court.zip")
	fatal(t, err)
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		fatal(t, err)
		b, err := io.ReadAll(r)
		fatal(t, err)
		all[f.Name] = string(b)
	}
	fatal(t, z.Close())
	return all
}

// scenario is a terminal with its log, a desk with its own, and one case of both. Its keys are
// those of who forges.
type scenario struct {
	t                           testing.TB
	terminal, cosigner, deskLog *evidence.Signer
	log, desk                   evidence.Tree
	leaves                      [][]byte
	points                      []desk.Checkpoint
	sizes                       []int64
	in                          desk.Input
}

// forgery changes what a scenario is made of: the leaves of the terminal, the events of the journal.
type forgery struct {
	leaf  func(n int64, text string) string
	event func(seq int64, text string) string
}

// story plays the example's case: leaves come, checkpoints are co-signed, people work,
// and after each checkpoint the terminal anchors the desk's note.
func story(t testing.TB, f forgery, stamper desk.Stamper) *scenario {
	t.Helper()
	from := example(t)
	s := &scenario{t: t}
	s.terminal, s.cosigner = newSigner(t, terminalOrigin, "t"), newSigner(t, deskName, "d")
	s.deskLog = newSigner(t, deskOrigin, "d")
	old := map[int64]string{}
	for line := range strings.Lines(from[pack.Leaves]) {
		var l struct {
			N    int64
			Leaf string
		}
		fatal(t, json.Unmarshal([]byte(line), &l))
		old[l.N] = l.Leaf
	}
	for line := range strings.Lines(from[pack.Events]) {
		s.in.Events = append(s.in.Events, []byte(strings.TrimSuffix(line, "\n")))
	}
	var events []casework.Event
	for line := range strings.Lines(from[pack.Journal]) {
		var e casework.Event
		fatal(t, json.Unmarshal([]byte(line), &e))
		events = append(events, e)
	}
	next := 0
	for _, size := range []int64{11, 12, 15, 18, 25, 28, 35, 40} {
		for n := s.log.Size(); n < size; n++ {
			s.leaf(f, n, old[n])
		}
		s.checkpoint()
		for ; next < len(events) && next < int(size)*len(events)/40; next++ {
			s.event(f, events[next])
		}
		if stamper != nil && (size == 18 || size == 40) {
			note := s.deskNote()
			token, err := stamper([]byte(note))
			fatal(t, err)
			s.in.Stamps = append(s.in.Stamps, desk.Stamp{Note: note, Token: token})
		}
	}
	s.leaf(f, s.log.Size(), `"t":"anchor"`)
	s.checkpoint()
	s.input(from, stamper)
	return s
}

func newSigner(t testing.TB, name, seed string) *evidence.Signer {
	t.Helper()
	s, err := evidence.NewSigner(name, []byte(strings.Repeat(seed, 32)))
	fatal(t, err)
	return s
}

// leaf writes leaf n: as in the example, an anchor of this desk, or one of no case.
func (s *scenario) leaf(f forgery, n int64, old string) {
	text := old
	at := time.Date(2026, 8, 24, 1, 0, int(n), 0, time.UTC)
	switch {
	case strings.Contains(old, `"t":"anchor"`):
		text = string(evidence.AppendLeaf(nil, n, at, evidence.LeafAnchor, append(evidence.AppendString([]byte(`{"desk":`), s.deskNote()), '}')))
	case old == "":
		text = string(evidence.AppendLeaf(nil, n, at, evidence.LeafNote, []byte(`{"what":"retained","seq":1}`)))
	}
	if f.leaf != nil {
		text = f.leaf(n, text)
	}
	_, err := s.log.Append([]byte(text))
	fatal(s.t, err)
	s.leaves = append(s.leaves, []byte(text))
}

func (s *scenario) event(f forgery, e casework.Event) {
	if f.event != nil {
		e.Data = json.RawMessage(f.event(e.Seq, string(e.Data)))
	}
	e.Prev, e.Hash = strings.Repeat("0", 64), ""
	if n := len(s.in.Journal); n > 0 {
		e.Prev = s.in.Journal[n-1].Hash
	}
	sum := sha256.Sum256(e.Bytes())
	e.Hash = hex.EncodeToString(sum[:])
	n, err := s.desk.Append(e.Bytes())
	fatal(s.t, err)
	s.in.Journal, s.in.Places = append(s.in.Journal, e), append(s.in.Places, n)
}

// checkpoint co-signs the terminal's log as it is.
func (s *scenario) checkpoint() {
	size, from := s.log.Size(), int64(0)
	if len(s.sizes) > 0 {
		from = s.sizes[len(s.sizes)-1]
	}
	root, err := s.log.Root(size)
	fatal(s.t, err)
	n, err := s.terminal.Sign(evidence.Checkpoint{Origin: terminalOrigin, Size: size, Root: root})
	fatal(s.t, err)
	n, err = s.cosigner.Cosign(n, time.Date(2026, 8, 24, 1, 0, int(size), 0, time.UTC).Unix())
	fatal(s.t, err)
	proof, err := s.log.Consistency(from, size)
	fatal(s.t, err)
	at, err := s.desk.Append([]byte(n.String()))
	fatal(s.t, err)
	s.points, s.sizes = append(s.points, desk.Checkpoint{Note: n.String(), Proof: proof, N: at}), append(s.sizes, size)
}

func (s *scenario) deskNote() string {
	root, err := s.desk.Root(s.desk.Size())
	fatal(s.t, err)
	n, err := s.deskLog.Sign(evidence.Checkpoint{Origin: deskOrigin, Size: s.desk.Size(), Root: root})
	fatal(s.t, err)
	return n.String()
}

// input collects what the pack is made of.
func (s *scenario) input(from map[string]string, stamper desk.Stamper) {
	l := desk.Log{Key: s.terminal.Key(evidence.KeyLog), FirstSeen: "2026-08-20T08:00:05+08:00", Trusted: "bo", Checkpoints: s.points}
	for n, text := range s.leaves {
		if n != 0 && bytes.Contains(text, []byte(`"what":"retained"`)) {
			continue
		}
		for _, size := range s.sizes {
			if size > int64(n) {
				proof, err := s.log.Inclusion(int64(n), size)
				fatal(s.t, err)
				l.Leaves = append(l.Leaves, desk.Leaf{N: int64(n), Size: size, Bytes: text, Proof: proof})
				break
			}
		}
	}
	in := &s.in
	fatal(s.t, json.Unmarshal([]byte(from[pack.Case]), &in.Case))
	in.Case.Hash = in.Journal[len(in.Journal)-1].Hash
	for name, text := range from {
		if strings.HasPrefix(name, "files/") {
			in.Files = append(in.Files, desk.File{SHA256: name[len("files/") : len("files/")+64], Data: []byte(text)})
		}
	}
	in.Number, in.Reader, in.By, in.Program = "E-2026-000007", "读者 <reader>", "mei", "yuanlu-desk test"
	in.At = time.Date(2026, 8, 28, 9, 0, 0, 0, time.FixedZone("", 8*3600))
	in.Profile = "court"
	in.Logs, in.Cosigners = []desk.Log{l}, []evidence.Key{s.cosigner.Key(evidence.KeyCosign)}
	in.DeskKey, in.DeskNote, in.DeskLog = s.deskLog.Key(evidence.KeyLog), s.deskNote(), &s.desk
	in.Stamper = stamper
}

// byHand is the smallest case: opened by hand, with one note, without a terminal.
func byHand(t testing.TB) *scenario {
	t.Helper()
	s := &scenario{t: t, terminal: newSigner(t, terminalOrigin, "t"), cosigner: newSigner(t, deskName, "d"), deskLog: newSigner(t, deskOrigin, "d")}
	s.event(forgery{}, casework.Event{Case: "C-2026-000002", Seq: 1, At: "2026-08-24T09:00:00+08:00", By: "mei", What: "opened", Data: json.RawMessage(`{"from":"hand","store":"s1","text":""}`)})
	s.event(forgery{}, casework.Event{Case: "C-2026-000002", Seq: 2, At: "2026-08-24T09:01:00+08:00", By: "mei", What: "claimed", Data: json.RawMessage(`{"owner":"mei"}`)})
	view := &casework.View{No: "C-2026-000002", Version: 2, Hash: s.in.Journal[1].Hash, State: "verifying", Severity: "high", Opened: "2026-08-24T09:00:00+08:00", Owner: "mei", Stores: []string{"s1"},
		Refunds: []casework.RefundView{}, Advice: []string{}, Steps: []casework.StepView{}}
	text, err := json.Marshal(view)
	fatal(t, err)
	s.input(map[string]string{pack.Case: string(text)}, nil)
	s.in.Logs = nil
	return s
}

// build makes and writes the pack.
func (s *scenario) build() []byte {
	s.t.Helper()
	in := s.in
	files, err := desk.Build(&in)
	fatal(s.t, err)
	var b bytes.Buffer
	fatal(s.t, pack.Write(&b, files))
	return b.Bytes()
}

// trust returns a trust file that knows everything of a scenario; certificates are by their hash.
func (s *scenario) trust(stampers ...string) *verify.Trust {
	s.t.Helper()
	signers := []string{}
	if s.in.Signer != nil {
		sum := sha256.Sum256(s.in.Signer.Chain[0].Raw)
		signers = append(signers, hex.EncodeToString(sum[:]))
	}
	text, err := json.Marshal(map[string]any{"v": 1, "signers": signers, "cosigners": []string{s.cosigner.Key(evidence.KeyCosign).String()},
		"logs": []string{s.terminal.Key(evidence.KeyLog).String()}, "stampers": append([]string{}, stampers...)})
	fatal(s.t, err)
	known, err := verify.ParseTrust(text)
	fatal(s.t, err)
	return known
}

// check checks a pack with the verifier.
func check(t testing.TB, text []byte, known *verify.Trust) (exit int, wrong []string) {
	t.Helper()
	rep, err := verify.Run(bytes.NewReader(text), int64(len(text)), known)
	fatal(t, err)
	for _, c := range rep.Checks {
		if c.State == verify.Wrong {
			wrong = append(wrong, c.Name+": "+c.Where+": "+c.Text.EN)
		}
	}
	return rep.Exit, wrong
}

// certified returns a signer whose certificate is its own, or that of a new issuer.
func certified(t testing.TB, key crypto.Signer, issued bool) *desk.Signer {
	t.Helper()
	parentKey, parent := key, &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Merchant"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true}
	own := *parent
	var chain []*x509.Certificate
	if issued {
		ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		fatal(t, err)
		parent.Subject.CommonName = "Merchant CA"
		der, err := x509.CreateCertificate(rand.Reader, parent, parent, ca.Public(), ca)
		fatal(t, err)
		parent, err = x509.ParseCertificate(der)
		fatal(t, err)
		parentKey, chain = ca, []*x509.Certificate{parent}
		own.IsCA, own.KeyUsage, own.SerialNumber = false, x509.KeyUsageDigitalSignature, big.NewInt(8)
	}
	der, err := x509.CreateCertificate(rand.Reader, &own, parent, key.Public(), parentKey)
	fatal(t, err)
	cert, err := x509.ParseCertificate(der)
	fatal(t, err)
	return &desk.Signer{Key: key, Chain: append([]*x509.Certificate{cert}, chain...)}
}
