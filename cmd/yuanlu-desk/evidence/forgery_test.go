package evidence_test

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	desk "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// terminalOf takes the terminal's log of another story.
func terminalOf(s, from *scenario) {
	s.in.Logs[0].Leaves, s.in.Logs[0].Checkpoints = from.in.Logs[0].Leaves, from.in.Logs[0].Checkpoints
}

// TestForgeries: what evidence.md says that each cannot do unnoticed is found, with the check that
// finds it. All else is signed by the office as it should be.
func TestForgeries(t *testing.T) {
	dir, url := authority(t)
	stamp := stamperAt(t, url)
	known := hashOfPEM(t, filepath.Join(dir, "ca.pem"))
	key := p256(t)
	office := certified(t, key, true)
	shown := func(n int64, text string) string {
		if n == 15 {
			return strings.Replace(text, "620550*********3346", "620000******2227", 1)
		}
		return text
	}
	approver := func(seq int64, data string) string {
		return strings.Replace(data, `"checker":"bo"`, `"checker":"li"`, 1)
	}
	for _, tt := range []struct {
		name, check string
		exit        int
		forge       func(t *testing.T) *scenario
	}{
		{"terminal: a leaf below a co-signed checkpoint", "leaves", 1, func(t *testing.T) *scenario {
			s, f := story(t, forgery{}, stamp), story(t, forgery{leaf: shown}, nil)
			s.in.Logs[0].Leaves = f.in.Logs[0].Leaves
			return s
		}},
		{"terminal: a leaf, and its checkpoints signed again without the co-signer", "checkpoints", 1, func(t *testing.T) *scenario {
			s, f := story(t, forgery{}, stamp), story(t, forgery{leaf: shown}, nil)
			for i := range f.in.Logs[0].Checkpoints {
				c := &f.in.Logs[0].Checkpoints[i]
				was := s.in.Logs[0].Checkpoints[i]
				forged, err := evidence.ParseNote(c.Note)
				fatal(t, err)
				good, err := evidence.ParseNote(was.Note)
				fatal(t, err)
				forged.Lines[1] = good.Lines[1]
				c.Note, c.N = forged.String(), was.N
			}
			terminalOf(s, f)
			return s
		}},
		{"terminal: a leaf is removed, the others move up", "leaves", 1, func(t *testing.T) *scenario {
			s := story(t, forgery{}, stamp)
			for i := range s.in.Logs[0].Leaves {
				l := &s.in.Logs[0].Leaves[i]
				if l.N > 15 {
					number := strconv.FormatInt(l.N, 10)
					l.N--
					l.Bytes = bytes.Replace(l.Bytes, []byte(`"n":`+number), []byte(`"n":`+strconv.FormatInt(l.N, 10)), 1)
				}
			}
			return s
		}},
		{"terminal: a leaf is back-dated", "leaves", 1, func(t *testing.T) *scenario {
			s := story(t, forgery{}, stamp)
			l := &s.in.Logs[0].Leaves[5]
			l.Bytes = bytes.Replace(l.Bytes, []byte("2026-08-24T"), []byte("2026-08-20T"), 1)
			return s
		}},
		{"office: a leaf of a terminal whose key is known", "manifest", 1, func(t *testing.T) *scenario {
			f := story(t, forgery{leaf: shown}, nil)
			f.in.Logs[0].Key = newSigner(t, terminalOrigin, "x").Key(evidence.KeyLog)
			return f
		}},
		{"office: an anchored entry of the journal", "journal", 1, func(t *testing.T) *scenario {
			s, f := story(t, forgery{}, nil), story(t, forgery{event: approver}, nil)
			for i := range s.points { // the terminal's log is as it was, with the anchors of then
				at, err := f.desk.Append([]byte(s.points[i].Note))
				fatal(t, err)
				s.in.Logs[0].Checkpoints[i].N = at
			}
			f.in.Logs = s.in.Logs
			f.in.DeskNote = f.deskNote()
			f.in.DeskLog = lenient{&f.desk}
			return f
		}},
		{"both: an entry under a stamp", "stamps", 1, func(t *testing.T) *scenario {
			s, f := story(t, forgery{}, stamp), story(t, forgery{event: approver}, nil)
			f.in.Stamps, f.in.Stamper = s.in.Stamps, stamp
			f.in.DeskLog = lenient{&f.desk}
			return f
		}},
		{"office: an amount with a fraction, which no sum counts", "journal", 1, func(t *testing.T) *scenario {
			return story(t, forgery{event: func(seq int64, data string) string {
				return strings.Replace(data, `"owed":35000,"stake"`, `"owed":35000.0,"stake"`, 1)
			}}, nil)
		}},
		{"holder: an unsigned pack of his own", "", 3, func(t *testing.T) *scenario {
			s := story(t, forgery{}, nil)
			s.in.Signer = nil
			return s
		}},
		{"no forgery", "", 0, func(t *testing.T) *scenario { return story(t, forgery{}, stamp) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.forge(t)
			if tt.exit != 3 {
				s.in.Signer = office
			}
			exit, wrong := check(t, s.build(), s.trust(known))
			all := "\n" + strings.Join(wrong, "\n")
			if exit != tt.exit || tt.check != "" && !strings.Contains(all, "\n"+tt.check+": ") {
				t.Errorf("exit %d, want %d; wrong:%s\nwant %s", exit, tt.exit, all, tt.check)
			}
		})
	}
}

// lenient is the desk's log of an office that forges: it has a proof for everything.
type lenient struct{ *evidence.Tree }

// Consistency returns what there is; a size that never was has an empty proof.
func (l lenient) Consistency(from, size int64) ([]evidence.Hash, error) {
	if from > size {
		return nil, nil
	}
	return l.Tree.Consistency(from, size)
}

// TestDropped: a signed pack without its signature, its stamp or an entry, all hashes made to fit: wrong, or 3.
func TestDropped(t *testing.T) {
	s := story(t, forgery{}, nil)
	s.in.Signer = certified(t, p256(t), true)
	files, err := desk.Build(&s.in)
	fatal(t, err)
	for i, f := range files {
		if i == 0 {
			continue
		}
		var b bytes.Buffer
		fatal(t, pack.Write(&b, append(append([]pack.File{}, files[:i]...), files[i+1:]...)))
		if exit, _ := check(t, b.Bytes(), s.trust()); exit != verify.ExitWrong {
			t.Errorf("without %s: exit %d", f.Name, exit)
		}
	}
}
