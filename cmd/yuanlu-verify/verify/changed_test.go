package verify_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// entries reads a pack by another reader of ZIP.
func entries(t testing.TB, text []byte) (files []pack.File) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, pack.File{Name: f.Name, Data: b})
	}
	return files
}

// fit writes files as a pack and makes every hash outside of signatures fit.
func fit(t testing.TB, files []pack.File) []byte {
	t.Helper()
	var body, covered []pack.Entry
	signed := false
	for _, f := range files {
		signed = signed || f.Name == pack.Signature
	}
	for i := range files {
		f := &files[i]
		switch f.Name {
		case pack.MimetypeName, pack.Timestamp:
		case pack.Sums:
			f.Data = pack.SumList(body)
			body = append(body, f.Entry())
		case pack.Manifest:
			f.Data = pack.ManifestXML(body, signed)
			covered = append(covered, f.Entry())
		case pack.Signature:
			covered = append(covered, f.Entry())
		case pack.Manifest2:
			f.Data = pack.StampXML(covered)
		default:
			body = append(body, f.Entry())
		}
	}
	return write(t, files)
}

func write(t testing.TB, files []pack.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pack.Write(&b, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWrittenAgain: the entries of the examples, written here, are the examples byte for byte.
func TestWrittenAgain(t *testing.T) {
	for _, name := range []string{"good.zip", "good-court.zip", "stripped.zip"} {
		text := read(t, "packs", name)
		if got := fit(t, entries(t, text)); !bytes.Equal(got, text) {
			t.Errorf("%s is written otherwise", name)
		}
	}
}

// TestRandomBits: a pack with one bit changed is no pack, or wrong. Every bit of a small
// pack is tried where packs are made (TestE2EEveryBitOfASmallPack of the desk).
func TestRandomBits(t *testing.T) {
	known, text := trust(t), read(t, "packs", "good.zip")
	rnd := rand.New(rand.NewPCG(18, 2))
	for range 60 {
		bit := rnd.IntN(len(text) * 8)
		text[bit/8] ^= 1 << (bit % 8)
		if rep := run(t, text, known); rep.Exit != verify.ExitWrong && rep.Exit != verify.ExitNoPack {
			t.Errorf("byte %d, bit %d: exit %d", bit/8, bit%8, rep.Exit)
		}
		text[bit/8] ^= 1 << (bit % 8)
	}
}

// TestE2EEveryEntryChanged: each entry with a byte changed, one more, one fewer, or empty, and
// every hash outside of signatures made to fit again: wrong, or unsigned, never good.
func TestE2EEveryEntryChanged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(18, 3))
	each := 4
	if os.Getenv("YUANLU_SOAK") != "" {
		each = 400
	}
	known := trust(t)
	for _, name := range []string{"good.zip", "stripped.zip"} {
		files := entries(t, read(t, "packs", name))
		for i := range files {
			if files[i].Name == pack.MimetypeName {
				continue
			}
			t.Run(name+"/"+files[i].Name, func(t *testing.T) {
				was := files[i].Data
				changes := [][]byte{nil, append(bytes.Clone(was), '\n'), was[:len(was)-1], append([]byte(" "), was...)}
				for range each {
					c := bytes.Clone(was)
					c[rnd.IntN(len(c))] ^= 1 << rnd.IntN(8)
					changes = append(changes, c)
				}
				for j, c := range changes {
					changed := append([]pack.File{}, files...)
					changed[i].Data = c
					text := fit(t, changed)
					if !bytes.Equal(changed[i].Data, c) { // fit has made it again
						changed[i].Data = c
						text = write(t, changed)
					}
					if rep := run(t, text, known); rep.Exit == verify.ExitHolds {
						t.Errorf("change %d: exit 0", j)
					}
				}
			})
		}
	}
}

