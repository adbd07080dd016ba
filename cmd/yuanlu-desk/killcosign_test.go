package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// The desk is killed at random moments while a terminal whose key was copied announces two logs of one name. At
// no moment two roots of one size are co-signed, and no leaf of the desk's own log is lost or changed.
func TestKillDeskWhileItCosigns(t *testing.T) {
	for name, place := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "desk.db") },
		"postgres": func(t *testing.T) string { return cluster.Database(t) },
	} {
		t.Run(name, func(t *testing.T) { killCosigning(t, place(t)) })
	}
}

// forked are what two holders of one key announce in turn: each begins its log, and goes on with it.
func forked(t *testing.T, name string) (list [][]byte) {
	t.Helper()
	for _, what := range []string{"start", "stop"} {
		l := desktest.NewLog(t, "t-1", name, name, "new", "")
		l.Add(evidence.LeafNote, []byte(`{"what":"`+what+`"}`))
		list = append(list, l.Announce(0))
		l.Add(evidence.LeafNote, []byte(`{"what":"`+what+`"}`))
		list = append(list, l.Announce(2))
	}
	return list
}

func killCosigning(t *testing.T, place string) {
	kills := 10
	if os.Getenv("YUANLU_SOAK") != "" {
		kills = 32
	}
	key := filepath.Join(t.TempDir(), "cosign")
	if out, err := exec.Command(binary(t, "yuanlu-desk"), "keygen", "--cosign", "shop", "--out", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := brokertest.Start(t, brokertest.Options{})
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	d := newDesk(t, "--broker", b.URL(), "--store", place, "--cosign-key", key)
	rng := rand.New(rand.NewPCG(7, 18))
	const names = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for n := range kills {
		list := forked(t, names[n:n+1])
		d.startDesk()
		c.Send("yuanlu/v1/t-1/up/case", desktest.Case{Seq: int64(n + 1), CaseID: desktest.CaseID(int64(n + 1))}.JSON())
		end := time.After(time.Duration(100+rng.IntN(300)) * time.Millisecond)
		for killed := false; !killed; {
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for _, one := range list {
				c.Send("yuanlu/v1/t-1/up/checkpoint", one)
			}
			select {
			case <-end:
				killed = true
			case <-time.After(10 * time.Millisecond):
			}
		}
		d.kill()
	}
	d.startDesk()
	desktest.Eventually(t, time.Minute, "all events are stored", func() bool {
		acked, _ := c.Acked("S1")
		for n := acked + 1; n <= int64(kills); n++ {
			c.Send("yuanlu/v1/t-1/up/case", desktest.Case{Seq: n, CaseID: desktest.CaseID(n)}.JSON())
		}
		return acked == int64(kills)
	})
	if code := d.stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	cosignedOnce(t, place, c.Received(), kills)
}

// cosignedOnce checks what the desk answered against its store.
func cosignedOnce(t *testing.T, place string, received []brokertest.Received, events int) {
	t.Helper()
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	leaves, err := db.OwnLeaves(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tree evidence.Tree
	times := map[string]int{}
	for n, leaf := range leaves {
		if leaf == nil {
			t.Fatalf("leaf %d of the desk's log is lost", n)
		}
		if _, err := tree.Append(leaf); err != nil {
			t.Fatal(err)
		}
		times[string(leaf)]++
	}
	roots := map[string]evidence.Hash{} // by origin and size
	answers := 0
	for _, m := range received {
		var a topics.Cosign
		if m.Topic != "yuanlu/v1/t-1/dn/cosign" || json.Unmarshal(m.Payload, &a) != nil {
			continue
		}
		if note, err := evidence.ParseNote(a.Desk); a.Desk != "" {
			root, bad := tree.Root(min(note.Size, tree.Size()))
			if err != nil || bad != nil || note.Size > tree.Size() || root != note.Root {
				t.Errorf("a note of the desk that its log does not bear out: %v %v\n%s", err, bad, a.Desk)
			}
		}
		if a.Checkpoint == "" {
			continue
		}
		answers++
		note, err := evidence.ParseNote(a.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		at := note.Origin + string(rune(note.Size))
		if before, found := roots[at]; found && before != note.Root {
			t.Errorf("two roots of %s, size %d are co-signed", note.Origin, note.Size)
		}
		if roots[at] = note.Root; times[a.Checkpoint] != 1 {
			t.Errorf("the note of %s, size %d is %d times in the desk's log", note.Origin, note.Size, times[a.Checkpoint])
		}
	}
	journal := 0
	for n := range events {
		list, err := db.Journal(t.Context(), caseNo(n+1), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range list {
			if journal++; times[string(event)] != 1 {
				t.Errorf("an event of %s is %d times in the desk's log", caseNo(n+1), times[string(event)])
			}
		}
	}
	if len(roots) == 0 || journal < events {
		t.Errorf("%d notes, %d events: the test shows nothing", len(roots), journal)
	}
	t.Logf("%d answers, %d notes, %d leaves", answers, len(roots), len(leaves))
}
