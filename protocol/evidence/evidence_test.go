package evidence_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"yuanlu/protocol/evidence"
)

// TestSecondTree: another implementation computes the same root of every size of random logs and
// takes every proof that is made here, and none with one bit changed.
func TestSecondTree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(18, 1))
	for range 12 {
		size := 1 + rnd.Int64N(300)
		var tree evidence.Tree
		var hashes [][]byte
		for range size {
			leaf := make([]byte, rnd.IntN(200))
			for i := range leaf {
				leaf[i] = byte(rnd.Uint32())
			}
			if _, err := tree.Append(leaf); err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(leaf))
		}
		for range 60 {
			to := 1 + rnd.Int64N(size)
			n, from := rnd.Int64N(to), rnd.Int64N(to+1)
			secondTreeOne(t, rnd, &tree, hashes, n, from, to)
		}
	}
}

func secondTreeOne(t *testing.T, rnd *rand.Rand, tree *evidence.Tree, hashes [][]byte, n, from, to int64) {
	t.Helper()
	root, err := tree.Root(to)
	old, err2 := tree.Root(from)
	inc, err3 := tree.Inclusion(n, to)
	con, err4 := tree.Consistency(from, to)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if want := mth(hashes[:to]); string(root[:]) != string(want) {
		t.Fatalf("root of %d: got %x, want %x", to, root, want)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(n), uint64(to), hashes[n], bytesOf(inc), root[:]); err != nil {
		t.Fatalf("inclusion of %d in %d: %v", n, to, err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from), uint64(to), bytesOf(con), old[:], root[:]); err != nil {
		t.Fatalf("consistency of %d with %d: %v", from, to, err)
	}
	leaf := evidence.Hash(hashes[n])
	if err := errors.Join(evidence.CheckInclusion(inc, to, root, n, leaf), evidence.CheckConsistency(con, from, old, to, root)); err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]evidence.Hash{inc, con} {
		if len(p) == 0 {
			continue
		}
		i, bit := rnd.IntN(len(p)), rnd.IntN(256)
		p[i][bit/8] ^= 1 << (bit % 8)
	}
	if len(inc) > 0 && evidence.CheckInclusion(inc, to, root, n, leaf) == nil || len(con) > 0 && evidence.CheckConsistency(con, from, old, to, root) == nil {
		t.Fatalf("a proof with a changed bit is taken (%d, %d, %d)", n, from, to)
	}
}

// mth is the Merkle tree hash as RFC 6962 § 2.1 defines it.
func mth(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		return rfc6962.DefaultHasher.EmptyRoot()
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(mth(leaves[:k]), mth(leaves[k:]))
}

func bytesOf(p []evidence.Hash) (out [][]byte) {
	for _, h := range p {
		out = append(out, h[:])
	}
	return out
}

