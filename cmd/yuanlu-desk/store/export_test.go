package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/leaves"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

// played is a terminal that is asked for leaves by the desk's asker.
type played struct {
	*desktest.Log
	silent bool
	change func([]byte) []byte // of what it answers
}

// asks has the asker ask until no ask is due.
func (r *rig) asks(p *played) {
	r.t.Helper()
	r.now = r.now.Add(2 * time.Minute)
	asker := leaves.New(r.s, func() time.Time { return r.now }, discard())
	due := 0
	err := asker.Once(r.t.Context(), func(_ string, c topics.Cmd) error {
		due++
		command, err := json.Marshal(&c)
		if err != nil || p.silent {
			return err
		}
		for _, m := range p.Answer(command) {
			if p.change != nil {
				m = p.change(m)
			}
			asker.Take(p.Terminal, m)
		}
		return nil
	})
	if err != nil || due == 0 {
		r.t.Fatalf("%d asks, %v", due, err)
	}
}

// exporting is a store with a case of a terminal whose log it has co-signed.
func exporting(r *rig) (*played, *evidence.Signer) {
	r.t.Helper()
	key := cosigner(r.t, "d", "d")
	r.cosigns(r.s, key, true)
	r.hire("analyst", "cashier")
	p := &played{Log: desktest.NewLog(r.t, "t-1", "A", "a", "new", "")}
	e := desktest.Case{Seq: 1}
	id := desktest.CaseID(1)
	record := func(seq int64, kind, token string) {
		d := evidence.RecordData{Seq: seq, Link: "pos", Received: "2026-08-23T01:00:00Z", Record: []byte(`{"kind":"` + kind + `","amount":350,"party":{"scheme":"pan","shown":"620550*********0004","token":["k1:` + token + `"]}}`)}
		p.Add(evidence.LeafRecord, d.Append(nil), id)
	}
	record(1, "sale", "one")
	record(2, "refund", "two")
	p.Case(e.JSON())
	r.take(c(e))
	r.announced(p.Log, p.Announce(0))
	r.asks(p)
	r.now = r.now.Add(time.Minute)
	r.announced(p.Log, p.Announce(p.Newest())) // the anchor of the first answer is in it
	return p, key
}

func (r *rig) export(x store.Exporting) store.Exported {
	r.t.Helper()
	x.Program = "yuanlu-desk test"
	got, err := r.s.Export(r.t.Context(), r.now, x)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// verified checks a pack with the verifier, and returns its exit status and what is wrong.
func (r *rig) verified(file []byte, key *evidence.Signer, logs ...*desktest.Log) (exit int, wrong []string) {
	r.t.Helper()
	trust := store.Trust{V: 1, Signers: []string{}, Cosigners: []string{key.Key(evidence.KeyCosign).String()}, Stampers: []string{}}
	for _, l := range logs {
		trust.Logs = append(trust.Logs, l.Signer.Key(evidence.KeyLog).String())
	}
	text, err := trust.JSON()
	if err != nil {
		r.t.Fatal(err)
	}
	known, err := verify.ParseTrust(text)
	if err != nil {
		r.t.Fatal(err)
	}
	rep, err := verify.Run(bytes.NewReader(file), int64(len(file)), known)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range rep.Checks {
		if c.State == verify.Wrong {
			wrong = append(wrong, c.Name+": "+c.Where+": "+c.Text.EN)
		}
	}
	return rep.Exit, wrong
}

// TestExport: a pack of what the store and the terminal have holds by the verifier; it is handed out again as the
// very bytes, and its event is in the desk's log.
func TestExport(t *testing.T) {
	both(t, func(r *rig) {
		p, key := exporting(r)
		r.work("analyst", `"do":"claim","case":%q,"expect":2`, caseOne)
		if err := r.s.AskFor(t.Context(), r.now, caseOne, "m"); err != nil {
			t.Fatal(err)
		}
		r.asks(p)
		waiting, answers, err := r.s.Asked(t.Context(), "m", true)
		if err != nil || waiting != 0 || answers["t-1"] != "ok" {
			t.Fatalf("%d %v %v", waiting, answers, err)
		}
		got := r.export(store.Exporting{Case: caseOne, Profile: "court", Reader: "法院", By: "analyst", Answers: answers})
		r.want("number", got.Pack, "E-2026-000001")
		exit, wrong := r.verified(got.File, key, p.Log)
		if exit != 3 || len(wrong) > 0 { // unsigned
			t.Fatalf("exit %d: %v", exit, wrong)
		}
		for _, want := range []string{"terminal/leaves.jsonl", "desk/anchors.jsonl"} {
			if !strings.Contains(string(got.File), want) {
				t.Errorf("no %s", want)
			}
		}
		if n := strings.Count(string(got.File), `"leaf":"{`); n < 5 {
			t.Errorf("%d leaves in the pack", n)
		}
		again, err := r.s.Again(t.Context(), got.Pack)
		if err != nil || !bytes.Equal(again.File, got.File) {
			t.Errorf("again: %v", err)
		}
		if r.export(store.Exporting{Case: caseOne, Profile: "bank", By: "cashier"}).Refused.Refused == "" {
			t.Error("a cashier exported a case")
		}
		second := r.export(store.Exporting{Case: caseOne, Profile: "bank", Answers: map[string]string{"t-1": "no_answer"}})
		if exit, wrong := r.verified(second.File, key, p.Log); exit != 3 || len(wrong) > 0 || !strings.Contains(string(second.File), "the terminal did not answer") {
			t.Fatalf("exit %d: %v", exit, wrong)
		}
		leaves, err := r.s.OwnLeaves(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(second.File)
		found := false
		for _, l := range leaves {
			found = found || strings.Contains(string(l), hex.EncodeToString(sum[:])) && strings.Contains(string(l), `"what":"exported"`) && strings.Contains(string(l), `"seq":2`)
		}
		if !found {
			t.Error("the second export is not in the desk's log")
		}
	})
}

// TestHostileLeaves: an answer of which any byte of a leaf, a proof or a checkpoint differs is not kept, and
// whatever is kept makes a pack that holds.
func TestHostileLeaves(t *testing.T) {
	r := newRig(t, t.TempDir()+"/desk.db")
	p, key := exporting(r)
	for name, change := range map[string][2]string{
		"leaf":   {`\"amount\":350`, `\"amount\":351`},
		"number": {`"n":2`, `"n":3`},
		"proof":  {`"proof":["`, `"proof":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","`},
		"origin": {`"origin":"yuanlu/t-1/A`, `"origin":"yuanlu/t-1/B`},
		"size":   {`"size":5`, `"size":6`},
		"count":  {`"leaves":`, `"leaves":1`},
		"pages":  {`"pages":`, `"pages":9`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.s.AskFor(t.Context(), r.now, caseOne, name); err != nil {
				t.Fatal(err)
			}
			changed := false
			p.change = func(b []byte) []byte {
				out := strings.Replace(string(b), change[0], change[1], 1)
				changed = changed || out != string(b)
				return []byte(out)
			}
			r.asks(p)
			p.change = nil
			_, answers, err := r.s.Asked(t.Context(), name, true)
			if err != nil || !changed || answers["t-1"] == "ok" {
				t.Errorf("changed %v, answers %v, %v", changed, answers, err)
			}
		})
	}
	got := r.export(store.Exporting{Case: caseOne, Profile: "court"})
	if exit, wrong := r.verified(got.File, key, p.Log); exit != 3 || len(wrong) > 0 {
		t.Fatalf("exit %d: %v", exit, wrong)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
