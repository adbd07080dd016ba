package cosign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/cosign"
	"yuanlu/protocol/evidence"
)

// device is a terminal with one log; a copy of it is a store that was put back.
type device struct {
	t        *testing.T
	terminal string
	signer   *evidence.Signer
	tree     evidence.Tree
}

func signer(t *testing.T, name, seed string) *evidence.Signer {
	t.Helper()
	s, err := evidence.NewSigner(name, []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newDevice(t *testing.T, terminal, log, seed, before string) *device {
	d := &device{t: t, terminal: terminal, signer: signer(t, "yuanlu/"+terminal+"/"+strings.Repeat(log, 26), seed)}
	d.grow(string(evidence.AppendLeaf(nil, 0, time.Unix(0, 0), evidence.LeafNote, evidence.AppendLog(nil, "new", before))))
	return d
}

func (d *device) grow(leaves ...string) {
	d.t.Helper()
	for _, l := range leaves {
		if _, err := d.tree.Append([]byte(l)); err != nil {
			d.t.Fatal(err)
		}
	}
}

// announce says the log's size, as it continues from.
func (d *device) announce(from int64, start string) []byte {
	d.t.Helper()
	size := d.tree.Size()
	root, err := d.tree.Root(size)
	if err != nil {
		d.t.Fatal(err)
	}
	n, err := d.signer.Sign(evidence.Checkpoint{Origin: d.signer.String(), Size: size, Root: root})
	if err != nil {
		d.t.Fatal(err)
	}
	a := evidence.Announcement{Key: d.signer.Key(evidence.KeyLog), Note: n, From: from}
	if a.Proof, err = d.tree.Consistency(from, size); err != nil {
		d.t.Fatal(err)
	}
	if start != "" {
		proof, err := d.tree.Inclusion(0, size)
		if err != nil {
			d.t.Fatal(err)
		}
		a.Start = &evidence.Start{Leaf: []byte(start), Proof: proof}
	}
	return a.Append(nil)
}

func leaf0(before string) string {
	return string(evidence.AppendLeaf(nil, 0, time.Unix(0, 0), evidence.LeafNote, evidence.AppendLog(nil, "new", before)))
}

// desk plays messages, and compares each answer with what is wanted: "-" none, "”" none co-signed,
// else the size of the note, with the alarms behind it.
type desk struct {
	t   *testing.T
	d   *cosign.Desk
	key evidence.Key
	at  int64
}

func newDesk(t *testing.T) *desk {
	s := signer(t, "yuanlu-desk/d", "d")
	return &desk{t: t, d: cosign.New(s), key: s.Key(evidence.KeyCosign), at: 1000}
}

func (d *desk) take(terminal string, message []byte, want string) cosign.Alarm {
	d.t.Helper()
	answer, alarms, change := d.d.Take(d.at, terminal, message)
	got := "-"
	if answer != nil {
		got = "''"
		if answer.Checkpoint != "" {
			n, err := evidence.ParseNote(answer.Checkpoint)
			if err != nil {
				d.t.Fatal(err)
			}
			if _, err := n.CosignedBy(d.key); err != nil || len(n.Lines) != 2 || n.Lines[0].Name != n.Origin {
				d.t.Errorf("the answer is not co-signed: %v, %q", err, answer.Checkpoint)
			}
			got = fmt.Sprint(n.Size)
			if change.Note != "" && change.Note != answer.Checkpoint {
				d.t.Error("what is kept is not what is answered")
			}
		}
	}
	for _, a := range alarms {
		got += " " + a.Code
	}
	if got != want {
		d.t.Errorf("got %s, want %s (message %.300s)", got, want, message)
	}
	if len(alarms) == 1 {
		return alarms[0]
	}
	return cosign.Alarm{}
}

// TestTable: each row of the page's table, in the order of a terminal's doings.
func TestTable(t *testing.T) {
	d := newDesk(t)
	a := newDevice(t, "t-1", "A", "a", "")
	a.grow("x", "y")
	d.take("t-1", a.announce(2, ""), "''")            // new, from not 0
	d.take("t-1", a.announce(0, ""), "-")             // start missing
	d.take("t-1", a.announce(0, leaf0("other")), "-") // not included
	d.take("t-1", a.announce(0, "x"), "-")            // not leaf 0
	d.take("t-2", a.announce(0, leaf0("")), "-")      // not of the topic's terminal
	d.take("t-1", a.announce(0, leaf0("")), "3")      // co-signed
	d.take("t-1", a.announce(0, leaf0("")), "3")      // kept
	d.take("t-1", a.announce(3, ""), "3")             // kept
	old := *a
	old.tree = clone(t, &a.tree)
	a.grow("z")
	d.take("t-1", a.announce(2, ""), "3")        // from not N's size
	d.take("t-1", a.announce(0, leaf0("")), "3") // the same, from 0
	bad := bytes.Replace(a.announce(3, ""), []byte(`"proof":["`), []byte(`"proof":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","`), 1)
	d.take("t-1", bad, "3 log_not_extended") // proof wrong
	d.take("t-1", a.announce(3, ""), "4")    // proof right
	smaller := newDevice(t, "t-1", "A", "a", "")
	smaller.grow("x")
	d.take("t-1", smaller.announce(0, leaf0("")), "4 log_rolled_back") // smaller, not kept
	d.take("t-1", smaller.announce(0, leaf0("")), "4")                 // smaller, kept by now
	d.take("t-1", newDeviceKey(t, "b").announce(0, leaf0("")), "4 log_key")
	shared := newDevice(t, "t-3", "C", "a", "")
	d.take("t-3", shared.announce(0, leaf0("")), "- key_shared")
	old.grow("other z")
	fork := d.take("t-1", old.announce(3, ""), "4 log_forked") // another root of size 4
	if fork.Ours == "" || fork.Theirs == "" {
		t.Error("an alarm without both notes")
	}
	a.grow("more")
	d.take("t-1", a.announce(4, ""), "4") // closed
	newest, _, _ := d.d.Take(d.at, "t-1", a.announce(4, ""))
	b := newDevice(t, "t-1", "B", "b", newest.Checkpoint)
	restart := d.take("t-1", b.announce(0, leaf0(newest.Checkpoint)), "1 log_restarted")
	if restart.Why != "new" || !restart.BeforeIsNewest {
		t.Errorf("%+v", restart)
	}
	c := newDevice(t, "t-1", "C", "b", "")
	if r := d.take("t-1", c.announce(0, leaf0("")), "1 log_restarted"); r.BeforeIsNewest {
		t.Error("an empty before is taken for the newest note")
	}
	b.grow("w")
	d.take("t-1", b.announce(1, ""), "1 log_rolled_back") // the terminal has begun a newer log
}

func newDeviceKey(t *testing.T, seed string) *device { return newDevice(t, "t-1", "A", seed, "") }

// clone returns a tree with the same leaves: a store that was copied.
func clone(t *testing.T, of *evidence.Tree) evidence.Tree {
	t.Helper()
	var all evidence.Tree
	for _, l := range []string{leaf0(""), "x", "y"} {
		if _, err := all.Append([]byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	was, err := of.Root(3)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := all.Root(3); err != nil || now != was {
		t.Fatal("the copy is another tree")
	}
	return all
}

// TestForms: every message that is not of the page's form is refused without an answer.
func TestForms(t *testing.T) {
	d := newDesk(t)
	a := newDevice(t, "t-1", "A", "a", "")
	good := string(a.announce(0, leaf0("")))
	other := signer(t, "yuanlu/t-1/"+strings.Repeat("B", 26), "a")
	for name, bad := range map[string]string{
		"no JSON":                 good[1:],
		"another member":          strings.Replace(good, `"v":1,`, `"v":1,"x":1,`, 1),
		"a member twice":          strings.Replace(good, `"v":1,`, `"v":1,"v":1,`, 1),
		"another version":         strings.Replace(good, `"v":1,`, `"v":2,`, 1),
		"from above size":         strings.Replace(good, `"from":0`, `"from":2`, 1),
		"from 1 with start":       strings.Replace(good, `"from":0`, `"from":1`, 1),
		"a proof with from 0":     strings.Replace(good, `"from":0,"proof":[]`, `"from":0,"proof":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]`, 1),
		"size 0":                  strings.Replace(good, `\n1\n`, `\n0\n`, 1),
		"the vkey of another log": strings.Replace(good, a.signer.Key(evidence.KeyLog).String(), other.Key(evidence.KeyLog).String(), 1),
		"the vkey of another key": strings.Replace(good, a.signer.Key(evidence.KeyLog).String(), newDeviceKey(t, "b").signer.Key(evidence.KeyLog).String(), 1),
		"too long":                good + strings.Repeat(" ", evidence.MaxMessage),
	} {
		if bad == good {
			t.Fatalf("%s: unchanged", name)
		}
		before := d.d.Refused
		if answer, alarms, _ := d.d.Take(1, "t-1", []byte(bad)); answer != nil || alarms != nil || d.d.Refused != before+1 {
			t.Errorf("%s: %v, %v", name, answer, alarms)
		}
	}
	d.take("t-1", []byte(good), "1")
}

// TestTimesDoNotFall: a clock that goes back does not make a co-signature older than the one before.
func TestTimesDoNotFall(t *testing.T) {
	d := newDesk(t)
	a := newDevice(t, "t-1", "A", "a", "")
	d.take("t-1", a.announce(0, leaf0("")), "1")
	a.grow("x")
	d.at = 500
	answer, _, _ := d.d.Take(d.at, "t-1", a.announce(1, ""))
	n, err := evidence.ParseNote(answer.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := n.CosignedBy(d.key); err != nil || at != 1000 || n.Size != 2 {
		t.Errorf("size %d at %d, %v", n.Size, at, err)
	}
}

// TestOthersAreBounded: of notes that were not co-signed the newest 1000 are kept.
func TestOthersAreBounded(t *testing.T) {
	d := newDesk(t)
	a := newDevice(t, "t-1", "A", "a", "")
	a.grow("x", "y", "z")
	d.take("t-1", a.announce(0, leaf0("")), "4")
	first := a.announce(0, leaf0(""))
	for range 1002 {
		a.grow("more")
		d.take("t-1", a.announce(0, leaf0("")), "4")
	}
	d.take("t-1", first, "4")
}

// TestReplay: lines in, lines out, as evidence.md has them.
func TestReplay(t *testing.T) {
	a := newDevice(t, "t-1", "A", "a", "")
	var in strings.Builder
	line := func(message []byte) {
		fmt.Fprintf(&in, `{"at":"2026-08-23T01:00:00Z","terminal":"t-1","message":%s}`+"\n", message)
	}
	line(a.announce(0, leaf0("")))
	in.WriteString("\n{}\n")
	a.grow("x")
	line(a.announce(1, ""))
	line([]byte(`{"v":1}`))
	var out bytes.Buffer
	bad, err := cosign.Replay(cosign.New(signer(t, "yuanlu-desk/d", "d")), strings.NewReader(in.String()), &out)
	if err != nil || !bad {
		t.Errorf("%t, %v", bad, err)
	}
	var got []string
	for l := range strings.Lines(out.String()) {
		var v struct {
			Line   int
			Answer *struct {
				V                  int
				Origin, Checkpoint string
			}
			Alarms []string
		}
		if err := json.Unmarshal([]byte(l), &v); err != nil || v.Alarms == nil {
			t.Fatalf("%s: %v", l, err)
		}
		got = append(got, fmt.Sprint(v.Line, v.Answer != nil))
	}
	if want := []string{"1 true", "3 false", "4 true", "5 false"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
