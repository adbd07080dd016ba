package e2e

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/protocol/mqtt/brokertest"
)

// The power goes at random moments under load; each time the agent comes back the
// firmware prints its open batch again. Nothing of it is lost, nothing is there
// twice, and every refund has the case id it has without any accident.
func TestKillAtRandomMoments(t *testing.T) {
	kills := 20
	if os.Getenv("YUANLU_SOAK") != "" {
		kills = 200
	}
	rng := rand.New(rand.NewPCG(7, 2026))
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "traditional", 11)
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	d := newDesk(t, broker.URL(), st.id)

	var held []scenario.Entry // a settlement that waits until its batch is known
	for range kills {
		st.startOnline()
		power := time.After(time.Duration(5+rng.IntN(500)) * time.Millisecond)
		fw.reprint()
		for on := true; on; {
			select {
			case <-power:
				st.kill()
				on = false
			default:
				held = fw.play(t, st, held)
				pace(time.Duration(rng.IntN(4000)) * time.Microsecond)
			}
		}
	}
	st.startOnline()
	fw.reprint()
	if !waitFor(30*time.Second, func() bool { return whole(t, st.store, without(fw.entries, held)) }) {
		report(t, st.store, without(fw.entries, held))
		t.Fatal("what was done is not all in the store")
	}
	eventually(t, 30*time.Second, "all cases at the desk", func() bool {
		return len(d.snapshot()) >= len(storedCases(t, st.store))
	})
	st.stop()
	d.check()
	told := d.snapshot()
	for id := range storedCases(t, st.store) {
		if _, ok := told[id]; !ok {
			t.Errorf("case %s never arrived", id)
		}
	}
	compareWithoutAccidents(t, fw, st, without(fw.entries, held), told)
	t.Logf("%d kills, %d things done, %d cases, %d events received again", kills, len(fw.entries), len(told), d.again)
	searchForSecrets(t, fw.term.Secrets(), []string{st.store}, map[string][]byte{"log": []byte(st.log.String()), "MQTT traffic": d.bytes()})
}

// play lets one customer come. A settlement is said only when everything before it
// is in the store: what a settled batch lost is not printed again by anyone.
func (f *firmware) play(t *testing.T, st *station, held []scenario.Entry) []scenario.Entry {
	if held == nil {
		batch := f.open()
		es := f.next()
		if !settles(es) {
			f.say(es)
			return nil
		}
		held, f.closing = es, append(batch, es[:len(es)-1]...)
	}
	if whole(t, st.store, without(f.entries, held)) {
		f.say(held)
		// The settlement itself is in no open batch: wait for it too.
		if waitFor(2*time.Second, func() bool { return whole(t, st.store, f.entries) }) {
			f.closing = nil
			return nil
		}
	}
	return held
}

// waitFor is eventually without a verdict.
func waitFor(limit time.Duration, ok func() bool) bool {
	end := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			return false
		case <-tick.C:
		}
	}
	return true
}

func without(all, held []scenario.Entry) []scenario.Entry {
	return slices.DeleteFunc(slices.Clone(all), func(e scenario.Entry) bool {
		return slices.ContainsFunc(held, func(h scenario.Entry) bool { return h.Seq == e.Seq })
	})
}

// compareWithoutAccidents plays the same day to an agent that nothing happens to
// and that has the same case key, and compares the case ids of all refunds.
func compareWithoutAccidents(t *testing.T, fw *firmware, st *station, es []scenario.Entry, told map[string]caseEvent) {
	t.Helper()
	calm := newFirmware(t, "traditional", 11)
	other := newStation(t, settings{port: calm.link, id: "t-calm"})
	key, err := os.ReadFile(filepath.Join(st.store, "keys", "case"))
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(other.store, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "case"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	other.startOnline()
	calm.say(es)
	eventually(t, 30*time.Second, "the calm day in the store", func() bool { return whole(t, other.store, es) })
	other.stop()
	got, want := caseIDs(t, st.store), caseIDs(t, other.store)
	if !maps.Equal(got, want) {
		for n, id := range want {
			if got[n] != id {
				t.Errorf("%s: case id %s, without accidents %s", n, got[n], id)
			}
		}
	}
	wrong := 0
	for n, truth := range fw.truths() {
		if truth.Label == scenario.Wrong && slices.Contains(truth.Codes, "recipient_mismatch") {
			wrong++
			if _, ok := told[got[n]]; !ok && got[n] != "" {
				t.Errorf("%s went to somebody else and no case came", n)
			}
		}
	}
	if len(want) < 5 || wrong < 2 {
		t.Errorf("%d refunds, %d of them to somebody else: too few to show anything", len(want), wrong)
	}
}

func caseIDs(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := events(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range all {
		if e.caseID != "" {
			out[e.number+" "+e.kind] = e.caseID
		}
	}
	byID := map[string]string{}
	for n, id := range out {
		if before, ok := byID[id]; ok {
			t.Errorf("%s and %s share case id %s", before, n, id)
		}
		byID[id] = n
	}
	return out
}