// TestNotesAreThoseOfSumdb: sumdb/note opens what is signed here.
func TestNotesAreThoseOfSumdb(t *testing.T) {
	const origin = "yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW"
	s, err := evidence.NewSigner(origin, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Sign(evidence.Checkpoint{Origin: origin, Size: 7})
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(s.Key(evidence.KeyLog).String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open([]byte(n.String()), note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	own, err := note.NewSigner(s.PrivateLine())
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.Sign(&note.Note{Text: n.Text()}, own)
	if err != nil || string(other) != n.String() {
		t.Errorf("sumdb/note signs %q, %v; want %q", other, err, n)
	}
	if twice := n.String() + n.String()[len(n.Text())+1:]; parsed(twice) {
		t.Error("a note that one key signs twice is taken")
	}
}

func parsed(text string) bool { _, err := evidence.ParseNote(text); return err == nil }

func TestLeaves(t *testing.T) {
	at := time.Date(2026, 8, 23, 1, 0, 0, 345_000_000, time.UTC)
	record := `{"seq":2,"copy_of":0,"link":"pos","received":"2026-08-23T09:00:00+08:00","synced":true,"timed":false,"frame_mac":"k1:00","record":{"v": 1,"party":{"scheme":"pan","token":["k1:aa"],"shown":"62"}}}`
	for _, tt := range []struct {
		name, kind, d string
		n             int64
		ok            bool
	}{
		{"record", "record", record, 17, true},
		{"a party has an id", "record", strings.Replace(record, `"shown"`, `"id"`, 1), 17, false},
		{"one of its further identifiers has an id", "record", strings.Replace(record, `"shown":"62"`, `"shown":"62","also":[{"scheme":"pan","id":"x"}]`, 1), 17, false},
		{"copy of a later one", "record", strings.Replace(record, `"copy_of":0`, `"copy_of":2`, 1), 17, false},
		{"order of members", "record", strings.Replace(record, `"synced":true,"timed":false`, `"timed":false,"synced":true`, 1), 17, false},
		{"space", "record", strings.Replace(record, `"copy_of":0`, `"copy_of": 0`, 1), 17, false},
		{"a member twice", "record", strings.Replace(record, `"v": 1`, `"v":1,"v":1`, 1), 17, false},
		{"escape", "anchor", `{"desk":"\u0041"}`, 17, false},
		{"anchor", "anchor", `{"desk":"a\nb"}`, 17, true},
		{"verdict", "verdict", `{"verdict":{"seq":1,"rev":1},"rule_set":"a","settings":"b"}`, 1, true},
		{"verdict without rev", "verdict", `{"verdict":{"seq":1},"rule_set":"a","settings":"b"}`, 1, false},
		{"case", "case", `{"id":"E1","sequence":"1","type":"t","subject":"s","time":"x","data":{"a":[1, 2]}}`, 1, true},
		{"hold", "hold", `{"anything": 1}`, 1, true},
		{"settled", "settled", `{"stream":"s","acked_seq":"1","kid":""}`, 1, true},
		{"match", "match", `{"seq":1,"who":"payer","result":"same"}`, 1, true},
		{"match with a third result", "match", `{"seq":1,"who":"payer","result":"likely"}`, 1, false},
		{"log", "note", `{"what":"log","why":"new","before":""}`, 0, true},
		{"log not as leaf 0", "note", `{"what":"log","why":"new","before":""}`, 1, false},
		{"log for no reason", "note", `{"what":"log","why":"mood","before":""}`, 0, false},
		{"start", "note", `{"what":"start"}`, 1, true},
		{"clock", "note", `{"what":"clock","from":"a","to":"b"}`, 1, true},
		{"lost", "note", `{"what":"lost","link":"pos","bytes":5}`, 1, true},
		{"unknown note", "note", `{"what":"else"}`, 1, false},
		{"unknown type", "other", `{}`, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := evidence.AppendLeaf(nil, tt.n, at, tt.kind, []byte(tt.d))
			l, err := evidence.ParseLeaf(text)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, evidence.ErrForm) {
				t.Fatalf("%s: %v", text, err)
			}
			if tt.ok && (l.N != tt.n || !l.At.Equal(at) || l.Type != tt.kind || string(l.D.Raw) != tt.d) {
				t.Errorf("read %+v", l)
			}
		})
	}
	good := evidence.AppendLeaf(nil, 0, at, "note", []byte(`{"what":"stop"}`))
	for _, bad := range []string{
		strings.Replace(string(good), ".345Z", "Z", 1), strings.Replace(string(good), `"v":1`, `"v":2`, 1), string(good) + "\n", " " + string(good), string(good) + " ", strings.Replace(string(good), `"n":0`, `"n":-0`, 1),
		strings.Replace(string(good), `"n":0`, `"n":0.0`, 1),
	} {
		if _, err := evidence.ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]string{"yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW": "t-1", "yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRI": "", "yuanlu/T/4T3X8K2M9QZ7V5B1N6C0DYHJRW": "", "yuanlu/t-1/4T3X": ""} {
		if got, _ := evidence.TerminalOf(origin); got != want {
			t.Errorf("%s: got %q, want %q", origin, got, want)
		}
	}
	if got, ok := evidence.DeskOf("yuanlu-desk/desk-1/7D5K1S8W2X9Q4R6T3V0Z1A2B3C"); !ok || got != "yuanlu-desk/desk-1" {
		t.Errorf("got %q", got)
	}
}

// FuzzNote: what is taken is written again byte for byte, and sumdb/note reads the same text.
func FuzzNote(f *testing.F) {
	f.Add("yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW\n1\n5yDf53O5vcw3f0zIrOiwfLjSBqzl2ukMAHsAxZ+2urg=\n\n— yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW PjzBAPUzNJB8svQ3b8qzhpmmcmLyxD+bpQOBIAgiFTwUui3BYOq44/uQPy1zs/nTti8NB2K+UsNAhRaOIh4tbIdouwk=\n")
	f.Add("a\n1\n\n\n— a AAAAAA==\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := evidence.ParseNote(text); err == nil && n.String() != text {
			t.Fatalf("%q is written as %q", text, n)
		} else if err != nil && !errors.Is(err, evidence.ErrForm) {
			t.Fatal(err)
		}
		if k, err := evidence.ParseKey(text, evidence.KeyLog); err == nil && k.String() != text {
			t.Fatalf("%q is written as %q", text, k)
		}
	})
}

// FuzzLeaf: a leaf is read or refused with a class, and its members are written again as they stood.
func FuzzLeaf(f *testing.F) {
	at := time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC)
	f.Add(evidence.AppendLeaf(nil, 3, at, "case", []byte(`{"id":"E1","sequence":"1","type":"t","subject":"s","time":"x","data":{"a":[1,{"b":null}]}}`)))
	f.Add(evidence.AppendLeaf(nil, 0, at, "note", []byte(`{"what":"log","why":"new","before":""}`)))
	f.Add(evidence.AppendLeaf(nil, 0, at, "hold", []byte(strings.Repeat(`{"a":`, 62)+`1`+strings.Repeat(`}`, 62))))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := evidence.ParseLeaf(text)
		if err != nil {
			if !errors.Is(err, evidence.ErrForm) {
				t.Fatal(err)
			}
			return
		}
		if again := evidence.AppendLeaf(nil, l.N, l.At, l.Type, l.D.Raw); string(again) != string(text) {
			t.Fatalf("%q is written as %q", text, again)
		}
		if !l.D.Equal(l.D) {
			t.Fatal("a value is not equal to itself")
		}
	})
}