// TestForms: one thing of the container or of a list is not of its form, and its check is wrong.
func TestForms(t *testing.T) {
	known := trust(t)
	good := entries(t, read(t, "packs", "good.zip"))
	edit := func(name string, change func(string) string) func([]pack.File) []pack.File {
		return func(files []pack.File) []pack.File {
			for i := range files {
				if files[i].Name == name {
					files[i].Data = []byte(change(string(files[i].Data)))
				}
			}
			return files
		}
	}
	swap := func(old, now string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not there", old)
			}
			return strings.Replace(s, old, now, 1)
		}
	}
	lines := func(change func([]string) []string) func(string) string {
		return func(s string) string { return strings.Join(change(strings.SplitAfter(s, "\n")), "") }
	}
	drop := func(i int) func(string) string {
		return lines(func(l []string) []string { return append(l[:i:i], l[i+1:]...) })
	}
	twice := lines(func(l []string) []string { return append([]string{l[0]}, l...) })
	for _, tt := range []struct {
		name, check string
		change      func([]pack.File) []pack.File
	}{
		{"an unknown entry", "zip", func(f []pack.File) []pack.File {
			return append(f[:2:2], append([]pack.File{{Name: "aaa.txt", Data: []byte("x")}}, f[2:]...)...)
		}},
		{"two entries the other way round", "zip", func(f []pack.File) []pack.File { f[1], f[2] = f[2], f[1]; return f }},
		{"an entry is missing", "zip", func(f []pack.File) []pack.File { return append(f[:1:1], f[2:]...) }},
		{"pack.json with a space", "manifest", edit(pack.Meta, swap(`"v":1,`, `"v":1, `))},
		{"pack.json without a newline", "manifest", edit(pack.Meta, strings.TrimSpace)},
		{"an unknown profile", "manifest", edit(pack.Meta, swap(`"bank"`, `"tax"`))},
		{"keys.json without v", "manifest", edit(pack.Keys, swap(`{"v":1,"signer":`, `{"signer":`))},
		{"a log more", "manifest", edit(pack.Keys, swap(`"logs":[`, `"logs":[{"vkey":"yuanlu/t-0/4T3X8K2M9QZ7V5B1N6C0DYHJRW+3e3cc100+Af5pM5VY4MrY6/C8Qd4h9cgVz3CSnRxczmQgjOcg3yUR","first_seen":"2026-08-20T08:00:05+08:00","trusted":""},`))},
		{"a checkpoint is missing", "checkpoints", edit(pack.Checkpoints, drop(1))},
		{"a checkpoint twice", "checkpoints", edit(pack.Checkpoints, twice)},
		{"a leaf twice", "leaves", edit(pack.Leaves, twice)},
		{"an event changed", "events", edit(pack.Events, swap(`"severity":"critical"`, `"severity":"low"`))},
		{"a number written otherwise", "events", edit(pack.Events, swap(`"amount":35000`, `"amount":35000.0`))},
		{"an event is missing", "events", edit(pack.Events, drop(0))},
		{"an event twice", "events", edit(pack.Events, twice)},
		{"the last event is missing", "journal", edit(pack.Journal, drop(20))},
		{"a proof is missing", "journal", edit(pack.Proofs, drop(3))},
		{"an anchor's proof is missing", "journal", edit(pack.Anchors, drop(0))},
		{"a left-out event more", "journal", edit(pack.Meta, swap(`"events":[6]`, `"events":[6,7]`))},
		{"a profile that leaves no event out", "journal", edit(pack.Meta, swap(`"bank"`, `"12315"`))},
		{"a checkpoint that the desk's log has not", "stamps", edit(pack.Notes, drop(2))},
		{"stamps in another order", "stamps", edit(pack.Stamps, lines(func(l []string) []string { l[0], l[1] = l[1], l[0]; return l }))},
		{"a stamp of another note", "stamps", edit(pack.Stamps, lines(func(l []string) []string {
			from, to := strings.Split(l[0], `"tst":`), strings.Split(l[1], `"tst":`)
			l[1] = to[0] + `"tst":` + from[1][:strings.Index(from[1], `,"proof"`)] + to[1][strings.Index(to[1], `,"proof"`):]
			return l
		}))},
		{"the owner of the case", "case", edit(pack.Case, swap(`"owner":""`, `"owner":"bo"`))},
		{"how many files", "case", edit(pack.Case, swap(`"files":4`, `"files":3`))},
		{"a version in quotes", "case", edit(pack.Case, swap(`"version":21`, `"version":"21"`))},
		{"an amount with a fraction", "case", edit(pack.Case, swap(`"payable":0`, `"payable":0.0`))},
		{"an amount in quotes", "case", edit(pack.Case, swap(`"payable":0`, `"payable":"0"`))},
		{"a case without stores", "case", edit(pack.Case, swap(`"stores":["s1"]`, `"stores":null`))},
		{"a case without recovery", "case", edit(pack.Case, swap(`"recovery":{"state":"recovered","since":"2026-08-24T09:30:00+08:00","recovered":35000,"lost":0}`, `"recovery":null`))},
		{"a member more in a refund", "case", edit(pack.Case, swap(`"back":true`, `"back":true,"x":1`))},
		{"a file left out that the profile has", "files", edit(pack.Meta, swap(`"files":["`, `"files":["0000000000000000000000000000000000000000000000000000000000000000","`))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := make([]pack.File, len(good))
			for i, f := range good {
				files[i] = pack.File{Name: f.Name, Data: bytes.Clone(f.Data)}
			}
			rep := run(t, fit(t, tt.change(files)), known)
			all := strings.Join(wrongs(rep), "\n")
			if rep.Exit != verify.ExitWrong || !strings.Contains("\n"+all, "\n"+tt.check+": ") {
				t.Errorf("exit %d; wrong:\n%s\nwant %s", rep.Exit, all, tt.check)
			}
		})
	}
}

