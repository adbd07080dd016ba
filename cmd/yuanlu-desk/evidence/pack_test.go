package evidence_test

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	mrand "math/rand/v2"
	"os"
	"strings"
	"testing"

	desk "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence/pack"
)

func p256(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	return k
}

// TestSameBytes: the same case has the same bytes, and the verifier finds nothing wrong in
// any profile; unsigned it ends 3.
func TestSameBytes(t *testing.T) {
	s := story(t, forgery{}, nil)
	for _, profile := range []string{"court", "12315", "bank", "platform", "store"} {
		s.in.Profile = profile
		text := s.build()
		if !bytes.Equal(text, s.build()) {
			t.Errorf("%s: other bytes the second time", profile)
		}
		if exit, wrong := check(t, text, s.trust()); exit != verify.ExitUntrusted || wrong != nil {
			t.Errorf("%s: exit %d, %v", profile, exit, wrong)
		}
		z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		fatal(t, err)
		if len(z.File) < 18 || z.File[0].Name != pack.MimetypeName {
			t.Errorf("%s: %d entries", profile, len(z.File))
		}
	}
}

// TestProfilesLeaveOut: nothing that a profile leaves out is anywhere in its pack, the report
// included.
func TestProfilesLeaveOut(t *testing.T) {
	s := story(t, forgery{event: func(seq int64, data string) string {
		if seq == 6 {
			return `{"text":"NOTE-TEXT"}`
		}
		return strings.Replace(data, `"text":"已到账"`, `"text":"CONTACT-TEXT"`, 1)
	}}, nil)
	for _, tt := range []struct {
		profile, text string
		there         bool
	}{{"court", "CONTACT-TEXT", true}, {"bank", "CONTACT-TEXT", true}, {"store", "CONTACT-TEXT", false}, {"12315", "NOTE-TEXT", true}, {"bank", "NOTE-TEXT", false}, {"platform", "NOTE-TEXT", false}} {
		s.in.Profile = tt.profile
		if got := bytes.Contains(s.build(), []byte(tt.text)); got != tt.there {
			t.Errorf("%s: %s is there: %t", tt.profile, tt.text, got)
		}
	}
	for profile, files := range map[string]int{"court": 4, "12315": 3, "bank": 3, "platform": 2, "store": 1} {
		s.in.Profile = profile
		in := s.in
		all, err := desk.Build(&in)
		fatal(t, err)
		n := 0
		for _, f := range all {
			if strings.HasPrefix(f.Name, "files/") {
				n++
			}
		}
		if n != files {
			t.Errorf("%s: %d files, want %d", profile, n, files)
		}
	}
}

// TestReport: both languages, no script, nothing from outside, what people wrote is text.
func TestReport(t *testing.T) {
	s := story(t, forgery{event: func(seq int64, data string) string {
		return strings.Replace(data, `"text":"已到账"`, `"text":"<img src=x onerror=alert(1)>"`, 1)
	}}, nil)
	in := s.in
	files, err := desk.Build(&in)
	fatal(t, err)
	for _, f := range files {
		text := string(f.Data)
		switch f.Name {
		case pack.Report:
			for _, bad := range []string{"<script", "<img", "http://", "https://", "<link", "url(", "onerror=alert(1)>\""} {
				if strings.Contains(text, bad) {
					t.Errorf("the report has %s", bad)
				}
			}
			for _, want := range []string{"证据报告", "Evidence report", "620550*********3346", "620000******2227", "≠ 不同", "Different", "CNY 350.00", "&lt;img src=x", "@page", "A4", "138****0001", "读者 &lt;reader&gt;"} {
				if !strings.Contains(text, want) {
					t.Errorf("the report lacks %s", want)
				}
			}
		case pack.Readme:
			if strings.Index(text, "它证明什么") > strings.Index(text, "What it proves") || !strings.Contains(text, "sha256sum -c manifest-sha256.txt") || !strings.Contains(text, "It does not") && !strings.Contains(text, "does not prove") {
				t.Error("README.txt is not Chinese, then English, with its steps")
			}
		}
	}
}

// TestSignatures: every kind of key; the signature of another key is refused.
func TestSignatures(t *testing.T) {
	s := story(t, forgery{}, nil)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	fatal(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	for name, key := range map[string]crypto.Signer{"P-256": p256(t), "P-384": p384, "RSA": rsaKey} {
		for _, issued := range []bool{false, true} {
			s.in.Signer = certified(t, key, issued)
			if exit, wrong := check(t, s.build(), s.trust()); exit != verify.ExitHolds {
				t.Errorf("%s, issued %t: exit %d, %v", name, issued, exit, wrong)
			}
		}
	}
	s.in.Signer = certified(t, p256(t), true)
	s.in.Signer.Key = p256(t)
	in := s.in
	if _, err := desk.Build(&in); err == nil {
		t.Error("a pack is signed by a key that is not the certificate's")
	}
}

// TestE2EEveryBitOfASmallPack: a seeded tenth of its bits, with YUANLU_SOAK every one,
// changed: no pack, or wrong.
func TestE2EEveryBitOfASmallPack(t *testing.T) {
	s := byHand(t)
	s.in.Signer = certified(t, p256(t), true)
	text, known := s.build(), s.trust()
	if exit, wrong := check(t, text, known); exit != verify.ExitHolds {
		t.Fatalf("exit %d, %v", exit, wrong)
	}
	rnd := mrand.New(mrand.NewPCG(18, 5))
	all := os.Getenv("YUANLU_SOAK") != ""
	n := 8 * len(text) / 10
	if all {
		n = 8 * len(text)
	}
	for i := range n {
		bit := i
		if !all {
			bit = rnd.IntN(8 * len(text))
		}
		text[bit/8] ^= 1 << (bit % 8)
		if exit, _ := check(t, text, known); exit != verify.ExitWrong && exit != verify.ExitNoPack {
			t.Errorf("byte %d, bit %d of %d: exit %d", bit/8, bit%8, len(text), exit)
		}
		text[bit/8] ^= 1 << (bit % 8)
	}
	t.Logf("%d of %d bits", n, 8*len(text))
}

// TestInputsThatDoNotFit: what would not hold is not packed.
func TestInputsThatDoNotFit(t *testing.T) {
	for name, change := range map[string]func(in *desk.Input){
		"an unknown profile":      func(in *desk.Input) { in.Profile = "tax" },
		"a journal without end":   func(in *desk.Input) { in.Journal = in.Journal[:20]; in.Places = in.Places[:20] },
		"a file with other bytes": func(in *desk.Input) { in.Files[0].Data = append(in.Files[0].Data, 'x') },
		"a file is missing":       func(in *desk.Input) { in.Files = nil },
		"an event at another place": func(in *desk.Input) {
			in.Places[3]++
		},
		"the note of another desk": func(in *desk.Input) { in.DeskNote = in.Logs[0].Checkpoints[0].Note },
		"a leaf that is none":      func(in *desk.Input) { in.Logs[0].Leaves[2].Bytes = []byte("{}") },
	} {
		t.Run(name, func(t *testing.T) {
			s := story(t, forgery{}, nil)
			change(&s.in)
			if _, err := desk.Build(&s.in); err == nil {
				t.Error("it is packed")
			}
		})
	}
}