// TestBounds: what is beyond a bound is wrong, what is just inside is not.
func TestBounds(t *testing.T) {
	known, good := trust(t), entries(t, read(t, "packs", "good.zip"))
	event := func(x string) string {
		return `{"id":"X","source":"urn:yuanlu:terminal:t-1","stream":"S9","sequence":"1","x":` + x + "}\n"
	}
	frame := len(event("")) - 1
	for _, tt := range []struct {
		name, line string
		wrong      bool
	}{
		{"64 levels", event(strings.Repeat("[", 63) + strings.Repeat("]", 63)), false}, {"65 levels", event(strings.Repeat("[", 64) + strings.Repeat("]", 64)), true},
		{"1 MiB", event(`"` + strings.Repeat("x", 1<<20-frame-2) + `"`), false}, {"1 MiB and a byte", event(`"` + strings.Repeat("x", 1<<20-frame-1) + `"`), true},
		{"a control character", event("[\t]"), true}, {"no newline", strings.TrimSuffix(event("1"), "\n"), true}, {"an empty line", "\n", true},
		{"a member twice", event(`{"a":1,"a":1}`), true}, {"half a character", event("\"\xe4\xb8\""), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := append([]pack.File{}, good...)
			for i := range files {
				if files[i].Name == pack.Events {
					files[i].Data = append(bytes.Clone(files[i].Data), tt.line...)
				}
			}
			all := strings.Join(wrongs(run(t, fit(t, files), known)), "\n")
			if strings.Contains("\n"+all, "\nevents: ") != tt.wrong {
				t.Errorf("wrong:\n%s", all)
			}
		})
	}
	many := append([]pack.File{}, good[:2]...)
	for i := range pack.MaxEntries {
		many = append(many, pack.File{Name: fmt.Sprintf("x%d", i)})
	}
	if err := pack.Write(io.Discard, many); err == nil {
		t.Error("a pack of 2002 entries is written")
	}
	var b bytes.Buffer
	for _, f := range many { // each as the only entry of a pack, without the directory behind it
		text := write(t, []pack.File{f})
		b.Write(text[:binary.LittleEndian.Uint32(text[len(text)-6:])])
	}
	if rep := run(t, b.Bytes(), known); rep.Exit != verify.ExitWrong || !strings.Contains(wrongs(rep)[0], "2000 entries") {
		t.Errorf("2002 entries: exit %d, %v", rep.Exit, wrongs(rep))
	}
}

// TestEveryByteOfTheContainer: other ZIP files with the same entries are no packs.
func TestEveryByteOfTheContainer(t *testing.T) {
	known, text := trust(t), read(t, "packs", "good.zip")
	end := len(text) - 22
	for name, other := range map[string][]byte{
		"a byte behind it":   append(bytes.Clone(text), 0),
		"a comment":          append(append(bytes.Clone(text[:len(text)-2]), 1, 0), 'x'),
		"a byte less":        text[:len(text)-1],
		"no directory":       text[:binary.LittleEndian.Uint32(text[end+16:])],
		"the end of another": append(bytes.Clone(text), text[end:]...),
	} {
		if rep := run(t, other, known); rep.Exit != verify.ExitWrong || len(wrongs(rep)) != 1 {
			t.Errorf("%s: exit %d, %v", name, rep.Exit, wrongs(rep))
		}
	}
	for _, none := range []string{"", "PK", strings.Repeat("x", 100)} {
		if rep := run(t, []byte(none), known); rep.Exit != verify.ExitNoPack {
			t.Errorf("%q: exit %d", none, rep.Exit)
		}
	}
}

// TestNewerPack: a pack of a newer program ends 2, whatever else is wrong with it.
func TestNewerPack(t *testing.T) {
	files := entries(t, read(t, "packs", "good.zip"))
	for i := range files {
		if files[i].Name == pack.Meta {
			files[i].Data = bytes.Replace(files[i].Data, []byte(`{"v":1,`), []byte(`{"v":2,"new":true,`), 1)
		}
	}
	if rep := run(t, write(t, files), trust(t)); rep.Exit != verify.ExitNoPack {
		t.Errorf("exit %d", rep.Exit)
	}
}

// TestTrust: each key that the reader does not know ends 3; another key of a known log is wrong.
func TestTrust(t *testing.T) {
	text, pack := string(read(t, "trust.json")), read(t, "packs", "good.zip")
	other, err := evidence.NewSigner("yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW", []byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	own := "yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW+3e3cc100+Af5pM5VY4MrY6/C8Qd4h9cgVz3CSnRxczmQgjOcg3yUR"
	zeros := strings.Repeat("0", 64)
	for _, tt := range []struct {
		name, old, now string
		exit           int
	}{
		{"all known", "", "", 0},
		{"only the signer's own certificate", "db99ab8c30f08fa5554e57de65c5327ab56483d9ba3e9306b90d397173060a78", zeros, 0},
		{"only its issuer", "6f45578e494437e52b712deca1e85e847403d87541d6cae82103a73deb99561e", "5d3a2dabccd16a4e0431c22eb845add07e96a420608ce41aefa778aa0492e8a5", 0},
		{"no signer", "6f45578e494437e52b712deca1e85e847403d87541d6cae82103a73deb99561e", zeros, 3},
		{"no stamper", "c325ebaa19cfd65d6bd4488064a2a893fb097df5bf32c723f6a689b044410190", zeros, 3},
		{"no log", own, other.Key(evidence.KeyLog).String(), 1},
		{"no co-signer", "yuanlu-desk/desk-1+9e1028a6+BBIN1qB349ZPUQbcs4ALS0eMrJQ0p9wcWssCZfQiORx6", mustNamed(t, other).Key(evidence.KeyCosign).String(), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known, err := verify.ParseTrust([]byte(strings.Replace(text, tt.old, tt.now, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if rep := run(t, pack, known); rep.Exit != tt.exit {
				t.Errorf("exit %d, want %d: %v", rep.Exit, tt.exit, wrongs(rep))
			}
		})
	}
	if rep := run(t, pack, nil); rep.Exit != verify.ExitUntrusted || len(rep.Keys) != 4 {
		t.Errorf("without a trust file: exit %d, %v", rep.Exit, rep.Keys)
	}
	for _, bad := range []string{"", "{}", `{"v":2,"signers":[],"cosigners":[],"stampers":[]}`, `{"v":1,"signers":["x"],"cosigners":[],"stampers":[]}`,
		`{"v":1,"signers":[],"cosigners":[],"stampers":[],"more":[]}`, `{"v":1,"signers":[],"cosigners":["a"],"stampers":[]}`, `{"v":1,"signers":[],"stampers":[]}`} {
		if _, err := verify.ParseTrust([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func mustNamed(t *testing.T, s *evidence.Signer) *evidence.Signer {
	t.Helper()
	named, err := s.Named("yuanlu-desk/desk-1")
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// FuzzPack: no file makes the checks fail otherwise than by their answer, and none but the
// examples that hold ends 0.
func FuzzPack(f *testing.F) {
	known := trust(f)
	good := [][]byte{read(f, "packs", "good.zip"), read(f, "packs", "good-court.zip")}
	f.Add(read(f, "packs", "both-rewrite-stamped.zip")[:8000])
	f.Add(good[0][:69])
	var small bytes.Buffer
	if err := pack.Write(&small, []pack.File{{Name: pack.MimetypeName, Data: []byte(pack.Mimetype)}, {Name: pack.Meta, Data: []byte(fmt.Sprintf(`{"v":%d}`, 1))}}); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		rep, err := verify.Run(bytes.NewReader(text), int64(len(text)), known)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Exit == verify.ExitHolds && !bytes.Equal(text, good[0]) && !bytes.Equal(text, good[1]) {
			t.Fatal("a pack that was never made ends 0")
		}
	})
}
